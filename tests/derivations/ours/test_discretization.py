"""Steps of training against the flow: the verdicts follow from the orders, and the orders from the flow."""

from dataclasses import replace

import numpy as np
import pytest

import implicit_bias as ib
from derivations.ours import discretization
from implicit_bias import Outcome
from implicit_bias.masking import ensemble_checks


@pytest.mark.parametrize("claim", [discretization.flow_discretization, discretization.flow_heavy_ball])
def test_order_one_is_supported(claim):
    verdict = claim.verdict()
    assert verdict.outcome is Outcome.SUPPORTED
    assert verdict.tolerance < 0.1


def test_another_order_is_not_supported(monkeypatch):
    monkeypatch.setattr(discretization, "STATED_ORDER", 2.0)
    assert discretization.flow_discretization.verdict().outcome is Outcome.INCONCLUSIVE


def test_another_speed_of_momentum_is_not_supported(monkeypatch):
    """With a speed that is 3 % off, the errors no longer fall with the step."""
    monkeypatch.setattr(discretization, "MOMENTA", (0.5,))
    monkeypatch.setattr(discretization, "stated_speed", lambda momentum: 1.03 / (1 - momentum))
    assert discretization.flow_heavy_ball.verdict().outcome is Outcome.INCONCLUSIVE


def test_the_flow_is_what_the_steps_extrapolate_to():
    """Twice the result of half the step minus the result itself loses the term in η, so the rest has order two."""
    problem, mask = ib.Regression.sample(5, 10, 2, seed=0), ib.Parameterization("m*w", ["m", "w"])
    init = {"m": 1.0, "w": np.linspace(-0.5, 0.5, 10)}
    counts = [128, 256, 512, 1024]
    ends = np.array([ib.descent(problem, mask, init, 1 / count, count, record=2).x[-1] for count in counts])
    errors = np.linalg.norm(2 * ends[1:] - ends[:-1] - ib.gradient_flow(problem, mask, init, [1.0]).x[-1], axis=1)
    np.testing.assert_allclose(errors[:-1] / errors[1:], 4, atol=0.2)


@pytest.fixture
def small(monkeypatch):
    """Fewer runs and steps, of plain descent alone."""
    monkeypatch.setattr(discretization, "SEEDS", 2)
    monkeypatch.setattr(discretization, "COUNTS", 2 ** np.arange(6, 9))
    monkeypatch.setattr(discretization, "OPTIMIZERS", {"gradient descent": (0.0, None)})


def test_order_one_of_diagonal_networks_is_supported(small):
    verdict = discretization.flow_identity.verdict()
    assert verdict.outcome is Outcome.SUPPORTED
    assert "18 networks" in verdict.evidence


def test_another_order_of_the_identity_is_not_supported(small, monkeypatch):
    monkeypatch.setattr(discretization, "STATED_ORDER", 2.0)
    assert discretization.flow_identity.verdict().outcome is Outcome.INCONCLUSIVE


def test_another_scale_is_not_supported(small, monkeypatch):
    """Half the decay, as in a_t = a_0 e^(−2A): the residual does not vanish with the step."""
    right = ensemble_checks.mirror_residual
    monkeypatch.setattr(ensemble_checks, "mirror_residual", lambda runs: right(replace(runs, decay=runs.decay / 2)))
    assert discretization.flow_identity.verdict().outcome is Outcome.INCONCLUSIVE
