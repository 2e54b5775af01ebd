"""How checks come to verdicts: identities, the search for counterexamples, and the size of residuals."""

import math

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias import errors
from implicit_bias.claims.judge import TRIES, from_residual, prove, quarters, search

# Values in the order of quarters(): whole numbers first, then halves, then quarters, each by size.
ORDER = [0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 1.5, -1.5, 0.25, -0.25, 0.75, -0.75, 1.25, -1.25, 1.75, -1.75]


def test_a_failing_step_spoils_a_proof_but_refutes_nothing():
    x = sp.Symbol("x", real=True)
    assert prove("", x - x, stated=x - x).outcome is ib.Outcome.PROVED
    assert prove("", x).outcome is ib.Outcome.INCONCLUSIVE
    assert prove("", x, stated=x**2).outcome is ib.Outcome.INCONCLUSIVE
    refuted = prove("", stated=x**2)
    assert refuted.outcome is ib.Outcome.REFUTED
    assert refuted.counterexample["x"] ** 2 == refuted.counterexample["deviation"]


@pytest.mark.slow
@pytest.mark.parametrize("least", [0.25, -2.0])
def test_quarters_lists_simple_numbers_first(least):
    """Shrinking ends at those that come first in the list."""
    for k, value in enumerate(allowed := [value for value in ORDER if value >= least]):
        barred = allowed[:k]
        assert search(quarters(least, 2), lambda x, barred=barred: x not in barred).smallest == value


@pytest.mark.parametrize("corner", [(0, 0, 0), (4, 0, 1), (2, 3, 4)])
def test_a_box_shrinks_to_its_corner(corner):
    """All points above a corner fail; shrinking finds the corner, and says what it has tried."""
    points = st.tuples(*[st.integers(0, 6)] * 3)

    def fails(point):
        return all(value >= least for value, least in zip(point, corner, strict=True))

    found = search(points, fails)
    assert found.smallest == corner
    assert found.smallest in found.tried
    assert len(set(found.tried)) == len(found.tried)


def test_without_a_failure_there_is_no_counterexample():
    found = search(st.integers(0, 10**6), lambda value: False)
    assert found.smallest is None
    assert 0.8 * TRIES <= len(found.tried) <= TRIES


def test_searching_needs_hypothesis(monkeypatch):
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    for needs in (lambda: quarters(0, 1), lambda: search(st.integers(), bool)):
        with pytest.raises(errors.MissingPackageError, match=r"hypothesis.*implicit-bias\[judge\]"):
            needs()


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10))
def test_a_residual_supports_refutes_or_does_neither(residual, tolerance, threshold):
    verdict = from_residual(residual, tolerance, "measured", refuted_above=threshold, m0=1.0)
    if residual <= tolerance:
        expected = ib.Outcome.SUPPORTED
    else:
        expected = ib.Outcome.REFUTED if residual > threshold else ib.Outcome.INCONCLUSIVE
    assert verdict.outcome is expected
    assert (verdict.residual, verdict.tolerance, verdict.evidence) == (residual, tolerance, "measured")
    assert dict(verdict.counterexample) == ({"m0": 1.0} if expected is ib.Outcome.REFUTED else {})


@pytest.mark.parametrize("residual", [math.nan, math.inf, 5.0])
def test_nothing_is_refuted_without_a_threshold_and_numbers(residual):
    assert from_residual(residual, 1.0, "measured", m0=1.0).outcome is ib.Outcome.INCONCLUSIVE
    assert from_residual(residual, 1.0, "measured", refuted_above=2.0).outcome is ib.Outcome.INCONCLUSIVE


@pytest.mark.parametrize("residual", [math.nan, math.inf, -math.inf])
def test_a_computation_that_failed_neither_supports_nor_refutes(residual):
    assert from_residual(residual, math.inf, "measured", refuted_above=0.0, m0=1.0).outcome is ib.Outcome.INCONCLUSIVE


def test_a_residual_keeps_the_reason_for_its_tolerance():
    for residual in (0.5, 1.5, 3.0):
        verdict = from_residual(residual, 1.0, "measured", refuted_above=2.0, tolerance_reason="rounding", m0=1.0)
        assert verdict.tolerance_reason == "rounding"
