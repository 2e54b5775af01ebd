"""The printed statements on the potential, as they stand or as corrected, to 30 digits or against trajectories."""

import math

import mpmath as mp
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from statements import (
    about,
    few,
    mirror_map,
    potential,
    pulled_to,
    rotated,
    scales,
    starts,
    strengths,
    targets,
    times,
    trained,
    weights,
)


def fading(strength):
    """The strength α_t = strength · e^(−t) and its integral up to t."""
    return (lambda t: strength * math.exp(-t)), (lambda t: strength * (1 - math.exp(-t)))


@about("mask-in-the-mirror/thm-2.1")
@about("mask-in-the-mirror/thm-2.1-thm-3.1")
@few
@given(starts, targets, times)
def test_the_mirror_map_follows_the_accumulated_gradient(start, target, time):
    m, w, accumulated = trained(*start, pulled_to(target), time)
    u0, v0 = rotated(*start)
    assert mirror_map(m * w, u0 * v0, math.log(u0 / v0)) == pytest.approx(-accumulated, abs=1e-8)


@about("mask-in-the-mirror/thm-3.1")
@about("mask-in-the-mirror/before-lem-a.2")
@about("ours/potential")
@few
@given(starts, targets, strengths, times)
def test_the_mirror_map_follows_it_under_decay(start, target, strength, time):
    alpha, decay = fading(strength)
    m, w, accumulated = trained(*start, pulled_to(target), time, alpha)
    u0, v0 = rotated(*start)
    scale = u0 * v0 * math.exp(-4 * decay(time))
    assert mirror_map(m * w, scale, math.log(u0 / v0)) == pytest.approx(-accumulated, abs=1e-7)


@about("mask-in-the-mirror/lem-a.1")
@few
@given(starts, targets, strengths, times)
def test_the_weight_is_half_a_difference_of_exponentials(start, target, strength, time):
    alpha, decay = fading(strength)
    m, w, accumulated = trained(*start, pulled_to(target), time, alpha)
    u0, v0 = rotated(*start)
    expected = (u0**2 * math.exp(-2 * accumulated) - v0**2 * math.exp(2 * accumulated)) / 2
    expected *= math.exp(-4 * decay(time))
    assert m * w == pytest.approx(expected, abs=1e-8)


@about("mask-in-the-mirror/lem-a.1-hyperbolic")
@about("ours/weight-hyperbolic")
@few
@given(starts, targets, strengths, times)
def test_the_weight_in_hyperbolic_form(start, target, strength, time):
    alpha, decay = fading(strength)
    m, w, accumulated = trained(*start, pulled_to(target), time, alpha)
    (m0, w0), cosh, sinh = start, math.cosh(accumulated), math.sinh(accumulated)
    expected = m0 * w0 * (cosh**2 + sinh**2) - (m0**2 + w0**2) * sinh * cosh
    assert m * w == pytest.approx(math.exp(-4 * decay(time)) * expected, abs=1e-8)


@about("mask-in-the-mirror/lem-a.2")
@about("mask-in-the-mirror/lem-a.2-proof")
@few
@given(starts, targets, strengths, times)
def test_the_scale_falls_by_four_times_the_decay(start, target, strength, time):
    alpha, decay = fading(strength)
    m, w, accumulated = trained(*start, pulled_to(target), time, alpha)
    u0, v0 = rotated(*start)
    scale = u0 * v0 * math.exp(-4 * decay(time))
    assert m * w == pytest.approx(scale * math.sinh(math.log(u0 / v0) - 2 * accumulated), abs=1e-8)


@about("mask-in-the-mirror/lem-a.3-df")
@few
@given(starts, targets, strengths, times)
def test_the_loss_changes_at_the_derived_rate(start, target, strength, time):
    """The slope in time comes from losses at five times around, by a difference formula of fourth order."""
    step, (alpha, decay) = 1e-3, fading(strength)

    def loss(t):
        m, w, _ = trained(*start, pulled_to(target), t, alpha)
        return math.log(math.cosh(m * w - target))

    change = (8 * (loss(time + step) - loss(time - step)) - loss(time + 2 * step) + loss(time - 2 * step)) / 12 / step
    m, w, _ = trained(*start, pulled_to(target), time, alpha)
    (u0, v0), slope = rotated(*start), math.tanh(m * w - target)
    scale = u0 * v0 * math.exp(-4 * decay(time))
    expected = -2 * math.hypot(m * w, scale) * slope**2 - 4 * alpha(time) * m * w * slope
    assert change == pytest.approx(expected, abs=1e-6)


