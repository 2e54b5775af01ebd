"""Statements of Azulay et al. as a notebook programs them, on layers of unequal size, against flows of the layers."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import fminbound
from statements import about, few

sizes = st.floats(0.2, 2.0)
entries = st.floats(-2.0, 2.0)
shapes = st.floats(-0.9, 0.9)


def layers(alpha, shape):
    return math.sqrt(alpha * (1 - shape) / (1 + shape)), math.sqrt(alpha * (1 + shape) / (1 - shape))


def trained(u, v, pull, time):
    """u₊, v₊, u₋, v₋ after a flow with the slope pull(x) of the loss, and the accumulated −slope."""

    def velocity(t, state):
        slope = pull(state[0] * state[1] - state[2] * state[3])
        return [-slope * state[1], -slope * state[0], slope * state[3], slope * state[2], -slope]

    return solve_ivp(velocity, (0, time), [u, v, u, v, 0], "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]


@about("initialization-shape/diagonal-regularizer")
@about("initialization-shape/width")
@few
@given(sizes, sizes, entries, st.floats(0.2, 1.5))
def test_the_slope_of_the_regularizer_is_the_accumulated_gradient(u, v, target, time):
    end = trained(u, v, lambda x: math.tanh(x - target), time)
    x, k = mp.mpf(end[0] * end[1] - end[2] * end[3]), mp.mpf(2 * u**2 + 2 * v**2)

    def regularizer(y):
        return k / 4 * (1 - mp.sqrt(1 + 4 * y**2 / k**2) + 2 * y / k * mp.asinh(2 * y / k))

    assert float(mp.diff(regularizer, x)) == pytest.approx(end[4], abs=1e-8)
    assert float(k / 2 * mp.sinh(2 * end[4])) == pytest.approx(float(x), abs=1e-8)


@about("initialization-shape/scale-and-shape")
@about("initialization-shape/meaning-of-scale-and-shape")
@given(sizes, shapes)
def test_scale_and_shape_are_the_product_and_the_imbalance(alpha, shape):
    u, v = layers(alpha, shape)
    assert u * v == pytest.approx(alpha)
    assert (v - u) / (v + u) == pytest.approx(shape, abs=1e-12)
    assert 2 * u**2 + 2 * v**2 == pytest.approx(4 * alpha * (1 + shape**2) / (1 - shape**2))


def regularizer(x, k):
    x, k = mp.mpf(x), mp.mpf(k)
    return mp.quad(lambda y: mp.asinh(2 * y / k) / 2, [0, x])


@about("initialization-shape/wide-start")
@few
@given(st.floats(0.5, 2.0), st.sampled_from([(1e4, 0.0), (1.0, 0.9999)]))
def test_a_wide_start_gives_the_square(x, start):
    u, v = layers(*start)
    k = 2 * u**2 + 2 * v**2
    with mp.workdps(40):
        error = regularizer(x, k) - mp.mpf(x) ** 2 / (2 * mp.mpf(k))
        assert float(error * mp.mpf(k) ** 3) == pytest.approx(-(x**4) / 6, rel=1e-3)


@about("initialization-shape/narrow-start")
@few
@given(st.floats(0.5, 2.0), st.sampled_from([1e-6, 1e-9, 1e-12]))
def test_a_narrow_start_gives_half_the_size_times_a_logarithm(x, k):
    exact = k / 4 * (1 - math.sqrt(1 + 4 * x**2 / k**2) + 2 * x / k * math.asinh(2 * x / k))
    assert abs(exact - x * math.log(1 / k) / 2) < 2


def neuron(a, w, pull, time):
    """The flow of a, w and ∫ a ∇f(w̃) for one neuron w̃ = a w, with ∇f = pull."""

    def velocity(t, state):
        slope = pull(state[0] * state[1:3])
        return [-slope @ state[1:3], *(-state[0] * slope), *(state[0] * slope)]

    path = solve_ivp(velocity, (0, time), [a, *w, 0, 0], "LSODA", rtol=1e-11, atol=1e-12)
    return path.y


def first_term(n, delta):
    d, root = delta / 2, mp.sqrt(n**2 + delta**2 / mp.mpf(4))
    return (n**2 - d * (d + root)) * mp.sqrt(root - d) / n


@about("initialization-shape/balance")
@few
@given(sizes, shapes, st.floats(0, 6.28), entries)
def test_the_imbalance_of_a_neuron_is_conserved(alpha, shape, angle, target):
    norm, a = layers(alpha, shape)
    w = norm * np.array([math.cos(angle), math.sin(angle)])
    y = neuron(a, w, lambda x: np.tanh(x - target), 0.5)
    assert y[0] ** 2 - y[1] ** 2 - y[2] ** 2 == pytest.approx(4 * alpha * shape / (1 - shape**2), abs=1e-7)


@about("initialization-shape/radial-slope")
@given(sizes, entries)
def test_the_slope_of_the_first_term(n, delta):
    slope = mp.diff(lambda m: first_term(m, delta), n)
    expected = 1.5 * math.sqrt(math.sqrt(n**2 + delta**2 / 4) - delta / 2)
    assert float(slope) == pytest.approx(expected, rel=1e-7)


def gradient(w, delta):
    """∇q̂(‖w̃‖) by differences of the first term."""
    step = mp.mpf(10) ** -8

    def value(first, second):
        return first_term(mp.sqrt(mp.mpf(first) ** 2 + mp.mpf(second) ** 2), delta)

    with mp.workdps(40):
        return np.array(
            [
                float((value(w[0] + step, w[1]) - value(w[0] - step, w[1])) / (2 * step)),
                float((value(w[0], w[1] + step) - value(w[0], w[1] - step)) / (2 * step)),
            ]
        )


@about("initialization-shape/warped-mirror")
@few
@given(sizes, st.floats(0.3, 1.5), st.floats(0, 6.28), entries)
def test_the_gradient_of_the_first_term_moves_with_the_warped_time(a, norm, angle, target):
    w = norm * np.array([math.cos(angle), math.sin(angle)])
    y = neuron(a, w, lambda x: np.tanh(x - target), 0.2)
    end, delta = y[:, -1], a**2 - norm**2
    assume(end[0] > 0.1 and np.linalg.norm(end[1:3]) > 0.1)
    moved = gradient(end[0] * end[1:3], delta) - gradient(a * w, delta)
    assert moved == pytest.approx(-1.5 * end[3:], abs=1e-6)


@about("initialization-shape/stationary-start")
@about("initialization-shape/neuron-regularizer")
@few
@given(st.floats(0.5, 2.0), st.floats(0.2, 1.0), st.floats(-0.5, 0.5), st.floats(1.0, 2.0))
def test_the_neuron_ends_where_the_stated_function_is_least(a, norm, angle, label):
    """The solutions of ⟨x, w̃⟩ = y with x = (1, ½) are a line, on which q has its minimum at the end of the flow."""
    row = np.array([1.0, 0.5])
    w = norm * np.array([math.cos(angle), math.sin(angle)])
    end = neuron(a, w, lambda x: (row @ x - label) * row, 60)[:, -1]
    limit, delta, start = end[0] * end[1:3], a**2 - norm**2, a * w
    assume(abs(row @ limit - label) < 1e-8)
    size = np.linalg.norm(start)
    c = 1.5 * math.sqrt(math.sqrt(size**2 + delta**2 / 4) - delta / 2)
    assert gradient(start, delta) == pytest.approx(c * start / size, rel=1e-6)

    def cost(t):
        point = limit + t * np.array([-0.5, 1.0])
        return float(first_term(mp.mpf(np.linalg.norm(point)), delta)) - c * start @ point / size

    assert np.abs(fminbound(cost, -0.5, 0.5, xtol=1e-9)) < 1e-4


def of_product(alpha, shape):
    """R' of x = u v in mpmath: the flow's time from the start to x, a root of its equation."""
    u, v = (mp.sqrt(alpha * (1 - sign * shape) / (1 + sign * shape)) for sign in (1, -1))

    def weight(z):
        return (u * mp.cosh(z) + v * mp.sinh(z)) * (v * mp.cosh(z) + u * mp.sinh(z))

    def time(x):
        low, high = mp.mpf(-400), mp.mpf(400)
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if weight(middle) < x else (low, middle)
        return low

    return time


open_shapes = st.floats(0.05, 0.95)


@about("initialization-shape/product")
@few
@given(sizes, open_shapes, entries, st.floats(0.2, 1.5))
def test_the_slope_of_a_products_potential_is_the_accumulated_gradient(alpha, shape, target, time):
    u0, v0 = layers(alpha, shape)

    def velocity(t, state):
        slope = math.tanh(state[0] * state[1] - target)
        return [-slope * state[1], -slope * state[0], -slope]

    u, v, moved = solve_ivp(velocity, (0, time), [u0, v0, 0], "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    scale = 2 * alpha * shape / (1 - shape**2)
    assert (math.asinh(u * v / scale) + math.log(shape)) / 2 == pytest.approx(moved, abs=1e-8)
    assert scale == pytest.approx((v0**2 - u0**2) / 2)


@about("initialization-shape/product-small")
@few
@given(open_shapes, st.floats(0.3, 2.0))
def test_a_small_product_has_an_l1_norm_and_a_tilt(shape, b):
    """R' on both sides of zero is the flow's time, here from α = 1e-30."""
    with mp.workdps(50):
        alpha, s, b = mp.mpf("1e-30"), mp.mpf(shape), mp.mpf(b)
        time = of_product(alpha, s)
        for sign, inside in ((1, 1 - s**2), (-1, (1 - s**2) / s**2)):
            stated = mp.diff(lambda y, inside=inside: y * mp.log(y * inside / alpha) / 2 - y / 2, b)
            assert float(sign * time(sign * b) - stated) == pytest.approx(0, abs=1e-10)


@about("initialization-shape/product-balanced")
@few
@given(sizes, st.floats(0.3, 2.0))
def test_a_balanced_product_has_an_entropy_and_keeps_its_sign(alpha, b):
    with mp.workdps(50):
        alpha, b = mp.mpf(alpha), mp.mpf(b)
        slopes = []
        for shape in ("1e-12", "1e-24"):
            time = of_product(alpha, mp.mpf(shape))
            stated = mp.diff(lambda y: y * mp.log(y / alpha) / 2 - y / 2, b)
            assert float(time(b) - stated) == pytest.approx(0, abs=1e-10)
            slopes.append(float(time(-b)))
        assert slopes[1] < slopes[0] - 20


@about("initialization-shape/product-lopsided")
@few
@given(sizes, entries)
def test_a_lopsided_product_has_the_squared_distance_from_its_start(alpha, x):
    """Slopes differ by a third power of 1 − s, from 1e-3 to 1e-4."""
    with mp.workdps(50):
        alpha, x = mp.mpf(alpha), mp.mpf(x)
        errors = []
        for exponent in (3, 4):
            s = 1 - mp.mpf(10) ** -exponent
            stated = mp.diff(lambda y, s=s: (y - alpha) ** 2 * (1 - s**2) / (8 * alpha * s), x)
            errors.append(abs(of_product(alpha, s)(x) - stated))
        assert errors[1] <= errors[0] / 900 + mp.mpf(10) ** -30
        assert errors[0] <= 40 * mp.mpf(10) ** -9 * (1 + 1 / alpha**3)
