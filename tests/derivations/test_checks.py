"""The ledger: every statement is judged, the verdicts match the recorded ones, counterexamples can be run again."""

import importlib
import json

import numpy as np
import pytest
import sympy as sp
from hypothesis import strategies as st
from typer.testing import CliRunner

import derivations
from derivations.mask import (
    REFUTED_ABOVE,
    Violation,
    decay,
    judge_constant,
    m,
    trained_weight,
    u0,
    v0,
    w,
    x,
)
from derivations.theorem_2_1 import potential_with
from derivations.trajectory import Instance, instances
from implicit_bias import Outcome, Verdict
from implicit_bias.claims.judge import quarters


@pytest.fixture(scope="module")
def verdicts():
    return {name: claim.verdict() for name, claim in derivations.ledger().items()}


def test_verdicts_are_the_recorded_ones(verdicts):
    assert derivations.Ledger(derivations.ledger().values(), verdicts).outcomes() == derivations.recorded()


def test_the_issue_of_constants_is_found(verdicts):
    refuted = {name for name, verdict in verdicts.items() if verdict.outcome is Outcome.REFUTED}
    assert refuted == {
        "thm-2.1",
        "inverse-hessian",
        "small-scale",
        "rem-2.1-lipschitz",
        "thm-3.1",
        "minimum-position",
        "eq-5",
        "lem-a.1",
        "lem-a.1-hyperbolic",
        "lem-a.2",
        "lem-a.3-df",
        "thm-a.2",
    }
    for name in refuted:
        assert verdicts[name].correction.verdict.outcome is Outcome.PROVED
        assert verdicts[name].residual > REFUTED_ABOVE


def test_every_tolerance_has_a_reason(verdicts):
    for name, verdict in verdicts.items():
        assert (verdict.tolerance is None) == (not verdict.tolerance_reason), name
        assert verdict.tolerance is None or verdict.residual is not None


def test_counterexamples_reproduce_from_their_numbers(verdicts):
    from derivations.lemma_a_1 import STATED

    numbers = verdicts["lem-a.1"].counterexample
    fields = ("m0", "w0", "target", "alpha", "time")
    end = Instance(**{name: numbers[name] for name in fields}).end()
    stated = float(STATED.subs({s: end[s.name] for s in STATED.free_symbols}))
    assert abs(stated - end["x"]) == pytest.approx(numbers["deviation"], rel=1e-9)


def test_equation_5_is_violated_by_the_loss_itself(verdicts):
    """The bound as printed, from the start on; from the end of the decay on the corrected rate holds."""
    numbers = verdicts["eq-5"].counterexample
    instance = Instance(**{name: numbers[name] for name in ("m0", "w0", "target", "alpha", "time", "off")})
    m, w, _ = instance.path(np.array([0.0, numbers["off"], numbers["time"]]))
    first, early, late = (m * w) ** 2 / 2
    scale, decay = numbers["m0"] ** 2 - numbers["w0"] ** 2, numbers["alpha"] * numbers["off"]
    assert late > 1.5 * first * np.exp(-2 * scale * np.exp(-2 * decay) * numbers["time"])
    assert late <= early * np.exp(-2 * scale * np.exp(-4 * decay) * (numbers["time"] - numbers["off"]))


def test_the_bound_by_hand_on_the_loss_of_equation_5_lies_between():
    from derivations.equation_5 import fall

    found = fall(Instance(m0=1.0, w0=0.5, target=0.0, alpha=1.0, off=0.5, time=20.0))
    assert found.stated == pytest.approx(np.exp(-30 * np.exp(-1)), rel=1e-12)
    assert found.measured == pytest.approx(1.4e-4, rel=0.05)
    assert found.proved == pytest.approx(8.1e-5, rel=0.02)


def test_a_bound_by_hand_above_the_trajectory_refutes_nothing(monkeypatch):
    from derivations import equation_5

    monkeypatch.setattr(equation_5, "fall", lambda instance: equation_5.Fall(proved=1.0, measured=0.5, stated=0.1))
    assert equation_5.check().outcome is Outcome.INCONCLUSIVE


def test_the_rate_of_equation_5_is_too_high_after_the_decay_as_well(monkeypatch):
    """A larger stated rate is refuted by the loss between the end of the decay and a later time."""
    from derivations import equation_5, rate_after_decay

    monkeypatch.setattr(rate_after_decay, "STATED", equation_5.STATED)
    numbers = rate_after_decay.check().counterexample
    instance = Instance(**{name: numbers[name] for name in ("m0", "w0", "target", "alpha", "time", "off")})
    m, w, _ = instance.path(np.array([numbers["off"], numbers["time"]]))
    early, late = (m * w) ** 2 / 2
    duration = numbers["time"] - numbers["off"]
    assert late > 1.5 * early * np.exp(-numbers["stated_rate"] * duration)
    assert late <= early * np.exp(-numbers["derived_rate"] * duration)


