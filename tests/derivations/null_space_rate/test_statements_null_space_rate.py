"""Rates of limits, tested by Newton's method in 120 digits on the dual problem, and by flows of factors."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import linprog
from statements import about, few

seeds = st.integers(0, 10**6)


def recovered(seed, d, active, n):
    """Z and a weight vector that is the only least ℓ1 solution, with ϱ from the vertices of a linear program."""
    generator = np.random.default_rng(seed)
    while True:
        Z, x = generator.normal(size=(d, n)), np.zeros(n)
        x[:active] = generator.uniform(0.5, 2, size=active)
        kernel = np.linalg.svd(Z)[2][d:].T  # (n, n − d)
        off = kernel[active:]
        # max −1ᵀ n_S with Σ |n_off| ≤ 1, over coefficients c and bounds b ≥ |n_off|
        cost = np.concatenate([kernel[:active].sum(axis=0), np.zeros(n - active)])
        upper = np.vstack(
            [np.hstack([side * off, -np.eye(n - active)]) for side in (1, -1)]
            + [np.concatenate([np.zeros(n - d), np.ones(n - active)])[None]]
        )
        right = np.append(np.zeros(2 * (n - active)), 1.0)
        bounds = [(None, None)] * (n - d) + [(0, None)] * (n - active)
        constant = -linprog(cost, A_ub=upper, b_ub=right, bounds=bounds).fun
        if 0.05 < constant < 0.85:
            return Z, x, constant


def limit_off_support(Z, x, log_scale):
    """Log of the largest weight off the support, where the hyperbolic entropy of scale a is least, by damped Newton."""
    with mp.workdps(120):
        rows = mp.matrix(Z.tolist())
        right = rows * mp.matrix(x.tolist())
        a, n = mp.exp(log_scale), Z.shape[1]
        active = int((x != 0).sum())
        start = np.linalg.lstsq(Z[:, :active].T, [float(mp.asinh(mp.mpf(w) / a)) for w in x[:active]], rcond=None)[0]
        nu = mp.matrix(start.tolist())

        def value(point):
            return sum(a * mp.cosh(z) for z in rows.T * point) - (right.T * point)[0]

        here = value(nu)
        for _ in range(400):
            z = rows.T * nu
            slope = rows * mp.matrix([a * mp.sinh(each) for each in z]) - right
            hessian = rows * mp.diag([a * mp.cosh(each) for each in z]) * rows.T
            move, step = mp.lu_solve(hessian, -slope), mp.mpf(1)
            while value(nu + step * move) > here and step > mp.mpf(10) ** -30:
                step /= 2
            nu = nu + step * move
            here = value(nu)
            if max(abs(each) for each in move) < mp.mpf(10) ** -40:
                break
        return float(mp.log(max(abs(a * mp.sinh(each)) for each in (rows.T * nu)[active:n])))


@about("null-space-rate/depth-2")
@pytest.mark.parametrize(("seed", "d", "active", "n"), [(1, 2, 2, 5), (2, 3, 2, 6), (5, 3, 1, 5)])
def test_the_error_of_depth_two_has_the_stated_exponent(seed, d, active, n):
    """This holds also with fewer active weights than equations, where the dual solution is not unique."""
    Z, x, constant = recovered(seed, d, active, n)
    first, second = (limit_off_support(Z, x, at) for at in (-60, -90))
    assert (first - second) / 30 == pytest.approx(1 - constant, abs=5e-3)


@about("null-space-rate/constant")
@few
@given(seeds)
def test_the_constant_bounds_all_directions_of_the_null_space(seed):
    Z, _, constant = recovered(seed, 3, 2, 6)
    kernel = np.linalg.svd(Z)[2][3:].T
    directions = kernel @ np.random.default_rng(seed).normal(size=(3, 2000))
    ratios = -directions[:2].sum(axis=0) / np.abs(directions[2:]).sum(axis=0)
    assert ratios.max() <= constant + 1e-9
    assert ratios.max() > constant - 0.2
    signs = np.linalg.lstsq(Z[:, :2].T, np.ones(2), rcond=None)[0]
    free = np.linalg.svd(Z[:, :2].T)[2][2:].T
    line = signs[:, None] + free * np.linspace(-5, 5, 20001)
    assert np.abs(Z[:, 2:].T @ line).max(axis=0).min() == pytest.approx(constant, abs=2e-3)


@about("null-space-rate/constant")
@given(st.floats(-0.99, 0.99))
def test_one_equation_has_the_size_of_its_weaker_entry_as_its_constant(tilt):
    """By hand: Zn = 0 for n = ±(−ρ, 1), and Zᵀν = (1, ρ) has the sign of x_1."""
    directions = np.array([[-tilt, 1.0], [tilt, -1.0]])
    assert np.allclose(directions @ [1.0, tilt], 0)
    assert max(-directions[:, 0]) == pytest.approx(abs(tilt))
    assert np.abs(np.array([1.0]) * tilt).max() == pytest.approx(abs(tilt))
    along = np.linspace(-3, 3, 601)
    lengths = np.abs(1 - tilt * along) + np.abs(along)
    assert np.argmin(lengths) == 300


@about("null-space-rate/deeper")
@pytest.mark.parametrize("depth", [3, 4])
def test_the_error_of_deeper_networks_is_linear(depth):
    """Flows of u^D − v^D with one equation start at α^(1/D)."""
    errors = []
    for alpha in (1e-4, 1e-6):

        def velocity(t, state):
            u, v = state[:2], state[2:]
            pull = (np.array([1.0, 0.6]) @ (u**depth - v**depth) - 1) * np.array([1.0, 0.6])
            return np.concatenate([-depth * u ** (depth - 1) * pull, depth * v ** (depth - 1) * pull])

        start = np.full(4, alpha ** (1 / depth))
        end = solve_ivp(velocity, (0, 2000), start, "LSODA", rtol=1e-10, atol=1e-14).y[:, -1]
        errors.append(end[1] ** depth - end[3] ** depth)
    limit = 0.4 ** (-depth / (depth - 2)) - 1.6 ** (-depth / (depth - 2))
    assert np.log10(errors[0] / errors[1]) / 2 == pytest.approx(1, abs=0.1)
    assert errors[1] / 1e-6 == pytest.approx(limit, rel=0.1)


@about("null-space-rate/tight")
@given(st.floats(0.1, 0.9), st.floats(0.3, 3))
def test_the_example_has_the_stated_limit(tilt, goal):
    """A root finder solves x_1 + ϱ x_2 = y, where weights are 2α sinh of the dual variables."""
    alpha = mp.mpf(10) ** -40
    with mp.workdps(60):
        first = mp.findroot(
            lambda x: x + tilt * 2 * alpha * mp.sinh(tilt * mp.asinh(x / (2 * alpha))) - goal,
            (mp.mpf(goal) / 3, mp.mpf(goal)),
            solver="anderson",
        )
        second = 2 * alpha * mp.sinh(tilt * mp.asinh(first / (2 * alpha)))
        assert float(second / alpha ** (1 - mp.mpf(tilt))) == pytest.approx(goal**tilt, rel=2e-2)
