"""Unbalanced factorizations, by integrating the factors."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from statements import about


@about("ours/unbalanced-factors")
@pytest.mark.parametrize(("u", "v"), [(0.5, 0.2), (0.3, 0.0), (0.0, 0.6)])
def test_singular_values_follow_the_entropy_of_the_stated_scale(u, v):
    """½ arcsinh(σ/a) is −∫ of the singular values of the gradient, for a 2 × 3 matrix and measurements in one basis."""
    generator = np.random.default_rng(0)
    left, right = (np.linalg.qr(generator.normal(size=(size, size)))[0] for size in (2, 3))
    measured = np.array([[1.0, 0.4], [-0.3, 1.0]])
    A = np.array([(left * each) @ right[:2] for each in measured])

    def velocity(_, state):
        U, V = state[:10].reshape(2, 5), state[10:25].reshape(3, 5)
        residual = np.einsum("kij,ij->k", A, U @ V.T) - [1.0, -0.5]
        slope = np.tensordot(residual, A, 1)
        return np.concatenate([(-slope @ V).ravel(), (-slope.T @ U).ravel(), residual])

    start = np.concatenate([np.sqrt(u) * np.eye(2, 5).ravel(), np.sqrt(v) * np.eye(3, 5, 2).ravel(), [0, 0]])
    end = solve_ivp(velocity, (0, 1.5), start, "DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
    X = end[:10].reshape(2, 5) @ end[10:25].reshape(3, 5).T
    values = np.diag(left.T @ X @ right[:2].T)
    np.testing.assert_allclose(np.arcsinh(values / ((u + v) / 2)) / 2, -end[25:] @ measured, atol=1e-8)
    np.testing.assert_allclose(X, (left * values) @ right[:2], atol=1e-9)
