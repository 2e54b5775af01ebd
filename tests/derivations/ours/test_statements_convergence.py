"""The statements on where the flow of the mask leads, against trajectories and closed forms of their own."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import simpson
from scipy.optimize import brentq, minimize_scalar
from statements import (
    about,
    divergence,
    few,
    interpolating,
    pairs,
    potential,
    pulled_to,
    rotated,
    rows,
    starts,
    strengths,
    targets,
    times,
    train,
)
from statements import trained as trained_to


def loss(x, target):
    """f(x) = log cosh(x − target)."""
    return np.log(np.cosh(x - target))


@about("ours/conserved")
@few
@given(starts, targets, strengths, times)
def test_the_balance_shrinks_with_the_decay_alone(start, target, strength, time):
    m, w, _ = trained_to(*start, pulled_to(target), time, lambda t: strength)
    assert (m**2 - w**2) * math.exp(4 * strength * time) == pytest.approx(start[0] ** 2 - start[1] ** 2, abs=1e-7)


@about("ours/fig-1a")
@few
@given(st.floats(0.1, 2), st.floats(-3, 3), strengths, st.floats(0.1, 10))
def test_from_a_balanced_start_no_weight_changes_sign(start, target, strength, time):
    m, w, _ = train(start, start, pulled_to(target), np.linspace(time / 20, time, 20), lambda t: strength)
    assert np.all(m * w > 0)


@about("ours/thm-2.2")
@few
@given(starts, targets)
def test_the_loss_falls_to_its_minimum_within_the_bound(start, target):
    at = np.array([1.0, 10.0, 100.0, 300.0 + 100 / (start[0] ** 2 - start[1] ** 2)])
    m, w, _ = train(*start, pulled_to(target), at)
    excess = loss((m * w)[:, 0], target)
    u0, v0 = rotated(*start)
    bound = float(divergence(target, start[0] * start[1], u0 * v0, math.log(u0 / v0)))
    assert np.all(at * excess <= bound + 1e-9)
    assert excess[-1] < 1e-9


def lyapunov(start, target, strength, at):
    """W_t for α_t = strength·e^(−t), and the excess f − f*, at the given times."""
    m, w, _ = train(*start, pulled_to(target), at, lambda t: strength * math.exp(-t))
    x, (u0, v0) = (m * w)[:, 0], rotated(*start)
    shift = math.log(u0 / v0)
    scale = u0 * v0 * np.exp(-4 * strength * (1 - np.exp(-at)))
    final = potential(target, u0 * v0 * math.exp(-4 * strength), shift)
    values = [
        float(divergence(target, weight, a, shift) + final - potential(target, a, shift))
        for weight, a in zip(x, scale, strict=True)
    ]
    return np.array(values), loss(x, target)


@pytest.mark.slow
@about("ours/lem-a.3")
@few
@given(starts, targets, strengths)
def test_the_lyapunov_function_falls_at_least_as_fast_as_stated(start, target, strength):
    at = np.linspace(0.01, 3, 301)
    values, excess = lyapunov(start, target, strength, at)
    assert np.all(np.diff(values) <= 1e-9)
    # dW/dt ≤ −(f − f*), integrated; Simpson's rule on 301 points errs by far less than the slack.
    assert values[0] - values[-1] >= simpson(excess, x=at) * (1 - 1e-4) - 1e-9


@pytest.mark.slow
@about("ours/thm-3.2")
@few
@given(starts, targets, st.floats(0, 0.5))
def test_under_finite_decay_the_loss_is_still_minimized_within_the_bound(start, target, strength):
    at = np.concatenate([[1e-9], np.geomspace(1e-3, 3000 / (start[0] ** 2 - start[1] ** 2), 400)])
    values, excess = lyapunov(start, target, strength, at)
    assert np.trapezoid(excess, at) <= values[0] * 1.01 + 1e-9
    assert excess[-1] < 1e-8


@about("ours/thm-2.3")
@few
@given(pairs, rows, targets)
def test_the_loss_falls_at_the_linear_rate(start, Z, y):
    """The loss f = ½(Zx − y)² has ‖∇f‖² = 2‖Z‖²(f − f*)."""
    Z, at = np.array(Z), np.linspace(0.1, 5, 20)
    m, w, _ = train(start[:, 0], start[:, 1], interpolating(Z, y), at)
    values = (m * w @ Z - y) ** 2 / 2
    first = (start.prod(axis=1) @ Z - y) ** 2 / 2
    sigma = np.min(start[:, 0] ** 2 - start[:, 1] ** 2)
    assert np.all(values <= first * np.exp(-sigma * 2 * Z @ Z * at) * (1 + 1e-6) + 1e-15)


@about("ours/rate-after-decay")
@few
@given(pairs, rows, targets, strengths)
def test_after_the_decay_the_loss_falls_at_the_corrected_rate(start, Z, y, strength):
    """Decay until T = 1, then none; the trajectory starts anew at T."""
    Z, at = np.array(Z), np.linspace(0.1, 5, 20)
    m, w, _ = train(start[:, 0], start[:, 1], interpolating(Z, y), [1.0], lambda t: strength)
    first = ((m * w)[-1] @ Z - y) ** 2 / 2
    m, w, _ = train(m[-1], w[-1], interpolating(Z, y), at)
    values = (m * w @ Z - y) ** 2 / 2
    least = np.min(start[:, 0] ** 2 - start[:, 1] ** 2) / 2 * math.exp(-4 * strength)
    assert np.all(values <= first * np.exp(-2 * least * 2 * Z @ Z * at) * (1 + 1e-6) + 1e-15)


def least_potential_on_a_line(start, Z, y, decay):
    """The argmin of R_a under Zx = y for two weights: on the line its one minimum is where the slope vanishes."""
    scale = (start[:, 0] ** 2 - start[:, 1] ** 2) / 2 * math.exp(-4 * decay)
    shift = np.log((start[:, 0] + start[:, 1]) / (start[:, 0] - start[:, 1]))
    base, direction = Z * y / (Z @ Z), np.array([-Z[1], Z[0]])

    def slope(t):
        return direction @ (np.arcsinh((base + t * direction) / scale) - shift)

    return base + brentq(slope, -50, 50, xtol=1e-14) * direction


@about("ours/thm-2.4")
@few
@given(pairs, rows, targets)
def test_the_flow_ends_at_the_interpolator_of_least_potential(start, Z, y):
    Z = np.array(Z)
    end = 40 / np.min(start[:, 0] ** 2 - start[:, 1] ** 2) / (Z @ Z)
    m, w, _ = train(start[:, 0], start[:, 1], interpolating(Z, y), [end])
    assert (m * w)[-1] == pytest.approx(least_potential_on_a_line(start, Z, y, 0), abs=1e-7)


@about("ours/thm-3.3")
@few
@given(pairs, rows, targets, st.floats(0, 0.4))
def test_under_finite_decay_it_ends_at_that_of_least_final_potential(start, Z, y, strength):
    """α_t = 2·strength·e^(−2t) has the total decay ``strength``."""
    Z = np.array(Z)
    end = 20 + 40 * math.exp(4 * strength) / np.min(start[:, 0] ** 2 - start[:, 1] ** 2) / (Z @ Z)
    m, w, _ = train(start[:, 0], start[:, 1], interpolating(Z, y), [end], lambda t: 2 * strength * math.exp(-2 * t))
    assert (m * w)[-1] == pytest.approx(least_potential_on_a_line(start, Z, y, strength), abs=1e-7)


@about("ours/lasso")
@few
@given(starts, targets, st.floats(0.05, 0.8))
def test_constant_strength_ends_at_the_soft_threshold(start, target, strength):
    """For f = ½(x − y)² the LASSO's solution is y moved towards zero by 2α; close to the threshold the flow is slow."""
    assume(abs(abs(target) - 2 * strength) > 0.05)
    m, w, _ = trained_to(*start, lambda x: x - target, 300.0, lambda t: strength)
    solution = math.copysign(max(abs(target) - 2 * strength, 0.0), target)
    assert m * w == pytest.approx(solution, abs=1e-6)
    if solution:
        least = minimize_scalar(
            lambda log_m: strength * (math.exp(2 * log_m) + (solution / math.exp(log_m)) ** 2), bounds=(-8, 3)
        ).fun
        assert least == pytest.approx(2 * strength * abs(solution), rel=1e-9)
