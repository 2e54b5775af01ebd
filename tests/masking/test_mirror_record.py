"""The mirror identity along the training of a nonlinear network, against gradients of a separate dense copy."""

import copy

import numpy as np
import pytest
import torch
from networks import WEIGHTS, perceptron, sequence, tokens
from torch import nn

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.errors import InputError

STEPS = 40


def batch_of(step):
    generator = torch.Generator().manual_seed(step)
    return torch.randn(4, 5, generator=generator, dtype=torch.float64), torch.randint(3, (4,), generator=generator)


def trained(refinement=1, momentum=0.0, alpha=0.0, beta=0.5):
    """A perceptron trained for the flow time 2, each mini-batch used ``refinement`` times with a smaller step.

    With momentum all steps use one batch: the memory of 1 / (1 − 0.9) steps would be as long as a batch stays.
    """
    model = masking.mask(perceptron(), beta)
    rate = 2.0 / STEPS / refinement * (1 - momentum)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=momentum)
    masking.decay_strength(optimizer, alpha)
    record = masking.MirrorRecord(model, optimizer)
    for step in range(STEPS * refinement):
        x, labels = batch_of(0 if momentum else step // refinement)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return model, record


@pytest.mark.parametrize(("momentum", "alpha"), [(0.0, 0.0), (0.0, 0.02), (0.9, 0.0), (0.9, 0.01)])
def test_the_identity_holds_to_first_order_in_the_step(momentum, alpha):
    residuals = []
    for refinement in (4, 8, 16) if momentum else (1, 2, 4):
        _, record = trained(refinement, momentum, alpha)
        residuals.append(max(np.max(record[name].flow_residual) for name in record))
    assert residuals[0] < 0.1
    np.testing.assert_allclose(np.log2(np.array(residuals[:-1]) / residuals[1:]), 1, atol=0.2)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("alpha", [0.0, 0.02])
def test_the_identity_of_the_run_is_exact(momentum, nesterov, alpha):
    """At a step at which the flow's is far off; the effective start, from the end alone, has the same potential."""
    if nesterov and not momentum:
        return
    model = masking.mask(perceptron(), 0.5)
    optimizer = torch.optim.SGD(model.parameters(), 0.3, momentum=momentum, nesterov=nesterov)
    masking.decay_strength(optimizer, alpha)
    record = masking.MirrorRecord(model, optimizer)
    for step in range(60):
        optimizer.param_groups[0]["lr"] = 0.3 * 0.98**step
        x, labels = batch_of(step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    for name in record:
        identity = record[name]
        assert 0 <= identity.relative_residual < 1e-11
        assert identity.flow_relative_residual > 1e-3
        for residual, point in (
            (identity.residual, identity.mirror_point), (identity.flow_residual, identity.flow_mirror_point)
        ):  # fmt: skip
            np.testing.assert_array_equal(residual, np.abs(point + identity.accumulated_gradient))
        start = identity.effective_init()
        again = ib.derive("m*w", "m**2 + w**2").at(start, identity.decay)
        np.testing.assert_allclose(again.log_scale, identity.potential.log_scale, rtol=0, atol=1e-11)
        np.testing.assert_allclose(again.shift, identity.potential.shift, rtol=0, atol=1e-11)
        np.testing.assert_allclose(identity.gain, identity.flow_potential.log_scale - again.log_scale, atol=1e-11)
        np.testing.assert_allclose(identity.shift, again.shift - identity.flow_potential.shift, atol=1e-11)
        assert np.max(np.abs(identity.gain)) > 1e-3


def transformer(dtype):
    """The record of a net with attention and a tied embedding, trained on a batch of its own for each step."""
    model = masking.mask(sequence().to(dtype), 0.5)
    optimizer = torch.optim.SGD(model.parameters(), 0.3, momentum=0.9)
    masking.decay_strength(optimizer, 1e-3)
    record = masking.MirrorRecord(model, optimizer)
    for step in range(60):
        given = tokens(step)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(given).flatten(0, 1), given.roll(1, 1).flatten()).backward()
        optimizer.step()
    return record


def test_the_identity_is_exact_in_a_transformer_with_a_tied_embedding():
    record = transformer(torch.float64)
    assert sorted(record) == sorted(WEIGHTS)
    assert max(record[name].relative_residual for name in record) <= 1e-10
    assert max(record[name].flow_relative_residual for name in record) > 0.1


def test_in_single_precision_the_identity_holds_to_what_rounding_leaves():
    """A step rounds m and w to half a unit, and p or q to as much of the larger one; the steps add up at random."""
    record = transformer(torch.float32)
    unit = np.finfo(np.float32).eps / 2
    for name in record:
        identity = record[name]
        ratio = np.exp(np.abs(np.arcsinh(identity.x / identity.potential.scale)))
        assert np.all(identity.residual <= 60 * unit * np.maximum(ratio, 1))
        assert identity.relative_residual < 1e-3


def test_without_decay_in_the_potential_the_identity_fails():
    """The check can fail: the potential of the start is not that of the end."""
    _, record = trained(4, alpha=0.1)
    identity = record["0.weight"]
    model = masking.mask(perceptron(), 0.5)
    m, w = (f.detach().numpy().ravel() for f in masking.factors(model)["0.weight"].values())
    frozen = ib.derive(ib.Parameterization("m*w", ["m", "w"])).at({"m": m, "w": w})
    wrong = np.max(np.abs(frozen.gradient(identity.x) + identity.accumulated_gradient))
    assert wrong > 20 * np.max(identity.flow_residual)


def test_the_accumulated_gradient_is_that_of_the_effective_weights():
    """A dense copy at the same weights gives ∂f/∂x directly."""
    model = masking.mask(perceptron(), 0.5)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    record = masking.MirrorRecord(model, optimizer, ["2.weight"])
    total = torch.zeros(3, 7, dtype=torch.float64)
    for step in range(5):
        x, labels = batch_of(step)
        dense = perceptron()
        for name, p in dense.named_parameters():
            p.data.copy_(masking.effective_weights(model).get(name, dict(model.named_parameters()).get(name)).detach())
        nn.functional.cross_entropy(dense(x), labels).backward()
        total += 0.05 * dense[2].weight.grad
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    np.testing.assert_allclose(record["2.weight"].accumulated_gradient, total.numpy().ravel(), rtol=1e-12, atol=1e-15)
    assert record["2.weight"].time == pytest.approx(0.25)


def recorded(step=None, fused=None, steps=50):
    """Decay that rises on the way, after the state of the optimizer was loaded; ``step`` makes each step."""
    model = masking.mask(perceptron(), 0.5)
    optimizer = torch.optim.SGD(model.parameters(), 0.005, fused=fused)
    record = masking.MirrorRecord(model, optimizer)
    x, labels = batch_of(0)

    def loss():
        optimizer.zero_grad()
        return nn.functional.cross_entropy(model(x), labels)

    for k in range(steps):
        if k == steps // 2:
            optimizer.load_state_dict(optimizer.state_dict())
            masking.decay_strength(optimizer, 0.2)
        if step is not None:
            step(loss(), optimizer)
        else:
            loss().backward()
            optimizer.step()
    return record


def test_a_loaded_optimizer_is_followed():
    record = recorded()
    assert record["0.weight"].decay == pytest.approx(25 * 0.005 * 0.2)
    assert record["0.weight"].flow_relative_residual < 0.01


@pytest.mark.parametrize("fused", [False, True])
def test_scaled_gradients_are_recorded_unscaled(fused):
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    def step(loss, optimizer):
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    assert recorded(step, fused)["0.weight"].flow_relative_residual < 0.01


@pytest.mark.parametrize("frozen", ["m", "w"])
def test_steps_that_cannot_be_recorded_are_refused(frozen):
    def closure(loss, optimizer):
        loss.backward()
        optimizer.step(lambda: 0.0)

    with pytest.raises(ib.UnsupportedError, match="closure"):
        recorded(closure, steps=1)
    model = masking.mask(perceptron(), select=lambda name, _: name == "0.weight")
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    _record = masking.MirrorRecord(model, optimizer)
    masking.factors(model)["0.weight"][frozen].requires_grad_(False)
    model(batch_of(0)[0]).sum().backward()
    with pytest.raises(ib.UnsupportedError, match="only one of its factors has a gradient"):
        optimizer.step()


def test_a_stopped_record_stands_still():
    model = masking.mask(perceptron())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    record = masking.MirrorRecord(model, optimizer)
    record.stop()
    nn.functional.cross_entropy(model(batch_of(0)[0]), batch_of(0)[1]).backward()
    optimizer.step()
    assert record["0.weight"].time == 0


def test_what_cannot_be_recorded_is_refused():
    dense, deep, masked = perceptron(), perceptron(), masking.mask(perceptron())
    masking.reparameterize(deep, lambda name: masking.Product(0.5, depth=3))
    with pytest.raises(InputError, match=r"none: mask\(model\) comes first"):
        masking.MirrorRecord(dense, torch.optim.SGD(dense.parameters(), 0.1))
    with pytest.raises(InputError, match=r"no masked tensor is called 5.weight"):
        masking.MirrorRecord(masked, torch.optim.SGD(masked.parameters(), 0.1), ["5.weight"])
    with pytest.raises(ib.UnsupportedError, match="which alone commutes"):
        masking.MirrorRecord(deep, torch.optim.SGD(deep.parameters(), 0.1))
    with pytest.raises(ib.UnsupportedError, match="got Adam"):
        masking.MirrorRecord(masked, torch.optim.Adam(masked.parameters(), 0.1))
    with pytest.raises(ib.UnsupportedError, match="dampening"):
        masking.MirrorRecord(masked, torch.optim.SGD(masked.parameters(), 0.1, momentum=0.9, dampening=0.5))
    with pytest.raises(ib.UnsupportedError, match="maximize"):
        masking.MirrorRecord(masked, torch.optim.SGD(masked.parameters(), 0.1, maximize=True))
    started = torch.optim.SGD(masked.parameters(), 0.1, momentum=0.9)
    masked(batch_of(0)[0]).sum().backward()
    started.step()
    with pytest.raises(ib.UnsupportedError, match="before its first step, got SGD with a state"):
        masking.MirrorRecord(masked, started)
    apart = [{"params": [f]} for factors in masking.factors(masked).values() for f in factors.values()]
    with pytest.raises(InputError, match="expected its factors in one group of the optimizer, found 2"):
        masking.MirrorRecord(masked, torch.optim.SGD(apart, 0.1))


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_every_tensor_follows_its_own_group(order):
    """Rates, momenta and decays of each, against plain sums; the biases' group stands first, last or between."""
    model = masking.mask(perceptron())
    groups = [
        {"params": list(masking.factors(model)["0.weight"].values()), "lr": 0.1, "weight_decay": 0.02},
        {"params": list(masking.factors(model)["2.weight"].values()), "lr": 0.05, "weight_decay": 0.1, "momentum": 0.5},
        {"params": [model[0].bias, model[2].bias], "lr": 0.3, "weight_decay": 7.0, "momentum": 0.7},
    ]
    optimizer = torch.optim.SGD([groups[k] for k in order], 1.0)
    record = masking.MirrorRecord(model, optimizer)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(batch_of(0)[0]), batch_of(0)[1]).backward()
        optimizer.step()
    assert record["0.weight"].decay == pytest.approx(0.1 * 0.01 * 3)
    assert record["0.weight"].time == pytest.approx(0.3)
    assert record["2.weight"].decay == pytest.approx(0.05 * 0.05 * (1 + 1.5 + 1.75))
    assert record["2.weight"].time == pytest.approx(0.15)


