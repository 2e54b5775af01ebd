"""Schedules over flow time drive the weight decay of a mask as they drive training in NumPy."""

import numpy as np
import pytest
import torch
from networks import perceptron
from torch import nn

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.errors import InputError

SCHEDULES = {
    "constant": ib.schedule.Constant(0.1),
    "harmonic": ib.schedule.Harmonic(0.5, tau=0.3),
    "quadratic": ib.schedule.Quadratic(0.5, tau=0.3),
    "geometric": ib.schedule.Geometric(0.5, tau=0.3),
    "switched off": ib.schedule.SwitchOff(ib.schedule.Constant(0.4), 0.57),
}


@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize("name", SCHEDULES)
def test_torch_and_numpy_train_alike(name, momentum):
    rng = np.random.default_rng(0)
    Z, y, start = rng.normal(size=(4, 6)), rng.normal(size=4), rng.normal(size=6)
    layer = nn.Linear(6, 1, bias=False, dtype=torch.float64)
    layer.weight.data.copy_(torch.from_numpy(start))
    masking.mask(layer, beta=0.8)
    init = {letter: f.detach().numpy()[0].copy() for letter, f in masking.factors(layer)["weight"].items()}
    optimizer = torch.optim.SGD(layer.parameters(), 0.05, momentum=momentum)
    decay = masking.ScheduledDecay(optimizer, SCHEDULES[name])
    record = masking.MirrorRecord(layer, optimizer)
    for _ in range(20):
        optimizer.zero_grad()
        ((layer(torch.from_numpy(Z))[:, 0] - torch.from_numpy(y)).square().sum() / 8).backward()
        optimizer.step()
    mask = ib.Parameterization("m*w", regularizer="m**2 + w**2")
    problem, optimizer = ib.Regression(Z, y), ib.SGD(momentum)
    run = ib.descent(problem, mask, init, 0.05, 20, optimizer=optimizer, schedule=SCHEDULES[name])
    np.testing.assert_allclose(layer.weight.detach().numpy()[0], run.x[-1], rtol=1e-12)
    assert decay.time == pytest.approx(1.0)
    identity = record["weight"]
    assert identity.decay == pytest.approx(float(run.decay[-1]), rel=1e-12)
    np.testing.assert_allclose(identity.accumulated_gradient, run.accumulated_gradient[-1], rtol=1e-10, atol=1e-13)


def test_a_saved_time_continues():
    model = masking.mask(perceptron())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    decay = masking.ScheduledDecay(optimizer, SCHEDULES["harmonic"])
    assert optimizer.param_groups[0]["weight_decay"] == 1.0
    decay.load_state_dict({"time": 0.3})
    assert decay.alpha == float(SCHEDULES["harmonic"](0.3))
    assert decay.state_dict() == {"time": 0.3}
    with pytest.raises(InputError, match="expected the key 'time'"):
        decay.load_state_dict({})


def test_stopped_the_decay_stays():
    model = masking.mask(perceptron())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    decay = masking.ScheduledDecay(optimizer, SCHEDULES["harmonic"])
    decay.stop()
    model(torch.ones(1, 5, dtype=torch.float64)).sum().backward()
    optimizer.step()
    assert decay.time == 0
    assert optimizer.param_groups[0]["weight_decay"] == 1.0


def test_optimizers_without_factors_are_refused():
    with pytest.raises(InputError, match="holds no factor of a mask"):
        masking.ScheduledDecay(torch.optim.SGD(perceptron().parameters(), 0.1), SCHEDULES["constant"])


def test_the_rate_is_followed_after_the_optimizer_was_loaded():
    """Loading replaces the optimizer's groups; the schedule reads the rate of the new ones."""
    model = masking.mask(perceptron())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    decay = masking.ScheduledDecay(optimizer, SCHEDULES["harmonic"])
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.param_groups[0]["lr"] = 0.3
    model(torch.ones(1, 5, dtype=torch.float64)).sum().backward()
    optimizer.step()
    assert decay.time == pytest.approx(0.3)


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_overflowed_takes_no_time(fused):
    model = masking.mask(perceptron())
    optimizer = torch.optim.SGD(model.parameters(), 0.1, fused=fused)
    decay, scaler = masking.ScheduledDecay(optimizer, SCHEDULES["harmonic"]), torch.amp.GradScaler("cpu")
    for factor, time in ((float("inf"), 0.0), (1.0, 0.1)):
        optimizer.zero_grad()
        scaler.scale(model(torch.ones(1, 5, dtype=torch.float64)).sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        assert decay.time == pytest.approx(time)


def test_a_number_is_a_constant_strength():
    optimizer = torch.optim.SGD(masking.mask(perceptron()).parameters(), 0.1)
    assert masking.ScheduledDecay(optimizer, 0.3).schedule == ib.schedule.Constant(0.3)
    assert optimizer.param_groups[0]["weight_decay"] == 0.6
    with pytest.raises(InputError, match=r"an ib\.schedule object or a number, got 'strong'"):
        masking.ScheduledDecay(optimizer, "strong")
