"""Statements on the potential between L2 and L1, to many digits, and on the origin of printed constants."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from statements import (
    about,
    few,
    mirror_map,
    potential,
    scales,
    targets,
    times,
    weights,
)


@about("ours/l1-limit")
@given(st.floats(0.01, 10), st.booleans(), st.integers(5, 200))
def test_the_remainder_of_the_l1_limit_stays_finite(size, negative, digits):
    with mp.workdps(2 * digits + 30):
        a = mp.mpf(10) ** -digits
        rest = potential(-size if negative else size, a) - size * mp.log(1 / a) / 2
        assert rest == pytest.approx(size * (math.log(2 * size) - 1) / 2, abs=1e-6)


@about("ours/l2-limit")
@given(weights, st.floats(0.1, 1e3))
def test_the_error_of_the_l2_limit_is_bounded(x, a):
    with mp.workdps(60):
        x, a = mp.mpf(x), mp.mpf(a)
        error = x**2 / (4 * a) - (potential(x, a) + a / 2)
        assert error + mp.mpf(10) ** -50 >= 0
        assert error <= x**4 / (48 * a**3) + mp.mpf(10) ** -50


@about("ours/local-exponent")
@given(st.floats(1e-2, 1e3), st.floats(1.01, 100), scales)
def test_the_local_exponent_falls_from_two_to_one(s, factor, a):
    def exponent(t):
        with mp.workdps(40):
            growth = mp.diff(lambda log_t: mp.log(potential(mp.exp(log_t), a) - potential(0, a)), mp.log(t))
        return float(growth)

    q = math.asinh(s / a)
    assert exponent(s) == pytest.approx(1 / (1 - math.tanh(q / 2) / q), rel=1e-8)
    assert 1 < exponent(factor * s) < exponent(s) < 2


@about("ours/origin-of-constants")
@few
@given(st.tuples(st.floats(0.3, 1.5), st.floats(0.3, 1.5)), targets, st.floats(0, 1), times)
def test_the_printed_constants_are_those_of_a_difference_of_squares(start, target, strength, time):
    """With u = (m + w)/√2, v = (m − w)/√2, x = u² − v² = 2 m w; the flow is integrated in u and v."""
    u0, v0 = start

    def velocity(t, state):
        u, v, _ = state
        pull = np.tanh(u**2 - v**2 - target)
        return [-2 * u * pull - strength * u, 2 * v * pull - strength * v, pull]

    u, v, accumulated = solve_ivp(velocity, (0, time), [u0, v0, 0], "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    scale = 2 * u0 * v0 * math.exp(-2 * strength * time)
    # ¼[x arcsinh(x/a) − √(x² + a²) − x log(u_0/v_0)] is half of the potential above.
    assert mirror_map(u**2 - v**2, scale, math.log(u0 / v0)) / 2 == pytest.approx(-accumulated, abs=1e-7)
    # The ½ of Theorem 3.1 with the same scale, R_a above, is not that of this flow.
    assume(abs(accumulated) > 1e-3)
    assert abs(mirror_map(u**2 - v**2, scale, math.log(u0 / v0)) + accumulated) > 0.9 * abs(accumulated)
