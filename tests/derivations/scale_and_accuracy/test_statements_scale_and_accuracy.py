"""Statements on one sample under the exponential loss, tested by flows of the parameters and by minimizers."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq, minimize
from statements import about, few

sizes = st.floats(0.3, 2.0)
scales = st.floats(0.3, 2.0)


def trained(alpha, sample, time):
    """The weights, their margin, and 4∫L, after a flow of u₊² − u₋² from α on the loss exp(−margin)."""
    sample = np.array(sample)
    d = len(sample)

    def velocity(t, state):
        loss = math.exp(-sample @ (state[:d] ** 2 - state[d : 2 * d] ** 2))
        return np.concatenate([2 * loss * sample * state[:d], -2 * loss * sample * state[d : 2 * d], [4 * loss]])

    end = solve_ivp(velocity, (0, time), [alpha] * (2 * d) + [0], "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    weights = end[:d] ** 2 - end[d : 2 * d] ** 2
    return weights, float(sample @ weights), float(end[-1])


def regularizer(weights, alpha):
    return sum(quad(lambda u: math.asinh(u / (2 * alpha**2)), 0, w)[0] for w in weights)


@about("scale-and-accuracy/path")
@few
@given(scales, st.tuples(sizes, sizes), st.floats(0.5, 50))
def test_the_weights_are_hyperbolic_sines_of_the_clock(alpha, sample, time):
    weights, _, clock = trained(alpha, sample, time)
    assert weights == pytest.approx([2 * alpha**2 * math.sinh(clock * x) for x in sample], rel=1e-7)


@about("scale-and-accuracy/path-of-minimizers")
@few
@given(st.floats(0.5, 2.0), st.tuples(sizes, sizes), st.floats(0.5, 20))
def test_the_path_consists_of_minimizers_for_its_margin(alpha, sample, time):
    weights, margin, _ = trained(alpha, sample, time)

    def cost(w):
        a = 2 * alpha**2
        return float(np.sum(w * np.arcsinh(w / a) - np.sqrt(a**2 + w**2) + a))

    constraint = {"type": "ineq", "fun": lambda w: np.array(sample) @ w - margin}
    found = minimize(cost, np.full(2, margin / sum(sample)), constraints=constraint, method="SLSQP", tol=1e-12)
    assert found.x == pytest.approx(weights, abs=2e-3 * (1 + margin))


@about("scale-and-accuracy/scale-against-margin")
@few
@given(scales, st.floats(0.2, 5.0), sizes)
def test_a_margin_is_a_smaller_scale(alpha, gamma, weight):
    scaled = gamma * regularizer([weight], alpha / math.sqrt(gamma))
    assert regularizer([gamma * weight], alpha) == pytest.approx(scaled, rel=1e-8)


def of_depth(weight, alpha, depth):
    power, scale = -depth / (depth - 2), alpha**depth

    def slope(value):
        return brentq(lambda z: (1 - z) ** power - (1 + z) ** power - value / scale, 0, 1 - 1e-9, xtol=1e-15)

    return quad(slope, 0, weight)[0]


@about("scale-and-accuracy/scale-against-margin-at-depth")
@few
@given(st.floats(0.8, 2.0), st.floats(0.3, 3.0), sizes, st.integers(3, 5))
def test_a_margin_is_a_smaller_scale_at_any_depth(alpha, gamma, weight, depth):
    scaled = gamma * of_depth(weight, alpha * gamma ** (-1 / depth), depth)
    assert of_depth(gamma * weight, alpha, depth) == pytest.approx(scaled, rel=1e-6)


@about("scale-and-accuracy/kernel-end")
@few
@given(st.tuples(sizes, sizes))
def test_while_the_margin_is_small_against_the_scale_the_direction_is_that_of_the_sample(sample):
    weights, margin, _ = trained(20.0, sample, 1e-5)
    assert margin < 0.1 * 20**2
    assert weights[1] / weights[0] == pytest.approx(sample[1] / sample[0], rel=1e-2)


@about("scale-and-accuracy/rich-end")
@few
@given(st.floats(0.05, 0.5), st.floats(0.3, 1.0), st.floats(0.3, 1.0), st.floats(10, 1e5))
def test_the_smaller_entry_falls_behind_exponentially_in_the_clock(alpha, second, gap, time):
    weights, _, clock = trained(alpha, (second + gap, second), time)
    ratio = weights[1] / weights[0]
    assert 0 < ratio <= math.exp(-gap * clock) * (1 + 1e-6)
    assert ratio >= math.exp(-gap * clock) * second / (second + gap) * (1 - 1e-6)


@about("scale-and-accuracy/in-between")
@few
@given(scales, st.floats(0.1, 100))
def test_the_direction_runs_between_the_two_ends(alpha, time):
    weights, _, clock = trained(alpha, (1.0, 0.5), time)
    assume(clock > 1e-3)
    assert weights[1] / weights[0] == pytest.approx(1 / (2 * math.cosh(clock / 2)), rel=1e-7)


@about("scale-and-accuracy/ridiculous-accuracy")
@given(st.floats(1.5, 5.0))
def test_a_tenth_is_reached_at_an_accuracy_beyond_hope(alpha):
    """A root finder gives the clock; the loss is exp(−margin), which is below 1e-100 by then."""
    clock = float(mp.findroot(lambda z: mp.sinh(z / 2) / mp.sinh(z) - 0.1, 4))
    margin = 2 * alpha**2 * (math.sinh(clock) + math.sinh(clock / 2) / 2)
    assert margin == pytest.approx(42 * math.sqrt(6) * alpha**2, rel=1e-9)
    assert margin / math.log(10) > 100


def several(alpha, samples, time):
    """The weights and 4∫e^(−q_n) of each sample after a flow of u₊² − u₋² from α on the sum of exp(−q_n)."""
    count, d = samples.shape

    def velocity(t, state):
        losses = np.exp(-samples @ (state[:d] ** 2 - state[d : 2 * d] ** 2))
        pull = losses @ samples
        return np.concatenate([2 * pull * state[:d], -2 * pull * state[d : 2 * d], 4 * losses])

    end = solve_ivp(velocity, (0, time), [alpha] * (2 * d) + [0] * count, "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    return end[:d] ** 2 - end[d : 2 * d] ** 2, end[2 * d :]


def least_cost(alpha, samples, margin, start):
    """The minimizer of Q over margins, by sequential quadratic programming."""
    a = 2 * alpha**2
    constraint = {"type": "ineq", "fun": lambda w: samples @ w - margin, "jac": lambda w: samples}
    return minimize(
        lambda w: float(np.sum(w * np.arcsinh(w / a) - np.sqrt(a**2 + w**2) + a)),
        start,
        jac=lambda w: np.arcsinh(w / a),
        constraints=constraint,
        method="SLSQP",
        tol=1e-14,
        options={"maxiter": 500},
    )


@about("scale-and-accuracy/gap-of-the-path")
@few
@given(st.integers(0, 1000), st.floats(0.5, 1.5), st.floats(5.0, 200.0))
def test_the_path_is_as_near_to_the_minimizer_as_its_margins_say(seed, alpha, time):
    samples = np.random.default_rng(seed).standard_normal((2, 4))
    weights, duals = several(alpha, samples, time)
    margins = samples @ weights
    assume(min(margins) > 0.1)
    found = least_cost(alpha, samples, min(margins), weights)
    assume(found.success)
    a, best = 2 * alpha**2, found.x
    assert np.arcsinh(weights / a) == pytest.approx(duals @ samples, abs=1e-6)

    def cost(w):
        return w * np.arcsinh(w / a) - np.sqrt(a**2 + w**2)

    divergence = float(np.sum(cost(best) - cost(weights) - np.arcsinh(weights / a) * (best - weights)))
    assert divergence <= float(duals @ (margins - min(margins))) + 1e-6


@about("scale-and-accuracy/error-at-a-fixed-ratio")
def test_at_a_fixed_ratio_the_error_falls_like_one_over_the_margin():
    """Other samples, by the flow of the parameters and sequential quadratic programming."""
    samples, products = np.random.default_rng(5).standard_normal((2, 3)), []
    for margin in (4.0, 8.0, 16.0):
        alpha = math.sqrt(2 * margin)

        def missing(log_time, alpha=alpha, margin=margin):
            return float(np.min(samples @ several(alpha, samples, math.exp(log_time))[0]) - margin)

        weights = several(alpha, samples, math.exp(brentq(missing, -8.0, 25.0, xtol=1e-6)))[0]
        best = least_cost(alpha, samples, margin, weights).x
        products.append(np.linalg.norm(weights - best) / np.linalg.norm(best) * margin)
    assert products[2] == pytest.approx(products[1], rel=0.01)
    assert products[1] == pytest.approx(products[0], rel=0.02)
