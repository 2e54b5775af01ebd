"""Weight decay as the strength of a mask, and algorithm 1 against a transcription of it."""

import copy
import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import perceptron

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.errors import InputError

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, 0.1),
    "momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, 0.01),
    "RMSprop": lambda p: torch.optim.RMSprop(p, 0.01),
    "Adagrad": lambda p: torch.optim.Adagrad(p, 0.01),
}


def one_hidden_step(model, optimizer, alpha_in_loss):
    torch.manual_seed(0)
    batch = torch.randn(8, 5, dtype=torch.float64)
    for _ in range(3):
        optimizer.zero_grad()
        loss = model(batch).square().mean()
        for factors in masking.factors(model).values():
            loss = loss + alpha_in_loss * sum(f.square().sum() for f in factors.values())
        loss.backward()
        optimizer.step()
    return torch.cat([p.detach().ravel() for p in model.parameters()])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_is_twice_the_strength(name):
    """Steps with weight_decay = 2α are steps on f + α(‖m‖² + ‖w‖²), whatever the optimizer."""
    alpha, ends = 0.03, []
    for in_loss in (True, False):
        model = masking.mask(perceptron())
        groups = [
            {"params": [p for p in model.parameters() if isinstance(p, masking.Factor)]},
            {"params": [p for p in model.parameters() if not isinstance(p, masking.Factor)]},
        ]
        optimizer = OPTIMIZERS[name](groups)
        if not in_loss:
            masking.decay_strength(optimizer, alpha)
        assert optimizer.param_groups[1]["weight_decay"] == 0
        ends.append(one_hidden_step(model, optimizer, alpha if in_loss else 0.0))
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-12)


@given(
    accuracies=st.lists(st.floats(0, 1), min_size=1, max_size=12),
    delta=st.floats(1, 2),
    threshold=st.floats(0, 20),
    epochs=st.integers(1, 12),
)
def test_algorithm_one(accuracies, delta, threshold, epochs):
    model = masking.mask(perceptron())
    norm = sum(float(x.detach().abs().sum()) for x in masking.effective_weights(model).values())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    pilot = masking.PILoT(optimizer, 1e-3, delta, threshold, epochs)
    alpha, best = 1e-3, 0.0
    for k, accuracy in enumerate(accuracies, start=1):
        raised = accuracy > best and norm >= threshold and k <= epochs / 2
        alpha, best = (alpha * delta if raised else alpha / delta), accuracy
        assert pilot.step(accuracy) == pytest.approx(alpha, rel=1e-12)
        assert optimizer.param_groups[0]["weight_decay"] == pytest.approx(2 * alpha, rel=1e-12)


def test_the_norm_is_that_of_the_effective_weights():
    model = masking.mask(perceptron())
    expected = sum(float(x.detach().abs().sum()) for x in masking.effective_weights(model).values())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    assert masking.masked_norm(optimizer) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("order", ["mask first", "prune first"])
def test_pruned_weights_count_nothing_in_the_norm(order):
    """Their factors stay and may move, but the norm does not count them, also in copies."""
    model = perceptron()
    if order == "prune first":
        masking.mask(masking.prune_(model, 0.8))
    else:
        masking.prune_(masking.prune_(masking.mask(model), 0.3), 0.8)
    with torch.no_grad():
        for f in masking.factors(model).values():
            f["w"].add_(1.0)
    for each in (model, copy.deepcopy(model)):
        expected = sum(float(x.detach().abs().sum()) for x in masking.effective_weights(each).values())
        optimizer = torch.optim.SGD(each.parameters(), 0.1)
        assert masking.masked_norm(optimizer) == pytest.approx(expected, rel=1e-12)
    assert sum(name.endswith("kept") for name in model.state_dict()) == 2


