"""Rules that every training method keeps to, and the penalty and the end of each."""

from difflib import SequenceMatcher
from inspect import isclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import images
from torch import nn

from implicit_bias import UnsupportedError, masking, training
from implicit_bias.errors import InputError
from implicit_bias.training.methods import METHODS, Method


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).double()


def started(method, epochs=4):
    model = network()
    method.prepare(model)
    optimizer = torch.optim.SGD(method.parameter_groups(model), 0.1)
    method.start(model, optimizer, epochs)
    return model, optimizer


BATCH = torch.linspace(-1, 1, 30, dtype=torch.float64).reshape(5, 6)


def loss_of(model, method):
    penalty = method.penalty(model)
    return model(BATCH).square().mean() + (0 if penalty is None else penalty)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_starts_from_the_given_function_and_leaves_a_dense_model(name):
    method = METHODS[name](strength=1e-3)
    assert isinstance(method, Method)
    assert method.label
    before = network()(BATCH)
    model, optimizer = started(method)
    torch.testing.assert_close(model(BATCH), before, rtol=1e-9, atol=1e-9)
    for accuracy in (0.2, 0.5, 0.4, 0.6):
        optimizer.zero_grad()
        loss_of(model, method).backward()
        optimizer.step()
        method.end_epoch(accuracy)
    method.finish(model)
    assert {key for key, _ in model.named_parameters()} == {key for key, _ in network().named_parameters()}
    assert not masking.effective_weights(model)
    assert bool(torch.isfinite(model(BATCH)).all())


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_is_in_one_group_and_norms_do_not_decay(name):
    method = METHODS[name](strength=1e-3)
    model, optimizer = started(method)
    weights, rest = optimizer.param_groups
    together = [*weights["params"], *rest["params"]]
    assert len({id(p) for p in together}) == len(together) == len(list(model.parameters()))
    assert rest["weight_decay"] == 0
    assert {id(p) for p in rest["params"]} == {id(p) for p in (model[0].bias, *model[1].parameters(), model[3].bias)}


@pytest.mark.parametrize("name", METHODS)
def test_a_saved_state_continues_as_if_nothing_happened(name):
    """Model and method are restored from their own states, and the optimizer gets its decay from the method."""
    method = METHODS[name](strength=1e-3)
    model, optimizer = started(method)
    method.end_epoch(0.3)
    saved = [part.state_dict() for part in (model, method)]
    fresh = METHODS[name](strength=1e-3)
    other, other_optimizer = started(fresh)
    other.load_state_dict(saved[0])
    fresh.load_state_dict(saved[1])
    for each in (method, fresh):
        each.end_epoch(0.5)
    assert method.present_strength == fresh.present_strength
    assert [g["weight_decay"] for g in optimizer.param_groups] == [
        g["weight_decay"] for g in other_optimizer.param_groups
    ]
    for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_penalties_by_hand():
    weights = [network()[k].weight.detach() for k in (0, 3)]
    expected = {"l1": 0.5 * sum(w.abs().sum() for w in weights)}
    # m0² = (1 + √(1 + 4x²))/2 for β = 1
    expected["l1-mask"] = 0.5 * sum(((1 + (1 + 4 * w**2).sqrt()) / 2).sqrt().sum() for w in weights)
    expected["continuous-sparsification"] = 0.5 * sum(w.numel() / (1 + torch.exp(torch.tensor(-0.05))) for w in weights)
    for name, value in expected.items():
        method = METHODS[name](strength=0.5)
        model, _ = started(method)
        torch.testing.assert_close(method.penalty(model).double(), value.double(), rtol=1e-6, atol=0)
        assert METHODS[name]().penalty(model) is None


@pytest.mark.parametrize("name", ["dense", "mask", "spred", "pilot", "powerpropagation", "str"])
def test_decay_is_twice_the_strength(name):
    _, optimizer = started(METHODS[name](strength=0.25))
    assert optimizer.param_groups[0]["weight_decay"] == 0.5


@pytest.mark.parametrize("name", ["mask", "spred", "pilot"])
def test_decay_of_unknown_meaning_is_refused(name):
    """What AdamW does to a mask is known."""
    method, model = METHODS[name](strength=0.25), network()
    method.prepare(model)
    with pytest.raises(UnsupportedError, match=r"what the weight decay of Adafactor does to a mask is not known"):
        method.start(model, torch.optim.Adafactor(method.parameter_groups(model), 0.1), 4)
    method.start(model, torch.optim.AdamW(method.parameter_groups(model), 0.1), 4)


