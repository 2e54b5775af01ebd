"""The statements on mirror descent for matrices, on matrices themselves."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm, logm
from statements import about

sizes = st.floats(0.01, 4)


def entropy(matrix, scale):
    values = np.linalg.svd(matrix, compute_uv=False)
    return np.sum(values * np.arcsinh(values / scale) - np.sqrt(values**2 + scale**2))


def symmetric(generator):
    matrix = generator.normal(size=(3, 3))
    return matrix + matrix.T


@about("matrix-mirror/code-update")
@pytest.mark.parametrize("seed", range(3))
def test_the_update_inverts_the_gradient_of_the_entropy(seed):
    """Differences of the entropy of a matrix in all directions, against the exponentials of the code."""
    generator = np.random.default_rng(seed)
    dual, scale = symmetric(generator) / 3, 0.7
    matrix = scale / 2 * (expm(dual) - expm(-dual))
    for _ in range(3):
        step = 1e-5 * symmetric(generator)
        change = entropy(matrix + step, scale) - entropy(matrix - step, scale)
        assert change == pytest.approx(2 * np.sum(dual * step), rel=1e-5, abs=1e-9)


@about("matrix-mirror/small-scale")
@given(sizes, sizes)
def test_the_entropy_over_the_logarithm_tends_to_the_nuclear_norm(one, other):
    matrix = np.array([[one, 0.3], [-other, 0.1]])
    gaps = [abs(entropy(matrix, 10.0**-k) / (k * math.log(10)) - np.linalg.norm(matrix, "nuc")) for k in (50, 150)]
    assert gaps[1] <= gaps[0] / 2.5 + 1e-9


@about("matrix-mirror/large-scale")
@given(sizes, st.floats(1, 20))
def test_the_entropy_is_just_below_the_squared_norm(one, scale):
    matrix = np.array([[one, 0.3], [-0.2, 0.1]])
    values = np.linalg.svd(matrix, compute_uv=False)
    gap = np.linalg.norm(matrix) ** 2 / (2 * scale) - (entropy(matrix, scale) + 2 * scale)
    assert -1e-9 <= gap <= np.sum(values**4) / (24 * scale**3) + 1e-9


@about("matrix-mirror/nuclear-bound")
@pytest.mark.parametrize("scale", [1e-1, 1e-3, 1e-6])
def test_the_least_entropy_on_a_line_obeys_the_bound(scale):
    generator = np.random.default_rng(3)
    start, way = generator.normal(size=(2, 2)), generator.normal(size=(2, 2))
    line = [start + t * way for t in np.linspace(-4, 4, 4001)]
    least = np.linalg.norm(min(line, key=lambda matrix: entropy(matrix, scale)), "nuc")
    for matrix in line[::400]:
        norm = np.linalg.norm(matrix, "nuc")
        for cut in (0.01, 0.1, 1.0):
            bound = norm * math.asinh(norm / scale) + 2 * (math.hypot(cut, scale) - scale)
            assert least <= bound / math.asinh(cut / scale) + 1e-9


@about("matrix-mirror/same-divergence")
@pytest.mark.parametrize("seed", range(3))
def test_the_divergence_to_all_interpolators_falls_alike(seed):
    """The von Neumann entropy of matrices: one step, two interpolators."""
    generator = np.random.default_rng(seed)
    measured = symmetric(generator)
    kernel = symmetric(generator)
    kernel -= np.sum(kernel * measured) / np.sum(measured**2) * measured
    goal = expm(symmetric(generator) / 4)
    others = [goal, goal + 0.05 * kernel / np.linalg.norm(kernel)]
    now, rate = np.eye(3), 0.1
    residual = np.sum(measured * (now - goal))
    after = expm(logm(now) - rate * residual * measured)

    def divergence(x, y):
        return np.trace(x @ logm(x) - x @ logm(y) - x + y).real

    expected = divergence(now, after) - 2 * rate * residual**2 / 2
    for other in others:
        assert divergence(other, after) - divergence(other, now) == pytest.approx(expected, abs=1e-9)


@about("matrix-mirror/von-neumann")
def test_mirror_descent_ends_at_the_least_sum_on_the_line_of_interpolators():
    first, alpha = np.diag([1.0, 2.0]), 0.1
    dual = math.log(alpha) * np.eye(2)
    for _ in range(3000):
        dual -= 0.05 * (np.sum(first * expm(dual)) - 1.5) * first
    end = np.diag(expm(dual))

    def total(x):
        return x * math.log(x) - x + x * math.log(1 / alpha)

    grid = np.linspace(0.001, 1.499, 20001)
    best = min(grid, key=lambda x: total(x) + total((1.5 - x) / 2))
    assert end[0] == pytest.approx(best, abs=2e-4)


@about("matrix-mirror/factorized-step")
@given(st.floats(0.1, 2), st.floats(-1, 1))
def test_the_factorized_step_differs_by_the_stated_second_order(x, slope):
    def gap(rate):
        factor = math.sqrt(x) - 2 * (rate / 4) * slope * math.sqrt(x)
        return factor**2 - (x * math.exp(-rate * slope) - x * rate**2 * slope**2 / 4)

    assert abs(gap(1e-2)) <= 1e-6 * x * (1 + abs(slope)) ** 3


@about("matrix-mirror/factorized-indefinite")
@given(st.floats(0.05, 1), st.floats(-2, 2))
def test_the_flow_of_both_factors_has_the_metric_of_twice_alpha(alpha, target):
    def velocity(t, state):
        slope = state[0] ** 2 - state[1] ** 2 - target
        return [-slope * state[0] / 2, slope * state[1] / 2, -slope]

    start = [math.sqrt(alpha), math.sqrt(alpha), 0]
    u, v, dual = solve_ivp(velocity, (0, 1), start, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    assert math.asinh((u**2 - v**2) / (2 * alpha)) == pytest.approx(dual, abs=1e-6)
