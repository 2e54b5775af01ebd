"""Masks on modules: the same function, copies that live apart, and refusals that change nothing."""

import copy
import io

import numpy as np
import pytest
import torch
from networks import EVERY, WEIGHTS, perceptron, sequence, tokens
from torch import nn

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.errors import InputError


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_a_module_computes_the_same_before_masked_and_after(name, training):
    model, batch = sequence().train(training), tokens()
    before = model(batch)
    masking.reparameterize(model, lambda tensor: EVERY[name]())
    masked = model(batch)
    masking.unmask(model)
    torch.testing.assert_close(masked, before, rtol=0, atol=1e-6)
    torch.testing.assert_close(model(batch), before, rtol=0, atol=1e-6)
    assert {name for name, _ in model.named_parameters()} == {name for name, _ in sequence().named_parameters()}


def test_evaluation_without_gradients_takes_the_fast_path_of_attention():
    model, batch = sequence().eval(), tokens()
    with torch.no_grad():
        torch.testing.assert_close(masking.mask(copy.deepcopy(model))(batch), model(batch), rtol=0, atol=1e-6)


def test_weights_and_factors_have_the_names_of_the_dense_model():
    model = sequence()
    dense = {name: p.detach().clone() for name, p in model.named_parameters()}
    masking.mask(model, beta=0.25)
    assert list(masking.effective_weights(model)) == WEIGHTS
    for name, x in masking.effective_weights(model).items():
        torch.testing.assert_close(x, dense[name])
        m, w = masking.factors(model)[name].values()
        torch.testing.assert_close(m**2 - w**2, torch.full_like(m, 0.25), rtol=1e-5, atol=1e-5)


def test_dense_modules_have_no_effective_weights():
    assert masking.effective_weights(sequence()) == {}
    assert masking.factors(sequence()) == {}


def test_tied_weights_share_their_factors():
    model = masking.mask(sequence())
    factors = list(model.embedding.parametrizations.weight.parameters())
    assert all(a is b for a, b in zip(factors, model.output.parametrizations.weight.parameters(), strict=True))
    assert len(list(model.parameters())) == len(list(sequence().parameters())) + len(WEIGHTS)
    masking.unmask(model)
    assert model.output.weight is model.embedding.weight


def test_select_and_beta_by_name():
    model = perceptron()
    masking.mask(model, beta={"2.weight": 0.3}, select=lambda name, tensor: name.startswith("2") and tensor.ndim == 2)
    assert list(masking.effective_weights(model)) == ["2.weight"]
    m, w = masking.factors(model)["2.weight"].values()
    torch.testing.assert_close(m**2 - w**2, torch.full_like(m, 0.3))
    masking.mask(model, select=lambda name, tensor: name == "0.bias")  # one axis, but select asks for it
    assert set(masking.effective_weights(model)) == {"0.bias", "2.weight"}


def test_copies_live_apart():
    """Copies share a class in PyTorch, yet a mask that is removed from one stays on the other."""
    model, batch = masking.mask(sequence()), tokens()
    before = model(batch).detach()
    copied = copy.deepcopy(model)
    assert copied.output.parametrizations.weight.original0 is copied.embedding.parametrizations.weight.original0
    masking.unmask(copied)
    torch.testing.assert_close(model(batch), before)
    torch.testing.assert_close(copied(batch), before)
    with torch.no_grad():
        copied.embedding.weight.zero_()
    torch.testing.assert_close(model(batch), before)
    optimizer = torch.optim.SGD(copy.deepcopy(model).parameters(), 0.1)
    assert masking.PILoT(optimizer, 0.1, 1.1, 0.0, 3).step(0.5) == pytest.approx(0.11)


def test_state_dicts_travel():
    model, other, batch = masking.mask(sequence(0)), masking.mask(sequence(1)), tokens()
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(other(batch), model(batch))


def test_assigned_weights_are_split_again():
    layer = masking.mask(nn.Linear(2, 2), beta=0.5)
    layer.weight = torch.ones(2, 2)
    torch.testing.assert_close(layer.weight, torch.ones(2, 2))


def test_compiled_modules_train():
    model, batch = masking.mask(sequence()), tokens()
    expected = model(batch)
    compiled = torch.compile(model, backend="aot_eager")
    torch.testing.assert_close(compiled(batch), expected)
    compiled(batch).square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_autocast_computes_in_half_and_keeps_full_factors():
    model, batch = masking.mask(sequence()), tokens()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = model(batch)
    assert low.dtype == torch.bfloat16
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    torch.testing.assert_close(low.float(), model(batch), rtol=0.1, atol=0.05)