def test_a_schedule_continues_where_it_was_saved():
    model = masking.mask(perceptron())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    pilot = masking.PILoT(optimizer, 1e-3, 1.5, 0.0, 10)
    pilot.step(0.3)
    state = copy.deepcopy(pilot.state_dict())
    expected = [pilot.step(0.4), pilot.step(0.2)]
    fresh = masking.PILoT(torch.optim.SGD(model.parameters(), 0.1), 1e-3, 1.5, 0.0, 10)
    fresh.load_state_dict(state)
    assert fresh.optimizer.param_groups[0]["weight_decay"] == pytest.approx(2 * state["alpha"])
    assert [fresh.step(0.4), fresh.step(0.2)] == expected
    with pytest.raises(InputError, match="expected the keys"):
        fresh.load_state_dict({"alpha": 1.0})
    assert "epoch 3 of 10" in repr(fresh)


def test_only_groups_with_factors_decay():
    model = masking.mask(perceptron(), select=lambda name, _: name == "0.weight")
    optimizer = torch.optim.SGD([{"params": model[0].parameters()}, {"params": model[2].parameters()}], 0.1)
    masking.PILoT(optimizer, 0.5, 1.0, 0.0, 1)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [1.0, 0]


def test_groups_added_later_decay_from_their_first_step():
    model = masking.mask(perceptron())
    optimizer = torch.optim.SGD(model[0].parameters(), 0.1)
    pilot = masking.PILoT(optimizer, 0.5, 1.0, 0.0, 5)
    masks = [p for p in model[2].parameters() if isinstance(p, masking.Factor)]
    optimizer.add_param_group({"params": masks, "weight_decay": 0.0})
    optimizer.add_param_group({"params": [model[2].bias]})
    before = [p.detach().clone() for p in masks]
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert [group["weight_decay"] for group in optimizer.param_groups] == [1.0, 1.0, 0]
    for p, old in zip(masks, before, strict=True):
        torch.testing.assert_close(p.detach(), old * (1 - 0.1 * 2 * 0.5))
    # Between two steps of PILoT the caller may set another decay.
    masking.decay_strength(optimizer, 0.2)
    optimizer.step()
    assert optimizer.param_groups[1]["weight_decay"] == 0.4
    assert pilot.step(0.5) == 0.5
    assert optimizer.param_groups[1]["weight_decay"] == 1.0


DECOUPLED = {
    "AdamW": torch.optim.AdamW,
    "amsgrad": lambda p, **numbers: torch.optim.AdamW(p, amsgrad=True, **numbers),
    "fused": lambda p, **numbers: torch.optim.AdamW(p, fused=True, **numbers),
    "Adam": lambda p, **numbers: torch.optim.Adam(p, decoupled_weight_decay=True, **numbers),
    "NAdam": lambda p, **numbers: torch.optim.NAdam(p, decoupled_weight_decay=True, **numbers),
    "RAdam": lambda p, **numbers: torch.optim.RAdam(p, decoupled_weight_decay=True, **numbers),
}
if "decoupled_weight_decay" not in inspect.signature(torch.optim.Adam).parameters:  # before torch 2.6
    del DECOUPLED["Adam"]


def masked_row(kind, lr):
    """A masked layer of one row, its factors, and an optimizer of them alone."""
    torch.manual_seed(0)
    layer = masking.mask(torch.nn.Linear(5, 1, bias=False, dtype=torch.float64), beta=0.7)
    m, w = masking.factors(layer)["weight"].values()
    return layer, m, w, DECOUPLED[kind](layer.parameters(), lr=lr)