@about("mask-in-the-mirror/inverse-hessian")
@about("mask-in-the-mirror/sigma")
@few
@given(starts, targets, times)
def test_the_gradient_of_the_product_has_the_derived_size(start, target, time):
    """The gradient is preconditioned by ‖∇(m w)‖² = m² + w²."""
    m, w, _ = trained(*start, pulled_to(target), time)
    u0, v0 = rotated(*start)
    assert m**2 + w**2 == pytest.approx(2 * math.hypot(m * w, u0 * v0), abs=1e-8)
    assert m**2 + w**2 >= 2 * u0 * v0 - 1e-8
    # With w_0 = 0 and no loss the weight stays at zero, where the bound is reached.
    m, w, _ = trained(start[0], 0.0, lambda x: 0 * x, time)
    assert m**2 + w**2 == pytest.approx(2 * math.prod(rotated(start[0], 0.0)), abs=1e-8)


@about("mask-in-the-mirror/minimum-position")
@about("ours/minimum")
@few
@given(starts, strengths, times)
def test_the_minimum_is_where_decay_alone_leads(start, strength, time):
    alpha, decay = fading(strength)
    m, w, accumulated = trained(*start, lambda x: 0 * x, time, alpha)
    u0, v0 = rotated(*start)
    scale, shift = u0 * v0 * math.exp(-4 * decay(time)), math.log(u0 / v0)
    found = minimize_scalar(lambda x: float(potential(x, scale, shift)), bounds=(-5, 5), options={"xatol": 1e-10}).x
    assert accumulated == 0
    assert math.exp(-4 * decay(time)) * start[0] * start[1] == pytest.approx(m * w, abs=1e-9)
    assert found == pytest.approx(m * w, abs=1e-4 * max(1, abs(m * w)))  # a minimum is flat to rounding


def equation_2(x, u0, v0):
    """The R of equation 2 for one weight, as printed."""
    return potential(x, 2 * u0 * v0, math.log(u0 / v0)) / 2


def theorem_3_1(x, u0, v0, decay):
    """The R of Theorem 3.1 for one weight, as printed."""
    return potential(x, 2 * u0 * v0 * math.exp(-2 * decay), math.log(u0 / v0))


def slope_of(function, x):
    """The derivative, to mpmath's precision."""
    return mp.diff(function, mp.mpf(x))


@about("mask-in-the-mirror/r-minimal-at-start")
@about("mask-in-the-mirror/minimum-of-thm-3.1")
@given(starts, strengths)
def test_the_printed_potentials_are_least_at_twice_the_stated_place(start, decay):
    u0, v0 = rotated(*start)
    assert abs(slope_of(lambda x: equation_2(x, u0, v0), 2 * start[0] * start[1])) < 1e-9
    least = 2 * math.exp(-2 * decay) * start[0] * start[1]
    assert abs(slope_of(lambda x: theorem_3_1(x, u0, v0, decay), least)) < 1e-9
    for other in (least - 0.1, least + 0.1):
        assert theorem_3_1(other, u0, v0, decay) > theorem_3_1(least, u0, v0, decay)


@about("mask-in-the-mirror/inverse-hessian-of-eq-2")
@given(starts, weights)
def test_the_inverse_hessian_of_equation_2_is_four_times_the_printed_one(start, x):
    u0, v0 = rotated(*start)
    found = mp.diff(lambda y: equation_2(y, u0, v0), mp.mpf(x), 2)
    assert 1 / found == pytest.approx(4 * math.hypot(x, 2 * u0 * v0), rel=1e-6)


@about("mask-in-the-mirror/thm-2.1-bregman")
@given(starts, weights, weights)
def test_equation_2_has_bounded_sublevel_sets_and_divergences_above_zero(start, x, y):
    assume(abs(x - y) > 1e-3)
    u0, v0 = rotated(*start)

    def apart(other):
        return equation_2(x, u0, v0) - equation_2(other, u0, v0) - slope(other) * (x - other)

    def slope(other):
        return slope_of(lambda z: equation_2(z, u0, v0), other)

    assert apart(mp.mpf(y)) > 0
    assert abs(apart(x + mp.mpf("1e-6"))) < 1e-9
    # D(x, y) grows without bound on both sides, at least like |y|/4.
    assert apart(mp.mpf(10) ** 6) > 1e5
    assert apart(-(mp.mpf(10) ** 6)) > 1e5


@about("mask-in-the-mirror/lipschitz")
@about("mask-in-the-mirror/lipschitz-of-eq-2")
@given(starts, weights, weights)
def test_the_gradient_of_equation_2_has_a_quarter_of_the_stated_constant(start, x, y):
    u0, v0 = rotated(*start)
    constant = 1 / (8 * u0 * v0)
    change = slope_of(lambda z: equation_2(z, u0, v0), x) - slope_of(lambda z: equation_2(z, u0, v0), y)
    assert abs(change) <= constant * abs(x - y) * (1 + 1e-9) + 1e-12
    near = mp.mpf(u0 * v0) / 10**4
    quotient = (slope_of(lambda z: equation_2(z, u0, v0), near) - slope_of(lambda z: equation_2(z, u0, v0), 0)) / near
    assert quotient == pytest.approx(constant, rel=1e-6)


