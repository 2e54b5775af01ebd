"""The formulas of the hyperbolic entropy against 1300-digit arithmetic, and its limits at small and large scales."""

import math

import mpmath as mp
import numpy as np
import potential_laws as laws
import pytest
from hyperbolic_references import exact_chain, exact_dual_chain, logs, point, rates, shifts, signs
from hypothesis import example, given
from hypothesis import strategies as st

from implicit_bias import HyperbolicEntropy

EPS = laws.EPS


def exact(x, potential):
    """R, R' and 1/R'' of one coordinate by definition, and the sizes of the largest terms of R and R'."""
    a, b, r = mp.mpf(float(potential.scale)), mp.mpf(float(potential.shift)), mp.mpf(potential.rate)
    x = mp.mpf(float(x))
    angle, radius = mp.asinh(x / a), mp.sqrt(x * x + a * a)
    size = (abs(x * angle) + abs(x * b) + radius) / r
    return {
        "value": (x * (angle - b) - radius) / r,
        "size": size,
        "gradient": (angle - b) / r,
        "angle": (abs(angle) + abs(b)) / r,
        "metric": r * radius,
    }


def ulps(got, want, scale=None):
    """The distance of two numbers in units in the last place of ``scale``, or of ``want`` if no scale is given."""
    unit = EPS * abs(want if scale is None else scale) + mp.mpf(2) ** -1074
    return float(abs(mp.mpf(float(got)) - want) / unit)


extreme = {
    "log_scale": logs,
    "log_ratio": logs,
    "sign": signs,
    "shift": shifts,
    "rate": rates,
}


@given(**extreme)
@example(log_scale=-690.0, log_ratio=-16.0, sign=1.0, shift=0.0, rate=2.0)
@example(log_scale=690.0, log_ratio=-690.0, sign=-1.0, shift=0.0, rate=2.0)
def test_formulas_against_1300_digits(log_scale, log_ratio, sign, shift, rate):
    """Each formula is a handful of roundings, so it errs by at most six units in the last place of its largest term."""
    potential = HyperbolicEntropy(scale=math.exp(log_scale), shift=shift, rate=rate)
    x = point(log_scale, log_ratio, sign)
    with mp.workdps(1300):  # enough for (x/a)² = 1e-600 beside 1, twice over, as R is a difference of such terms
        want = exact(x, potential)
        assert ulps(potential.gradient([x])[0], want["gradient"], want["angle"]) < 6
        assert ulps(potential.value([x]), want["value"], want["size"]) < 6
        assert ulps(potential.metric([x])[0], want["metric"]) < 6
        assert ulps(potential.hessian_diagonal([x])[0], 1 / want["metric"]) < 6
        if shift == 0:
            excess = want["value"] + mp.mpf(float(potential.scale)) / rate
            assert ulps(potential.effective_exponent([x])[0], mp.mpf(x) * want["gradient"] / excess) < 6


@given(**extreme)
# Here exp(q + log a) with |log a| = 600 loses two digits that a·sinh(q) keeps.
@example(log_scale=600.0, log_ratio=1.0, sign=1.0, shift=1.5, rate=2.0)
def test_inverse_and_conjugate_against_1300_digits(log_scale, log_ratio, sign, shift, rate):
    """The error is a few roundings of q = rz + b, by |q| units in the last place, which sinh hands on to x."""
    potential = HyperbolicEntropy(scale=math.exp(log_scale), shift=shift, rate=rate)
    z = float(potential.gradient([point(log_scale, log_ratio, sign)])[0])
    with mp.workdps(1300):
        q = mp.mpf(rate) * mp.mpf(z) + mp.mpf(shift)
        a = mp.mpf(float(potential.scale))
        x, radius = a * mp.sinh(q), a * mp.cosh(q)
        unit = (abs(x) + radius * (abs(rate * z) + abs(shift))) * max(1, 1 / mp.mpf(rate))
        # Beyond exp(700) only the sum q + log a can be formed, and log a rounds as well.
        unit += radius * (abs(q) > 700) * abs(log_scale)
        if radius < mp.mpf(10) ** 307:
            assert ulps(potential.inverse_gradient([z])[0], x, unit) < 6
            assert ulps(potential.conjugate([z]), radius / rate, unit + radius / rate) < 6