@pytest.mark.cuda
def test_masks_move_to_a_gpu():
    model, batch = masking.mask(sequence()), tokens()
    expected = model(batch)
    moved = model.to("cuda")(batch.to("cuda"))
    torch.testing.assert_close(moved.cpu(), expected, rtol=0, atol=1e-5)


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 5)), rng.normal(size=6)


def trained_by_sgd(step, time, alpha):
    """Plain SGD of torch on a masked linear layer, over all data."""
    Z, y = (torch.from_numpy(a) for a in data())
    layer = nn.Linear(5, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-0.5, 0.5, 5))
    masking.mask(layer, beta=0.7)
    optimizer = torch.optim.SGD(layer.parameters(), step)
    masking.decay_strength(optimizer, alpha)
    for _ in range(round(time / step)):
        optimizer.zero_grad()
        ((layer(Z)[:, 0] - y).square().sum() / (2 * len(y))).backward()
        optimizer.step()
    return layer.weight.detach().numpy()[0]


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_training_approaches_the_gradient_flow(alpha):
    """Half the step ends half as far from the flow of m*w that an ODE solver finds."""
    Z, y = data()
    m, w = masking.Product(0.7).right_inverse(torch.linspace(-0.5, 0.5, 5, dtype=torch.float64))
    mask = ib.Parameterization("m*w", ["m", "w"], "m**2 + w**2")
    theory = {"schedule": alpha} if alpha else {}
    flow = ib.gradient_flow(ib.Regression(Z, y), mask, {"m": m.numpy(), "w": w.numpy()}, 2.0, **theory)
    errors = [np.max(np.abs(trained_by_sgd(step, 2.0, alpha) - flow.x[-1])) for step in (0.02, 0.01, 0.005)]
    assert errors[0] < 0.02
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 1, atol=0.05)


class Bare(nn.Module):
    def __init__(self, parameter):
        super().__init__()
        self.weight = parameter


def frozen():
    model = perceptron()
    model[2].weight.requires_grad_(False)
    return model


def broken():
    model = perceptron()
    with torch.no_grad():
        model[2].weight[0, 0] = torch.nan
    return model


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (lambda: masking.mask(perceptron()), ValueError, "0.weight: is masked already; unmask"),
        (nn.ReLU, ValueError, "no weight in ReLU to mask"),
        (lambda: nn.LayerNorm(3), ValueError, "no weight in LayerNorm"),
        (frozen, ValueError, "2.weight: is frozen .* unfreeze it, or leave it out"),
        (broken, ValueError, "2.weight: holds nan"),
        (lambda: Bare(nn.Parameter(torch.ones(2, 2, dtype=int), False)), ValueError, "weight: expected floating-point"),
        (lambda: nn.LSTM(2, 2), ib.UnsupportedError, "weight_ih_l0: a recurrent layer"),
        (
            lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)),
            ib.UnsupportedError,
            "is computed by .*_WeightNorm",
        ),
        (lambda: nn.Sequential(nn.LazyLinear(2)), ValueError, "has no shape yet; run the lazy module"),
        (lambda: "a model", ValueError, "module: expected a torch.nn.Module, got str"),
    ],
)
def test_what_cannot_be_masked_is_left_as_it_was(model, error, message):
    model = model()
    before = [id(p) for p in model.parameters()] if isinstance(model, nn.Module) else []
    with pytest.raises(error, match=message):
        masking.mask(model)
    assert before == ([id(p) for p in model.parameters()] if isinstance(model, nn.Module) else [])


@pytest.mark.parametrize(
    ("beta", "message"),
    [
        (-1.0, "beta: expected a non-negative"),
        (float("nan"), "beta"),
        ({"0.weight": 1.0}, "missing: 2.weight"),
        ({"0.weight": 1.0, "2.weight": -1.0}, "beta: expected a non-negative"),
        ({"0.weight": 1.0, "2.weight": 1.0, "3.weight": 1.0}, "unknown: 3.weight"),
    ],
)
def test_impossible_imbalances_are_refused(beta, message):
    model = perceptron()
    with pytest.raises(InputError, match=message):
        masking.mask(model, beta=beta)
    assert masking.effective_weights(model) == {}


def test_one_parametrization_for_two_tensors_is_refused():
    one, model = masking.Product(), perceptron()
    with pytest.raises(InputError, match="expected a new one for every tensor"):
        masking.reparameterize(model, lambda name: one)
    with pytest.raises(KeyError):
        masking.reparameterize(model, {"0.weight": one}.__getitem__)
    assert masking.effective_weights(model) == {}


