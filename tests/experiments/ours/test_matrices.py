"""The figure on matrices: its measurements, its certificate, and one of its ends by another integrator."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from experiments.ours.matrices import FIRST, LEAST_TRACE, MULTIPLIERS, OBSERVED, flowed, measurements


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_least_trace_is_the_same_for_all_shares(share):
    """By the multipliers on one side, by the matrix e_3 e_3^T on the other."""
    problem = measurements(share)
    least = np.diag([0.0, 0.0, LEAST_TRACE])
    np.testing.assert_array_equal(problem.Z @ least.ravel(), OBSERVED)
    assert np.dot(MULTIPLIERS, OBSERVED) == LEAST_TRACE == np.trace(least)
    slack = np.eye(3) - np.tensordot(MULTIPLIERS, problem.Z.reshape(2, 3, 3), 1)
    assert np.linalg.eigvalsh(slack)[0] >= 0
    first, second = problem.Z.reshape(2, 3, 3)
    np.testing.assert_array_equal(first, FIRST)
    assert np.allclose(first @ second, second @ first) == (share == 0)


def test_an_end_by_another_integrator():
    A = measurements(0.5).Z.reshape(2, 3, 3)

    def velocity(_, flat):
        U = flat.reshape(3, 3)
        residual = np.einsum("kij,ij->k", A, U @ U.T) - OBSERVED
        return (-np.tensordot(residual, A, 1) @ U).ravel()

    end = solve_ivp(velocity, (0, 1000.0), 0.1 * np.eye(3).ravel(), "Radau", rtol=1e-9, atol=1e-12).y[:, -1]
    found = flowed(0.5, -2.0)
    np.testing.assert_allclose(found["end"], end.reshape(3, 3) @ end.reshape(3, 3).T, rtol=0, atol=1e-6)
    assert 0 < found["distance"] < 1
    assert np.linalg.norm(found["projection"] - found["end"]) > 0.1
