"""The limits at many scales against single projections, and at the ends against least squares and basis pursuit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import implicit_bias as ib
from implicit_bias.errors import InputError


def basis_pursuit(Z, y):
    """The x of least ‖x‖₁ with Zx = y, by HiGHS; None if another x comes close."""
    n = Z.shape[1]
    found = linprog(np.ones(2 * n), A_eq=np.hstack([Z, -Z]), b_eq=y)
    x = found.x[:n] - found.x[n:]
    # Multipliers strictly inside off the support and as many active weights as observations: the solution is unique,
    # and at scale a the other weights are about a^slack.
    slack = 1 - np.abs(Z.T @ found.eqlin.marginals)
    is_unique = np.sum(np.abs(x) > 1e-9) == len(Z) and np.all(slack[np.abs(x) <= 1e-9] > 0.005)
    return x if is_unique else None


def test_every_scale_is_the_projection_there():
    problem = ib.Regression.sample(8, 30, 3, seed=1)
    shift = np.linspace(-0.5, 0.5, 30)
    log_scales = np.array([-600.0, 2.0, -3.0, 13.0, -40.0])
    path = ib.transition(problem, log_scales=log_scales, shift=shift, rate=4.0)
    np.testing.assert_array_equal(path.log_scales, log_scales)
    for k, log_scale in enumerate(log_scales):
        potential = ib.HyperbolicEntropy(log_scale=log_scale, shift=shift, rate=4.0)
        alone = ib.bregman_projection(problem, potential)
        np.testing.assert_allclose(path.x[k], alone.x, rtol=0, atol=1e-10 * np.max(np.abs(alone.x)))
        assert path.kkt_residual[k] <= 1e-12
        assert np.linalg.norm(path.x[k] - alone.x) <= path.error_bound[k] + alone.error_bound + 1e-12


def test_ends_are_least_squares_and_basis_pursuit():
    """For a → ∞ the limit has the least L2 norm (pseudoinverse), for a → 0 the least L1 norm (linear program)."""
    compared = 0
    for seed in range(6):
        problem = ib.Regression.sample(12, 40, 12, seed=seed)
        path = ib.transition(problem, log_scales=np.append(np.linspace(20, -700, 31), -1e4))
        np.testing.assert_allclose(path.x[0], np.linalg.pinv(problem.Z) @ problem.y, rtol=0, atol=1e-7)
        l1, l2 = np.sum(np.abs(path.x), axis=1), np.linalg.norm(path.x, axis=1)
        assert np.all(l1 >= l1[-1] - 1e-9)
        assert np.all(l2 >= l2[0] - 1e-9)
        want = basis_pursuit(problem.Z, problem.y)
        if want is not None:
            np.testing.assert_allclose(path.x[-1], want, rtol=0, atol=1e-9)
            compared += 1
    assert compared >= 3


def test_scales_are_their_logarithms():
    problem = ib.Regression.sample(4, 10, 2, seed=0)
    scales = np.logspace(2, -12, 5)
    found = ib.transition(problem, scales=scales)
    np.testing.assert_array_equal(found.x, ib.transition(problem, log_scales=np.log(scales)).x)


def test_continuation_saves_steps():
    """The path is followed along its tangent, so each scale takes at most half the steps of the smallest one alone."""
    problem = ib.Regression.sample(20, 200, 5, seed=0)
    path = ib.transition(problem, log_scales=np.linspace(np.log(1e6), np.log(1e-300), 61))
    alone = ib.bregman_projection(problem, ib.HyperbolicEntropy(scale=1e-300))
    assert np.max(path.iterations) <= alone.iterations / 2
    assert np.mean(path.iterations) <= 5


@given(
    seed=st.integers(0, 1000),
    log_scales=st.lists(st.floats(-690, 690), min_size=1, max_size=4),
    size=st.sampled_from([1e-100, 1.0, 1e100]),
)
def test_no_scale_gives_nan_or_a_warning(seed, log_scales, size):
    problem = ib.Regression.sample(3, 7, 2, seed=seed)
    path = ib.transition(ib.Regression(problem.Z, problem.y * size), log_scales=log_scales, throw=False)
    assert np.all(np.isfinite(path.x))
    if path.status is ib.Status.CONVERGED:
        misfit = np.linalg.norm(path.x @ problem.Z.T - problem.y * size, axis=1)
        assert np.all(misfit <= 1e-9 * np.linalg.norm(problem.y * size))


def test_dependent_rows_share_their_multipliers():
    problem = ib.Regression.sample(4, 10, 2, seed=0)
    Z, y = np.vstack([problem.Z, problem.Z[0]]), np.append(problem.y, problem.y[0])
    doubled, plain = (
        ib.transition(ib.Regression(Z, y), log_scales=[1.0, -50.0]),
        ib.transition(problem, log_scales=[1.0, -50.0]),
    )
    np.testing.assert_allclose(doubled.x, plain.x, rtol=0, atol=1e-10)


def test_a_contradiction_is_reported():
    Z = [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]
    with pytest.raises(ib.SolverError, match="infeasible"):
        ib.transition(ib.Regression(Z, [1.0, 2.0]), log_scales=[0.0])
    path = ib.transition(ib.Regression(Z, [1.0, 2.0]), log_scales=[0.0, -1.0], throw=False)
    assert path.status is ib.Status.INFEASIBLE
    assert path.x.shape == (2, 3)


def test_bad_arguments_are_named():
    Z, y = [[1.0, 2.0]], [1.0]
    with pytest.raises(InputError, match="either scales= or log_scales=, got none"):
        ib.transition(ib.Regression(Z, y))
    with pytest.raises(InputError, match="either scales= or log_scales=, got both"):
        ib.transition(ib.Regression(Z, y), scales=[1.0], log_scales=[0.0])
    with pytest.raises(TypeError):  # a positional array could mean scales or their logarithms
        ib.transition(ib.Regression(Z, y), np.logspace(2, -12, 15))
    with pytest.raises(InputError, match="scales: expected positive numbers, got -1"):
        ib.transition(ib.Regression(Z, y), scales=[1.0, -1.0])
    with pytest.raises(InputError, match="log_scales"):
        ib.transition(ib.Regression(Z, y), log_scales=[])
    with pytest.raises(InputError, match="log_scales"):
        ib.transition(ib.Regression(Z, y), log_scales=[[1.0]])
    with pytest.raises(InputError, match="shift"):
        ib.transition(ib.Regression(Z, y), log_scales=[1.0], shift=[1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="tol"):
        ib.transition(ib.Regression(Z, y), log_scales=[1.0], tol=0.0)