@pytest.mark.parametrize("given", [masking.Powerpropagation, masking.Powerpropagation(2.0)])
def test_a_parametrization_instead_of_a_function_is_refused(given):
    model = perceptron()
    with pytest.raises(InputError, match=r"expected a function .* such as lambda name: Powerpropagation\(…\), got"):
        masking.reparameterize(model, given)
    assert masking.effective_weights(model) == {}


class OneFactor(masking.Product):
    """A product whose right inverse forgets a factor."""

    def right_inverse(self, x):
        return x


class Halved(masking.Product):
    """A product whose right inverse does not give the weights back."""

    def right_inverse(self, x):
        return x / 2, torch.ones_like(x)


def test_a_right_inverse_that_is_none_is_refused():
    model = perceptron()
    message = r"0.weight: right_inverse of OneFactor gives 1 tensor for 2 names \(m, w\); return one for each name"
    with pytest.raises(InputError, match=message):
        masking.reparameterize(model, lambda name: OneFactor())
    assert masking.effective_weights(model) == {}


@pytest.mark.parametrize(
    ("dtype", "finer"), [(torch.float16, " or float32"), (torch.float32, " or float64"), (torch.float64, "")]
)
def test_a_start_elsewhere_asks_for_a_finer_precision_where_there_is_one(dtype, finer):
    message = rf"more moderate numbers for it{finer}, and check that its right_inverse undoes its forward\.$"
    with pytest.raises(InputError, match=message):
        masking.reparameterize(perceptron().to(dtype), lambda name: Halved())


def test_unmasking_what_is_dense_is_refused():
    with pytest.raises(InputError, match="nothing in it is masked or pruned"):
        masking.unmask(perceptron())


@pytest.mark.parametrize(
    ("weight", "make", "dtype"),
    [
        (1.0, lambda name: masking.Product(1e300), torch.float32),
        (1.0, lambda name: masking.Product(1e6, depth=3), torch.float16),
        (1e3, lambda name: masking.SigmoidMask(-50.0), torch.float16),
        (6e4, lambda name: masking.SigmoidMask(0.0), torch.float16),
    ],
)
def test_a_start_that_leaves_the_precision_is_refused(weight, make, dtype):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).to(dtype)
    with torch.no_grad():
        model[1].weight[0, 1] = weight
    before = {name: p.clone() for name, p in model.named_parameters()}
    with pytest.raises(InputError, match=r"weight: .* cannot start at the weight .* in torch.float"):
        masking.reparameterize(model, make)
    assert {name for name, _ in model.named_parameters()} == before.keys()


@pytest.mark.parametrize("weight", [1e-30, 1e20, 3e38])
@pytest.mark.parametrize("depth", [2, 3, 6])
def test_extreme_weights_of_single_precision_are_kept(weight, depth):
    layer = nn.Linear(1, 1)
    torch.nn.init.constant_(layer.weight, weight)
    masking.reparameterize(layer, lambda name: masking.Product(1.0, depth))
    assert float(layer.weight.detach()) == pytest.approx(weight, rel=1e-5)


def test_a_pruned_dense_module_becomes_plain():
    model = masking.unmask(masking.prune_(perceptron(), 0.5))
    assert {name for name, _ in model.named_parameters()} == {name for name, _ in perceptron().named_parameters()}
    assert masking.sparsity(model) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("weights", "make", "dtype"),
    [
        ([0.0, 0.0], lambda name: masking.Product(1.0), torch.float32),
        ([0.0, 0.0], lambda name: masking.SoftThreshold(-5.0), torch.float32),
        # w = x/m is below the smallest number, an error that is nothing beside the other weight.
        ([1.0, 1e-44], lambda name: masking.Product(1e4), torch.float32),
        # A power multiplies the rounding error of its root, which may have either sign.
        ([-0.1, -0.7], lambda name: masking.Powerpropagation(20.0), torch.float32),
        ([0.3, -0.9], lambda name: masking.Powerpropagation(30.0), torch.float64),
    ],
)
def test_a_start_that_only_rounds_is_taken(weights, make, dtype):
    layer = nn.Linear(2, 1, bias=False).to(dtype)
    layer.weight.data.copy_(torch.tensor([weights]))
    before = layer.weight.detach().clone()
    masking.reparameterize(layer, make)
    torch.testing.assert_close(layer.weight.detach(), before, rtol=32 * torch.finfo(dtype).eps, atol=1e-43)
