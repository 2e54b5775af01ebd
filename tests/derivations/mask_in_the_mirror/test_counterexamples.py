"""The counterexamples in exact numbers: they are as simple as they can be, and trajectories say the same."""

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import derivations
from implicit_bias import Outcome
from implicit_bias.claims import judge

REFUTED = [
    "thm-2.1",
    "thm-2.1-thm-3.1",
    "r-minimal-at-start",
    "lipschitz-of-eq-2",
    "rem-2.1-entropy",
    "rem-2.1-lipschitz",
    "inverse-hessian",
    "inverse-hessian-of-eq-2",
    "thm-3.1",
    "minimum-position",
    "minimum-of-thm-3.1",
    "small-scale",
    "lem-a.1",
    "lem-a.1-hyperbolic",
    "lem-a.2",
    "lem-a.2-proof",
]
MODULES = ("commuting", "lipschitz", "potential", "scale", "solution")


@pytest.fixture(scope="module")
def verdicts():
    claims = derivations.ledger()
    return {
        claim.id.partition("/")[2]: claim.verdict()
        for claim in claims.values()
        if claim.module.startswith("derivations.mask_in_the_mirror") and claim.module.rpartition(".")[2] in MODULES
    }


def test_the_issue_of_constants_is_found(verdicts):
    assert {name for name, verdict in verdicts.items() if verdict.outcome is Outcome.REFUTED} == set(REFUTED)


@pytest.mark.parametrize("name", REFUTED)
def test_both_sides_differ_in_mpmath(name, verdicts):
    """The sides at the exact numbers once more, by an arithmetic that is neither SymPy's nor python-flint's."""
    violation = verdicts[name].violation
    with mp.workdps(40):
        numbers = {key: mp.mpf(value.numerator) / value.denominator for key, value in violation.numbers.items()}
        left, right = (
            sp_to_mp(side)(**{s.name: numbers[s.name] for s in side.free_symbols})
            for side in (violation.left, violation.right)
        )
        assert abs(left - right) > mp.mpf("0.02")
        assert violation.relation == "!=" or left > right


def sp_to_mp(expression):
    """A function of mpmath for an expression."""
    from sympy import lambdify

    names = sorted(expression.free_symbols, key=str)
    call = lambdify(names, expression, "mpmath")
    return lambda **values: call(*(values[name.name] for name in names))


@pytest.mark.parametrize("name", REFUTED)
def test_what_holds_instead_is_shown(name, verdicts):
    assert verdicts[name].correction.verdict.outcome in (Outcome.PROVED, Outcome.ARGUED)
    assert verdicts[name].correction.verdict.identities


@pytest.mark.parametrize("name", ["thm-2.1", "thm-3.1", "lem-a.1", "lem-a.2", "inverse-hessian", "minimum-of-thm-3.1"])
def test_no_number_of_a_counterexample_can_be_made_simpler(name, verdicts):
    violation = verdicts[name].violation
    order = judge._ordered(-3, 3)
    symbols = {s.name: s for s in violation.left.free_symbols | violation.right.free_symbols}
    for key, value in violation.numbers.items():
        for simpler in order[: order.index(value)]:
            if symbols[key].is_nonnegative and (simpler < 0 or (symbols[key].is_positive and simpler == 0)):
                continue
            numbers = {symbols[each]: float(n) for each, n in {**violation.numbers, key: simpler}.items()}
            left, right = (complex(side.subs(numbers)) for side in (violation.left, violation.right))
            assert left == pytest.approx(right, abs=1e-12), f"{key} = {simpler} would do"


def constant_pull(u0, v0, pull, strength):
    """M w at t = 1 under a constant slope of the loss and a constant strength, by LSODA."""
    m0, w0 = (u0 + v0) / np.sqrt(2), (u0 - v0) / np.sqrt(2)

    def velocity(t, state):
        m, w = state
        return [-w * pull - 2 * strength * m, -m * pull - 2 * strength * w]

    m, w = solve_ivp(velocity, (0, 1), [m0, w0], "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    return m * w


@pytest.mark.parametrize("name", ["lem-a.1", "lem-a.1-hyperbolic", "lem-a.2", "minimum-position"])
def test_the_right_side_is_the_weight_of_a_trajectory(name, verdicts):
    numbers = {key: float(value) for key, value in verdicts[name].violation.numbers.items()}
    weight = constant_pull(numbers["u0"], numbers["v0"], numbers.get("L", 0.0), numbers.get("A", 0.0))
    right = verdicts[name].violation.right
    assert float(right.subs({s: numbers[s.name] for s in right.free_symbols})) == pytest.approx(weight, abs=1e-8)


@pytest.mark.parametrize("name", ["thm-2.1", "thm-3.1"])
def test_the_printed_potentials_do_not_follow_a_trajectory(name, verdicts):
    """∇R(x_1) − ∇R(x_0) from the trajectory's end, by the printed slopes, against −L."""
    numbers = {key: float(value) for key, value in verdicts[name].violation.numbers.items()}
    u0, v0, pull, strength = (numbers.get(key, 0.0) for key in ("u0", "v0", "L", "A"))
    prefactor = 1 / 4 if name == "thm-2.1" else 1 / 2
    end = constant_pull(u0, v0, pull, strength)
    now = np.arcsinh(end / (2 * u0 * v0 * np.exp(-2 * strength)))
    then = np.arcsinh((u0**2 - v0**2) / 2 / (2 * u0 * v0))
    left = verdicts[name].violation.left
    stated = float(left.subs({s: numbers[s.name] for s in left.free_symbols}))
    assert stated == pytest.approx(prefactor * (now - then), abs=1e-8)
    assert abs(stated + pull) > 0.1
