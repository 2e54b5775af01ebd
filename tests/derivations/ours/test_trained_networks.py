"""The mirror identity in trained networks: the verdicts follow from the measured orders."""

from dataclasses import replace

import numpy as np
import pytest

from derivations.ours import training
from implicit_bias import Outcome
from implicit_bias.masking import ensemble_checks


@pytest.fixture(scope="module")
def runs():
    return {steps: training.network_identities(steps) for steps in training.NETWORK_STEPS}


def test_every_layer_obeys_the_identity_and_another_order_is_not_supported(runs, monkeypatch):
    monkeypatch.setattr(training, "network_identities", runs.get)
    verdict = training.network_identity.verdict()
    assert verdict.outcome is Outcome.SUPPORTED
    assert "266,200 weights" in verdict.evidence
    monkeypatch.setattr(training, "STATED_ORDER", 2.0)
    assert training.network_identity.verdict().outcome is Outcome.INCONCLUSIVE


def test_half_of_the_accumulated_gradient_is_not_supported(runs, monkeypatch):
    spoiled = {
        steps: {name: replace(each, accumulated_gradient=each.accumulated_gradient / 2) for name, each in run.items()}
        for steps, run in runs.items()
    }
    monkeypatch.setattr(training, "network_identities", spoiled.get)
    assert training.network_identity.verdict().outcome is Outcome.INCONCLUSIVE


@pytest.fixture
def small(monkeypatch):
    """Fewer runs and steps, and only plain descent."""
    monkeypatch.setattr(training, "SEEDS", 2)
    monkeypatch.setattr(training, "COUNTS", 2 ** np.arange(6, 9))
    monkeypatch.setattr(training, "OPTIMIZERS", {"gradient descent": (0.0, None)})


def test_order_one_of_diagonal_networks_is_supported(small):
    verdict = training.training_identity.verdict()
    assert verdict.outcome is Outcome.SUPPORTED
    assert "18 networks" in verdict.evidence


def test_another_order_is_not_supported(small, monkeypatch):
    monkeypatch.setattr(training, "STATED_ORDER", 2.0)
    assert training.training_identity.verdict().outcome is Outcome.INCONCLUSIVE


def test_another_scale_is_not_supported(small, monkeypatch):
    """With half the decay, as in a_t = a_0 e^(−2A), the residual does not vanish with the step."""
    right = ensemble_checks.mirror_residual
    monkeypatch.setattr(ensemble_checks, "mirror_residual", lambda runs: right(replace(runs, decay=runs.decay / 2)))
    assert training.training_identity.verdict().outcome is Outcome.INCONCLUSIVE
