"""Quadratic forms and ranges: wrong factors and intervals are refuted on flows, or not proved."""

import pytest
import sympy as sp

from derivations.mask_in_the_mirror.judging import REFUTED_ABOVE
from derivations.mask_in_the_mirror.setting import decay, u0, v0
from derivations.mirror_mirror import decay as decays
from derivations.mirror_mirror import parameterizations
from implicit_bias import Outcome


def test_a_wrong_factor_of_the_quadratic_potential_is_refuted_on_a_flow(monkeypatch):
    parameterizations.deviation.cache_clear()
    monkeypatch.setattr(parameterizations, "STATED_FACTOR", sp.Rational(1, 2))
    verdict = parameterizations.quadratic_potential.verdict()
    parameterizations.deviation.cache_clear()
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
    monkeypatch.setattr(decays, "STATED_ENDS", ends)
    assert decays.range_shrinking.verdict().outcome is outcome
