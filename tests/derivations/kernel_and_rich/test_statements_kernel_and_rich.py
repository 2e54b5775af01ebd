"""Statements of Woodworth et al. on u² − v², as printed or corrected, against quadrature, minimizers and flows."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq, fminbound, linprog, minimize, minimize_scalar
from statements import about, few

sizes = st.floats(0.1, 3.0)
entries = st.floats(-2.0, 2.0)
accuracies = st.floats(0.1, 3.0)


def q(z):
    """The function q, by quadrature of its definition."""
    return quad(lambda u: math.asinh(u / 2), 0, z)[0]


def regularizer(beta, alpha):
    return sum(alpha**2 * q(b / alpha**2) for b in beta)


def least(row, y, alpha):
    """The minimizer of Q_α over the β with row · β = y, by its multiplier."""
    row = np.array(row)

    def weights(multiplier):
        return 2 * alpha**2 * np.sinh(np.clip(multiplier * row, -700, 700))

    end = 1.0
    while row @ weights(end) < y:
        end *= 2
    return weights(brentq(lambda multiplier: row @ weights(multiplier) - y, 0, end, xtol=1e-14))


@about("kernel-and-rich/q")
@few
@given(st.floats(-50, 50))
def test_the_antiderivative_is_the_integral(z):
    assert 2 - math.sqrt(4 + z**2) + z * math.asinh(z / 2) == pytest.approx(q(z), rel=1e-9, abs=1e-12)


@about("kernel-and-rich/thm-1")
@few
@given(st.tuples(sizes, sizes, sizes), st.tuples(entries, entries, entries), st.floats(0.3, 2.0))
def test_the_flow_ends_where_its_regularizer_is_least(shape, row, alpha):
    """Along the solutions of the equation, Q has a minimum at the end of the flow."""
    row, shape = np.array(row), np.array(shape)
    assume(np.linalg.norm(row) > 0.5)

    def velocity(t, w):
        pull = (row @ (w[:3] ** 2 - w[3:] ** 2) - 1) * row
        return np.concatenate([-4 * pull * w[:3], 4 * pull * w[3:]])

    start = alpha * np.concatenate([shape, shape])
    w = solve_ivp(velocity, (0, 200), start, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    end, scale = w[:3] ** 2 - w[3:] ** 2, alpha**2 * shape**2
    assume(abs(row @ end - 1) < 1e-7)

    def cost(beta):
        return np.sum(2 * scale - np.sqrt(4 * scale**2 + beta**2) + beta * np.arcsinh(beta / (2 * scale)))

    for direction in np.linalg.svd(row[None])[2][1:]:
        found = minimize_scalar(lambda t, d=direction: cost(end + t * d), bracket=(-0.1, 0.1), tol=1e-10)
        assert abs(found.x) < 1e-4


@about("kernel-and-rich/kernel-at-start")
@given(sizes, entries, entries)
def test_the_kernel_at_the_start_is_eight_times_the_square_of_the_scale(alpha, x, y):
    def model(point, p, m):
        return (p**2 - m**2) * point

    kernel = sum(
        mp.diff(lambda w, i=i: model(x, *(w if j == i else alpha for j in (0, 1))), alpha)
        * mp.diff(lambda w, i=i: model(y, *(w if j == i else alpha for j in (0, 1))), alpha)
        for i in (0, 1)
    )
    assert float(kernel) == pytest.approx(8 * alpha**2 * x * y, rel=1e-8, abs=1e-10)


@about("kernel-and-rich/kernel-of-scaled-start")
@given(sizes, sizes, sizes, st.integers(2, 5))
def test_the_kernel_of_a_homogeneous_model_scales(alpha, first, second, depth):
    """The model has depth D and one coordinate, and x = x' = 1."""

    def kernel(p, m):
        return sum(float(mp.diff(lambda w: w**depth, w)) ** 2 for w in (p, m))

    assert kernel(alpha * first, alpha * second) == pytest.approx(alpha ** (2 * depth - 2) * kernel(first, second))