def test_a_true_formula_is_not_refuted():
    """The judge says PROVED when it is handed the derived formula as the stated one."""
    from derivations.mask import derived, in_uv, judge, mirror_residual

    true = in_uv(derived().potential)
    verdict = judge(true, true, "", mirror_residual, "measure", instances(alpha=quarters(0, 1)))
    assert verdict.outcome is Outcome.PROVED


def test_a_broken_reference_is_inconclusive():
    """If the trajectory does not confirm the derived formula either, nothing is refuted."""
    from derivations.mask import derived, in_uv, judge, x

    true = in_uv(derived().potential)
    verdict = judge(true + x**2, true, "", lambda value, end, formula: 1.0, "measure", instances())
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_limits_would_notice_a_wrong_potential(verdicts):
    """The projection with the preprint's scale misses the flow's end by far more than the tolerance."""
    from derivations.mask import derived
    from derivations.optimality import TOLERANCE, _distance, _start
    from implicit_bias import HyperbolicEntropy, Regression, gradient_flow

    problem = Regression.sample(15, 30, 3, seed=7)
    init = _start(problem.truth / 10)
    end = gradient_flow(problem, derived().parameterization, init, [400.0]).x[-1]
    right = derived().at(init)
    wrong = HyperbolicEntropy(scale=2 * right.scale, shift=right.shift)
    assert _distance(end, problem, right) < TOLERANCE
    assert _distance(end, problem, wrong) > 1e-3


@pytest.mark.parametrize("spoiled", range(5))
def test_no_limit_is_proved_by_a_wrong_identity(spoiled, monkeypatch):
    """Each of those that the proof rests on."""
    from derivations import optimality, theorem_2_2

    right = optimality._mirror_identities()
    wrong = tuple(each + u0 if k == spoiled else each for k, each in enumerate(right))
    monkeypatch.setattr(optimality, "_mirror_identities", lambda: wrong)
    assert optimality.check_limit(None, theorem_2_2.check()).outcome is Outcome.INCONCLUSIVE


def test_no_limit_is_proved_without_convergence_or_against_numbers(monkeypatch):
    from derivations import optimality, theorem_2_2

    minimizes = theorem_2_2.check()
    assert optimality.check_limit(None, Verdict(Outcome.INCONCLUSIVE, "open")).outcome is Outcome.INCONCLUSIVE
    monkeypatch.setattr(optimality, "_largest_distance", lambda schedule: (1e-3, "far"))
    assert optimality.check_limit(None, minimizes).outcome is Outcome.INCONCLUSIVE


def test_homogeneous_decay_would_notice_another_degree_or_clock(monkeypatch):
    from derivations import homogeneous_decay

    monkeypatch.setattr(homogeneous_decay, "EXAMPLES", {"a*b*c": ("abc", 2)})
    found = homogeneous_decay.check()
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.residual > 1e-3
    monkeypatch.setattr(homogeneous_decay, "identities", lambda: (decay,))
    assert homogeneous_decay.check().outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("module", "stated", "outcome"),
    [
        ("conserved", (m**2 - w**2) * sp.exp(2 * decay), Outcome.REFUTED),
        ("r_minimal_at_start", u0 * v0, Outcome.REFUTED),
        ("lipschitz", 1 / (u0 * v0), Outcome.REFUTED),
        ("theorem_2_3", 4 * u0 * v0, Outcome.INCONCLUSIVE),
        ("theorem_2_1", x**2, Outcome.REFUTED),
        ("theorem_3_1", potential_with(sp.Rational(1, 2), u0 * v0 * sp.exp(-4 * decay)), Outcome.PROVED),
        ("theorem_3_1", potential_with(sp.Rational(1, 4), u0 * v0 * sp.exp(-4 * decay)), Outcome.REFUTED),
        ("rate_after_decay", 4 * u0 * v0 * sp.exp(-4 * decay), Outcome.REFUTED),
        # Weaker than the derived rate: true, but not what was derived, so nothing is concluded.
        ("rate_after_decay", u0 * v0 * sp.exp(-4 * decay), Outcome.INCONCLUSIVE),
        ("rate_after_decay", 2 * u0 * v0 * sp.exp(-4 * decay), Outcome.PROVED),
        # With the derived rate no instance contradicts equation 5, but nothing proves it with its B and for all t.
        ("equation_5", 2 * u0 * v0 * sp.exp(-4 * decay), Outcome.INCONCLUSIVE),
        ("equation_5", 4 * u0 * v0 * sp.exp(-4 * decay), Outcome.REFUTED),
        ("lemma_a_1", trained_weight(), Outcome.PROVED),
        ("small_scale", sp.Rational(1, 2), Outcome.PROVED),
        ("remark_2_1_lipschitz", 1 / (2 * u0 * v0), Outcome.PROVED),
        ("theorem_a_2", sp.Integer(-1), Outcome.PROVED),
        ("lemma_a_2", u0 * v0 * sp.exp(-4 * decay), Outcome.PROVED),
    ],
)
def test_the_verdict_follows_the_stated_formula(module, stated, outcome, monkeypatch):
    """Another formula in the place of the stated one gets another verdict: the checks read it."""
    found = importlib.import_module(f"derivations.{module}")
    monkeypatch.setattr(found, "STATED", stated)
    assert found.check().outcome is outcome