@pytest.mark.parametrize("kind", DECOUPLED)
def test_decoupled_decay_alone_contracts_the_difference_of_squares(kind):
    """Without gradients m² − w² and x shrink by ∏ (1 − ηλ)², λ = 2α, and by e^(−4A) in the limit of small steps."""
    _, m, w, optimizer = masked_row(kind, 0.05)
    schedule = ib.schedule.Harmonic(0.8, tau=0.4)
    decay = masking.ScheduledDecay(optimizer, schedule)
    start, product, added = (m.detach().square() - w.detach().square(), (m * w).detach()), 1.0, 0.0
    for k in range(12):
        optimizer.param_groups[0]["lr"] = eta = 0.05 / (1 + k)
        alpha = float(schedule(decay.time))
        m.grad, w.grad = torch.zeros_like(m), torch.zeros_like(w)
        optimizer.step()
        product, added = product * (1 - eta * 2 * alpha) ** 2, added + eta * alpha
    torch.testing.assert_close(m.detach().square() - w.detach().square(), start[0] * product, rtol=1e-12, atol=0)
    torch.testing.assert_close((m * w).detach(), start[1] * product, rtol=1e-12, atol=0)
    assert product == pytest.approx(float(torch.tensor(-4 * added).exp()), rel=0.02)


@pytest.mark.parametrize("kind", DECOUPLED)
def test_decoupled_decay_stays_out_of_the_adaptive_step(kind):
    """The same gradients move factors alike with and without it; a step is (1 − ηλ)θ and then that move."""
    torch.manual_seed(1)
    gradients = torch.randn(8, 2, 1, 5, dtype=torch.float64)
    moves = []
    for alpha in (0.0, 0.6):
        _, m, w, optimizer = masked_row(kind, 0.03)
        masking.decay_strength(optimizer, alpha)
        for g in gradients:
            before = torch.stack([m.detach(), w.detach()])
            m.grad, w.grad = g[0].clone(), g[1].clone()
            optimizer.step()
            moves.append(torch.stack([m.detach(), w.detach()]) - (1 - 0.03 * 2 * alpha) * before)
    without, with_decay = moves[: len(gradients)], moves[len(gradients) :]
    torch.testing.assert_close(torch.stack(with_decay), torch.stack(without), rtol=1e-11, atol=1e-14)
    assert float(torch.stack(without).abs().max()) > 0.01


def test_pilot_on_adamw_against_steps_by_hand():
    layer, m, w, optimizer = masked_row("AdamW", 0.02)
    pilot = masking.PILoT(optimizer, 0.3, 1.5, 0.0, 10)
    theta = torch.stack([m.detach(), w.detach()]).clone()
    first, second = torch.zeros_like(theta), torch.zeros_like(theta)
    batch = torch.linspace(-1, 1, 20, dtype=torch.float64).reshape(4, 5)
    alpha = 0.3
    for k, accuracy in enumerate([0.1, 0.4, 0.3, 0.5], start=1):
        optimizer.zero_grad()
        (layer(batch) - 1).square().mean().backward()
        optimizer.step()
        x = theta[0] * theta[1]
        pull = 2 * (batch @ x.T - 1).mul(batch).mean(0, keepdim=True)  # ∂f/∂x
        g = torch.stack([pull * theta[1], pull * theta[0]])
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
        theta = (1 - 0.02 * 2 * alpha) * theta
        theta = theta - 0.02 * (first / (1 - 0.9**k)) / ((second / (1 - 0.999**k)).sqrt() + 1e-8)
        torch.testing.assert_close(torch.stack([m.detach(), w.detach()]), theta, rtol=1e-11, atol=1e-13)
        alpha = pilot.step(accuracy)
        assert optimizer.param_groups[0]["weight_decay"] == 2 * alpha
    assert alpha == pytest.approx(0.3 * 1.5 * 1.5 / 1.5 * 1.5)


