"""Wrong factors and intervals are refuted, or not proved."""

import pytest
import sympy as sp

import derivations.mirror_mirror.convergence  # noqa: F401 - registers its claims
from derivations.mirror_mirror import mask, parameterizations, ranges
from implicit_bias import Outcome
from implicit_bias.claims import Statement


def test_a_wrong_factor_of_the_quadratic_potential_is_refuted():
    verdict = parameterizations.quadratic_potential.verdict(statement=Statement("", sp.Rational(1, 2)))
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.violation is not None


@pytest.mark.parametrize(
    "ends",
    [
        (2 * ranges.decay - ranges.u0**2 / 2, ranges.v0**2 / 2 - ranges.decay),  # too narrow
        (-(ranges.u0**2) / 2, ranges.v0**2 / 2),  # too wide
    ],
)
def test_another_range_of_the_mirror_map_is_not_argued(ends):
    verdict = ranges.range_shrinking.verdict(statement=Statement("", ends[0], ",", ends[1]))
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_decay_by_half_the_metric_is_refuted():
    half = mask.decay_monotone.statement.formula / 2
    assert mask.decay_monotone.verdict(statement=Statement("", half)).outcome is Outcome.INCONCLUSIVE
