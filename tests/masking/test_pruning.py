"""Magnitude pruning of masked and dense modules, against a sort in NumPy."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from networks import perceptron, sequence, tokens

from implicit_bias import masking
from implicit_bias.errors import InputError

MODELS = {"dense": perceptron, "masked": lambda: masking.mask(perceptron())}


def weights_of(model):
    return np.concatenate([model[k].weight.detach().numpy().ravel() for k in (0, 2)])


@pytest.mark.parametrize("kind", MODELS)
@given(fraction=st.floats(0, 1))
def test_the_smallest_weights_go(kind, fraction):
    model = MODELS[kind]()
    before = weights_of(model)
    masking.prune_(model, fraction)
    after = weights_of(model)
    count = round(fraction * before.size)
    expected = before.copy()
    expected[np.argsort(np.abs(before))[:count]] = 0
    np.testing.assert_array_equal(after, expected)
    assert masking.sparsity(model) == count / before.size


@pytest.mark.parametrize("kind", MODELS)
def test_pruned_weights_stay_zero_in_training(kind):
    model = MODELS[kind]()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    masking.prune_(model, 0.6)
    zeros = weights_of(model) == 0
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.ones(2, 5, dtype=torch.float64)).square().sum().backward()
        optimizer.step()
    assert np.all(weights_of(model)[zeros] == 0)
    assert np.all(weights_of(model)[~zeros] != 0)
    masking.prune_(model, 0.8)
    assert np.all(weights_of(model)[zeros] == 0)
    assert masking.sparsity(model) == pytest.approx(0.8, abs=0.02)


def test_unmasked_after_pruning_the_zeros_are_plain_weights():
    model = masking.prune_(masking.mask(sequence()), 0.7)
    batch = tokens()
    dense = masking.unmask(copy.deepcopy(model))
    torch.testing.assert_close(dense(batch), model(batch))
    assert dense.output.weight is dense.embedding.weight
    assert masking.sparsity(dense) == masking.sparsity(model) == pytest.approx(0.7, abs=1e-3)


@pytest.mark.parametrize("model", [perceptron, sequence])
def test_a_pruned_module_can_be_masked(model):
    """Its zeros stay zero; the order of masking and pruning does not matter."""
    pruned = masking.mask(masking.prune_(model(), 0.6))
    other = masking.prune_(masking.mask(model()), 0.6)
    for name, x in masking.effective_weights(pruned).items():
        torch.testing.assert_close(x, masking.effective_weights(other)[name])
    assert masking.sparsity(pruned) == masking.sparsity(other)
    for f in masking.factors(pruned).values():
        with torch.no_grad():
            f["w"].add_(1.0)
    assert masking.sparsity(pruned) == masking.sparsity(other)
    assert isinstance(next(iter(masking.factors(pruned).values()))["m"], masking.Factor)


def test_given_weights_are_kept():
    model = perceptron()
    kept = torch.arange(21).reshape(3, 7) % 2 == 0
    masking.keep_(model, {"2.weight": kept})
    torch.testing.assert_close(model[2].weight == 0, ~kept)
    masking.keep_(model, {"2.weight": ~kept})
    torch.testing.assert_close(model[2].weight == 0, kept)
    for bad, message in [
        ({"3.weight": kept}, "there is no tensor '3.weight'"),
        ({"0.weight": kept}, r"0.weight.*expected booleans of shape \(7, 5\)"),
        ({"2.weight": kept.float()}, "got torch.float32"),
    ]:
        with pytest.raises(InputError, match=message):
            masking.keep_(model, bad)


@given(first=st.floats(0, 1), second=st.floats(0, 1), seed=st.integers(0, 99))
@example(first=0.3, second=0.5, seed=0)
@example(first=0.8, second=0.2, seed=0)
def test_pruned_again_nothing_returns(first, second, seed):
    """A pruned weight stays pruned, also beside weights that are 0 without pruning."""
    model = perceptron(seed)
    with torch.no_grad():
        model[0].weight[:, :3] = 0
    random = torch.rand(7, 5, generator=torch.Generator().manual_seed(seed)) >= first
    masking.keep_(model, {"0.weight": random})
    pruned = {name: ~kept for name, kept in masking.kept_weights(model).items()}
    masking.prune_(model, second)
    later = masking.kept_weights(model)
    assert not any(bool((later[name] & gone).any()) for name, gone in pruned.items())


def test_select_prunes_one_tensor():
    model = masking.prune_(perceptron(), 0.5, select=lambda name, _: name == "2.weight")
    assert masking.sparsity(model, select=lambda name, _: name == "0.weight") == 0
    assert masking.sparsity(model, select=lambda name, _: name == "2.weight") == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan"), "half"])
def test_impossible_fractions_are_refused(fraction):
    with pytest.raises(InputError, match="sparsity"):
        masking.prune_(perceptron(), fraction)


def test_no_weights_or_no_numbers_are_refused():
    with pytest.raises(InputError, match="no weights that are selected"):
        masking.sparsity(torch.nn.ReLU())
    model = perceptron()
    with torch.no_grad():
        model[0].weight[0, 0] = torch.inf
    with pytest.raises(InputError, match=r"0.weight: holds nan or inf"):
        masking.prune_(model, 0.5)