@given(
    log_scale=logs,
    log_ratio=logs,
    sign=signs,
    shift=shifts,
    closeness=st.one_of(st.floats(-16, 0), st.just(-np.inf), st.just(300.0)),
)
@example(log_scale=346.0, log_ratio=-507.0, sign=-1.0, shift=0.0, closeness=0.0)
def test_divergence_against_1300_digits(log_scale, log_ratio, sign, shift, closeness):
    """A divergence errs by ten units in its own last place, although its three terms cancel almost entirely."""
    potential = HyperbolicEntropy(scale=math.exp(log_scale), shift=shift)
    x = point(log_scale, log_ratio, sign)
    other = x * (1 + 10.0**closeness) if closeness < 1 else -x
    with mp.workdps(1300):
        here, there = exact(x, potential), exact(other, potential)
        want = here["value"] - there["value"] - there["gradient"] * (mp.mpf(x) - mp.mpf(other))
        assert ulps(potential.divergence([x], [other]), want) < 10


@given(log_scale=st.floats(-300, 300), log_ratio=logs, sign=signs, shift=st.floats(-300, 300))
def test_shifted_exponent_against_1300_digits(log_scale, log_ratio, sign, shift):
    """The exponent p(s) is exact for steps far below and far above a minimizer that is not zero."""
    potential = HyperbolicEntropy(scale=math.exp(log_scale), shift=shift)
    s = point(log_scale, log_ratio, sign)
    with mp.workdps(1300):
        a, b = mp.mpf(float(potential.scale)), mp.mpf(shift)
        center = a * mp.sinh(b)
        x = center + mp.mpf(s)
        angle = mp.asinh(x / a) - b
        excess = (x * angle - mp.sqrt(x * x + a * a) + mp.sqrt(center * center + a * a)) / 2
        want = mp.mpf(s) * angle / 2 / excess
        # s + center rounds; where the step cancels the minimizer, x is known to eps · |center| only.
        conditioning = 1 + abs(b) * abs(center) / (abs(x) + a)
        assert ulps(potential.effective_exponent([s])[0], want) < 16 * float(conditioning)


def test_log_scale_far_below_the_floating_point_range():
    potential = HyperbolicEntropy(log_scale=-4000.0)
    assert potential.scale == 0
    x = np.array([1.0, -1e-300, 1e300])
    # arcsinh(x/a) = log(2|x|) − log a to double precision, as x/a > exp(3300).
    np.testing.assert_allclose(potential.gradient(x), np.sign(x) * (np.log(2 * np.abs(x)) + 4000) / 2, rtol=4 * EPS)
    # z near 2000 rounds by 2000 units, twice that of the angle.
    np.testing.assert_allclose(potential.inverse_gradient(potential.gradient(x)), x, rtol=1e4 * EPS)
    assert potential.value([0.0]) == 0
    assert potential.gradient([0.0])[0] == 0
    assert potential.divergence([1.0], [0.0]) > 1999
    assert 1 < potential.effective_exponent([1e-300])[0] < 1.001
    assert potential.hessian_diagonal([0.0])[0] == np.inf, "exp(4000) overflows without a warning"


def test_small_scales_approach_the_l1_norm():
    """R_a(x)/log(1/a) tends to ‖x‖₁/2 as a → 0; the next term is O(1/log(1/a))."""
    x = np.array([0.3, -2.0, 0.0, 5.0])
    gaps = []
    for log_scale in (-1e3, -1e4, -1e5):
        limit = HyperbolicEntropy(log_scale=log_scale).value(x) / -log_scale
        gaps.append(abs(limit - np.sum(np.abs(x)) / 2))
    # ½ Σ |x| (log 2|x| − 1) is 3.2 here, so the gap is 3.2 / log(1/a): it falls tenfold, up to terms of order a.
    np.testing.assert_allclose(np.array(gaps[:-1]) / np.array(gaps[1:]), 10, rtol=1e-9)
    assert gaps[-1] < 1e-4


def test_large_scales_approach_the_squared_l2_norm():
    """R_a(x) + n a/2, the divergence from 0, tends to ‖x‖²/(4a) as a → ∞; the next term is O(x²/a²) of it."""
    x = np.array([0.3, -2.0, 0.0, 5.0])
    for scale in (1e3, 1e8, 1e200):
        excess = HyperbolicEntropy(scale=scale).divergence(x, np.zeros(4))
        assert excess == pytest.approx(np.sum(x**2) / (4 * scale), rel=25 / scale / scale + 4 * EPS)
    potential = HyperbolicEntropy(scale=1e3)
    # The next term is −Σ x⁴/(48 a³) = −1.4e-8; R itself is −2000 here, so the sum keeps 12 digits of 1.
    want = np.sum(x**2) / 4e3 - np.sum(x**4) / 48e9
    assert potential.value(x) + 4 * 1e3 / 2 == pytest.approx(want, abs=1e-11)


