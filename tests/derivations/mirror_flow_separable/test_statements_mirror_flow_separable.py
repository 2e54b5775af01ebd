"""The statements on horizon functions and directions, by sublevel sets and flows of their own."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from statements import about

sizes = st.floats(0.2, 2)


def quotient(potential, point, level):
    """R_c(e_1)/R_c(x), each by a root finder in log r, at c = potential of e_1 times ``level``."""
    height = potential([mp.mpf(level), 0])

    def radius(p):
        return mp.findroot(
            lambda r: mp.log(potential([r * q for q in p]) / height), (level / 3, 2 * level), solver="anderson"
        )

    return float(mp.mpf(level) / radius(point))


@about("mirror-flow-separable/horizon-power")
@given(sizes, sizes, st.floats(1.2, 4))
def test_sublevel_sets_of_a_power_are_balls_of_its_norm(x1, x2, power):
    def radius(p):
        return brentq(lambda r: sum((r * q) ** power for q in p) / power - 5, 0, 1e5)

    assert radius([1, 0]) / radius([x1, x2]) == pytest.approx((x1**power + x2**power) ** (1 / power), rel=1e-6)


@about("mirror-flow-separable/horizon-hypentropy")
@pytest.mark.parametrize("point", [(1.0, 0.5), (0.3, 0.6), (1.0, 1.0)])
def test_sublevel_sets_of_the_hyperbolic_entropy_tend_to_those_of_the_one_norm(point):
    def potential(p):
        return sum(q * mp.asinh(q) - mp.sqrt(q**2 + 1) + 1 for q in p)

    gaps = [abs(quotient(potential, point, level) - sum(point)) for level in (mp.mpf(10) ** 20, mp.mpf(10) ** 80)]
    assert gaps[1] < 0.02
    assert gaps[1] < gaps[0] / 3 + 1e-9


@about("mirror-flow-separable/horizon-cosh")
@pytest.mark.parametrize("point", [(1.0, 0.5), (0.3, 0.6), (1.0, 1.0)])
def test_sublevel_sets_of_the_cosine_tend_to_cubes(point):
    gaps = []
    for level in (30, 300):
        height = mp.cosh(level) - 1
        largest = max(point)

        def excess(r, height=height):
            return mp.log(sum(mp.cosh(r * q) - 1 for q in point) / height)

        radius = mp.findroot(excess, ((level - 1) / largest, level / largest), solver="anderson")
        gaps.append(abs(level / radius - largest))
    assert gaps[1] < 0.01
    assert gaps[1] <= gaps[0] / 8 + 1e-9


def trained(inverse, z, total, start=(0.0, 0.0)):
    """X at ∫ e^(−z·x) = ``total``: the flow of one dual variable, integrated in log(total) steps."""
    return np.array([inverse(total * value + b) for value, b in zip(z, start, strict=True)])


@about("mirror-flow-separable/one-point-power")
@given(sizes, sizes, st.floats(1.3, 4))
def test_the_flow_of_a_power_keeps_the_ratio(z1, z2, power):
    def velocity(t, duals):
        x = np.sign(duals) * np.abs(duals) ** (1 / (power - 1))
        return math.exp(-(z1 * x[0] + z2 * x[1])) * np.array([z1, z2])

    duals = solve_ivp(velocity, (0, 3), [0, 0], "LSODA", rtol=1e-9, atol=1e-11).y[:, -1]
    x = duals ** (1 / (power - 1))
    assert x[1] / x[0] == pytest.approx((z2 / z1) ** (1 / (power - 1)), rel=1e-5)


@about("mirror-flow-separable/one-point-hypentropy")
@given(st.floats(0.2, 1), st.floats(1.1, 2))
def test_the_smaller_entry_is_left_behind_exponentially(z2, more):
    z1 = z2 * more

    def velocity(t, state):
        x = np.sinh(2 * state[0] * np.array([z1, z2]))
        return [math.exp(-(z1 * x[0] + z2 * x[1]))]

    for time in (1.0, 100.0):
        nu = solve_ivp(velocity, (0, time), [0], "LSODA", rtol=1e-9, atol=1e-11).y[0, -1]
        ratio = math.sinh(2 * nu * z2) / math.sinh(2 * nu * z1)
        assert 0 < ratio <= math.exp(-2 * nu * (z1 - z2))


@about("mirror-flow-separable/one-point-cosh")
@given(sizes, sizes)
def test_the_weights_of_the_cosine_keep_a_distance(z1, z2):
    x = trained(math.asinh, (z1, z2), 1e9)
    assert x[0] - x[1] == pytest.approx(math.log(z1 / z2), abs=1e-9)
    assert trained(math.asinh, (z1, z2), 1e300).min() > 600


@about("mirror-flow-separable/uniqueness")
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_the_start_decides_where_both_entries_are_equal(b1, b2):
    x = trained(math.sinh, (2.0, 2.0), 8.0, (b1, b2))
    assert x[0] / x[1] == pytest.approx(math.exp(b1 - b2), rel=1e-9)


@about("mirror-flow-separable/direction")
def test_a_flow_of_steps_turns_towards_the_largest_one_norm_margin():
    """Euler steps in the sum of the dual variables, for points of which (0, 1) + (1, 0) combinations are optimal.

    For z = (2, 1) and (1, 2), of all x with x_1 + x_2 = 1 the margin min z·x is largest at x_1 = x_2.
    """
    points, nu = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([0.5, 0.0])
    for _ in range(20000):
        margins = points @ np.sinh(points.T @ nu)
        push = np.exp(margins.min() - margins)
        nu = nu + 1e-4 * push / push.sum()
    x = np.sinh(points.T @ nu)
    assert x[0] / x[1] == pytest.approx(1, abs=0.01)
