"""The spectral hypentropy against the entropies of singular values, difference quotients and other norms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sinhm

import implicit_bias as ib

seeds = st.integers(0, 10**6)


def example(seed):
    generator = np.random.default_rng(seed)
    shape = tuple(int(size) for size in generator.integers(1, 5, 2))
    return ib.SpectralHypentropy(shape, scale=float(np.exp(generator.uniform(-2, 1)))), generator


@given(seed=seeds)
@settings(max_examples=30)
def test_laws_of_a_convex_potential(seed):
    """∇R* undoes ∇R; Fenchel's equality and inequality; D >= 0; the metric is the derivative of ∇R* and inverts ∇²R."""
    R, generator = example(seed)
    x, other, direction = generator.normal(size=(3, R.size))
    z = R.gradient(x)
    np.testing.assert_allclose(R.inverse_gradient(z), x, rtol=0, atol=1e-12)
    assert R.value(x) + R.conjugate(z) == pytest.approx(x @ z, abs=1e-12)
    gap = R.value(other) + R.conjugate(z) - other @ z
    assert gap == pytest.approx(R.divergence(other, x), abs=1e-11)
    assert R.divergence(other, x) > 0
    assert 0 <= R.divergence(x, x) <= 1e-28
    plain = R.value(x) - R.value(other) - R.gradient(other) @ (x - other)
    assert R.divergence(x, other) == pytest.approx(plain, abs=1e-11)
    metric, step = R.metric(x), 1e-6
    slope = (R.inverse_gradient(z + step * direction) - R.inverse_gradient(z - step * direction)) / (2 * step)
    np.testing.assert_allclose(metric @ direction, slope, rtol=1e-6, atol=1e-7)
    rise = (R.gradient(x + step * direction) - R.gradient(x - step * direction)) / (2 * step)
    np.testing.assert_allclose(metric @ rise, direction, rtol=1e-5, atol=1e-6)
    slope = (R.value(x + step * direction) - R.value(x - step * direction)) / (2 * step)
    assert slope == pytest.approx(z @ direction, rel=1e-6, abs=1e-8)
    np.testing.assert_allclose(R.respond(z)[0], R.inverse_gradient(z), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(R.respond(z)[1], metric, rtol=1e-10, atol=1e-11)


@given(seed=seeds)
@settings(max_examples=20)
def test_rotations_change_nothing_and_diagonal_matrices_have_the_entropy_of_their_entries(seed):
    generator = np.random.default_rng(seed)
    left, right = (np.linalg.qr(generator.normal(size=(3, 3)))[0] for _ in range(2))
    x, y = generator.normal(size=(2, 3))
    R, plain = ib.SpectralHypentropy((3, 3), scale=0.3), ib.HyperbolicEntropy(scale=0.3)

    def matrix(values):
        return ((left * values) @ right).ravel()

    assert R.value(matrix(x)) == pytest.approx(float(plain.value(x)), abs=1e-13)
    assert R.conjugate(matrix(x)) == pytest.approx(float(plain.conjugate(x)), rel=1e-13)
    assert R.divergence(matrix(x), matrix(y)) == pytest.approx(float(plain.divergence(x, y)), abs=1e-12)
    np.testing.assert_allclose(R.gradient(matrix(x)), matrix(plain.gradient(x)), atol=1e-13)
    np.testing.assert_allclose(R.inverse_gradient(matrix(x)), matrix(plain.inverse_gradient(x)), atol=1e-13)


def test_for_symmetric_matrices_the_response_is_a_matrix_sinh():
    generator = np.random.default_rng(3)
    Z = generator.normal(size=(4, 4))
    Z = (Z + Z.T) / 4
    want = 0.2 * sinhm(2 * Z)
    np.testing.assert_allclose(
        ib.SpectralHypentropy((4, 4), scale=0.2).inverse_gradient(Z.ravel()), want.ravel(), rtol=1e-11
    )


def test_equal_and_vanishing_singular_values():
    """The metric has no division by zero there: at 0 it is 2a, at the identity that of the scalar entropy or less."""
    R = ib.SpectralHypentropy((2, 3), scale=0.5)
    np.testing.assert_allclose(R.metric(np.zeros(6)), np.eye(6), atol=1e-15)
    x = np.eye(2, 3).ravel()
    metric = R.metric(x)
    assert np.all(np.isfinite(metric))
    # Along the identity both singular values move: 2 √(σ² + a²) = 2 √1.25.
    np.testing.assert_allclose(metric @ x, 2 * np.sqrt(1.25) * x, rtol=1e-13)
    # A rotation of both rows against each other: (f(d) + f(d))/2d = σ/d at d = ½ arcsinh(σ/a).
    turned = np.array([0.0, 1.0, 0.0, -1.0, 0.0, 0.0])
    np.testing.assert_allclose(metric @ turned, turned * 2 / np.arcsinh(2.0), rtol=1e-13)


def test_tiny_scales():
    """At log a = −3000 the response to duals of 1500 is an ordinary number, with a finite metric."""
    R = ib.SpectralHypentropy((2, 2), log_scale=-3000.0)
    x, metric = R.respond(np.array([1500.0, 0.0, 0.0, 10.0]))
    np.testing.assert_allclose(x, [0.5, 0.0, 0.0, 0.0], atol=1e-12)
    assert np.all(np.isfinite(metric))
    assert metric[0, 0] == pytest.approx(1.0, rel=1e-12)  # f' = 2f


def test_small_and_large_scales_are_the_nuclear_and_the_frobenius_norm():
    generator = np.random.default_rng(4)
    x, y = generator.normal(size=(2, 12))
    small, large = ib.SpectralHypentropy((3, 4), log_scale=-1e6), ib.SpectralHypentropy((3, 4), scale=1e6)
    nuclear = [np.linalg.norm(each.reshape(3, 4), "nuc") for each in (x, y)]
    assert (small.value(x) - small.value(y)) / (1e6 / 2) == pytest.approx(nuclear[0] - nuclear[1], abs=1e-4)
    assert large.divergence(x, 0 * x) * 4e6 == pytest.approx(x @ x, rel=1e-9)


def test_batches():
    generator = np.random.default_rng(0)
    R = ib.SpectralHypentropy((2, 3), scale=0.5)
    x = generator.normal(size=(4, 2, 6))
    assert R.value(x).shape == R.divergence(x, x[0, 0]).shape == R.conjugate(x).shape == (4, 2)
    assert R.gradient(x).shape == R.inverse_gradient(x).shape == x.shape
    assert R.metric(x).shape == (4, 2, 6, 6)
    np.testing.assert_array_equal(R.metric(x)[3, 1], R.metric(x[3, 1]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"shape": (2,), "scale": 1.0}, ib.InputError, "two positive integers"),
        ({"shape": (2, 0), "scale": 1.0}, ib.InputError, "two positive integers"),
        ({"shape": (2, 2)}, ib.InputError, "exactly one"),
        ({"shape": (2, 2), "scale": [1.0, 2.0]}, ib.InputError, "one number"),
        ({"shape": (2, 2), "scale": -1.0}, ib.DomainError, "positive"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        ib.SpectralHypentropy(**arguments)


@pytest.mark.parametrize("x", [3.0, [1.0, 2.0, 3.0]])
def test_what_is_no_matrix_is_refused(x):
    with pytest.raises(
        ib.InputError, match=r"x: expected shape \(\.\.\., 4\), the entries of a matrix of shape \(2, 2\)"
    ):
        ib.SpectralHypentropy((2, 2), scale=1.0).value(x)
