"""The hypentropy to 30 digits, its moduli and diameters on random points, and its updates run side by side."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statements import about, few, scales, weights


def phi(x, beta):
    return mp.mpf(x) * mp.asinh(mp.mpf(x) / beta) - mp.sqrt(mp.mpf(x) ** 2 + mp.mpf(beta) ** 2)


def bregman(x, y, beta):
    """D(x ‖ y) of arrays, summed over coordinates."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    value = x * np.arcsinh(x / beta) - np.hypot(x, beta) - y * np.arcsinh(y / beta) + np.hypot(y, beta)
    return float(np.sum(value - np.arcsinh(y / beta) * (x - y)))


def ball(generator, d, p):
    """A point of the unit ball of the p-norm, often near its sphere or an axis."""
    point = generator.normal(size=d) * generator.choice([1e-3, 1.0], size=d)
    return point / np.linalg.norm(point, p) * generator.uniform() ** 0.2


@about("exponentiated-gradient/def-1")
@few
@given(weights, scales)
def test_the_hypentropy_has_the_printed_derivatives(x, beta):
    with mp.workdps(30):
        assert mp.diff(lambda t: phi(t, beta), x) == pytest.approx(mp.asinh(x / beta), abs=1e-9)
        assert mp.diff(lambda t: phi(t, beta), x, 2) == pytest.approx(1 / mp.sqrt(x**2 + beta**2), rel=1e-6)


@about("exponentiated-gradient/relative-hypentropy")
@given(weights, weights, scales)
def test_the_divergence_is_the_distance_from_the_tangent(x, y, beta):
    printed = x * (math.asinh(x / beta) - math.asinh(y / beta)) - math.hypot(x, beta) + math.hypot(y, beta)
    tangent = phi(y, beta) + mp.diff(lambda t: phi(t, beta), y) * (x - y)
    assert printed == pytest.approx(float(phi(x, beta) - tangent), abs=1e-7)


@about("exponentiated-gradient/conjugate")
@few
@given(st.floats(-2, 2), scales)
def test_the_conjugate_is_the_supremum(z, beta):
    grid = beta * np.sinh(np.linspace(z - 1, z + 1, 2001))
    values = z * grid - grid * np.arcsinh(grid / beta) + np.hypot(grid, beta)
    assert values.max() == pytest.approx(beta * math.cosh(z), rel=1e-6)
    assert abs(grid[values.argmax()] - beta * math.sinh(z)) < 3e-3 * beta * math.cosh(z)
    step = 1e-4
    curvature = beta * (math.cosh(z + step) - 2 * math.cosh(z) + math.cosh(z - step)) / step**2
    assert curvature == pytest.approx(math.hypot(beta, beta * math.sinh(z)), rel=1e-5)


@about("exponentiated-gradient/interpolation")
@given(st.floats(0.1, 3))
def test_the_scaled_curvature_tends_to_both_limits(x):
    for beta, limit in ((1e-8, 1 / x), (1e8, 1.0)):
        assert (1 + beta) / math.hypot(x, beta) == pytest.approx(limit, rel=1e-6)


@about("exponentiated-gradient/lem-6")
@about("exponentiated-gradient/lem-7")
@few
@given(st.integers(0, 10**6), st.floats(0.01, 5), st.integers(1, 6))
def test_the_hypentropy_is_as_convex_as_stated_in_both_norms(seed, beta, d):
    generator = np.random.default_rng(seed)
    for p, stated, best in (
        (2, 1 / (1 + beta), 1 / math.hypot(1, beta)),
        (1, 1 / (1 + beta * d), 1 / (math.hypot(1, beta) + (d - 1) * beta)),
    ):
        for _ in range(20):
            x, y = ball(generator, d, p), ball(generator, d, p)
            assert bregman(x, y, beta) >= best / 2 * np.linalg.norm(x - y, p) ** 2 * (1 - 1e-9) - 1e-12
        assert stated < best
        vertex = np.eye(d)[0] * (1 - 2e-4)
        towards = np.hypot(vertex, beta) if p == 1 else np.eye(d)[0]
        step = 1e-4 * towards / np.linalg.norm(towards, p)
        least = 2 * bregman(vertex + step, vertex, beta) / np.linalg.norm(step, p) ** 2
        assert least == pytest.approx(best, rel=2e-3)


@about("exponentiated-gradient/diameter-b1")
@about("exponentiated-gradient/diameter-b2")
@few
@given(st.integers(0, 10**6), st.floats(1e-3, 1), st.integers(1, 6))
def test_divergences_from_zero_stay_below_the_diameters(seed, beta, d):
    generator = np.random.default_rng(seed)
    zero = np.zeros(d)
    for _ in range(20):
        assert bregman(ball(generator, d, 1), zero, beta) <= math.log(3 / beta)
        assert bregman(ball(generator, d, 2), zero, beta) <= 1 / (2 * beta) <= 2 / beta
    assert math.log(3 / beta) - bregman(np.eye(d)[0], zero, beta) < 1 + math.log(1.5)
    assert bregman(np.eye(d)[0], zero, 1e3) * 1e3 == pytest.approx(0.5, rel=1e-4)


@about("exponentiated-gradient/thm-20")
@about("exponentiated-gradient/effective-rate")
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=8), st.floats(0.01, 1), scales)
def test_unnormalized_exponentiated_gradient_is_the_update(gradients, eta, beta):
    u = v = beta / 2
    w = 0.0
    for g in gradients:
        u, v = u * math.exp(-eta * g), v * math.exp(eta * g)
        w = beta * math.sinh(math.asinh(w / beta) - eta * g)
        assert u - v == pytest.approx(w, rel=1e-9, abs=1e-9)
        assert u * v == pytest.approx(beta**2 / 4, rel=1e-9)
    small = 1e-4 * gradients[0]
    assert abs(beta * math.sinh(-eta * small) + beta * eta * small) <= 1e-12 * beta * (1 + abs(gradients[0])) ** 3


@about("exponentiated-gradient/log-cosh")
@about("exponentiated-gradient/thm-19")
@few
@given(st.integers(0, 10**6), st.floats(0.01, 1), st.floats(0.05, 1))
def test_normalized_exponentiated_gradient_is_the_adaptive_update(seed, eta, beta):
    generator, d = np.random.default_rng(seed), 4
    u = v = np.full(d, beta / 2)
    w, scale, total = np.zeros(d), beta, np.zeros(d)
    for g in generator.normal(size=(10, d)):
        u, v = u * np.exp(-eta * g), v * np.exp(eta * g)
        factor = beta * d / (u.sum() + v.sum())
        u, v, total = factor * u, factor * v, total + g
        former, scale = scale, beta * d / np.cosh(eta * total).sum()
        w = scale * np.sinh(np.arcsinh(w / former) - eta * g)
        assert u - v == pytest.approx(w, rel=1e-8, abs=1e-10)
        assert np.abs(w).sum() < beta * d
        steps = 1e-5 * np.eye(d) - eta * total[None], -1e-5 * np.eye(d) - eta * total[None]
        slope = (np.log(np.cosh(steps[0]).sum(1)) - np.log(np.cosh(steps[1]).sum(1))) / 2e-5
        assert w / (beta * d) == pytest.approx(slope, abs=1e-6)  # the weights after this gradient