def dense_state(model):
    """The state of a dense copy of a masked model."""
    return {name: t.clone() for name, t in masking.unmask(copy.deepcopy(model)).state_dict().items()}


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_overflowed_is_not_recorded(fused):
    """The scaler skips it; a fused optimizer is called all the same."""
    model = masking.mask(perceptron())
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.5, weight_decay=0.2, fused=fused)
    record, scaler = masking.MirrorRecord(model, optimizer), torch.amp.GradScaler("cpu", init_scale=8.0)
    total, move, before = 0.0, 0.0, dense_state(model)
    for factor in (1.0, float("inf"), 1.0):
        x, w, m = (t.detach().clone() for t in (model[0].weight, *masking.factors(model)["0.weight"].values()))
        optimizer.zero_grad()
        scaler.scale(model(batch_of(0)[0]).sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        unchanged = torch.equal(model[0].weight, x)
        assert unchanged == (factor != 1.0)
        if not unchanged:
            dense = perceptron()
            dense.load_state_dict(before)
            with torch.no_grad():
                dense[0].weight.copy_(w * m)
            dense(batch_of(0)[0]).sum().backward()
            move = 0.5 * move + dense[0].weight.grad
            total = total + 0.1 * move
        before = dense_state(model)
    assert record["0.weight"].time == pytest.approx(0.2)
    assert record["0.weight"].decay == pytest.approx(0.1 * 0.1 * (1 + 1.5))
    np.testing.assert_allclose(record["0.weight"].accumulated_gradient, total.numpy().ravel(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_gradient_and_decay_are_what_small_steps_add_up_to(momentum, nesterov):
    """With a constant slope g in x, p = m + w and q = m − w change by the factors exp(∓L − 2A) up to second order.

    The identity itself holds whatever L is, as the shift that it is compared with contains it, too.
    """
    alpha, rate = 1e-6, 0.3
    model = masking.mask(nn.Linear(2, 2, bias=False, dtype=torch.float64), 0.5)
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=momentum, nesterov=nesterov)
    masking.decay_strength(optimizer, alpha)
    record = masking.MirrorRecord(model, optimizer)
    factors = next(iter(masking.factors(model).values()))
    before = [(factors["m"] + sign * factors["w"]).detach().clone() for sign in (1, -1)]
    slope = 1e-6 * torch.tensor([[1.0, -2.0], [3.0, -0.5]], dtype=torch.float64)
    for _ in range(25):
        optimizer.zero_grad()
        (slope * model.weight).sum().backward()
        optimizer.step()
    after = [(factors["m"] + sign * factors["w"]).detach() for sign in (1, -1)]
    p, q = (torch.log(new / old).numpy() for new, old in zip(after, before, strict=True))
    np.testing.assert_allclose(-(p + q) / 4, record["weight"].decay, rtol=1e-3)
    np.testing.assert_allclose((q - p).ravel() / 2, np.ravel(record["weight"].accumulated_gradient), rtol=1e-3)
