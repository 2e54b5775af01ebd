"""Momentum as a flow of second order: single steps, closed forms for a constant slope, and runs of heavy ball."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad_vec, solve_ivp
from statements import about, few

steps = st.floats(0.01, 0.5)
momenta = st.floats(0.0, 0.95)
numbers = st.floats(-2.0, 2.0)


@about("momentum-flow/discretization")
@given(steps, momenta, numbers, numbers, numbers)
def test_a_step_of_heavy_ball_solves_the_quotients(step, momentum, now, before, slope):
    after = now - step * slope + momentum * (now - before)
    mass, increment = step / (1 - momentum) ** 2, step / (1 - momentum)
    left = mass * ((after - now) - (now - before)) / increment**2 + (now - before) / increment
    assert left == pytest.approx(-slope, abs=1e-9 / step)


@about("momentum-flow/acceleration")
@given(steps, momenta, st.floats(0.1, 1.0))
def test_both_pairs_have_one_mass_and_increments_in_the_stated_ratio(step, momentum, factor):
    other = 1 - math.sqrt(factor) * (1 - momentum)
    assert factor * step / (1 - other) ** 2 == pytest.approx(step / (1 - momentum) ** 2)
    assert factor * step / (1 - other) == pytest.approx(math.sqrt(factor) * step / (1 - momentum))


MASS = 0.2


def flow(time):
    """The flow for ½(x − 1)² in one weight, from rest: w₊, w₋ and their speeds, as a dense solution."""

    def velocity(_, state):
        high, low, fast, slow = state
        g = (high**2 - low**2) / 4 - 1
        return [fast, slow, (-g * high - fast) / MASS, (g * low - slow) / MASS]

    return solve_ivp(velocity, (0, time), [1.0, 0.8, 0, 0], "DOP853", rtol=1e-10, atol=1e-12, dense_output=True).sol


@about("momentum-flow/balance")
@about("momentum-flow/solution")
def test_integrals_along_the_flow_give_scale_and_asymmetry_at_its_end():
    path = flow(40)

    def integrands(t):
        high, low, fast, slow = path(t)
        first, second = (fast / high) ** 2, (slow / low) ** 2
        return np.array([first + second, first - second, (high**2 - low**2) / 4 - 1])

    both, difference, dual = quad_vec(integrands, 0, 40, epsabs=1e-9, limit=300)[0]
    high, low = path(40)[:2]
    assert math.log(high * low / 0.8) == pytest.approx(-MASS * both, abs=1e-6)
    scale, shift = high * low / 2, math.log(1 / 0.8) - MASS * difference
    x = mp.mpf(high**2 - low**2) / 4

    def potential(y):
        return (y * mp.asinh(y / scale) - mp.sqrt(y**2 + scale**2) - shift * y) / 2

    assert float(mp.diff(potential, x)) == pytest.approx(-dual, abs=1e-5)


@about("momentum-flow/no-crossing")
@few
@given(st.floats(0.05, 2.0), st.floats(0.3, 3.0))
def test_a_factor_passes_zero_beyond_the_stated_slope(mass, multiple):
    slope = multiple / (4 * mass)
    if abs(multiple - 1) < 0.3:
        slope = (0.7 if multiple < 1 else 1.3) / (4 * mass)
    a = np.array([[0.0, 1.0], [-slope / mass, -1 / mass]])
    values, vectors = np.linalg.eig(a)
    coefficients = np.linalg.solve(vectors, np.array([1.0, 0.0]))
    times = np.linspace(0, 40 * mass, 2000)
    path = np.real((vectors[0] * coefficients) @ np.exp(np.outer(values, times)))
    assert bool(np.any(path < 0)) == (slope > 1 / (4 * mass))


@about("momentum-flow/continuous-gain")
@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.8])
def test_steps_under_a_constant_slope_gain_less_than_the_flow(momentum):
    """The coefficient from long runs of both factors in 50 digits."""
    with mp.workdps(50):
        small, momentum = mp.mpf("1e-6"), mp.mpf(momentum)
        logs = []
        for sign in (1, -1):
            before, now = mp.mpf(1), mp.mpf(1)
            for _ in range(400):
                before, now = now, now * (1 - sign * small) + momentum * (now - before)
            logs.append(mp.log(now / before))
        found = float(-(logs[0] + logs[1]) / small**2)
    assert found == pytest.approx(float((1 + momentum) / (1 - momentum) ** 3), rel=1e-6)
    assert found < float(2 / (1 - momentum) ** 3)


@about("momentum-flow/heavy-ball-gain")
@pytest.mark.parametrize("momentum", [0.4, 0.7])
def test_heavy_ball_gains_a_fraction_of_the_flow(momentum):
    step = MASS / 4 * (1 - momentum) ** 2
    u, v = 0.9, 0.1
    fast_u = fast_v = 0.0
    for _ in range(round(12 * (1 - momentum) / step)):
        g = u * v - 1
        fast_u, fast_v = momentum * fast_u - step * g * v, momentum * fast_v - step * g * u
        u, v = u + fast_u, v + fast_v

    def velocity(_, state):
        high, low, fast, slow, _ = state
        g = (high**2 - low**2) / 4 - 1
        speed = (fast / high) ** 2 + (slow / low) ** 2
        return [fast, slow, (-g * high - fast) * 4 / MASS, (g * low - slow) * 4 / MASS, speed]

    end = solve_ivp(velocity, (0, 12), [1.0, 0.8, 0, 0, 0], "LSODA", rtol=1e-9, atol=1e-11).y[:, -1]
    quotient = math.log(0.8 / (u**2 - v**2)) / (MASS / 4 * end[4])
    assert quotient == pytest.approx((1 + momentum) / 2, rel=0.05)