@about("kernel-and-rich/eq-6")
@given(entries, st.floats(0.5, 2.0))
def test_the_error_of_the_quadratic_shrinks_with_the_sixth_power_of_the_scale(beta, omega):
    assume(abs(beta) > 0.1)

    def error(alpha):
        scale = mp.mpf(alpha) ** 2 * omega**2
        value = 2 * scale - mp.sqrt(4 * scale**2 + mp.mpf(beta) ** 2) + beta * mp.asinh(beta / (2 * scale))
        return float((value - mp.mpf(beta) ** 2 / (4 * scale)) * mp.mpf(alpha) ** 6)

    with mp.workdps(60):
        assert error(100) == pytest.approx(-(beta**4) / (192 * omega**6), rel=1e-2)


@about("kernel-and-rich/eq-7")
@given(st.floats(0.2, 3.0), st.floats(0.5, 2.0))
def test_a_small_scale_gives_the_size_up_to_one_over_the_logarithm(size, omega):
    with mp.workdps(60):
        for exponent in (10, 20, 40):
            alpha = mp.mpf(10) ** -exponent
            scale = alpha**2 * omega**2
            value = 2 * scale - mp.sqrt(4 * scale**2 + mp.mpf(size) ** 2) + size * mp.asinh(size / (2 * scale))
            assert abs(value / mp.log(1 / alpha**2) - size) * mp.log(1 / alpha**2) < 10


@about("kernel-and-rich/eq-7-expansion")
@given(st.floats(10, 1e6))
def test_the_regularizer_far_out_lacks_a_linear_term(z):
    exact = 2 - mp.sqrt(4 + mp.mpf(z) ** 2) + z * mp.asinh(mp.mpf(z) / 2)
    assert abs(exact - (z * mp.log(z) - z + 2)) <= 2 / z
    assert abs(exact - z * mp.log(z)) > z - 3


@about("kernel-and-rich/lem-5")
@few
@given(st.lists(st.floats(0.05, 2.0), min_size=1, max_size=4), accuracies)
def test_small_scales_are_near_the_l1_norm(beta, epsilon):
    size, d = sum(beta), len(beta)
    bound = min(1, math.sqrt(size), (2 * size) ** (-1 / (2 * epsilon)), math.exp(-d / (2 * epsilon * size)))
    alpha = mp.mpf(0.999 * bound)
    value = sum(2 * alpha**2 - mp.sqrt(4 * alpha**4 + b**2) + b * mp.asinh(b / (2 * alpha**2)) for b in beta)
    assert abs(value / mp.log(1 / alpha**2) - size) <= epsilon * size


@about("kernel-and-rich/eq-31")
@few
@given(st.floats(0.05, 5.0))
def test_a_quarter_stands_under_the_root(s):
    def side(inner):
        return 2 * s - math.sqrt(4 * s**2 + 1) + math.log(1 / s) + math.log(0.5 + math.sqrt(s**2 + inner))

    assert s * q(1 / s) == pytest.approx(side(0.25), rel=1e-8, abs=1e-10)
    assert side(0.5) - side(0.25) > 1e-3


@about("kernel-and-rich/eq-32")
@few
@given(st.floats(1e-3, 50))
def test_the_bracket_contains_the_regularizer(s):
    lower = math.log(1 / s) - 1
    assert lower - 1e-9 <= s * q(1 / s) <= lower + 2 * s + 1e-9


@about("kernel-and-rich/lem-6")
@few
@given(st.floats(0.1, 0.5), st.floats(1.0, 5.0), st.floats(1.0, 20.0))
def test_at_the_stated_scale_two_vectors_differ(epsilon, more_dimensions, larger_scale):
    d = math.ceil(max(math.e, 12 ** (4 * epsilon)) * more_dimensions)
    alpha = larger_scale * d ** (-1 / 4 - 1 / (8 * epsilon))
    unit, flat = q(1 / alpha**2), d * q(1 / (math.sqrt(d) * alpha**2)) / math.sqrt(d)
    assert unit >= (1 + epsilon) * flat * (1 - 1e-9)


@about("kernel-and-rich/lem-7")
@few
@given(st.lists(entries, min_size=1, max_size=4), accuracies)
def test_large_scales_are_near_the_l2_norm(beta, epsilon):
    size = float(np.linalg.norm(beta))
    assume(size > 0.1)
    alpha = math.sqrt(size) * (1 + epsilon ** (-1 / 4))
    assert abs(4 * alpha**2 * regularizer(beta, alpha) - size**2) <= epsilon * size**2


