"""The von Neumann entropy against SciPy's matrix functions, 50 digits and the entropies of its eigenvalues."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm, logm
from scipy.stats import ortho_group

import implicit_bias as ib

seeds = st.integers(0, 10**6)


def positive(generator, p, spread=1.0):
    vectors = np.linalg.qr(generator.normal(size=(p, p)))[0]
    return (vectors * np.exp(generator.uniform(-spread, spread, p))) @ vectors.T


def symmetric(generator, p):
    matrix = generator.normal(size=(p, p))
    return (matrix + matrix.T) / 2


@given(seed=seeds)
@settings(max_examples=20)
def test_value_gradient_and_conjugate_are_those_of_matrix_functions(seed):
    generator = np.random.default_rng(seed)
    p, rate = int(generator.integers(1, 5)), generator.uniform(0.5, 5)
    S, X, Z = positive(generator, p), positive(generator, p), generator.normal(size=(p, p)) / 3
    R = ib.VonNeumannEntropy(p, scale=S, rate=rate)
    assert R.value(X.ravel()) == pytest.approx(np.trace(X @ logm(X) - X @ logm(S) - X) / rate, abs=1e-12 * p)
    np.testing.assert_allclose(R.gradient(X.ravel()), ((logm(X) - logm(S)) / rate).ravel(), atol=1e-12)
    argument = rate * (Z + Z.T) / 2 + logm(S)
    np.testing.assert_allclose(R.inverse_gradient(Z.ravel()), expm(argument).ravel(), rtol=1e-11, atol=1e-12)
    assert R.conjugate(Z.ravel()) == pytest.approx(np.trace(expm(argument)) / rate, rel=1e-12)
    np.testing.assert_allclose(R.minimizer, S.ravel(), atol=1e-13)
    assert R.divergence(X.ravel(), S.ravel()) == pytest.approx(
        np.trace(X @ logm(X) - X @ logm(S) - X + S) / rate, abs=1e-11
    )


@given(seed=seeds)
@settings(max_examples=20)
def test_laws_of_a_convex_potential(seed):
    """∇R* undoes ∇R; Fenchel's equality and inequality; D >= 0; the metric is the derivative of ∇R* and inverts ∇²R."""
    generator = np.random.default_rng(seed)
    p = int(generator.integers(1, 5))
    R = ib.VonNeumannEntropy(p, scale=positive(generator, p))
    x, other = positive(generator, p).ravel(), positive(generator, p).ravel()
    z = R.gradient(x)
    np.testing.assert_allclose(R.inverse_gradient(z), x, rtol=0, atol=1e-13)
    assert R.value(x) + R.conjugate(z) == pytest.approx(x @ z, abs=1e-12)
    gap = R.value(other) + R.conjugate(z) - other @ z
    assert gap == pytest.approx(R.divergence(other, x), abs=1e-12)
    assert R.divergence(other, x) > 0
    assert 0 <= R.divergence(x, x) <= 1e-28
    metric = R.metric(x)
    direction = symmetric(generator, p).ravel()
    step = 1e-6
    slope = (R.inverse_gradient(z + step * direction) - R.inverse_gradient(z - step * direction)) / (2 * step)
    np.testing.assert_allclose(metric @ direction, slope, rtol=1e-7, atol=1e-8)
    rise = (R.gradient(x + step * direction) - R.gradient(x - step * direction)) / (2 * step)
    np.testing.assert_allclose(metric @ rise, direction, rtol=1e-6, atol=1e-7)
    antisymmetric = generator.normal(size=(p, p))
    np.testing.assert_allclose(metric @ (antisymmetric - antisymmetric.T).ravel(), 0, atol=1e-12)
    np.testing.assert_array_equal(R.respond(z)[0], R.inverse_gradient(z))
    np.testing.assert_allclose(R.respond(z)[1], metric, rtol=1e-11, atol=1e-12)


def test_against_fifty_digits():
    """The divergence of close matrices, and the response at a scale that underflows, keep their digits."""
    vectors = ortho_group.rvs(3, random_state=2)
    values, values2 = np.array([0.5, 1.0, 3.0]), np.array([0.5 + 1e-9, 1.0, 3.0 - 1e-9])
    one, two = ((vectors * v) @ vectors.T for v in (values, values2))
    R = ib.VonNeumannEntropy(3, scale=1.0)
    with mp.workdps(50):
        a, b = mp.matrix(one.tolist()), mp.matrix(two.tolist())
        a, b = (a + a.T) / 2, (b + b.T) / 2

        def logarithm(matrix):
            eigenvalues, basis = mp.eigsy(matrix)
            return basis * mp.diag([mp.log(v) for v in eigenvalues]) * basis.T

        product = a * logarithm(a) - a * logarithm(b) - a + b
        want = sum(product[i, i] for i in range(3)) / 4
        # Rounding of the entries of order 1e-16 beside a difference of 1e-9, squared.
        assert float(R.divergence(one.ravel(), two.ravel())) == pytest.approx(float(want), rel=1e-5)
    far = ib.VonNeumannEntropy(3, log_scale=-2000.0)
    z = (vectors * ((np.log(values) + 2000.0) / 4)) @ vectors.T
    np.testing.assert_allclose(far.inverse_gradient(z.ravel()), one.ravel(), rtol=0, atol=1e-11)
    assert np.all(far.minimizer == 0)