@pytest.mark.parametrize("module", ["l1_limit", "l2_limit", "remark_2_1"])
def test_a_wrong_factor_of_a_limit_is_not_proved(module, monkeypatch):
    found = importlib.import_module(f"derivations.{module}")
    monkeypatch.setattr(found, "STATED_FACTOR", 2 * found.STATED_FACTOR)
    assert found.check().outcome is Outcome.INCONCLUSIVE


def test_a_wrong_factor_of_the_quadratic_potential_is_refuted_on_a_flow(monkeypatch):
    from derivations import quadratic_potential

    quadratic_potential.deviation.cache_clear()
    monkeypatch.setattr(quadratic_potential, "STATED_FACTOR", sp.Rational(1, 2))
    verdict = quadratic_potential.check()
    quadratic_potential.deviation.cache_clear()
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.counterexample["deviation"] > REFUTED_ABOVE


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        ((2 * decay - u0**2 / 2, v0**2 / 2 - decay), Outcome.REFUTED),  # too narrow: a flow leaves it
        ((-(u0**2) / 2, v0**2 / 2), Outcome.INCONCLUSIVE),  # too wide: no flow leaves it, but nothing proves it
    ],
)
def test_another_range_of_the_mirror_map_is_not_proved(ends, outcome, monkeypatch):
    from derivations import range_shrinking

    monkeypatch.setattr(range_shrinking, "STATED_ENDS", ends)
    assert range_shrinking.check().outcome is outcome


def test_the_corrected_forms_are_proved_where_they_are_stated(monkeypatch):
    from derivations import lemma_a_1_hyperbolic, lemma_a_3_proof
    from derivations.mask import slope, strength

    monkeypatch.setattr(lemma_a_1_hyperbolic, "STATED", lemma_a_1_hyperbolic.CORRECTED)
    assert lemma_a_1_hyperbolic.check().outcome is Outcome.PROVED
    right = -2 * sp.sqrt(x**2 + u0**2 * v0**2 * sp.exp(-8 * decay)) * slope**2 - 4 * strength * x * slope
    monkeypatch.setattr(lemma_a_3_proof, "stated", lambda scale: right)
    assert lemma_a_3_proof.check().outcome is Outcome.PROVED


def test_a_constant_is_refuted_only_against_a_proof_and_by_a_violation():
    proved, open_question = Verdict(Outcome.PROVED, ""), Verdict(Outcome.INCONCLUSIVE, "")

    def outcome(proof, excess, stated=u0):
        found = Violation(excess, "", {"excess": excess})
        return judge_constant(stated, 2 * u0, proof, "", lambda _: found, st.just(0)).outcome

    assert outcome(proved, 1.0) is Outcome.REFUTED
    assert outcome(proved, -1.0) is Outcome.INCONCLUSIVE
    assert outcome(proved, float("nan")) is Outcome.INCONCLUSIVE
    assert outcome(open_question, 1.0) is Outcome.INCONCLUSIVE
    assert outcome(proved, 1.0, stated=2 * u0) is Outcome.PROVED


def test_the_decay_of_an_instance_ends_when_it_says():
    """The conserved quantity measures the decay that the integrator really applied."""
    instance = Instance(w0=0.5, alpha=0.25, off=1.0, time=3.0)
    found_m, found_w, _ = instance.path(np.array([0.0, 0.5, 1.0, 2.0, 3.0]))
    applied = np.log(0.75 / (found_m**2 - found_w**2)) / 4
    np.testing.assert_allclose(applied, [0, 0.125, 0.25, 0.25, 0.25], atol=1e-10)
    assert instance.end()["A"] == 0.25
    assert instance.end()["alpha"] == 0.0


def test_lyapunov_bound_would_notice_a_smaller_divergence():
    """The integral of the excess uses up a sizeable part of its bound, so a wrong bound would fail."""
    from derivations.convergence import run

    _, integral, bound = run(0)
    assert 0.2 * bound < integral <= bound


class TestCommandLine:
    @pytest.fixture
    def run(self):
        import typer

        from derivations.__main__ import main

        app = typer.Typer()
        app.command()(main)
        return lambda *args: CliRunner().invoke(app, args)

    def test_agreement_exits_with_zero_and_shows_the_counterexample(self, run):
        result = run("lem-a.1")
        assert result.exit_code == 0
        assert "REFUTED" in result.output
        assert "fails at" in result.output

    def test_a_changed_record_exits_with_one(self, run, monkeypatch, tmp_path):
        path = tmp_path / "recorded.json"
        path.write_text(json.dumps({**derivations.recorded(), "only-m": "SUPPORTED"}))
        monkeypatch.setattr(derivations, "RECORD", path)
        result = run("only-m")
        assert result.exit_code == 1
        assert "recorded SUPPORTED, found PROVED" in result.output

    def test_unknown_id_exits_with_two(self, run):
        assert run("thm-9.9").exit_code == 2

    def test_the_page_shows_the_whole_ledger_or_nothing(self, run):
        assert run("--html", "lem-a.1").exit_code == 2
