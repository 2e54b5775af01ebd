"""Which tensors are weights: every layer of torch with parameters, derived and foreign classes, random models."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from implicit_bias import masking
from implicit_bias.errors import InputError
from implicit_bias.masking.weight_tensors import weight_tensors

SHAPE = [2, 4]
# For every class of torch.nn that makes parameters itself, how to make one and the names of its weights.
LAYERS = {
    "Linear": (lambda: nn.Linear(4, 4), ["weight"]),
    "Bilinear": (lambda: nn.Bilinear(4, 4, 4), ["weight"]),
    "Conv1d": (lambda: nn.Conv1d(2, 2, 3), ["weight"]),
    "Conv2d": (lambda: nn.Conv2d(2, 2, 3), ["weight"]),
    "Conv3d": (lambda: nn.Conv3d(2, 2, 3), ["weight"]),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(2, 2, 3), ["weight"]),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(2, 2, 3), ["weight"]),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(2, 2, 3), ["weight"]),
    "Embedding": (lambda: nn.Embedding(5, 4), ["weight"]),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(5, 4), ["weight"]),
    "MultiheadAttention": (
        lambda: nn.MultiheadAttention(4, 2, add_bias_kv=True),
        ["in_proj_weight", "out_proj.weight"],
    ),
    "MultiheadAttention of other widths": (
        lambda: nn.MultiheadAttention(4, 2, kdim=3, vdim=5),
        ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"],
    ),
    "RNNCellBase": (lambda: nn.LSTMCell(3, 4), ["weight_ih", "weight_hh"]),
    "RNNBase": (
        lambda: nn.LSTM(3, 4, bidirectional=True, proj_size=2),
        [f"weight_{k}_l0{end}" for end in ("", "_reverse") for k in ("ih", "hh", "hr")],
    ),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), []),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4, affine=True), []),
    "SyncBatchNorm": (lambda: nn.SyncBatchNorm(4), []),
    "LayerNorm": (lambda: nn.LayerNorm(SHAPE), []),
    "LayerNorm of three axes": (lambda: nn.LayerNorm([2, 3, 4]), []),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), []),
    "RMSNorm": (lambda: nn.RMSNorm(SHAPE), []),
    "PReLU": (lambda: nn.PReLU(3), []),
}
BASES = {"_ConvNd": "Conv2d", "_NormBase": "BatchNorm1d"}


class Own(nn.Module):
    def __init__(self, **parameters):
        super().__init__()
        for name, shape in parameters.items():
            setattr(self, name, nn.Parameter(torch.randn(shape)))


class NormGain(Own):
    """A module whose name says that it is a norm."""


class NormalizedLinear(nn.Linear):
    """A linear layer whose name says that something is normalized."""


class OrthoNorm(nn.Linear):
    """A linear layer whose name ends like that of a norm."""


class Scale(nn.LayerNorm):
    """A norm whose name does not say so."""


class Gated(nn.Linear):
    def __init__(self):
        super().__init__(4, 4)
        self.gate_weight = nn.Parameter(torch.randn(4, 4))
        self.gain = nn.Parameter(torch.randn(4, 4))


OTHERS = {
    "own": (
        lambda: Own(weight=(3, 4), out_weight=(2, 2), weights=(2, 2), table=(3, 3), bias=(2, 2)),
        ["weight", "out_weight"],
    ),
    "own vector": (lambda: Own(weight=(4,)), []),
    "own norm": (lambda: NormGain(weight=(1, 4, 1)), []),
    "derived from a linear layer": (lambda: NormalizedLinear(3, 4), ["weight"]),
    "a linear layer called a norm": (lambda: OrthoNorm(3, 4), ["weight"]),
    "derived from a norm": (lambda: Scale(SHAPE), []),
    "derived with more": (Gated, ["weight", "gate_weight"]),
}
ALL = LAYERS | OTHERS


@pytest.mark.parametrize("name", ALL)
def test_weights_are_those_of_the_kind(name):
    make, expected = ALL[name]
    module = make()
    assert [t.name for t in weight_tensors(module) if masking.is_weight(module, t.name)] == expected
    if expected:
        zero = next(p for key, p in module.named_parameters() if key == expected[0])
        with torch.no_grad():
            for key, p in module.named_parameters():
                p.fill_(1.0 if key in expected else 0.0)
            zero.zero_()
        total = sum(dict(module.named_parameters())[key].numel() for key in expected)
        assert masking.sparsity(module) == zero.numel() / total
    else:
        for refused in (lambda: masking.mask(module), lambda: masking.prune_(module, 0.5)):
            with pytest.raises(InputError, match="module:"):
                refused()


def test_every_layer_of_torch_that_makes_parameters_is_decided():
    """If torch gains a layer, this fails until somebody decides which of its tensors are weights."""
    makers = {
        kind
        for layer in vars(nn).values()
        if inspect.isclass(layer) and issubclass(layer, nn.Module)
        for kind in layer.__mro__
        if issubclass(kind, nn.Module) and "Parameter(" in inspect.getsource(kind.__init__)
    }
    names = {kind.__name__ for kind in makers if "Lazy" not in kind.__name__ and "Parameter" not in kind.__name__}
    assert {BASES.get(name, name) for name in names} - {"Module"} <= set(LAYERS)


def random_model(rng, path="", depth=0):
    """A tree of modules with random names, some of which are used twice, and the names of its weights."""
    model, expected = nn.Module(), []
    reused = None
    for k in range(rng.integers(2, 5)):
        name = str(rng.choice(["block", "norm", "weight_", "head"])) + str(k)
        if depth < 2 and rng.random() < 0.4:
            child, below = random_model(rng, f"{path}{name}.", depth + 1)
            expected += below
        elif reused is not None and rng.random() < 0.3:
            child = reused
        else:
            make, weights = ALL[str(rng.choice([key for key in ALL if key != "RNNBase"]))]
            child = make()
            expected += [f"{path}{name}.{weight}" for weight in weights]
            reused = child
        model.add_module(name, child)
    return model, expected


@pytest.mark.parametrize("seed", range(25))
def test_in_any_model_exactly_the_weights_are_masked_and_pruned(seed):
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    model, expected = random_model(rng)
    if not expected:
        pytest.skip("drew nothing but norms")
    others = {name: p for name, p in model.named_parameters() if name not in expected}
    shapes = {name: p.shape for name, p in model.named_parameters()}
    masking.mask(model)
    assert set(masking.effective_weights(model)) == set(expected)
    assert all(dict(model.named_parameters())[name] is p for name, p in others.items())
    masking.prune_(masking.unmask(model), 1.0)
    assert {name: kept.shape for name, kept in masking.kept_weights(model).items()} == {n: shapes[n] for n in expected}
    assert masking.sparsity(model) == 1


def test_select_overrides_the_kind():
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(SHAPE), Own(table=(3, 3)))
    masking.mask(model, select=lambda name, tensor: name == "2.table" or masking.is_weight(model, name))
    assert list(masking.effective_weights(model)) == ["0.weight", "2.table"]
    masking.mask(model, select=lambda name, tensor: name == "1.weight")
    assert "1.weight" in masking.effective_weights(model)


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match=r"there is no tensor 'fc.weight'; known: weight, bias"):
        masking.is_weight(nn.Linear(2, 2), "fc.weight")
    with pytest.raises(InputError, match=r"expected a torch.nn.Module, got str"):
        masking.is_weight("fc.weight", torch.ones(2, 2))
