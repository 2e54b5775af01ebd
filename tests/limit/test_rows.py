"""Projections whose rows depend on each other, contradict each other, or differ in size."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias import HyperbolicEntropy, Status, bregman_projection
from implicit_bias.problem import Regression
from tests.limit.random_systems import STALLED, instances


@given(instance=instances(max_d=3), log_scale=st.floats(-690, 2), copies=st.lists(st.integers(-2, 2), min_size=3))
# Steps that reuse a Hessian may end with one residual just below the tolerance and that of the dependent row above it.
@example(
    instance=(np.array([[1.0, -2.0, 1.0, -1.0], [1.0, 0.0, 2.0, -3.0]]), np.array([8.0, 5.0])),
    log_scale=0.0,
    copies=[-1, 1, 0],
)
def test_dependent_rows_change_nothing(instance, log_scale, copies):
    """A row that combines others changes nothing if its y combines theirs, and contradicts them if it does not."""
    Z, y = instance
    combination = np.array(copies[: len(Z)] + [0] * (len(Z) - len(copies)), dtype=float)
    assume(np.any(combination) and len(Z) + 1 < Z.shape[1])
    potential = HyperbolicEntropy(log_scale=log_scale)
    alone = bregman_projection(Regression(Z, y), potential)
    found = bregman_projection(Regression(np.vstack([Z, combination @ Z]), np.append(y, combination @ y)), potential)
    assert found.dual.shape == (len(Z) + 1,)
    assert math.hypot(*(found.x - alone.x)) <= found.error_bound + alone.error_bound + 1e-11 * math.hypot(*alone.x)
    with pytest.raises(ib.SolverError, match="range of Z") as caught:
        bregman_projection(Regression(np.vstack([Z, combination @ Z]), np.append(y, combination @ y + 1)), potential)
    _check_certificate(caught.value.result, np.vstack([Z, combination @ Z]), np.append(y, combination @ y + 1))


def _check_certificate(result, Z, y):
    """Zᵀν = 0 and yᵀν ≠ 0 prove that no x has Zx = y."""
    assert result.status is Status.INFEASIBLE
    nu = result.certificate
    assert np.linalg.norm(nu) == pytest.approx(1)
    # Relative to the terms of the sums, as rows may differ in size.
    assert np.max(np.abs(nu @ Z)) <= 1e-9 * np.max(np.abs(nu) @ np.abs(Z))
    assert abs(y @ nu) > 1e-9 * (np.abs(y) @ np.abs(nu))


@pytest.mark.parametrize(
    ("Z", "y"),
    [
        ([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]], [1.0, 1.0]),
        ([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], [1.0, 1.0]),
        ([[0.0, 0.0]], [1.0]),
        ([[1e20, 0.0, 0.0], [1e-20, 0.0, 0.0]], [1e20, 2e-20]),
    ],
)
def test_infeasible(Z, y):
    result = bregman_projection(Regression(Z, y), HyperbolicEntropy(scale=1.0), throw=False)
    _check_certificate(result, np.array(Z), np.array(y))
    assert result.error_bound == np.inf


COUPLED = ib.QuadraticForms([np.diag(row) for row in 2 * np.eye(4)], theta0=np.ones(4))


@pytest.mark.parametrize("potential", [HyperbolicEntropy(scale=1.0), ib.Entropy(scale=1.0), COUPLED])
@given(
    weights=st.lists(st.integers(-3, 3).filter(bool), min_size=2, max_size=2),
    gap=st.floats(-15, -6),
    size=st.floats(-3, 6),
    seed=st.integers(0, 1000),
)
def test_converged_means_that_every_row_holds(potential, weights, gap, size, seed):
    """A converged projection meets every row, also if y misses a dependency of the rows by a relative 1e-15 to 1e-6."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 4, (2, 4)).astype(float)
    Z = np.vstack([rows, np.array(weights) @ rows])
    y = 10.0**size * (rows @ rng.uniform(0.5, 1.5, 4)) / 4
    y = np.append(y, np.array(weights) @ y)
    y[2] += 10.0**gap * np.abs(y).sum()
    tol = 1e-12
    found = bregman_projection(Regression(Z, y), potential, tol=tol, throw=False)
    if found.status is Status.CONVERGED:
        worst = np.max(np.abs(Z @ found.x - y))
        assert worst <= 20 * tol * (np.linalg.norm(y) + np.linalg.norm(np.abs(Z) @ np.abs(found.x)))
    if gap > -10:
        assert found.status is not Status.CONVERGED


def test_dependent_large_rows_do_not_make_small_ones_contradict():
    """A small row counts beside two large ones that depend on each other."""
    Z = np.array([[1e20, 0.0, 0.0, 0.0], [1e20, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 2.0]])
    found = bregman_projection(Regression(Z, [0.0, 0.0, 1.0]), HyperbolicEntropy(scale=1.0))
    np.testing.assert_allclose(Z[2] @ found.x, 1.0, rtol=1e-12)
    assert found.x[0] == 0


@given(
    instance=instances(),
    log_scale=st.floats(-690, 500),  # ν is about y/a, and must not underflow when its rows are scaled
    exponents=st.lists(st.integers(-200, 200), min_size=4, max_size=4),
)
@example(instance=STALLED, log_scale=-7.0, exponents=[0, 33, 0, 0])  # a ridge could drown all rows but the largest
def test_the_scale_of_a_row_does_not_matter(instance, log_scale, exponents):
    """Rows scaled by powers of two up to 2^±200 pose the same problem exactly, and ν scales back exactly."""
    Z, y = instance
    factors = 2.0 ** np.array(exponents[: len(Z)])
    potential = HyperbolicEntropy(log_scale=log_scale)
    plain = bregman_projection(Regression(Z, y), potential)
    scaled = bregman_projection(Regression(factors[:, None] * Z, factors * y), potential)
    np.testing.assert_array_equal(scaled.x, plain.x)
    np.testing.assert_array_equal(scaled.dual * factors, plain.dual)
