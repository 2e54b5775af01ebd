"""Statements on the factorization U Uᵀ, tested by integrating it and by linear programs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.optimize import linprog
from statements import about


def flow(A, y, U, end):
    """The end of U' = −2 Σ r_i A_i U and the accumulated residuals, for the loss ½Σ r²."""

    def velocity(_, state):
        V = state[:-2].reshape(U.shape)
        residual = np.einsum("kij,ij->k", A, V @ V.T) - y
        return np.concatenate([-2 * (np.tensordot(residual, A, 1) @ V).ravel(), residual])

    path = solve_ivp(velocity, (0, end), np.concatenate([U.ravel(), [0, 0]]), "LSODA", rtol=1e-11, atol=1e-18)
    return path.y[:-2, -1].reshape(U.shape), path.y[-2:, -1]


def commuting(seed):
    generator = np.random.default_rng(seed)
    vectors = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    values = generator.uniform(-1, 1, size=(2, 3))
    goal = generator.uniform(0, 2, size=3)
    return np.einsum("pj,kj,qj->kpq", vectors, values, vectors), values, values @ goal


@about("matrix-factorization/commuting-flow")
@given(seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_the_flow_is_a_matrix_exponential_of_the_accumulated_gradient(seed):
    A, _, y = commuting(seed)
    U, accumulated = flow(A, y, 0.3 * np.eye(3), 3.0)
    np.testing.assert_allclose(U @ U.T, 0.09 * expm(-4 * np.tensordot(accumulated, A, 1)), atol=1e-7)


@about("matrix-factorization/commuting-trace")
@pytest.mark.parametrize("seed", range(5))
def test_the_trace_is_within_the_bound_of_a_linear_program(seed):
    """For commuting measurements the least trace is a linear program in the eigenvalues."""
    A, values, y = commuting(seed)
    least = linprog(np.ones(3), A_eq=values, b_eq=y)
    weights = least.x[least.x > 0]
    for alpha in (1e-2, 1e-6):
        U, _ = flow(A, y, np.sqrt(alpha) * np.eye(3), 3000.0)
        if np.abs(np.einsum("kij,ij->k", A, U @ U.T) - y).max() < 1e-6:
            bound = (np.sum(weights * np.log(weights) - weights) + 3) / np.log(1 / alpha)
            assert np.trace(U @ U.T) - least.fun <= bound + 1e-5


@about("matrix-factorization/conjecture")
def test_another_start_of_the_counterexample_misses_the_least_trace_too():
    """From a multiple of a random rotation, which gives the same X_0, at a scale that the check does not take."""
    A = np.array([np.diag([-3.0, 1.0, 2.0]), [[-1.0, 1.0, 2.0], [1.0, 0.0, 2.0], [2.0, 2.0, 2.0]]])
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    U, _ = flow(A, np.array([2.0, 2.0]), 1e-5 * rotation, 100.0)
    np.testing.assert_allclose(np.einsum("kij,ij->k", A, U @ U.T), 2.0, atol=1e-9)
    assert np.trace(U @ U.T) == pytest.approx(1.0717, abs=1e-3)