def test_coupled_decay_of_adam_is_no_strength():
    """It moves every factor by about η, whatever the strength: so decay means something else there than in AdamW."""
    ends = []
    for alpha in (0.1, 0.4):
        layer = masking.mask(torch.nn.Linear(5, 1, bias=False, dtype=torch.float64))
        m, w = masking.factors(layer)["weight"].values()
        optimizer = torch.optim.Adam(layer.parameters(), 1e-3)
        masking.decay_strength(optimizer, alpha)
        before = m.detach().clone()
        m.grad, w.grad = torch.zeros_like(m), torch.zeros_like(w)
        optimizer.step()
        ends.append((m.detach() - before).abs())
    torch.testing.assert_close(ends[0], torch.full_like(ends[0], 1e-3), rtol=1e-5, atol=0)
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", [name for name in ("Adafactor", "Muon") if hasattr(torch.optim, name)])
def test_decay_of_unknown_meaning_is_refused(name):
    model = torch.nn.Linear(5, 3, bias=False)
    masking.mask(model)
    with pytest.raises(ib.UnsupportedError, match=rf"weight decay of {name} does.*take SGD, Adam or AdamW"):
        masking.PILoT(getattr(torch.optim, name)(model.parameters()), 0.1, 1.1, 0.0, 5)


def test_records_refuse_adaptive_steps():
    """No identity holds for them, with whatever decay."""
    model = masking.mask(perceptron())
    with pytest.raises(ib.UnsupportedError, match=r"got AdamW; methods that rescale gradients follow no gradient flow"):
        masking.MirrorRecord(model, torch.optim.AdamW(model.parameters()))


def test_optimizers_without_decay_or_factors_are_refused():
    model = perceptron()
    with pytest.raises(InputError, match="make it from the parameters after mask"):
        masking.PILoT(torch.optim.SGD(model.parameters(), 0.1), 0.1, 1.1, 0.0, 5)
    masking.mask(model)
    with pytest.raises(ib.UnsupportedError, match="LBFGS has no weight decay"):
        masking.PILoT(torch.optim.LBFGS(model.parameters()), 0.1, 1.1, 0.0, 5)
    half = [p for p in model.parameters() if not (isinstance(p, masking.Factor) and p.letter == "w")]
    with pytest.raises(InputError, match="factor w of a mask is not in it"):
        masking.PILoT(torch.optim.SGD(half, 0.1), 0.1, 1.1, 0.0, 5).step(0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 1.1, 0.0, 5), "alpha"),
        ((0.1, 0.9, 0.0, 5), "delta: expected a factor >= 1"),
        ((0.1, 1.1, -1.0, 5), "l1_threshold"),
        ((0.1, 1.1, 0.0, 0), "epochs: expected a positive"),
        ((float("nan"), 1.1, 0.0, 5), "alpha"),
    ],
)
def test_impossible_numbers_are_refused(arguments, message):
    optimizer = torch.optim.SGD(masking.mask(perceptron()).parameters(), 0.1)
    with pytest.raises(InputError, match=message):
        masking.PILoT(optimizer, *arguments)


def test_it_needs_no_numbers_but_the_epochs():
    """The others are those of ``training.METHODS["pilot"]``, which does well on LeNet."""
    optimizer = torch.optim.SGD(masking.mask(perceptron()).parameters(), 0.1)
    pilot = masking.PILoT(optimizer, epochs=4)
    usual = ib.training.METHODS["pilot"]
    assert (pilot.alpha, pilot.l1_threshold) == (usual.usual_strength, 0.0)
    assert pilot.delta == usual.make().delta
    assert optimizer.param_groups[0]["weight_decay"] == 2 * usual.usual_strength
    assert [pilot.step(0.1 * k) > usual.usual_strength for k in (1, 2, 3, 4)] == [True, True, True, False]
    with pytest.raises(
        InputError, match=r"epochs: expected how many epochs you train, as in PILoT\(optimizer, epochs=20\)"
    ):
        masking.PILoT(optimizer)


def test_an_impossible_accuracy_changes_nothing():
    pilot = masking.PILoT(torch.optim.SGD(masking.mask(perceptron()).parameters(), 0.1), 0.1, 1.1, 0.0, 5)
    before = pilot.state_dict()
    with pytest.raises(InputError, match="train_accuracy"):
        pilot.step(float("nan"))
    assert pilot.state_dict() == before