rows = st.lists(st.floats(0.2, 2.0), min_size=2, max_size=5)


@about("kernel-and-rich/thm-2-l1")
@few
@given(rows, st.floats(0.5, 5.0), st.floats(0.3, 1.9))
def test_the_stated_small_scale_suffices(row, y, epsilon):
    d = len(row)
    size = linprog(np.ones(d), A_eq=[row], b_eq=[y]).fun
    alpha = min((2 * (1 + epsilon) * size) ** (-(2 + epsilon) / (2 * epsilon)), math.exp(-d / (epsilon * size)))
    assume(alpha > 1e-60)
    assert np.abs(least(row, y, alpha)).sum() <= (1 + epsilon) * size


@about("kernel-and-rich/thm-2-l2")
@few
@given(rows, st.floats(0.5, 5.0), st.floats(0.05, 1.9))
def test_the_stated_large_scale_suffices(row, y, epsilon):
    size = y / np.linalg.norm(row)
    alpha = math.sqrt(2 * (1 + epsilon) * (1 + 2 / epsilon) * size)
    assert np.linalg.norm(least(row, y, alpha)) ** 2 <= (1 + epsilon) * size**2


def distance(beta, alpha):
    """R of one coordinate, by minimizing over w₋ with w₊ = √(β + w₋²)."""

    def squared(m):
        return (math.sqrt(beta + m**2) - alpha) ** 2 + (m - alpha) ** 2

    return squared(fminbound(squared, 0, alpha, xtol=1e-12))


@about("kernel-and-rich/r-root")
@given(st.floats(0.05, 8.0))
def test_the_quartic_has_two_real_roots_and_the_distance_is_the_smaller(z):
    roots = np.roots([1, -6, 12 - 2 * z**2, -(8 + 10 * z**2), z**2 + z**4])
    real = sorted(roots[np.abs(roots.imag) < 1e-7].real)
    assert len(real) == 2
    assert real[0] == pytest.approx(distance(z, 1.0), rel=1e-5, abs=1e-8)
    assert real[0] < z < real[1]


@about("kernel-and-rich/r-scale")
@given(sizes, st.floats(1.2, 3.0))
def test_the_squared_distance_scales_with_the_square(beta, alpha):
    scaled = distance(beta / alpha**2, 1.0)
    assert distance(beta, alpha) == pytest.approx(alpha**2 * scaled, rel=1e-6)
    assert distance(beta, alpha) > 1.2 * scaled


@about("kernel-and-rich/r-rich-limit")
@given(sizes)
def test_the_squared_distance_tends_to_the_size_linearly(beta):
    for alpha in (1e-2, 1e-3):
        assert abs(distance(beta, alpha) - beta + 2 * alpha * math.sqrt(beta)) <= 3 * alpha**2


@about("kernel-and-rich/eq-11")
@about("kernel-and-rich/eq-12")
@given(
    *3 * [st.one_of(st.floats(0.2, 2), st.floats(-2, -0.2))],
    st.one_of(
        *(st.floats(*sorted((sign * low, sign * high))) for sign in (1, -1) for low, high in ((0.2, 0.8), (1.2, 3)))
    ),
)
def test_a_magnitude_changes_with_the_sign_times_the_velocity(u, v, x, residual):
    """A residual of size 1 would hide a square."""
    y = u * v * x - residual
    velocity = -float(mp.diff(lambda t: (t * v * x - y) ** 2, u))
    change = float(mp.diff(lambda t: abs(u + t * velocity), 0))
    assert change == pytest.approx(math.copysign(1, u) * velocity, rel=1e-6)
    assert change == pytest.approx(-2 * residual * math.copysign(1, u) * v * x, rel=1e-6)
    assert change != pytest.approx(-2 * residual**2 * math.copysign(1, u) * v * x, rel=1e-3)