def test_a_sigmoid_mask_ends_hard():
    method = METHODS["continuous-sparsification"](0.1, start=0.0, final_temperature=100.0)
    model, _ = started(method, epochs=2)
    factors = masking.factors(model)["0.weight"]
    with torch.no_grad():
        factors["s"].copy_(torch.where(torch.arange(6) % 2 == 0, 1.0, -1.0).double().expand(8, 6))
    method.end_epoch(0.1)
    masks = [part for part in model.modules() if isinstance(part, masking.SigmoidMask)]
    assert [float(part.temperature) for part in masks] == pytest.approx([10.0, 10.0])
    method.end_epoch(0.1)
    w = factors["w"].detach().clone()
    method.finish(model)
    torch.testing.assert_close(model[0].weight[:, ::2], w[:, ::2])
    assert bool((model[0].weight[:, 1::2] == 0).all())


def test_spred_starts_balanced_and_pilot_follows_its_algorithm():
    model, _ = started(METHODS["spred"](0.1))
    m, w = masking.factors(model)["0.weight"].values()
    torch.testing.assert_close(m.abs(), w.abs())
    method = METHODS["pilot"](0.1, delta=2.0, threshold=0.5)
    started(method)
    assert method.schedule.l1_threshold == pytest.approx(
        0.5 * sum(float(network()[k].weight.detach().abs().sum()) for k in (0, 3)), rel=1e-6
    )
    method.end_epoch(0.5)
    assert method.present_strength == pytest.approx(0.2)


def test_a_schedule_that_was_not_started_says_so():
    with pytest.raises(RuntimeError, match="start"):
        METHODS["pilot"]().end_epoch(0.1)
    with pytest.raises(RuntimeError, match="start"):
        METHODS["ham"]().state_dict()


def test_ham_multiplies_the_weights_alone():
    """Growth and strength reach them in the first step, and biases and norms take the optimizer's step."""
    ends = []
    for method in (METHODS["ham"](0.3, growth=5.0), METHODS["dense"]()):
        model, optimizer = started(method)
        loss_of(model, method).backward()
        gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
        optimizer.step()
        ends.append({name: p.detach().clone() for name, p in model.named_parameters()})
    for name, plain in ends[1].items():
        factor = torch.exp(-0.1 * (5 * plain.sign() * gradients[name] + 0.3)) if name in ("0.weight", "3.weight") else 1
        torch.testing.assert_close(ends[0][name], plain * factor, rtol=1e-12, atol=0)


def test_ham_continues_with_its_own_numbers():
    method = METHODS["ham"](0.3, growth=5.0)
    assert method.present_strength == 0.3
    started(method)
    method.load_state_dict({"growth": 2.0, "contraction": 0.1})
    assert (method.steps.growth, method.present_strength) == (2.0, 0.1)
    assert method.state_dict() == {"growth": 2.0, "contraction": 0.1}


@pytest.mark.parametrize("name", METHODS)
def test_negative_strengths_are_refused(name):
    with pytest.raises(InputError, match="strength: expected a non-negative"):
        METHODS[name](strength=-1.0)


def test_every_method_has_a_look():
    from implicit_bias import plotting

    assert set(plotting.METHOD_LOOKS) == set(METHODS)
    looks = [tuple(look.values()) for look in plotting.METHOD_LOOKS.values()]
    assert len(set(looks)) == len(looks)
    assert len({method.label for method in METHODS.values()}) == len(METHODS)


def test_classes_are_told_apart_by_their_names():
    """This holds for masking and training together, since users import both."""
    names = [
        name.lower() for module in (masking, training) for name in module.__all__ if isclass(getattr(module, name))
    ]
    assert all(SequenceMatcher(None, a, b).ratio() < 0.95 for a, b in combinations(names, 2))


def test_usual_strengths_are_the_tuned_ones():
    """They are the best of figure 2's full mode on held-out images, for LeNet, 60 epochs and 95 % sparsity."""
    with np.load(Path(__file__).with_name("tuned_strengths.npz")) as data:
        column = int(np.argmin(np.abs(data["sparsity"] - 0.95)))
        chosen = dict(zip(data["method"].tolist(), data["chosen_strength"][:, column].tolist(), strict=True))
    assert chosen.keys() <= METHODS.keys(), "the table has no method of such a name"
    assert {name: METHODS[name].usual_strength for name in chosen} == chosen


@pytest.mark.parametrize("method", ["softplus", METHODS["pilot"], Method])
def test_a_method_that_is_none_is_refused(method):
    """A method's name, its entry in the table and its class are refused."""
    data = images()
    with pytest.raises(InputError, match=r"method: expected a Method, such as training\.METHODS\['pilot'\]\(\), got"):
        training.train(network(), data, method, epochs=1)
