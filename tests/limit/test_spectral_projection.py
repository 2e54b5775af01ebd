"""Projections of matrices against proven projections of eigenvalues, another solver and a semidefinite program."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import implicit_bias as ib

seeds = st.integers(0, 10**6)


def commuting(seed, p=6, d=3):
    """Symmetric measurements with common eigenvectors: the problem of X, that of its eigenvalues, and the vectors."""
    generator = np.random.default_rng(seed)
    vectors = np.linalg.qr(generator.normal(size=(p, p)))[0]
    Z = generator.normal(size=(d, p))
    y = Z @ np.abs(generator.normal(size=p)) * (generator.uniform(size=1) + 0.5)
    rows = np.array([((vectors * z) @ vectors.T).ravel() for z in Z])
    return ib.Regression(rows, y), ib.Regression(Z, y), vectors


@given(seed=seeds, log_scale=st.sampled_from([0.0, -3.0, -20.0]))
@settings(max_examples=15)
def test_commuting_sensing_is_the_proven_projection_of_eigenvalues(seed, log_scale):
    """The entropy of single weights comes with an error bound, so both solvers are off by less than 1e-12."""
    matrices, eigenvalues, vectors = commuting(seed)
    found = ib.bregman_projection(matrices, ib.VonNeumannEntropy(6, log_scale=log_scale), tol=1e-14, throw=False)
    proven = ib.bregman_projection(eigenvalues, ib.Entropy(log_scale=log_scale), throw=False)
    size = np.linalg.norm(proven.x)
    if not proven.error_bound <= 3e-13 * size:
        return  # an ill-conditioned draw
    want = (vectors * proven.x) @ vectors.T
    assert np.linalg.norm(found.x - want.ravel()) <= 1e-12 * size
    assert found.error_bound == np.inf  # none is known


@given(seed=seeds)
@settings(max_examples=10)
def test_measurements_with_common_singular_vectors(seed):
    generator = np.random.default_rng(seed)
    left, right = (np.linalg.qr(generator.normal(size=(size, size)))[0] for size in (4, 5))
    Z = generator.normal(size=(2, 4))
    y = Z @ generator.normal(size=4)
    rows = np.array([((left * z) @ right[:4]).ravel() for z in Z])
    found = ib.bregman_projection(
        ib.Regression(rows, y), ib.SpectralHypentropy((4, 5), scale=0.1), tol=1e-14, throw=False
    )
    proven = ib.bregman_projection(ib.Regression(Z, y), ib.HyperbolicEntropy(scale=0.1))
    assert proven.error_bound <= 1e-12
    np.testing.assert_allclose(found.x, ((left * proven.x) @ right[:4]).ravel(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_noncommuting_measurements_against_a_search_of_the_solutions(seed):
    """Another solver minimizes R over the null space; nothing is said here about flows, which end elsewhere."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(3, 4, 4))
    rows = (rows + rows.swapaxes(1, 2)).reshape(3, 16)
    factor = generator.normal(size=(4, 4))
    problem = ib.Regression(rows, rows @ (factor @ factor.T).ravel())
    R = ib.VonNeumannEntropy(4, scale=0.5)
    found = ib.bregman_projection(problem, R)
    assert found.status is ib.Status.CONVERGED
    free = [np.eye(16)[i] + np.eye(16)[j] for i in range(16) for j in [4 * (i % 4) + i // 4] if i <= j]
    basis = np.array(free).T
    basis = basis @ np.linalg.svd(rows @ basis)[2][3:].T

    def value(t):
        X = (found.x + basis @ t).reshape(4, 4)
        return float(R.value(X.ravel())) if np.linalg.eigvalsh(X)[0] > 0 else np.inf

    start = 1e-3 * generator.normal(size=basis.shape[1])
    other = minimize(value, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-15, "maxfev": 20_000})
    assert value(np.zeros(basis.shape[1])) <= other.fun + 1e-14
    assert np.linalg.norm(basis @ other.x) <= 1e-4


def test_as_the_scale_vanishes_the_trace_falls_to_that_of_the_semidefinite_program():
    """For ⟨A, X⟩ = 1 the least trace is 1/λ_max(A): weak duality proves it, as tr X λ_max >= ⟨A, X⟩."""
    generator = np.random.default_rng(5)
    A = generator.normal(size=(4, 4))
    A = A + A.T
    problem, least = ib.Regression(A.reshape(1, 16), [1.0]), 1 / np.linalg.eigvalsh(A)[-1]
    gaps = []
    for log_scale in (-10.0, -100.0, -600.0):
        limit = ib.bregman_projection(problem, ib.VonNeumannEntropy(4, log_scale=log_scale))
        gaps.append(np.trace(limit.x.reshape(4, 4)) - least)
    assert gaps[0] > gaps[1] > 0
    assert abs(gaps[2]) <= 1e-12


def test_a_start_that_overflows_is_shortened():
    matrices, _, _ = commuting(0)
    for R in (ib.VonNeumannEntropy(6, scale=1e-3), ib.SpectralHypentropy((6, 6), scale=1e-3)):
        found = ib.bregman_projection(matrices, R, start=[-1e5, 1e5, 1e6])
        np.testing.assert_allclose(found.x, ib.bregman_projection(matrices, R).x, rtol=0, atol=1e-10)


def test_steps_are_counted_and_limited():
    """Those on the way to a tiny scale, too."""
    matrices, _, _ = commuting(1)
    R = ib.VonNeumannEntropy(6, log_scale=-300.0)
    found = ib.bregman_projection(matrices, R)
    again = ib.bregman_projection(matrices, R, start=found.dual)
    assert again.iterations <= 1 < found.iterations
    for limit in (0, 1, 3, found.iterations - 1):
        short = ib.bregman_projection(matrices, R, max_iterations=limit, throw=False)
        assert short.iterations <= limit
        assert short.status in (ib.Status.MAX_ITERATIONS, ib.Status.STALLED)
    assert ib.bregman_projection(matrices, R, max_iterations=found.iterations).iterations == found.iterations


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_projections_do_not_depend_on_units(unit):
    matrices, _, _ = commuting(2)
    want = ib.bregman_projection(matrices, ib.VonNeumannEntropy(6, scale=0.1)).x
    scaled = ib.Regression(matrices.Z, unit * matrices.y)
    found = ib.bregman_projection(scaled, ib.VonNeumannEntropy(6, scale=0.1 * unit)).x
    np.testing.assert_allclose(found / unit, want, rtol=0, atol=1e-11)


def test_what_no_positive_matrix_satisfies_is_not_called_converged():
    for row, y in ((np.eye(2), -1.0), (np.array([[0.0, 1.0], [-1.0, 0.0]]), 1.0)):
        problem = ib.Regression(row.reshape(1, 4), [y])
        found = ib.bregman_projection(problem, ib.VonNeumannEntropy(2, scale=1.0), throw=False)
        assert found.status is not ib.Status.CONVERGED
        assert found.error_bound == np.inf
