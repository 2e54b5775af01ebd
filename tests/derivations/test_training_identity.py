"""Trained networks and the mirror identity: the verdict follows from the measured orders."""

from dataclasses import replace

import numpy as np
import pytest

from derivations import training_identity
from implicit_bias import Outcome
from implicit_bias.masking import ensemble_checks


@pytest.fixture
def small(monkeypatch):
    """Fewer runs and steps, of plain descent alone."""
    monkeypatch.setattr(training_identity, "SEEDS", 2)
    monkeypatch.setattr(training_identity, "COUNTS", 2 ** np.arange(6, 9))
    monkeypatch.setattr(training_identity, "OPTIMIZERS", {"gradient descent": (0.0, None)})


def test_order_one_is_supported(small):
    verdict = training_identity.CLAIM.verdict()
    assert verdict.outcome is Outcome.SUPPORTED
    assert "18 networks" in verdict.evidence


def test_another_order_is_not_supported(small, monkeypatch):
    monkeypatch.setattr(training_identity, "STATED_ORDER", 2.0)
    assert training_identity.check().outcome is Outcome.INCONCLUSIVE


def test_another_scale_is_not_supported(small, monkeypatch):
    """Half the decay, as in a_t = a_0 e^(−2A): the residual does not vanish with the step."""
    right = ensemble_checks.mirror_residual
    monkeypatch.setattr(ensemble_checks, "mirror_residual", lambda runs: right(replace(runs, decay=runs.decay / 2)))
    assert training_identity.check().outcome is Outcome.INCONCLUSIVE