@about("ours/lipschitz")
@given(st.lists(st.tuples(starts, weights, weights), min_size=1, max_size=4))
def test_the_mirror_map_is_lipschitz_with_the_stated_constant(rows):
    products = [math.prod(rotated(*start)) for start, _, _ in rows]
    change = [mirror_map(x, a) - mirror_map(y, a) for (_, x, y), a in zip(rows, products, strict=True)]
    moved = math.hypot(*(x - y for _, x, y in rows))
    assert mp.norm(change) <= moved / (2 * min(products)) * (1 + 1e-9)
    # No smaller constant will do: near zero it is reached.
    tiny = min(products) * mp.mpf("1e-4")
    assert mirror_map(tiny, min(products)) / tiny > (1 - 1e-6) / (2 * min(products))


@about("mask-in-the-mirror/rem-2.1-lipschitz")
@given(scales, weights, weights)
def test_the_lipschitz_constant_is_half_the_inverse_scale(a, x, y):
    assume(x != y)
    assert abs(mirror_map(x, a) - mirror_map(y, a)) <= abs(x - y) / (2 * a) * (1 + 1e-9)
    assert mirror_map(mp.mpf(a) / 10**4, a) / (mp.mpf(a) / 10**4) == pytest.approx(1 / (2 * a), rel=1e-6)
    # Remark 2.1's a is 2u_0v_0 = m_0²: 1/a for the flow's potential and for its entropy, 1/(4a) for Theorem 2.1's R.
    near = mp.mpf(a) / 10**4
    assert mirror_map(near, a / 2) / near == pytest.approx(1 / a, rel=1e-6)
    assert mp.diff(lambda y: entropy(y, a), near) / near == pytest.approx(1 / a, rel=1e-6)
    assert mp.diff(lambda y: entropy(y, a) / 4, near) / near == pytest.approx(1 / (4 * a), rel=1e-6)


@about("mask-in-the-mirror/eq-9")
@about("mask-in-the-mirror/eq-9-signs")
@given(scales, weights, st.floats(-2, 2))
def test_the_potential_falls_with_its_scale(a, x, shift):
    slope = mp.diff(lambda scale: potential(x, scale, shift), a)
    assert slope < 0
    assert slope == pytest.approx(-math.hypot(x, a) / (2 * a), rel=1e-9)
    assert slope == pytest.approx(-(x**2 * a + a**3) / (2 * a**2 * math.sqrt(a**2 + x**2)), rel=1e-9)


def entropy(x, a):
    """The hyperbolic entropy x arcsinh(x/a) − √(x² + a²) of one weight, without prefactor."""
    return x * mp.asinh(x / a) - mp.sqrt(x**2 + a**2)


@about("mask-in-the-mirror/rem-2.1")
@about("mask-in-the-mirror/small-scale")
@pytest.mark.parametrize(("bias", "limit"), [(entropy, 1.0), (potential, 0.5)])
@given(size=st.floats(0.01, 10), negative=st.booleans(), digits=st.integers(10, 2000))
def test_the_ratio_to_the_l1_norm_tends_to_its_limit(bias, limit, size, negative, digits):
    """The entropy of Remark 2.1, without prefactor, and the potential of Theorem 3.1, with its ½."""
    with mp.workdps(2 * digits + 30):
        a, x = mp.mpf(10) ** -digits, mp.mpf(-size if negative else size)
        ratio = bias(x, a) / (abs(x) * mp.log(1 / a))
        assert abs(ratio - limit) <= limit * (2 * abs(math.log(2 * size)) + 2) / float(mp.log(1 / a))


@about("mask-in-the-mirror/rem-2.1-entropy")
@given(scales, weights)
def test_equation_2_is_a_quarter_of_the_entropy(a, x):
    side = math.sqrt(a / 2)  # u_0 and v_0 for w_0 = 0, m_0 = √a
    assert float(4 * equation_2(x, side, side)) == pytest.approx(float(entropy(x, a)), rel=1e-9, abs=1e-12)


@about("mask-in-the-mirror/scaling")
@given(weights)
def test_a_balanced_start_has_no_scale(x):
    assume(abs(x) > 1e-3)
    u0, v0 = rotated(math.sqrt(abs(x)), x / math.sqrt(abs(x)))
    assert 2 * u0 * v0 == pytest.approx(0.0, abs=1e-12)


@about("mask-in-the-mirror/scaling-better")
@few
@given(st.floats(0.1, 1.0), st.floats(0.5, 2.0))
def test_a_start_with_scale_crosses_zero_and_a_balanced_one_does_not(first, target):
    """One weight from x_0 > 0 to a target below zero."""
    balanced = math.sqrt(first)
    m0 = math.sqrt((1 + math.sqrt(1 + 4 * first**2)) / 2)
    ends = []
    for m, w in ((m0, first / m0), (balanced, balanced)):
        m, w, _ = trained(m, w, lambda x: x + target, 30.0)
        ends.append(m * w)
    assert ends[0] == pytest.approx(-target, abs=1e-6)
    assert ends[1] > -1e-9
