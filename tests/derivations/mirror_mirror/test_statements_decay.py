"""The statements on decay: trajectories, conjugates by maximization, ranges that are reached, and ends of flows."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.optimize import minimize_scalar
from statements import (
    about,
    bracket,
    few,
    mirror_map,
    potential,
    pulled_to,
    rotated,
    starts,
    strengths,
    targets,
    trained,
)

decays = st.floats(0, 0.5)


@about("mirror-mirror/mask-conjugate")
@given(starts, st.floats(-1, 1), decays)
def test_the_conjugate_of_the_mask_is_a_matrix_exponential(start, mu, decay):
    theta = expm(mu * np.array([[0, 1], [1, 0]]) - 2 * decay * np.eye(2)) @ start
    m0, w0 = start
    printed = math.exp(-4 * decay) * ((m0**2 + w0**2) * math.cosh(2 * mu) + 2 * m0 * w0 * math.sinh(2 * mu)) / 4
    assert theta @ theta / 4 == pytest.approx(printed, rel=1e-10)


@about("mirror-mirror/positional-bias")
@few
@given(starts, decays)
def test_the_potential_is_least_at_the_shrunk_start(start, decay):
    u0, v0 = rotated(*start)
    scale, shift = u0 * v0 * math.exp(-4 * decay), math.log(u0 / v0)
    found = minimize_scalar(lambda x: float(potential(x, scale, shift)), bounds=(-5, 5), options={"xatol": 1e-9})
    assert found.x == pytest.approx(math.exp(-4 * decay) * start[0] * start[1], abs=1e-5)


@about("mirror-mirror/type-of-bias")
@given(st.floats(0.1, 3))
def test_the_potential_turns_from_a_square_to_a_modulus(x):
    with mp.workdps(40):
        for power in (50, 200):
            small, large = mp.mpf(10) ** -power, mp.mpf(10) ** 10
            assert abs(potential(x, small) / (x * mp.log(1 / small) / 2) - 1) < 6 / mp.mpf(power)
        smooth = (potential(x, large) - potential(0, large)) / (mp.mpf(x) ** 2 / (4 * large))
        assert smooth == pytest.approx(1, rel=1e-6)


@about("mirror-mirror/time-dependent-flow")
@few
@given(starts, targets, strengths)
def test_the_potential_depends_on_time_through_the_decay(start, target, strength):
    """Two schedules with the same decay: each obeys the mirror map of the common scale."""
    u0, v0 = rotated(*start)
    scale = u0 * v0 * math.exp(-4 * strength)
    for alpha in (lambda t: strength, lambda t: 2 * strength * t):
        m, w, accumulated = trained(*start, pulled_to(target), 1.0, alpha)
        assert mirror_map(m * w, scale, math.log(u0 / v0)) == pytest.approx(-accumulated, abs=1e-6)


@about("mirror-mirror/contracting")
@few
@given(st.integers(0, 10**6))
def test_the_potential_of_forms_falls_by_the_regularizer(seed):
    """R_a(x) for one form by maximization over μ, at two values of a."""
    generator = np.random.default_rng(seed)
    first, regular = generator.uniform(0.3, 1, size=3) * [1, -1, 1], generator.uniform(0, 1, size=3)
    start, step = generator.uniform(0.5, 1.5, size=3), 1e-4

    def squares(mu, a):
        return (np.exp(a * regular + mu * first) * start) ** 2

    def level(x, a):
        found = minimize_scalar(lambda mu: squares(mu, a).sum() / 4 - mu * x, bounds=(-3, 3), options={"xatol": 1e-10})
        return -found.fun, found.x

    x = first @ squares(0.3, -0.2) / 2
    (after, _), (before, _), (_, mu) = level(x, -0.2 + step), level(x, -0.2 - step), level(x, -0.2)
    assert (after - before) / (2 * step) == pytest.approx(-regular @ squares(mu, -0.2) / 2, rel=1e-4)
    assert after <= before


@about("mirror-mirror/power-range")
@few
@given(st.floats(0.6, 1.5), st.floats(0.6, 1.5), st.sampled_from([3, 4, 6]), st.floats(0.05, 0.5), st.booleans())
def test_powers_explode_exactly_at_the_ends_of_the_range(u0, v0, degree, strength, upwards):
    """Under a constant gradient of size 2 and decay of constant strength, the flow of u or v ends at −L = end."""
    begin, rate = (u0, 2 - strength) if upwards else (v0, 2 - strength)
    end = begin ** (2 - degree) / (degree * (degree - 2))

    def large(t, state):
        return state[0] - 1e3

    large.terminal = True
    path = solve_ivp(
        lambda t, y: degree * y ** (degree - 1) * rate, (0, 100), [begin], "LSODA", events=large, rtol=1e-10
    )
    time = path.t[-1]
    assert 2 * time == pytest.approx(end + strength * time, rel=5e-3)


@about("mirror-mirror/power-decay")
@given(st.floats(0.5, 2), st.floats(0.5, 2), st.sampled_from([2, 3, 4, 5]))
def test_weight_decay_commutes_with_squares_alone(u, v, degree):
    found = bracket(lambda p: p[0] ** degree - p[1] ** degree, lambda p: p[0] ** 2 + p[1] ** 2, np.array([u, v]))
    expected = -2 * degree * (degree - 2) * u ** (degree - 1)
    assert found[0] == pytest.approx(expected, rel=1e-4, abs=1e-4)


@about("mirror-mirror/convergence")
@about("mirror-mirror/optimality")
@few
@given(starts, st.floats(-1.0, 1.0), strengths)
def test_decay_that_is_switched_off_leaves_a_flow_to_the_least_final_potential(start, target, strength):
    """Two weights with x₁ + x₂ = y and decay up to T = 1: in the end both have the same slope of R."""
    begin = np.array([[start[0], start[1]], [start[0] + 0.2, -start[1]]])

    def velocity(t, state):
        theta = state.reshape(2, 2)
        pull = (theta[:, 0] * theta[:, 1]).sum() - target
        return (-pull * theta[:, ::-1] - 2 * strength * (t < 1) * theta).ravel()

    state = begin.ravel()
    for span in ((0, 1), (1.0, 80)):
        state = solve_ivp(velocity, span, state, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    x = state.reshape(2, 2).prod(axis=1)
    assert x.sum() == pytest.approx(target, abs=1e-5)
    slopes = [
        float(mirror_map(x[k], u0 * v0 * math.exp(-4 * strength), math.log(u0 / v0)))
        for k, (u0, v0) in enumerate(rotated(*pair) for pair in begin)
    ]
    assert slopes[0] == pytest.approx(slopes[1], abs=1e-4)
