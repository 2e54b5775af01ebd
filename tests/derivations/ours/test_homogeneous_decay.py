"""Decay on homogeneous parameterizations: another degree or clock is noticed."""

import pytest

from derivations.mask_in_the_mirror.setting import decay
from derivations.ours import homogeneous_decay
from implicit_bias import Outcome


@pytest.mark.slow
def test_homogeneous_decay_would_notice_another_degree_or_clock(monkeypatch):
    monkeypatch.setattr(homogeneous_decay, "EXAMPLES", {"a*b*c": ("abc", 2)})
    found = homogeneous_decay.homogeneous_decay.verdict()
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.residual > 1e-3
    monkeypatch.setattr(homogeneous_decay, "identities", lambda: (decay,))
    assert homogeneous_decay.homogeneous_decay.verdict().outcome is Outcome.INCONCLUSIVE
