"""The counterexample, by another integrator, by descent in a loop and by a search of the semidefinite program."""

import numpy as np
from scipy.integrate import solve_ivp
from statements import about

A = np.array([np.diag([-3.0, 1.0, 2.0]), [[-1.0, 1.0, 2.0], [1.0, 0.0, 2.0], [2.0, 2.0, 2.0]]])


def misfit(X):
    return np.einsum("kij,ij->k", A, X) - 2


@about("greedy-low-rank/least-trace")
def test_no_multipliers_and_no_matrices_do_better():
    """Multipliers on a grid, scaled into the dual's domain, prove at most 1; matrices that fit have a trace above 1."""
    angles = np.linspace(0, 2 * np.pi, 20_001)
    directions = np.stack([np.cos(angles), np.sin(angles)])
    largest = np.linalg.eigvalsh(np.einsum("kt,kij->tij", directions, A))[:, -1]
    assert largest.min() > 0  # every direction leaves the domain, which is bounded
    assert (2 * directions.sum(axis=0) / largest).max() <= 1 + 1e-6
    generator = np.random.default_rng(0)
    rows = A.reshape(2, 9)
    for size in (0.01, 0.1, 1.0):
        for _ in range(50):
            V = np.outer([0, 0, 1], [1, 0, 0]) + size * generator.normal(size=(3, 3))
            for _ in range(50):  # Gauss and Newton, in V
                slope = np.einsum("kij,jl->kil", 2 * A, V).reshape(2, 9)
                V = V - (np.linalg.pinv(slope) @ misfit(V @ V.T)).reshape(3, 3)
            if np.abs(misfit(V @ V.T)).max() < 1e-10:
                assert np.trace(V @ V.T) >= 1 - 1e-9
    np.testing.assert_allclose(rows @ np.diag([0, 0, 1]).ravel(), 2)


@about("greedy-low-rank/counterexample")
def test_flow_and_descent_end_at_a_larger_trace():
    def velocity(_, flat):
        V = flat.reshape(3, 3)
        return (-np.tensordot(misfit(V @ V.T), A, 1) @ V).ravel()

    path = solve_ivp(velocity, (0, 300.0), 1e-4 * np.eye(3).ravel(), "DOP853", rtol=1e-10, atol=1e-16)
    V = path.y[:, -1].reshape(3, 3)
    assert np.abs(misfit(V @ V.T)).max() < 1e-8
    assert np.trace(V @ V.T) >= 1.07
    W = 1e-3 * np.eye(3)
    for _ in range(20_000):
        W = W - 0.01 * np.tensordot(misfit(W @ W.T), A, 1) @ W
    assert np.abs(misfit(W @ W.T)).max() < 1e-8
    assert np.trace(W @ W.T) >= 1.07