@about("kernel-and-rich/equal-magnitudes")
@few
@given(entries, entries, entries)
def test_the_difference_of_the_squares_is_conserved(u, v, target):
    def velocity(t, state):
        pull = math.tanh(state[0] * state[1] - target)
        return [-pull * state[1], -pull * state[0]]

    end = solve_ivp(velocity, (0, 1), [u, v], "LSODA", rtol=1e-10, atol=1e-11).y[:, -1]
    assert end[0] ** 2 - end[1] ** 2 == pytest.approx(u**2 - v**2, abs=1e-7)


@about("kernel-and-rich/eq-15")
@about("kernel-and-rich/eq-50")
@given(sizes, sizes, entries, entries, st.integers(2, 5))
def test_the_velocity_of_a_weight_has_twice_the_printed_factor(p, m, x, y, depth):
    residual = (p**depth - m**depth) * x - y
    velocity = -float(mp.diff(lambda w: ((w**depth - m**depth) * x - y) ** 2, p))
    printed = -depth * x * residual * p ** (depth - 1)
    assert velocity == pytest.approx(2 * printed, rel=1e-6, abs=1e-8)


@about("kernel-and-rich/eq-67")
@about("kernel-and-rich/thm-4-scale")
@few
@given(st.integers(0, 999), entries)
def test_a_wide_diagonal_model_has_the_potential_of_the_stated_scale(seed, target):
    """A row of U and V has 20000 entries from N(0, α²), which give δ and Δ after the flow up to their randomness."""
    generator = np.random.default_rng(seed)
    width, spread = 20000, 0.1
    plus, minus = (generator.normal(0, spread, width) for _ in range(2))
    sigma = spread**2 * math.sqrt(width)
    square = sigma * math.sqrt(width) / 2
    rate = target / 4  # A, after a gradient that is constant in time
    u = plus * math.cosh(2 * rate) - minus * math.sinh(2 * rate)
    v = minus * math.cosh(2 * rate) - plus * math.sinh(2 * rate)
    slack = 0.06 * square * math.cosh(4 * rate)
    assert u @ v == pytest.approx(2 * square * math.sinh(-4 * rate), abs=slack)
    assert (u @ u + v @ v) / 2 == pytest.approx(2 * square * math.cosh(4 * rate), abs=slack)
    step = 1e-6  # dU/dA = −2V, by a difference
    ahead = plus * math.cosh(2 * (rate + step)) - minus * math.sinh(2 * (rate + step))
    assert np.abs((ahead - u) / step + 2 * v).max() < 1e-4


@about("kernel-and-rich/symmetric-flow")
@given(st.integers(0, 999))
def test_the_flow_of_a_symmetric_product_descends_at_twice_the_printed_rate(seed):
    generator = np.random.default_rng(seed)
    factor, goal = generator.normal(size=(3, 2)), generator.normal(size=(3, 3))
    goal = goal + goal.T

    def loss(entries):
        w = entries.reshape(3, 2)
        return np.sum((w @ w.T - goal) ** 2)

    steps = np.eye(6) * 1e-6
    gradient = np.array([(loss(factor.ravel() + h) - loss(factor.ravel() - h)) / 2e-6 for h in steps]).reshape(3, 2)
    moved = -(gradient @ factor.T + factor @ gradient.T)
    product = factor @ factor.T
    slope = 2 * (product - goal)
    assert moved == pytest.approx(-2 * (slope @ product + product @ slope), rel=1e-4, abs=1e-3)


def h(depth, zeta):
    power = -depth / (depth - 2)
    return (1 - zeta) ** power - (1 + zeta) ** power


def inverse(depth, value):
    end = 1 - min(1e-3, 1e-2 * (1 + value) ** (-(depth - 2) / depth))
    return brentq(lambda zeta: h(depth, zeta) - value, 0, end, xtol=1e-15)


