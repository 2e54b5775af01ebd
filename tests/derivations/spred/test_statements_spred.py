"""The statements on two factors, by flows, grids and numerical Hessians."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from statements import about, few

seeds = st.integers(0, 10**6)
factors = st.tuples(st.floats(-3, 3), st.floats(-3, 3))
penalties = st.floats(0.05, 1.5)


def loss(v, target):
    """Two valleys of different depths."""
    return (v - target) ** 2 * (v + 1.3) ** 2 / 4


def loss_slope(v, target):
    return np.imag(loss(v + 1e-30j, target)) / 1e-30


def flow_end(pair, target, penalty):
    def velocity(t, state):
        pull = loss_slope(state[0] * state[1], target)
        return [-pull * state[1] - penalty * state[0], -pull * state[0] - penalty * state[1]]

    return solve_ivp(velocity, (0, 200), pair, "LSODA", rtol=1e-9, atol=1e-11).y[:, -1]


@about("spred/exact")
@given(factors, penalties)
def test_the_penalties_differ_by_the_square(pair, penalty):
    u, w = pair
    apart = penalty / 2 * (u**2 + w**2) - penalty * abs(u * w)
    assert apart == pytest.approx(penalty / 2 * (abs(u) - abs(w)) ** 2, abs=1e-9)
    assert apart >= -1e-12


@about("spred/stationary")
@about("spred/local-minima")
@few
@given(factors, st.floats(0.5, 1.5), penalties)
def test_a_flow_ends_balanced_at_a_local_minimum(pair, target, penalty):
    assume(abs(abs(pair[0]) - abs(pair[1])) > 0.1)
    u, w = flow_end(pair, target, penalty)
    pull = loss_slope(u * w, target)
    if max(abs(pull * w + penalty * u), abs(pull * u + penalty * w)) < 1e-8:
        assert abs(u) == pytest.approx(abs(w), abs=1e-5)
        near = u * w + np.linspace(-0.02, 0.02, 41)
        values = loss(near, target) + penalty * np.abs(near)
        assert values.min() > loss(u * w, target) + penalty * abs(u * w) - 1e-7


@about("spred/one-to-one")
@few
@given(st.floats(0.5, 1.5), penalties)
def test_each_balanced_factorization_of_a_local_minimum_is_one(target, penalty):
    grid = np.linspace(-2, 2, 4001)
    values = loss(grid, target) + penalty * np.abs(grid)
    inner = np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])) + 1
    shifts = np.array(np.meshgrid(*[np.linspace(-0.05, 0.05, 11)] * 2)).reshape(2, -1)
    for v in grid[inner]:
        size = np.sqrt(abs(v))
        for sign in (1, -1):
            u, w = sign * size, sign * np.sign(v) * size
            around = loss((u + shifts[0]) * (w + shifts[1]), target)
            around = around + penalty / 2 * ((u + shifts[0]) ** 2 + (w + shifts[1]) ** 2)
            assert around.min() > loss(v, target) + penalty * abs(v) - 1e-5  # v is a minimum up to the grid


@about("spred/convex")
@few
@given(factors, st.floats(-2, 2), st.floats(0.1, 1))
def test_flows_of_a_convex_loss_end_at_soft_thresholding(pair, target, penalty):
    assume(abs(abs(pair[0]) - abs(pair[1])) > 0.2)
    assume(abs(abs(target) - penalty) > 0.1)

    def velocity(t, state):
        pull = state[0] * state[1] - target
        return [-pull * state[1] - penalty * state[0], -pull * state[0] - penalty * state[1]]

    u, w = solve_ivp(velocity, (0, 300), pair, "LSODA", rtol=1e-9, atol=1e-12).y[:, -1]
    assert u * w == pytest.approx(np.sign(target) * max(abs(target) - penalty, 0), abs=1e-4)


@about("spred/zero")
@given(st.floats(-2, 2), st.floats(-2, 2), penalties)
def test_the_hessian_at_zero(pull, bend, penalty):
    def objective(u, w):
        return pull * u * w + bend * (u * w) ** 2 + penalty / 2 * (u**2 + w**2)

    h = 1e-3
    along = [(objective(h, 0) - 2 * objective(0, 0) + objective(-h, 0)) / h**2 for objective in [objective]]
    mixed = (objective(h, h) - objective(h, -h) - objective(-h, h) + objective(-h, -h)) / (4 * h**2)
    eigenvalues = np.linalg.eigvalsh([[along[0], mixed], [mixed, along[0]]])
    assert sorted(eigenvalues) == pytest.approx(sorted([penalty + pull, penalty - pull]), abs=1e-5)


@about("spred/thm-3.1")
@about("spred/thm-3.2")
@given(st.floats(0.1, 3), st.floats(1e-6, 1e-2), st.sampled_from([1, -1]), penalties)
def test_factors_that_follow_a_weight_move_in_the_stated_order(v, change, sign, penalty):
    moved = np.sqrt(v + sign * change) - np.sqrt(v)
    assert 0.3 / np.sqrt(v) < abs(moved) / change < 1 / np.sqrt(v)
    root = np.sqrt(change)
    u, w = root, sign * root
    assert u * w == pytest.approx(sign * change)
    assert penalty / 2 * (u**2 + w**2) == pytest.approx(penalty * change)
    first = 3 * change  # of the order of the change, its square is far from it
    assert abs(first**2) < 0.1 * change
