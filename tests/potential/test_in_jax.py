"""Potentials in JAX against NumPy and mpmath: values, derivatives up to the third, jit and vmap."""

import numpy as np
import pytest
from mpmath import mp

import implicit_bias as ib

jax = pytest.importorskip("jax")
jnp = jax.numpy
# Older releases have it elsewhere.
enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64

POTENTIALS = {
    "hyperbolic": ib.HyperbolicEntropy(scale=[1e-3, 1.0, 1e3], shift=[0.0, 0.5, -0.5]),
    "entropy": ib.Entropy(scale=[1e-3, 1.0, 1e3]),
    "numerical": ib.derive("u**3 - v**3").at(u=np.full(3, 0.7), v=np.full(3, 0.6)),
}
X = np.array([0.2, 0.5, 0.3])


@pytest.fixture(autouse=True)
def double_precision():
    with enable_x64(True):
        yield


@pytest.mark.parametrize("name", POTENTIALS)
def test_values_and_compiled_values_are_those_of_numpy(name):
    potential = POTENTIALS[name]
    z = potential.gradient(X)
    for method, point in (("value", X), ("terms", X), ("gradient", X), ("metric", X), ("hessian_diagonal", X),
                          ("inverse_gradient", z), ("conjugate", z)):  # fmt: skip
        compute = getattr(potential, method)
        for found in (compute(jnp.asarray(point)), jax.jit(compute)(jnp.asarray(point))):
            assert isinstance(found, jax.Array)
            np.testing.assert_allclose(found, compute(point), rtol=1e-14, err_msg=method)
    compiled = jax.jit(potential.divergence)(jnp.asarray(X), jnp.asarray(2 * X))
    np.testing.assert_allclose(compiled, potential.divergence(X, 2 * X), rtol=1e-14)


@pytest.mark.parametrize("name", POTENTIALS)
def test_derivatives_are_the_formulas(name):
    potential, x = POTENTIALS[name], jnp.asarray(X)
    np.testing.assert_allclose(jax.grad(potential.value)(x), potential.gradient(X), rtol=1e-13)
    np.testing.assert_allclose(jax.hessian(potential.value)(x), np.diag(potential.hessian_diagonal(X)), rtol=1e-13)
    z = jnp.asarray(potential.gradient(X))
    np.testing.assert_allclose(jax.jacfwd(potential.inverse_gradient)(z), np.diag(potential.metric(X)), rtol=1e-9)
    np.testing.assert_allclose(jax.jit(jax.grad(potential.conjugate))(z), X, rtol=1e-9)
    slopes = jax.grad(potential.divergence, argnums=(0, 1))(x, 2 * x)
    np.testing.assert_allclose(slopes[0], potential.gradient(X) - potential.gradient(2 * X), rtol=1e-9)
    np.testing.assert_allclose(slopes[1], potential.hessian_diagonal(2 * X) * X, rtol=1e-9)


@pytest.mark.parametrize("x", [0.0, 1e-300, 1e-3, -1.0, 1e300])
def test_the_third_derivative_against_mpmath(x):
    """The hyperbolic entropy has R''' = −x/(r (x² + a²)^(3/2))."""
    potential = ib.HyperbolicEntropy(scale=1e-3)
    third = jax.grad(jax.grad(jax.grad(lambda v: potential.value(v[None]))))(jnp.asarray(x))
    with mp.workdps(50):
        exact = -mp.mpf(x) / (2 * (mp.mpf(x) ** 2 + mp.mpf("1e-3") ** 2) ** mp.mpf("1.5"))
    assert float(third) == pytest.approx(float(exact), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("name", POTENTIALS)
def test_vmap_over_any_axis(name):
    potential, batch = POTENTIALS[name], np.linspace(0.5, 1.5, 4)[:, None] * X
    want = potential.gradient(batch)
    np.testing.assert_allclose(jax.vmap(potential.gradient)(jnp.asarray(batch)), want, rtol=1e-14)
    moved = jax.vmap(potential.gradient, in_axes=1, out_axes=1)(jnp.asarray(batch.T))
    np.testing.assert_allclose(moved, want.T, rtol=1e-14)
    hessians = jax.vmap(jax.hessian(potential.value))(jnp.asarray(batch))
    np.testing.assert_allclose(hessians[2], np.diag(potential.hessian_diagonal(batch[2])), rtol=1e-13)


def test_single_precision_is_rounded_once():
    with enable_x64(False):
        x = jnp.asarray(X, dtype=jnp.float32)
        found = POTENTIALS["hyperbolic"].gradient(x)
        assert found.dtype == jnp.float32
        want = POTENTIALS["hyperbolic"].gradient(np.asarray(x, dtype=np.float64)).astype(np.float32)
        np.testing.assert_array_equal(found, want)


def test_outside_of_the_domain():
    """A point outside the domain raises an error, but in compiled code, where it is unknown, it gives inf or nan."""
    potential = ib.Entropy(scale=1.0)
    with pytest.raises(ib.DomainError, match="open interval"):
        potential.value(jnp.asarray([-1.0]))
    x = jnp.asarray([-1.0, 1.0])
    assert jax.jit(potential.value)(x) == np.inf
    np.testing.assert_array_equal(np.isnan(jax.jit(potential.gradient)(x)), [True, False])


def test_what_has_no_derivative_says_so():
    potential = POTENTIALS["hyperbolic"]
    with pytest.raises(ib.UnsupportedError, match="effective exponent"):
        jax.grad(lambda s: potential.effective_exponent(s).sum())(jnp.asarray(X))


def test_training_by_jax_ends_at_the_projection():
    """Mirror descent in JAX, of which only the potential is ours, ends at the projection."""
    problem, potential = ib.Regression([[1.0, 2.0, -1.0]], [1.5]), POTENTIALS["hyperbolic"]
    Z, y = jnp.asarray(problem.Z), jnp.asarray(problem.y)

    @jax.jit
    def step(z):
        return z - 1e-4 * Z.T @ (Z @ potential.inverse_gradient(z) - y)

    z = jnp.zeros(3)
    for _ in range(400):
        z = step(z)
    end = potential.inverse_gradient(z)
    np.testing.assert_allclose(end, ib.bregman_projection(problem, potential).x, rtol=0, atol=1e-7)
