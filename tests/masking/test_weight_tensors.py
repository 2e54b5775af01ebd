"""Weights that other tools reparametrize, alone, nested or tied, are counted as they are used or refused by name."""

import copy
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.errors import InputError
from implicit_bias.masking.weight_tensors import weight_tensors
from implicit_bias.training.methods import METHODS
from implicit_bias.training.weights import size_and_tiny_weights

pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")


class Random(nn.Module):
    """Draws signs at random in training, and leaves zeros in evaluation."""

    def forward(self, x):
        return torch.where(torch.rand_like(x) < 0.5, x, -x) if self.training else x.relu()


def twice(layer):
    prune.random_unstructured(layer, "weight", 0.3)
    prune.l1_unstructured(layer, "weight", 0.5)


def pruned_direction(layer):
    nn.utils.weight_norm(layer)
    prune.l1_unstructured(layer, "weight_v", 2)


def pruned_below_the_norm(layer):
    nn.utils.spectral_norm(layer)
    prune.l1_unstructured(layer, "weight_orig", 2)


# For every form: how it is put on a layer, its name in the message, and the number of parameters it trains.
FORMS = {
    "pruned": (lambda layer: prune.l1_unstructured(layer, "weight", 0.3), "torch.nn.utils.prune", 1),
    "rows pruned": (lambda layer: prune.ln_structured(layer, "weight", 1, n=2, dim=0), "torch.nn.utils.prune", 1),
    "pruned twice": (twice, "torch.nn.utils.prune", 1),
    "older weight norm": (nn.utils.weight_norm, "torch.nn.utils.weight_norm", 2),
    "older weight norm, pruned": (pruned_direction, "torch.nn.utils.prune", 2),
    "older spectral norm": (nn.utils.spectral_norm, "torch.nn.utils.spectral_norm", 1),
    "older spectral norm, pruned": (pruned_below_the_norm, "torch.nn.utils.prune", 1),
    "weight norm": (parametrizations.weight_norm, "_WeightNorm", 2),
    "spectral norm": (parametrizations.spectral_norm, "_SpectralNorm", 1),
    "orthogonal": (lambda layer: parametrizations.orthogonal(layer), "_Orthogonal", 1),
    "a user's": (lambda layer: parametrize.register_parametrization(layer, "weight", Random()), "Random", 1),
}
LAYERS = {
    "linear": (lambda: nn.Linear(4, 4), lambda: torch.ones(2, 4)),
    "convolution": (lambda: nn.Conv2d(2, 4, 3), lambda: torch.ones(1, 2, 5, 5)),
    "transposed": (lambda: nn.ConvTranspose1d(4, 4, 3), lambda: torch.ones(1, 4, 5)),
    "embedding": (lambda: nn.Embedding(4, 4), lambda: torch.arange(4)),
}


def nested(layer, form, seed=0):
    """A model with a plain layer and, deeper inside, one that has the form and some parameters equal to 0."""
    torch.manual_seed(seed)
    made, batch = LAYERS[layer]
    model = nn.Sequential(nn.Linear(3, 3), nn.ModuleDict({"inner": nn.Sequential(made())}))
    inner = model[1]["inner"][0]
    FORMS[form][0](inner)
    inner(batch())
    with torch.no_grad():
        for p in inner.parameters():
            p.add_(torch.rand(p.shape)).flatten()[::5] = 0  # no row is all 0, which no norm can divide
    return model, inner, batch


def used(inner, batch):
    """The weights with which a pass in evaluation computes, recorded by the layer itself."""
    inner.eval()
    with torch.no_grad():
        inner(batch())
        return inner.weight.detach().numpy().copy()


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("form", FORMS)
def test_what_other_tools_compute_is_counted_as_the_layer_uses_it(form, layer):
    model, inner, batch = nested(layer, form)
    before, random = state(model), torch.get_rng_state()
    found, (norm, _) = masking.sparsity(model), size_and_tiny_weights(model)
    values = {tensor.name: tensor.value for tensor in weight_tensors(model)}
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[name], tensor) for name, tensor in state(model).items())
    assert all(part.training for part in model.modules())
    x, plain = used(inner, batch), model[0].weight.detach().numpy()
    np.testing.assert_allclose(values["1.inner.0.weight"].detach().numpy(), x, rtol=1e-6, atol=1e-7)
    assert found == (np.sum(x == 0) + np.sum(plain == 0)) / (x.size + plain.size)
    assert norm == pytest.approx(np.sum(np.abs(x)) + np.sum(np.abs(plain)), rel=1e-5)
    assert not {name for name in values if re.search(r"_(orig|g|v)$|original", name)}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("form", FORMS)