@given(seed=seeds)
@settings(max_examples=10)
def test_on_one_eigenbasis_it_is_the_entropy_of_the_eigenvalues(seed):
    generator = np.random.default_rng(seed)
    vectors = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    scale, x, other = generator.uniform(0.1, 3, (3, 4))

    def matrix(values):
        return ((vectors * values) @ vectors.T).ravel()

    spectral, plain = ib.VonNeumannEntropy(4, scale=matrix(scale).reshape(4, 4)), ib.Entropy(scale=scale)
    assert spectral.value(matrix(x)) == pytest.approx(float(plain.value(x)), abs=1e-12)
    assert spectral.divergence(matrix(x), matrix(other)) == pytest.approx(float(plain.divergence(x, other)), abs=1e-12)
    np.testing.assert_allclose(spectral.gradient(matrix(x)), matrix(plain.gradient(x)), atol=1e-12)


def test_batches():
    generator = np.random.default_rng(0)
    R = ib.VonNeumannEntropy(3, scale=0.5)
    x = np.array([[positive(generator, 3).ravel() for _ in range(2)] for _ in range(4)])
    assert R.value(x).shape == R.divergence(x, x[0, 0]).shape == R.conjugate(x).shape == (4, 2)
    assert R.gradient(x).shape == R.inverse_gradient(x).shape == x.shape
    assert R.metric(x).shape == (4, 2, 9, 9)
    np.testing.assert_array_equal(R.gradient(x)[3, 1], R.gradient(x[3, 1]))
    np.testing.assert_array_equal(R.metric(x)[3, 1], R.metric(x[3, 1]))


def test_the_boundary_of_the_cone():
    """R and the divergence of a singular X are finite; its gradient is not, and is refused."""
    R = ib.VonNeumannEntropy(2, scale=1.0)
    singular = [1.0, 1.0, 1.0, 1.0]  # eigenvalues 0 and 2
    assert R.value(singular) == pytest.approx((2 * np.log(2) - 2) / 4)
    assert R.divergence(singular, [1.0, 0.0, 0.0, 1.0]) == pytest.approx((2 * np.log(2) - 2 + 2) / 4)
    for method in (R.gradient, R.metric, lambda x: R.divergence([1.0, 0.0, 0.0, 1.0], x)):
        with pytest.raises(ib.DomainError, match="positive definite"):
            method(singular)
    for method in (R.value, R.gradient):
        with pytest.raises(ib.DomainError, match="eigenvalue -1"):
            method([1.0, 0.0, 0.0, -1.0])
        with pytest.raises(ib.DomainError, match="symmetric"):
            method([1.0, 0.5, 0.0, 1.0])


@pytest.mark.parametrize("unit", [1e-150, 1.0, 1e150])
def test_what_is_zero_to_rounding_does_not_depend_on_units(unit):
    R = ib.VonNeumannEntropy(2, scale=unit)
    assert R.gradient([unit, 0.0, 0.0, 1e-14 * unit])[3] == pytest.approx(np.log(1e-14) / 4)
    assert R.value([unit, 0.0, 0.0, -1e-17 * unit]) == pytest.approx(-unit / 4)
    with pytest.raises(ib.DomainError, match="zero to rounding"):
        R.gradient([unit, 0.0, 0.0, 1e-16 * unit])
    with pytest.raises(ib.DomainError, match="semidefinite"):
        R.value([unit, 0.0, 0.0, -1e-13 * unit])
    with pytest.raises(ib.DomainError, match="positive definite"):
        ib.VonNeumannEntropy(2, scale=[[unit, 0.0], [0.0, 1e-16 * unit]])
    with pytest.raises(ib.DomainError, match="symmetric"):
        R.value([unit, 1e-11 * unit, 0.0, unit])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"order": 0, "scale": 1.0}, ib.InputError, "positive integer"),
        ({"order": 2}, ib.InputError, "exactly one"),
        ({"order": 2, "scale": 1.0, "log_scale": 0.0}, ib.InputError, "exactly one"),
        ({"order": 2, "scale": np.eye(3)}, ib.InputError, r"shape \(2, 2\)"),
        ({"order": 2, "scale": [[1.0, 1.0], [0.0, 1.0]]}, ib.InputError, "symmetric"),
        ({"order": 2, "scale": -1.0}, ib.DomainError, "positive number"),
        ({"order": 2, "scale": [[1.0, 1.0], [1.0, 1.0]]}, ib.DomainError, "positive definite"),
        ({"order": 2, "scale": 1.0, "rate": 0.0}, ib.InputError, "rate"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        ib.VonNeumannEntropy(**arguments)


def test_bad_shapes():
    with pytest.raises(ib.InputError, match="row by row"):
        ib.VonNeumannEntropy(2, scale=1.0).gradient([1.0, 2.0])
