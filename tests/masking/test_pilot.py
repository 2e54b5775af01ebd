"""Weight decay as the strength of a mask, and algorithm 1 against a transcription of it."""

import copy

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


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, lambda p: torch.optim.NAdam(p, decoupled_weight_decay=True)])
def test_decoupled_decay_is_refused(optimizer):
    model = masking.mask(perceptron())
    with pytest.raises(ib.UnsupportedError, match=r"apart from the gradient.*take SGD"):
        masking.PILoT(optimizer(model.parameters()), 0.1, 1.1, 0.0, 5)


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


def test_an_impossible_accuracy_changes_nothing():
    pilot = masking.PILoT(torch.optim.SGD(masking.mask(perceptron()).parameters(), 0.1), 0.1, 1.1, 0.0, 5)
    before = pilot.state_dict()
    with pytest.raises(InputError, match="train_accuracy"):
        pilot.step(float("nan"))
    assert pilot.state_dict() == before
