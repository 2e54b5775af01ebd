"""How formulas of the preprint are judged: nothing is refuted or proved that a trajectory contradicts."""

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

from derivations.mask_in_the_mirror.judging import (
    along_the_flow,
    contradicted,
    judge,
    mirror_deviation,
    on_the_trajectory,
    without_decay,
)
from derivations.mask_in_the_mirror.setting import (
    WEIGHT,
    accumulated,
    closed_form,
    decay,
    derived,
    in_uv,
    trained_weight,
    u0,
    v0,
    x,
)
from derivations.mask_in_the_mirror.trajectory import Instance
from implicit_bias import Correction, Outcome, Verdict
from implicit_bias.claims import Equation


def correction():
    return Correction("", Verdict(Outcome.INCONCLUSIVE, ""))


def verdict(formula, **options):
    return judge(Equation(formula, WEIGHT), *closed_form(), evidence="", correction=correction, **options)


def test_a_true_formula_is_proved_and_a_false_one_refuted():
    assert verdict(trained_weight()).outcome is Outcome.PROVED
    assert verdict(trained_weight(), in_words=True).outcome is Outcome.ARGUED
    found = verdict(trained_weight() + x**2)
    assert found.outcome is Outcome.REFUTED
    assert found.violation.numbers["x"] != 0
    assert found.residual == pytest.approx(float(found.violation.numbers["x"]) ** 2)


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_trajectory_that_says_otherwise_leaves_it_open(wrong):
    """A proved formula with a deviation, and a refuted one without."""
    found = verdict(trained_weight() + wrong, deviation=lambda value, end: 1.0 - wrong)
    assert found.outcome is Outcome.INCONCLUSIVE
    agreeing = verdict(trained_weight() + wrong, deviation=lambda value, end: float(wrong))
    assert agreeing.outcome is (Outcome.REFUTED if wrong else Outcome.PROVED)


def test_what_no_numbers_contradict_is_not_refuted():
    equal = Equation(sp.exp(accumulated) * sp.exp(decay), sp.exp(accumulated + decay) + 0 * x, "equal")
    if equal.stated != equal.derived:
        assert contradicted(equal, correction=correction).outcome is Outcome.INCONCLUSIVE
    same = Equation((u0 + v0) ** 2, u0**2 + 2 * u0 * v0 + v0**2, "equal")
    assert contradicted(same, correction=correction).outcome is Outcome.INCONCLUSIVE


def test_the_derived_potential_obeys_both_forms_of_the_identity():
    potential = in_uv(derived().potential)
    for equation in (on_the_trajectory(potential), without_decay(along_the_flow(potential))):
        numbers = {"u0": 1.5, "v0": 0.5, "L": 0.75, "A": 0.25, "x": 0.3, "slope": -0.5, "alpha": 0.5}
        values = [
            float(side.subs({symbol: numbers[symbol.name] for symbol in side.free_symbols}))
            for side in (equation.stated, equation.derived)
        ]
        assert values[0] == pytest.approx(values[1], rel=1e-12)


def test_the_trajectory_in_closed_form_is_the_integrated_one():
    """L and A of the end of a trajectory of SciPy, whose slope is not constant, lead to its weight."""
    end = Instance(m0=1.0, w0=-0.5, target=0.75, alpha=0.5, time=1.5).end()
    assert float(WEIGHT.subs({s: end[s.name] for s in WEIGHT.free_symbols})) == pytest.approx(end["x"], abs=1e-10)
    potential = in_uv(derived().potential)
    deviation = mirror_deviation(potential)(
        lambda formula: float(formula.subs({s: end[s.name] for s in formula.free_symbols})), end
    )
    assert deviation < 1e-9


def test_the_decay_of_an_instance_ends_when_it_says():
    """The conserved quantity measures the decay that the integrator really applied."""
    instance = replace(Instance(w0=0.5, alpha=0.25, time=3.0), off=1.0)
    found_m, found_w, _ = instance.path(np.array([0.0, 0.5, 1.0, 2.0, 3.0]))
    applied = np.log(0.75 / (found_m**2 - found_w**2)) / 4
    np.testing.assert_allclose(applied, [0, 0.125, 0.25, 0.25, 0.25], atol=1e-10)
    assert instance.end()["A"] == 0.25
    assert instance.end()["alpha"] == 0.0
