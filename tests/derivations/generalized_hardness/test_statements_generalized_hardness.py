"""Which L1 minimizer is chosen: flows of the parameters and convex programs, on segments of minimizers."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import minimize, minimize_scalar
from statements import about

SEGMENTS = {  # a point, a direction that keeps the sum, and the interval of positive weights
    "three": (np.array([0.5, 0.3, 0.2]), np.array([1.0, 2.0, -3.0])),
    "four": (np.array([0.4, 0.1, 0.6, 0.7]), np.array([3.0, 1.0, -2.0, -2.0])),
}


def rows(direction):
    """An orthonormal basis of what is orthogonal to the direction; it holds the vector of ones in its span."""
    return np.linalg.svd(direction[None])[2][1:]


def interval(point, direction):
    ends = -point / direction
    return max(ends[direction > 0]) + 1e-9, min(ends[direction < 0]) - 1e-9


def best(function, point, direction):
    """The point of the segment at which a sum over the weights is least."""
    found = minimize_scalar(
        lambda t: float(np.sum(function(point + t * direction))),
        bounds=interval(point, direction),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return point + found.x * direction


def dual_flow(Z, y, weights, time):
    """The end of ν' = y − Z x(Zᵀν), by BDF."""
    path = solve_ivp(
        lambda _, nu: y - Z @ weights(Z.T @ nu), (0, time), np.zeros(len(Z)), "BDF", rtol=1e-10, atol=1e-12
    )
    return weights(Z.T @ path.y[:, -1])


@about("generalized-hardness/two-factors")
@pytest.mark.parametrize("name", SEGMENTS)
def test_two_factors_choose_the_least_entropy(name):
    """The flow of u' = 2zu, v' = −2zv from √α, where α = 1e-14, ends at SciPy's minimizer on the segment."""
    point, direction = SEGMENTS[name]
    Z = rows(direction)
    end = dual_flow(Z, Z @ point, lambda z: 1e-14 * (np.exp(4 * z) - np.exp(-4 * z)), 300)
    assert np.abs(Z @ end - Z @ point).max() < 1e-7
    assert end == pytest.approx(best(lambda b: b * np.log(b), point, direction), abs=1e-6)


@about("generalized-hardness/more-factors")
@pytest.mark.parametrize("name", SEGMENTS)
@pytest.mark.parametrize("layers", [3, 4])
def test_more_factors_choose_the_largest_sum_of_powers(name, layers):
    """The parameters themselves, from equal starts of 1e-3 in size, are integrated until they fit."""
    point, direction = SEGMENTS[name]
    Z, start = rows(direction), 1e-3
    count = len(point)

    def velocity(_, state):
        u, v = state[:count], state[count:]
        pull = Z.T @ (Z @ (u**layers - v**layers - point))
        return layers * np.concatenate([-pull * u ** (layers - 1), pull * v ** (layers - 1)])

    begin = np.full(2 * count, start)
    path = solve_ivp(velocity, (0, 300 / start ** (layers - 2)), begin, "LSODA", rtol=1e-11, atol=1e-15)
    end = path.y[:count, -1] ** layers - path.y[count:, -1] ** layers
    assert np.abs(Z @ (end - point)).max() < 1e-6
    chosen = best(lambda b: -(b ** (2 / layers)), point, direction)
    assert end == pytest.approx(chosen, abs=1e-4 if layers == 3 else 1e-3)
    assert np.abs(chosen - best(lambda b: b * np.log(b), point, direction)).max() > 2e-3


@about("generalized-hardness/unequal-starts")
@pytest.mark.parametrize("name", SEGMENTS)
@pytest.mark.parametrize("seed", range(3))
def test_unequal_starts_tilt_the_entropy(name, seed):
    """With signs, scales and ratios of starts; the chosen point comes from a convex program in all weights."""
    point, direction = SEGMENTS[name]
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], len(point))
    scales, ratios = rng.uniform(0.5, 2, len(point)), np.exp(rng.uniform(-1, 1, len(point)))
    Z = rows(direction) * signs
    y = Z @ (signs * point)
    u0, v0 = np.sqrt(1e-14 * scales * ratios), np.sqrt(1e-14 * scales / ratios)
    end = dual_flow(Z, y, lambda z: u0**2 * np.exp(4 * z) - v0**2 * np.exp(-4 * z), 300)

    def cost(b):
        return float(np.sum(b * np.log(b / scales) - signs * b * np.log(ratios)))

    found = minimize(
        cost,
        point,
        jac=lambda b: np.log(b / scales) + 1 - signs * np.log(ratios),
        method="SLSQP",
        bounds=[(1e-9, None)] * len(point),
        constraints={"type": "eq", "fun": lambda b: Z @ (signs * b) - y, "jac": lambda b: Z * signs},
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert end == pytest.approx(signs * found.x, abs=1e-5)
