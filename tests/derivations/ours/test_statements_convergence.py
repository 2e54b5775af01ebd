"""Statements on where the flow of the mask leads, tested by separate trajectories and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from statements import (
    about,
    divergence,
    few,
    interpolating,
    least_on_a_line,
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


def cubed(x):
    """The gradient of (‖x − c‖² − 1)³, which is quasi-convex, and critical on a whole circle above its minimum."""
    away = x - np.array([1.5, 1.0])
    return 6 * (away @ away - 1) ** 2 * away


@about("ours/convergence")
@pytest.mark.parametrize("strength", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("start", [(0.2, -0.4), (-0.3, 0.5), (0.9, 0.1)])
def test_a_quasi_convex_loss_ends_at_one_critical_point(start, strength):
    """Flows from outside the circle approach it like 1/t, unless the decay takes them inside, to the minimizer."""
    m, w, _ = train([1.0, 1.2], start, cubed, [500.0, 1000.0, 2000.0], lambda t: strength * math.exp(-t))
    x = m * w
    assert np.linalg.norm(cubed(x[-1])) < 1e-4
    assert np.linalg.norm(x[2] - x[1]) < 0.7 * np.linalg.norm(x[1] - x[0]) + 1e-9
    assert np.linalg.norm(x[2] - x[1]) < 1e-2


@about("ours/loss-bound")
@few
@given(starts, targets)
def test_the_loss_falls_to_its_minimum_within_the_bound(start, target):
    at = np.array([1.0, 10.0, 100.0, 300.0 + 100 / (start[0] ** 2 - start[1] ** 2)])
    m, w, _ = train(*start, pulled_to(target), at)
    excess = loss((m * w)[:, 0], target)
    u0, v0 = rotated(*start)
    bound = float(divergence(target, start[0] * start[1], u0 * v0, math.log(u0 / v0)))
    printed = target * (math.asinh(target / (u0 * v0)) - math.log(u0 / v0)) - math.hypot(target, u0 * v0)
    assert (printed + (u0**2 + v0**2) / 2) / 2 == pytest.approx(bound, abs=1e-8)
    assert np.all(at * excess <= bound + 1e-9)
    assert excess[-1] < 1e-9


@about("ours/lyapunov")
@few
@given(starts, targets, st.floats(-2, 2), strengths, times)
def test_the_distance_to_any_point_changes_as_stated(start, target, point, strength, time):
    """The slope in time comes from a difference formula of fourth order; the point need not minimize the loss."""
    (u0, v0), step = rotated(*start), 1e-3

    def distance(t):
        m, w, _ = trained_to(*start, pulled_to(target), t, lambda s: strength)
        scale, shift = u0 * v0 * math.exp(-4 * strength * t), math.log(u0 / v0)
        return float(divergence(point, m * w, scale, shift) - potential(point, scale, shift))

    change = 8 * (distance(time + step) - distance(time - step)) - distance(time + 2 * step) + distance(time - 2 * step)
    m, w, _ = trained_to(*start, pulled_to(target), time, lambda s: strength)
    scale = u0 * v0 * math.exp(-4 * strength * time)
    expected = -2 * strength * math.hypot(m * w, scale) - math.tanh(m * w - target) * (m * w - point)
    assert change / 12 / step == pytest.approx(expected, abs=1e-5)


@about("ours/loss-integral")
@few
@given(starts, targets, st.floats(0, 0.5))
def test_under_finite_decay_the_loss_is_still_minimized_within_the_bound(start, target, strength):
    """The strength is α_t = strength·e^(−t), whose total is ``strength``."""
    at = np.concatenate([[1e-9], np.geomspace(1e-3, 3000 / (start[0] ** 2 - start[1] ** 2), 400)])
    m, w, _ = train(*start, pulled_to(target), at, lambda t: strength * math.exp(-t))
    excess, (u0, v0) = loss((m * w)[:, 0], target), rotated(*start)
    shift, last = math.log(u0 / v0), u0 * v0 * math.exp(-4 * strength)
    bound = divergence(target, start[0] * start[1], u0 * v0, shift)
    bound += potential(target, last, shift) - potential(target, u0 * v0, shift)
    assert np.trapezoid(excess, at) <= float(bound) * 1.01 + 1e-9
    assert excess[-1] < 1e-8


@about("ours/rate-after-decay")
@few
@given(pairs, rows, targets, strengths)
def test_after_the_decay_the_loss_falls_at_the_corrected_rate(start, Z, y, strength):
    """Decay acts until T = 1, where the trajectory starts anew without it."""
    Z, at = np.array(Z), np.linspace(0.1, 5, 20)
    m, w, _ = train(start[:, 0], start[:, 1], interpolating(Z, y), [1.0], lambda t: strength)
    first = ((m * w)[-1] @ Z - y) ** 2 / 2
    m, w, _ = train(m[-1], w[-1], interpolating(Z, y), at)
    values = (m * w @ Z - y) ** 2 / 2
    least = np.min(start[:, 0] ** 2 - start[:, 1] ** 2) / 2 * math.exp(-4 * strength)
    assert np.all(values <= first * np.exp(-2 * least * 2 * Z @ Z * at) * (1 + 1e-6) + 1e-15)


@about("ours/thm-3.3")
@few
@given(pairs, rows, targets, st.floats(0, 0.4))
def test_a_convex_loss_of_the_residual_ends_at_the_least_final_potential(start, Z, y, strength):
    """The loss is log cosh of the residual, and α_t = 2·strength·e^(−2t) has the total decay ``strength``."""
    Z = np.array(Z)
    end = 30 + 60 * math.exp(4 * strength) / np.min(start[:, 0] ** 2 - start[:, 1] ** 2) / (Z @ Z)
    m, w, _ = train(
        start[:, 0],
        start[:, 1],
        lambda x: Z * np.tanh(Z @ x - y),
        [end],
        lambda t: 2 * strength * math.exp(-2 * t),
    )
    assert (m * w)[-1] == pytest.approx(least_on_a_line(start, Z, y, strength), abs=1e-6)


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
