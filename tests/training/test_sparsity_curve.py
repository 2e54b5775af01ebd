"""Accuracy against sparsity, where a model is pruned once, or trained and pruned in turn."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch

from implicit_bias import masking
from implicit_bias.errors import InputError
from implicit_bias.training import build, load, train
from implicit_bias.training.methods import METHODS
from implicit_bias.training.methods.mask import Mask
from implicit_bias.training.sparsity_curve import GRID, accuracy, iterative, one_shot

SETTINGS = {"epochs": 2, "learning_rate": 0.05, "batch_size": 128}


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def trained(digits):
    return train(build("lenet", digits, seed=0), digits, METHODS["dense"](), **SETTINGS)


def by_hand(model, data):
    """Accuracy from the pixels, with the normalization written out."""
    pixels = (data.test.pixels.float() - data.train.pixels.float().mean()) / data.train.pixels.float().std()
    with torch.no_grad():
        return float((model(pixels).argmax(1) == data.test.labels).double().mean())


def test_accuracy_is_that_of_the_last_epoch(trained, digits):
    assert accuracy(trained.model, digits) == trained.history[-1].test_accuracy
    assert accuracy(trained.model, digits) == pytest.approx(by_hand(trained.model, digits), abs=0.004)


def test_one_shot_leaves_the_model_and_reaches_every_sparsity(trained, digits):
    before = copy.deepcopy(trained.model.state_dict())
    curve = one_shot(trained.model, digits, [0.0, *GRID, 1.0])
    np.testing.assert_allclose(curve.sparsity, [0.0, *GRID, 1.0], atol=1e-4)
    assert curve.accuracy[0] == trained.history[-1].test_accuracy
    assert curve.accuracy[-1] <= 0.2  # nothing but biases
    assert all(torch.equal(before[key], value) for key, value in trained.model.state_dict().items())


def test_the_grid_is_that_of_the_preprint():
    assert len(GRID) == 25
    assert GRID[0] == pytest.approx(0.2)
    assert 1 - GRID[24] == pytest.approx((1 - GRID[23]) * 0.8)


@pytest.mark.parametrize("method", [METHODS["dense"], lambda: Mask(1e-4)])
@pytest.mark.parametrize("rewind", ["weights", "learning-rate"])
def test_cycles_prune_a_fifth_of_what_is_left(method, rewind, digits):
    model = build("lenet", digits, seed=0)
    before = copy.deepcopy(model.state_dict())
    done = []
    curve = iterative(model, digits, method, cycles=3, keep=0.5, rewind=rewind, progress=done.append, **SETTINGS)
    np.testing.assert_allclose(curve.sparsity, [0, 0.5, 0.75], atol=1e-4)
    assert done == [1, 2, 3]
    assert np.all(curve.accuracy > 0.5)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_rewinding_weights_is_training_the_surviving_ones_from_the_start(digits):
    """The second cycle is written out by hand."""
    model = build("lenet", digits, seed=0)
    curve = iterative(model, digits, METHODS["dense"], cycles=2, keep=0.5, **SETTINGS)
    first = train(copy.deepcopy(model), digits, METHODS["dense"](), **SETTINGS).model
    weights = torch.cat([p.detach().abs().ravel() for name, p in first.named_parameters() if name.endswith("weight")])
    threshold = weights.median()
    kept = {name: p.detach().abs() > threshold for name, p in first.named_parameters() if name.endswith("weight")}
    second = train(masking.keep_(copy.deepcopy(model), kept), digits, METHODS["dense"](), **SETTINGS)
    assert second.history[-1].test_accuracy == pytest.approx(curve.accuracy[1], abs=0.01)


@pytest.mark.parametrize("rewind", ["weights", "learning-rate"])
def test_what_was_pruned_stays_pruned(rewind, digits, monkeypatch):
    """This holds even if the method leaves more zeros than are pruned, as soft thresholds do."""
    registered, keep, random = [], masking.keep_, torch.Generator().manual_seed(0)

    class Zeros(Mask):
        def finish(self, model):
            super().finish(model)
            with torch.no_grad():
                for k in (1, 2, 3):
                    weight = model.get_parameter(f"fc{k}.weight")
                    weight[torch.rand(weight.shape, generator=random) < 0.6] = 0

    def recorded(model, kept):
        registered.append({name: k.clone() for name, k in kept.items()})
        return keep(model, kept)

    monkeypatch.setattr(masking, "keep_", recorded)
    iterative(build("lenet", digits, seed=0), digits, Zeros, cycles=3, rewind=rewind, **SETTINGS)
    nested = [kept for kept in registered if kept]
    assert len(nested) >= 3
    for earlier, later in pairwise(nested):
        assert not any(bool((later[name] & ~earlier[name]).any()) for name in earlier)


def test_a_warm_up_comes_before_what_is_rewound_to(digits):
    model = build("lenet", digits, seed=0)
    cold, warm = (
        iterative(model, digits, METHODS["dense"], cycles=1, warm_up=warm_up, **SETTINGS).accuracy[0]
        for warm_up in (0, 3)
    )
    assert warm > cold


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cycles": 0}, "cycles, warm_up"),
        ({"cycles": 1, "keep": 0.0}, r"keep: expected a fraction in \(0, 1\]"),
        ({"cycles": 1, "keep": 1.5}, "keep"),
        ({"cycles": 1, "rewind": "everything"}, "rewind: expected 'weights' or 'learning-rate'"),
        ({"cycles": 1, "warm_up": -1}, "cycles, warm_up"),
    ],
)
def test_bad_input_is_refused(arguments, message, digits):
    with pytest.raises(InputError, match=message):
        iterative(build("lenet", digits), digits, METHODS["dense"], **{**SETTINGS, **arguments})


def test_a_checkpoint_which_holds_one_run_is_no_argument(digits):
    with pytest.raises(TypeError, match="checkpoint"):
        iterative(build("lenet", digits), digits, METHODS["dense"], cycles=1, checkpoint="run", **SETTINGS)
