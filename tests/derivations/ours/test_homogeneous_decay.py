"""Decay on homogeneous parameterizations: a wrong degree is noticed, and flows of other degrees end as stated."""

import pytest

from derivations.ours import homogeneous_decay
from implicit_bias import Outcome


def test_homogeneous_decay_would_notice_another_degree(monkeypatch):
    monkeypatch.setattr(homogeneous_decay, "EXAMPLES", {"a*b*c": ("abc", 2)})
    found = homogeneous_decay.homogeneous_decay.verdict()
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.residual > 1e-3


@pytest.mark.parametrize(("formula", "names", "degree"), [("a*b", "ab", 2), ("a**4 - b**4", "ab", 4)])
def test_flows_of_other_degrees_end_at_the_projection(formula, names, degree):
    assert max(homogeneous_decay.distances(formula, names, degree)) < homogeneous_decay.TOLERANCE