def test_potential_decreases_in_the_scale():
    x = np.array([0.3, -2.0, 0.0])
    values = [HyperbolicEntropy(scale=a).value(x) for a in (1e-200, 1e-3, 1.0, 1e3, 1e200)]
    assert np.all(np.diff(values) < 0)


def test_float32_takes_scales_below_its_range():
    potential = HyperbolicEntropy(scale=1e-300)
    x = np.array([1.0, 0.0, -1e-30], np.float32)
    want = potential.gradient(x.astype(float))
    np.testing.assert_allclose(potential.gradient(x), want, rtol=1e-6)
    # z near 345 has a spacing of 3e-5 in float32, and x moves by twice as much.
    np.testing.assert_allclose(potential.inverse_gradient(potential.gradient(x)), x, rtol=2e-4)


@pytest.mark.parametrize("make", [np.asarray, laws.torch.as_tensor])
def test_float32_takes_scales_above_its_range(make):
    """Results are computed in double precision and rounded; those that float32 cannot hold are inf or underflow."""
    x, potential = make(np.array([1.0, -3e38], np.float32)), HyperbolicEntropy(scale=1e60)
    assert float(potential.value(x)) == -np.inf
    np.testing.assert_array_equal(potential.metric(x), np.inf)
    np.testing.assert_allclose(potential.gradient(x), [0.0, -1.5e-22], rtol=1e-7)
    np.testing.assert_array_equal(potential.inverse_gradient(x[1:]), -np.inf)


@given(log_scale=st.floats(-1400, -708), log_ratio=st.floats(-30, 1400), sign=signs, shift=st.floats(-3, 3), rate=rates)
def test_scales_that_underflow(log_scale, log_ratio, sign, shift, rate):
    """Formulas are exact for scales that are subnormal or zero, alone and beside usual scales."""
    q = sign * max(log_ratio, 0.0)
    for log_scales in ([log_scale], [log_scale, -3.0]):
        potential = HyperbolicEntropy(log_scale=log_scales, shift=shift, rate=rate)
        z = np.full(len(log_scales), (q - shift) / rate)
        z[1:] = 0.1
        with mp.workdps(50):
            exact = exact_dual_chain(potential, 0, z[0])
            x, metric = potential.respond(z.copy())
            laws.assert_rounded(potential.inverse_gradient(z)[0], exact[1], 16)
            laws.assert_rounded(metric[0], exact[2], 16)
            # Beside usual weights, a tiny one is known only to the rounding of the largest.
            beside = 16 * np.max(np.abs(x[1:]), initial=0.0)
            laws.assert_rounded(x[0], (exact[1][0], exact[1][1] + beside), 16)
            if len(z) == 1:
                laws.assert_rounded(potential.conjugate(z), exact[0], 16)


LARGE = st.floats(1e306, 1.79e308)


@given(
    x=st.lists(st.tuples(LARGE, signs), min_size=2, max_size=5),
    log_scale=st.sampled_from([-1e5, -700.0, 0.0, 700.0]),
    shift=st.sampled_from([0.0, 3.0, -300.0, 2000.0]),
    rate=st.sampled_from([0.5, 2.0, 1e4]),
)
def test_large_weights_are_right_or_inf(x, log_scale, shift, rate):
    """Near the end of the floating-point range R is right or inf, and neither R nor a divergence is nan."""
    potential = HyperbolicEntropy(log_scale=log_scale, shift=shift, rate=rate)
    x = np.array([size * sign for size, sign in x])
    for array in (x, laws.torch.as_tensor(x)):
        assert not np.isnan(float(potential.value(array)))
        assert not np.isnan(float(potential.divergence(array, -array)))
    with mp.workdps(50):
        for number in x:
            want = exact_chain(potential, 0, float(number))[0]
            laws.assert_rounded(laws.torch.tensor(potential.value([number])), want, 16)
    if abs(potential.minimizer) < 1e300:
        assert np.all(np.abs(potential.effective_exponent(x / 2) - 1.5) <= 0.5)


def test_what_overflows_is_inf_without_a_warning():
    potential = HyperbolicEntropy(scale=1.0)
    np.testing.assert_array_equal(potential.inverse_gradient([1e3, -1e308]), [np.inf, -np.inf])
    assert potential.conjugate([1e3]) == np.inf
    assert potential.value([1e308]) == np.inf
    assert HyperbolicEntropy(scale=1e-310).hessian_diagonal([0.0])[0] == np.inf