def test_masks_refuse_it_and_name_the_call_that_helps(form, layer):
    model, inner, batch = nested(layer, form)
    before, parameters = state(model), list(map(id, model.parameters()))
    with pytest.raises(ib.UnsupportedError, match=r"^1\.inner\.0\.weight: is computed by ") as error:
        masking.mask(model)
    assert FORMS[form][1] in str(error.value)
    assert all(torch.equal(before[name], tensor) for name, tensor in state(model).items())
    assert parameters == list(map(id, model.parameters()))
    inner.eval()
    inner(batch())  # the hook of the norm runs before that of the pruning, so it sees the result of the pass before
    expected = inner(batch()).detach()
    for _ in range(3):  # if one form is put on another, each is named in its turn
        try:
            masking.mask(model)
            break
        except ib.UnsupportedError as refused:
            call = re.search(r"remove that first, (.*), or leave it out", str(refused)).group(1)
            eval(call, {"torch": torch, "model": model})  # noqa: S307, the message is the library's own
    torch.testing.assert_close(inner(batch()), expected, rtol=1e-5, atol=1e-5)
    assert "1.inner.0.weight" in masking.effective_weights(model)
    # A weight that select leaves out is no obstacle.
    model, _, _ = nested(layer, form)
    masking.mask(model, select=lambda name, tensor: name == "0.weight")
    assert list(masking.effective_weights(model)) == ["0.weight"]


@pytest.mark.parametrize("form", FORMS)
def test_pruning_holds_or_is_refused(form):
    """A hook would overwrite the zeros before every pass; a registered parametrization can be pruned after it."""
    model, inner, batch = nested("linear", form)
    if parametrize.is_parametrized(inner):
        masking.prune_(model, 0.5, select=lambda name, _: name == "1.inner.0.weight")
        zeros = used(inner, batch) == 0
        assert zeros.sum() >= 8
        assert masking.sparsity(model) == zeros.sum() / 25
    else:
        kept = {"1.inner.0.weight": torch.zeros(4, 4, dtype=torch.bool)}
        for refused in (lambda: masking.prune_(model, 0.5), lambda: masking.keep_(model, kept)):
            with pytest.raises(ib.UnsupportedError, match=r"1\.inner\.0\.weight: is computed by torch.*remove"):
                refused()
        assert masking.kept_weights(model) == {}


@pytest.mark.parametrize("form", FORMS)
def test_rivals_train_what_lies_below(form):
    """Weight decay and the L1 penalty reach the parameters of which the weights are made."""
    model, inner, _ = nested("linear", form)
    weights, rest = METHODS["dense"](0.1).parameter_groups(model)
    below = {id(p) for name, p in inner.named_parameters() if name != "bias"}
    assert len(below) == FORMS[form][2]
    assert below | {id(model[0].weight)} == {id(p) for p in weights["params"]}
    assert {id(model[0].bias), id(inner.bias)} == {id(p) for p in rest["params"]}
    model.eval()
    penalty = METHODS["l1"](0.5).penalty(model)
    penalty.backward()
    assert penalty.item() == pytest.approx(0.5 * size_and_tiny_weights(model)[0], rel=1e-5)
    assert all(p.grad is not None for p in weights["params"])


# Forms that go on using the parameter that they are put on, so that the tie lasts.
TIED = {
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 0.3),
    "older spectral norm": nn.utils.spectral_norm,
    "spectral norm": parametrizations.spectral_norm,
    "a user's": lambda layer: parametrize.register_parametrization(layer, "weight", Random()),
    "kept": lambda layer: masking.prune_(layer, 0.3),
}


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("form", TIED)
def test_ties_to_another_form_are_two_weights_and_no_mask(form, first):
    model = nn.ModuleDict({"embedding": nn.Embedding(4, 4), "other": nn.Linear(3, 3), "output": nn.Linear(4, 4)})
    model["output"].weight = model["embedding"].weight
    TIED[form](model["embedding" if first else "output"])
    assert len(list(model.parameters())) == 4
    model.eval()
    expected = model["embedding"](torch.arange(4)).detach()
    tensors = {t.name: t for t in weight_tensors(model) if t.is_weight}
    assert list(tensors) == ["embedding.weight", "other.weight", "output.weight"]
    assert masking.sparsity(model) == sum(int((t.value == 0).sum()) for t in tensors.values()) / 41
    groups = METHODS["dense"](0.1).parameter_groups(model)
    assert [len(group["params"]) for group in groups] == [2, 2]
    before, parameters = state(model), list(map(id, model.parameters()))
    with pytest.raises(ib.UnsupportedError, match=r"is computed by|shares its parameter with"):
        masking.mask(model)
    with pytest.raises(ib.UnsupportedError, match=r"is computed by|shares its parameter with output|with embedding"):
        masking.mask(model, select=lambda name, _: name == "embedding.weight")
    assert all(torch.equal(before[name], tensor) for name, tensor in state(model).items())
    assert parameters == list(map(id, model.parameters()))
    assert torch.equal(model["embedding"](torch.arange(4)), expected)
    masking.mask(model, select=lambda name, _: name == "other.weight")


def test_an_embedding_that_shrinks_its_rows_in_place_is_refused():
    for kind in (nn.Embedding, nn.EmbeddingBag):
        with pytest.raises(ib.UnsupportedError, match="weight: max_norm shrinks rows in place"):
            masking.mask(kind(4, 3, max_norm=1.0))


def test_lazy_modules_are_refused_wherever_weights_are_looked_at():
    model = nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(3))
    for look in (masking.mask, masking.sparsity, lambda m: masking.prune_(m, 0.5), size_and_tiny_weights):
        with pytest.raises(InputError, match=r"1.weight: has no shape yet; run the lazy module on one batch first"):
            look(model)
    model(torch.ones(1, 2))
    assert masking.sparsity(copy.deepcopy(model)) == 0
