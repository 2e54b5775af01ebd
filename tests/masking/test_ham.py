"""HAM against steps by hand, its flow by SciPy, and its potential against both."""

import copy

import numpy as np
import pytest
import torch
from networks import WEIGHTS, perceptron, sequence, tokens
from scipy.integrate import solve_ivp
from torch import nn

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.errors import InputError, UnsupportedError

OPTIMIZERS = {
    "SGD": lambda p, **more: torch.optim.SGD(p, 0.1, **more),
    "momentum": lambda p, **more: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.2, **more),
    "Adam": lambda p, **more: torch.optim.Adam(p, 0.02, **more),
    "AdamW": lambda p, **more: torch.optim.AdamW(p, 0.02, weight_decay=0.3, **more),
}


def multiplied(weights, gradients, rate, growth, contraction):
    return [
        w * torch.exp(-rate * (growth * torch.sign(w) * g + contraction))
        for w, g in zip(weights, gradients, strict=True)
    ]


@pytest.mark.parametrize("more", [{}, {"maximize": True}, {"fused": True}, {"foreach": True}])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_that_of_the_optimizer_and_then_the_factor(name, more):
    """With the rate of each group, at the sign after the optimizer's step, on weights alone."""
    model, plain = perceptron(), perceptron()
    optimizers = []
    for each in (model, plain):
        groups = [{"params": each[0].parameters(), "lr": 0.05}, {"params": each[2].parameters()}]
        optimizers.append(OPTIMIZERS[name](groups, **more))
    masking.HAM(optimizers[0], growth=3.0, contraction=0.7, model=model)
    batch = torch.linspace(-2, 1, 20, dtype=torch.float64).reshape(4, 5)
    for _ in range(4):
        for each, optimizer in zip((model, plain), optimizers, strict=True):
            optimizer.zero_grad()
            each(batch).square().sum().backward()
            optimizer.step()
        with torch.no_grad():
            growth = -3.0 if "maximize" in more else 3.0
            for layer, group in ((plain[0], 0), (plain[2], 1)):
                rate = optimizers[1].param_groups[group]["lr"]
                (new,) = multiplied([layer.weight], [layer.weight.grad], rate, growth, 0.7)
                layer.weight.copy_(new)
        for p, q in zip(model.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)


def test_the_sign_is_the_one_after_the_step():
    weight = nn.Parameter(torch.tensor([[0.05, 0.0]], dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], 0.1)
    masking.HAM(optimizer, growth=2.0)
    weight.grad = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    optimizer.step()
    torch.testing.assert_close(
        weight.detach(), torch.tensor([[-0.05 * np.exp(0.1 * 2), 0.0]], dtype=torch.float64), rtol=1e-12, atol=0
    )


def touched(model, known, select=None):
    """Names of the tensors that a pure contraction changes."""
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    masking.HAM(optimizer, 0.0, np.log(2.0), model=model if known else None, select=select)
    before = copy.deepcopy(dict(model.named_parameters()))
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    halved = {name for name, p in model.named_parameters() if torch.allclose(p, before[name] / 2)}
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters() if name not in halved)
    return halved - {name for name, p in before.items() if not p.any()}


def test_weights_are_those_that_masks_take():
    """A norm's gain of two axes is none; without the model it counts as one, as in the authors' code."""
    assert touched(sequence(), known=True) == set(WEIGHTS)
    model = nn.Sequential(nn.Conv1d(2, 3, 5), nn.LayerNorm([3, 8]))
    assert touched(copy.deepcopy(model), known=False) == {"0.weight", "1.weight"}
    assert touched(model, known=True) == {"0.weight"}
    assert touched(model, known=True, select=lambda name, _: name == "1.weight") == {"1.weight"}


