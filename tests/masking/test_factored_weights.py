"""Laws that every parametrization of a weight tensor obeys, and properties of single ones."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from networks import EVERY

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.errors import InputError

WEIGHTS = arrays(np.float64, 6, elements=st.floats(-1e3, 1e3))


def factors_of(parametrization, x):
    found = parametrization.right_inverse(x)
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize("name", EVERY)
@given(weights=WEIGHTS)
def test_the_start_gives_the_weights(name, weights):
    parametrization, x = EVERY[name](), torch.from_numpy(weights)
    factors = factors_of(parametrization, x)
    assert len(factors) == len(parametrization.names)
    torch.testing.assert_close(parametrization(*factors), x, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_start_is_as_good_as_the_type(name, dtype):
    x = torch.linspace(-3, 3, 101).to(dtype)
    parametrization = EVERY[name]()
    back = parametrization(*factors_of(parametrization, x))
    assert back.dtype == dtype
    eps = torch.finfo(dtype).eps
    # A power p multiplies the rounding of its root by p; the threshold is added and taken away again.
    torch.testing.assert_close(back, x, rtol=6 * eps, atol=2 * eps)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "threshold"])
def test_the_formula_is_what_torch_computes(name):
    """SymPy evaluates the formula at random factors."""
    parametrization = EVERY[name]()
    theory = parametrization.parameterization
    rng = np.random.default_rng(0)
    values = rng.normal(size=(len(parametrization.names), 4))
    computed = parametrization(*torch.from_numpy(values)).numpy()
    by_name = dict(zip(parametrization.names, values, strict=True))
    symbols = {symbol: symbol.name for symbol in theory.output.free_symbols}
    for k in range(4):
        expected = theory.output.evalf(30, subs={s: by_name[letter][k] for s, letter in symbols.items()})
        assert computed[k] == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.parametrize("power", [1.0, 1.2, 1.5, 2.0, 2.5, 3.0])
def test_the_slope_of_a_power_is_finite_at_zero(power):
    """It is p |v|^{p−1}; computed as 0 · ∞ it would be nan in every pruned weight."""
    v = torch.tensor([-2.0, -1e-3, 0.0, 1e-3, 2.0], dtype=torch.float64, requires_grad=True)
    masking.Powerpropagation(power)(v).sum().backward()
    torch.testing.assert_close(v.grad, power * v.detach().abs() ** (power - 1), rtol=1e-13, atol=0)


def test_a_threshold_shared_by_a_layer_has_no_formula():
    with pytest.raises(ib.UnsupportedError, match="no formula of one weight"):
        _ = masking.SoftThreshold().parameterization


@given(weights=WEIGHTS, beta=st.floats(0, 1e3), depth=st.integers(2, 6))
def test_products_start_with_their_imbalance(weights, beta, depth):
    x = torch.from_numpy(weights)
    m, w, *others = masking.Product(beta, depth).right_inverse(x)
    torch.testing.assert_close(m**2 - w**2, torch.full_like(x, beta), rtol=1e-9, atol=1e-9 * float(x.abs().max() + 1))
    assert bool((m >= 0).all())
    for other in others:
        torch.testing.assert_close(other, m)


def test_the_mask_starts_at_the_scale_of_its_potential():
    """The derived scale (m0² − w0²)/2 is β/2."""
    m, w = masking.Product(0.6).right_inverse(torch.linspace(-2, 2, 9, dtype=torch.float64))
    derivation = ib.derive(ib.Parameterization("m*w", ["m", "w"]))
    potential = derivation.at({"m": m.numpy(), "w": w.numpy()})
    np.testing.assert_allclose(potential.minimizer, (m * w).numpy(), rtol=1e-12, atol=1e-15)
    hyperbolic = ib.HyperbolicEntropy(scale=0.3)
    point = np.linspace(-1, 1, 9)
    # The mask's metric is 2√(x² + a²), which has no shift.
    np.testing.assert_allclose(potential.hessian_diagonal(point), hyperbolic.hessian_diagonal(point), rtol=1e-12)


def test_a_power_grows_as_the_theory_says():
    r"""The flow moves x by −(p v^{p−1})² ∇f, where (p v^{p−1})² = p² |x|^{2 − 2/p}."""
    v = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    x = masking.Powerpropagation(3.0)(v)
    (slope,) = torch.autograd.grad(x.sum(), v)
    torch.testing.assert_close(slope**2, 9 * x.detach().abs() ** (4 / 3))


def test_a_hot_sigmoid_mask_is_zero_or_one():
    mask = masking.SigmoidMask()
    mask.temperature.fill_(1e4)
    w, s = torch.tensor([2.0, 3.0]), torch.tensor([0.1, -0.1])
    torch.testing.assert_close(mask(w, s), torch.tensor([2.0, 0.0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: masking.Product(-0.1), "beta: expected a non-negative"),
        (lambda: masking.Product(float("nan")), "beta"),
        (lambda: masking.Product(depth=1), "depth: expected 2 to 6"),
        (lambda: masking.Product(depth=2.5), "depth: expected an integer"),
        (lambda: masking.SigmoidMask(temperature=0.0), "temperature: expected a positive"),
        (lambda: masking.SigmoidMask(start=float("inf")), "start"),
        (lambda: masking.Powerpropagation(0.5), "power: expected p >= 1"),
        (lambda: masking.SoftThreshold("no"), "start"),
    ],
)
def test_impossible_numbers_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_every_parametrization_is_exported_and_held_to_the_laws():
    kinds = {kind for kind in masking.FactoredWeight.__subclasses__() if kind.__module__.startswith("implicit_bias")}
    assert {kind.__name__ for kind in kinds} <= set(masking.__all__)
    assert kinds == {type(make()) for make in EVERY.values()}