@about("kernel-and-rich/eq-51-53")
@few
@given(st.floats(0.5, 1.5), st.floats(2.2, 6.0), st.floats(-0.95, 0.95))
def test_the_weights_of_depth_solve_their_flow(alpha, depth, share):
    """dw/dA = ∓D w^(D−1) from α, for depths that are no integers, too, up to 0.95 of where a weight blows up."""
    signal = share * alpha ** (2 - depth) / (depth * (depth - 2))

    def velocity(_, w):
        return depth * np.array([-1, 1]) * w ** (depth - 1)

    w = solve_ivp(velocity, (0, signal), [alpha, alpha], "DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    for weight, sign in zip(w, (1, -1), strict=True):
        bracket = alpha ** (2 - depth) + sign * depth * (depth - 2) * signal
        assert bracket ** (-1 / (depth - 2)) == pytest.approx(weight, rel=1e-8)
    expected = alpha**depth * h(depth, -depth * (depth - 2) * alpha ** (depth - 2) * signal)
    assert w[0] ** depth - w[1] ** depth == pytest.approx(expected, rel=1e-7, abs=1e-9)


@about("kernel-and-rich/thm-3")
@about("kernel-and-rich/lem-8")
@few
@given(st.floats(0.5, 1.5), st.tuples(sizes, sizes), st.integers(3, 6))
def test_the_flow_of_depth_keeps_its_dual_in_the_row_space(alpha, row, depth):
    row = np.array(row)

    def velocity(t, state):
        w = state[:4]
        residual = row @ (w[:2] ** depth - w[2:] ** depth) - 2
        pull = depth * residual * np.concatenate([row, -row]) * w ** (depth - 1)
        return [*(-pull), residual]

    path = solve_ivp(velocity, (0, 1), [alpha] * 4 + [0], "LSODA", rtol=1e-11, atol=1e-13).y[:, -1]
    beta = path[:2] ** depth - path[2:4] ** depth
    bound = alpha ** (2 - depth) / (depth * (depth - 2))
    assert np.all(np.abs(row * path[4]) < bound)
    for weight, entry in zip(beta, row, strict=True):
        assert h(depth, -entry * path[4] / bound) == pytest.approx(weight / alpha**depth, rel=1e-6, abs=1e-8)


@about("kernel-and-rich/eq-65")
@given(st.integers(3, 9), st.floats(1e-4, 1e-2))
def test_the_slope_of_h_at_zero(depth, zeta):
    assert h(depth, zeta) == pytest.approx(2 * depth / (depth - 2) * zeta, rel=50 * zeta)


def of_depth(size, alpha, depth):
    """α^D q_D(b/α^D) by quadrature of the inverse of h_D."""
    scale = alpha**depth
    return scale * quad(lambda value: inverse(depth, value), 0, size / scale, limit=200)[0]


@about("kernel-and-rich/thm-3-kernel")
@few
@given(st.floats(0.5, 2.0), st.integers(3, 6))
def test_a_large_scale_of_depth_gives_the_square(size, depth):
    alpha = 5.0
    expected = (depth - 2) / (4 * depth) * alpha**-depth * size**2
    assert of_depth(size, alpha, depth) == pytest.approx(expected, rel=1e-2)


@about("kernel-and-rich/thm-3-rich")
@few
@given(st.floats(0.5, 2.0), st.integers(3, 5), st.floats(0.4, 0.9))
def test_a_small_scale_of_depth_gives_the_size_polynomially(size, depth, alpha):
    gap = size - of_depth(size, alpha, depth)
    bound = depth / 2 * alpha ** (depth - 2) * size ** (2 / depth)
    assert 0 <= gap <= bound
    assert gap > 0.3 * min(bound, size)


def test_the_multiplier_finds_the_minimizer():
    """The helper ``least`` agrees with SciPy's minimizer."""
    row = np.array([0.5, 1.0, 1.5])
    constraint = {"type": "eq", "fun": lambda beta: row @ beta - 2}
    found = minimize(lambda beta: regularizer(beta, 0.8), np.ones(3), constraints=constraint, tol=1e-12).x
    assert least(row, 2.0, 0.8) == pytest.approx(found, abs=1e-4)


@about("kernel-and-rich/explicit-penalty")
@few
@given(sizes, st.integers(3, 6))
def test_the_least_weights_of_depth_use_one_sign(size, depth):
    def squared(minus):
        return (size + minus**depth) ** (2 / depth) + minus**2

    assert squared(fminbound(squared, 0, 2, xtol=1e-10)) == pytest.approx(size ** (2 / depth), rel=1e-6)