def test_frozen_weights_and_sparse_gradients():
    model = sequence().double()
    model.convolution.weight.requires_grad_(False)
    kept = model.convolution.weight.clone()
    sparse, dense = (nn.Embedding(11, 3, sparse=flag, dtype=torch.float64) for flag in (True, False))
    dense.load_state_dict(sparse.state_dict())
    for layer in (sparse, dense):
        optimizer = torch.optim.SGD(layer.parameters(), 0.1)
        masking.HAM(optimizer, 2.0, 0.1, model=layer)
        layer(tokens()).square().sum().backward()
        optimizer.step()
    torch.testing.assert_close(sparse.weight, dense.weight, rtol=1e-13, atol=0)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    masking.HAM(optimizer, 2.0, 0.1, model=model)
    model(tokens()).square().sum().backward()
    optimizer.step()
    assert torch.equal(model.convolution.weight, kept)


def test_pruned_weights_stay_zero():
    model = masking.prune_(perceptron(), 0.5)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    masking.HAM(optimizer, 2.0, 0.1, model=model)
    before = model[0].weight.detach().clone()
    model(torch.ones(1, 5, dtype=torch.float64)).sum().backward()
    optimizer.step()
    assert masking.sparsity(model) == pytest.approx(0.5, abs=0.02)
    assert not torch.equal(model[0].weight, before)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_scaled_gradients_count_unscaled_and_overflow_changes_nothing(kind, fused):
    ends = []
    for scaled in (True, False):
        model = perceptron()
        optimizer = kind(model.parameters(), 0.1, fused=fused)
        masking.HAM(optimizer, 2.0, 0.3, model=model)
        scaler = torch.amp.GradScaler("cpu", enabled=scaled)
        batch = torch.ones(1, 5, dtype=torch.float64)
        if scaled:
            before = copy.deepcopy(model.state_dict())
            scaler.scale(model(batch).sum() * float("inf")).backward()
            scaler.step(optimizer)
            scaler.update()
            assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
        for _ in range(2):
            optimizer.zero_grad()
            scaler.scale(model(batch).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
        ends.append(torch.cat([p.detach().ravel() for p in model.parameters()]))
    torch.testing.assert_close(*ends, rtol=1e-9, atol=1e-9)


def test_a_saved_state_continues_after_the_optimizer_was_loaded():
    model = perceptron()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    ham = masking.HAM(optimizer, 2.0, 0.3, model=model)
    assert ham.state_dict() == {"growth": 2.0, "contraction": 0.3}
    assert repr(ham) == "HAM(SGD, growth=2, contraction=0.3)"
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.param_groups[0]["lr"] = 0.2
    ham.load_state_dict({"growth": 0.0, "contraction": 1.5})
    before = model[0].weight.detach().clone()
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(model[0].weight.detach(), before * np.exp(-0.2 * 1.5), rtol=1e-13, atol=0)
    ham.stop()
    optimizer.step()
    torch.testing.assert_close(model[0].weight.detach(), before * np.exp(-0.2 * 1.5), rtol=1e-13, atol=0)
    with pytest.raises(InputError, match="expected the keys"):
        ham.load_state_dict({"growth": 1.0})
    with pytest.raises(InputError, match="contraction: expected a non-negative"):
        ham.load_state_dict({"growth": 1.0, "contraction": -1.0})
    assert ham.state_dict() == {"growth": 0.0, "contraction": 1.5}


def test_what_cannot_be_multiplied_is_refused():
    model = perceptron()
    sgd = torch.optim.SGD(model.parameters(), 0.1)
    for growth, contraction, name in ((-1.0, 0.0, "growth"), (1.0, -1.0, "contraction"), (float("nan"), 0.0, "growth")):
        with pytest.raises(InputError, match=name):
            masking.HAM(sgd, growth, contraction)
    with pytest.raises(UnsupportedError, match="LBFGS takes several gradients"):
        masking.HAM(torch.optim.LBFGS(model.parameters()), 2.0)
    with pytest.raises(InputError, match="holds no weight"):
        masking.HAM(torch.optim.SGD([model[0].bias], 0.1), 2.0)
    with pytest.raises(InputError, match="holds no weight"):
        masking.HAM(sgd, 2.0, model=perceptron())
    with pytest.raises(InputError, match="give model="):
        masking.HAM(sgd, 2.0, select=lambda name, tensor: True)
    masking.mask(model)
    with pytest.raises(InputError, match="make the optimizer afterwards"):
        masking.HAM(sgd, 2.0)
    for choice in ({}, {"model": model}):
        with pytest.raises(UnsupportedError, match="unmask the model"):
            masking.HAM(torch.optim.SGD(model.parameters(), 0.1), 2.0, **choice)
    normalized = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    with pytest.raises(UnsupportedError, match=r"weight: is computed by .*remove_parametrizations"):
        masking.HAM(torch.optim.SGD(normalized.parameters(), 0.1), 2.0, model=normalized)


# Of a flow to its end, and of training with small steps.

PROBLEM = ib.Regression.sample(4, 9, 2, seed=3)
START = np.array([0.3, -0.4, 0.0, 0.8, -0.1, 0.05, -0.6, 0.2, 0.0])
GROWTH = 4.0


def layer_at(start):
    layer = nn.Linear(len(start), 1, bias=False, dtype=torch.float64)
    layer.weight.data.copy_(torch.from_numpy(start))
    return layer


def trained(rate, time, momentum=0.0, contraction=0.0):
    """Weights after HAM's steps on the problem to a flow time, and HAM itself."""
    layer = layer_at(START)
    optimizer = torch.optim.SGD(layer.parameters(), rate, momentum=momentum)
    ham = masking.HAM(optimizer, GROWTH, contraction, model=layer)
    Z, y = torch.tensor(PROBLEM.Z), torch.tensor(PROBLEM.y)
    for _ in range(round(time / rate)):
        layer.weight.grad = ((layer.weight.detach() @ Z.T - y) @ Z) / len(y)
        optimizer.step()
    return layer.weight.detach().numpy()[0].copy(), ham


def flowed(time, growth=GROWTH, contraction=0.0, speed=1.0):
    """The flow w' = −(speed + γ|w|) ∇f − c w by SciPy."""

    def velocity(t, x):
        gradient = PROBLEM.Z.T @ (PROBLEM.Z @ x - PROBLEM.y) / len(PROBLEM.y)
        return -(speed + growth * np.abs(x)) * gradient - contraction * x

    return solve_ivp(velocity, (0, time), START, "DOP853", rtol=1e-11, atol=1e-12).y[:, -1]


def made(growth, momentum=0.0):
    layer = layer_at(START)
    return masking.HAM(torch.optim.SGD(layer.parameters(), 0.1, momentum=momentum), growth)


@pytest.mark.parametrize("growth", [0.0, 0.1, GROWTH, 200.0])
def test_the_potential_is_the_stated_one(growth):
    R = made(growth).potential(START)
    np.testing.assert_allclose(R.minimizer, START, atol=1e-14)
    x = START + np.linspace(-0.5, 0.7, len(START))

    def closed(x):
        return np.sign(x) * np.log1p(growth * np.abs(x)) / growth if growth else x

    np.testing.assert_allclose(R.gradient(x), closed(x) - closed(START), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(R.metric(x), 1 + growth * np.abs(x), rtol=1e-9)


def test_the_flow_ends_at_the_projection():
    """The integrated flow of HAM, and the flow of its parameterization, end where the potential says."""
    ham = made(GROWTH)
    R = ham.potential(START)
    end = flowed(400.0)
    np.testing.assert_allclose(PROBLEM.Z @ end, PROBLEM.y, atol=1e-8)
    np.testing.assert_allclose(ib.bregman_projection(PROBLEM, R).x, end, atol=1e-7)
    u = 2 * START / (1 + np.sqrt(1 + GROWTH * np.abs(START)))
    run = ib.gradient_flow(PROBLEM, ham.parameterization, {"u": u}, [0.5])
    np.testing.assert_allclose(run.x[-1], flowed(0.5), atol=1e-7)
    euclidean = START + np.linalg.pinv(PROBLEM.Z) @ (PROBLEM.y - PROBLEM.Z @ START)
    assert np.abs(end - euclidean).max() > 0.01


@pytest.mark.parametrize("contraction", [0.0, 0.3])
def test_steps_follow_the_flow_to_first_order(contraction):
    rates = 0.5 / np.array([64, 128, 256])
    exact = flowed(2.0, contraction=contraction)
    errors = [np.abs(trained(rate, 2.0, contraction=contraction)[0] - exact).max() for rate in rates]
    order = np.polyfit(np.log(rates), np.log(errors), 1)[0]
    assert order == pytest.approx(1.0, abs=0.1)
    assert errors[-1] < 0.01


def test_the_end_of_training_nears_the_projection_to_first_order():
    rates = 0.5 / np.array([8, 16, 32])
    errors = []
    for rate in rates:
        end, ham = trained(rate, 20.0)
        np.testing.assert_allclose(PROBLEM.Z @ end, PROBLEM.y, atol=1e-12)
        errors.append(np.abs(end - ib.bregman_projection(PROBLEM, ham.potential(START)).x).max())
    assert np.polyfit(np.log(rates), np.log(errors), 1)[0] == pytest.approx(1.0, abs=0.15)


def test_momentum_speeds_up_the_optimizer_alone():
    """By 1/(1 − β), so that the potential has the growth (1 − β)γ."""
    rates = 0.05 / np.array([16, 32, 64])
    exact = flowed(0.5, speed=1 / (1 - 0.8))
    errors = [np.abs(trained(rate, 0.5, momentum=0.8)[0] - exact).max() for rate in rates]
    assert np.polyfit(np.log(rates), np.log(errors), 1)[0] == pytest.approx(1.0, abs=0.1)
    R = made(GROWTH, momentum=0.8).potential(START)
    np.testing.assert_allclose(R.metric(START), 1 + 0.2 * GROWTH * np.abs(START), rtol=1e-9)


def test_no_potential_where_there_is_none():
    weight = nn.Parameter(torch.ones(2, 2))
    sgd = torch.optim.SGD
    for optimizer, contraction, message in (
        (sgd([weight], 0.1), 0.1, "does not commute"),
        (sgd([weight], 0.1, weight_decay=0.1), 0.0, "does not commute"),
        (torch.optim.Adam([weight]), 0.0, "got Adam"),
        (sgd([weight], 0.1, momentum=0.5, dampening=0.5), 0.0, "without dampening"),
    ):
        ham = masking.HAM(optimizer, 2.0, contraction)
        for ask in (lambda ham=ham: ham.parameterization, lambda ham=ham: ham.potential(0.0)):
            with pytest.raises(UnsupportedError, match=message):
                ask()


def test_the_order_of_gradients_and_contractions_matters():
    """The same Σηg and Σηc end apart, by (1 − e^(−A))(1 − e^(−γL))/γ, so no potential knows the end from them."""
    ends = []
    for gradient_first in (True, False):
        weight = nn.Parameter(torch.tensor([[2.0]], dtype=torch.float64))
        optimizer = torch.optim.SGD([weight], 1e-3)
        ham = masking.HAM(optimizer, 1.5)
        for half in range(2):
            pulled = gradient_first == (half == 0)
            ham.contraction = 0.0 if pulled else 0.4
            for _ in range(500):
                weight.grad = torch.full_like(weight, 0.8 if pulled else 0.0)
                optimizer.step()
        ends.append(weight.item())
    gap = (1 - np.exp(-0.5 * 0.4)) * (1 - np.exp(-1.5 * 0.5 * 0.8)) / 1.5
    assert ends[0] - ends[1] == pytest.approx(gap, rel=5e-3)
