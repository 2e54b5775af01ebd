"""The hyperbolic entropy: the laws of a potential, and every formula against 1300-digit arithmetic."""

import functools
import math

import mpmath as mp
import numpy as np
import potential_laws as laws
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias import HyperbolicEntropy
from implicit_bias.errors import InputError

EPS = laws.EPS
LOG_RANGE = 690.0  # exp(±690) is 1e±300
logs = st.floats(-LOG_RANGE, LOG_RANGE)
signs = st.sampled_from([-1.0, 1.0])
shifts = st.one_of(st.just(0.0), st.floats(-3, 3), st.floats(-300, 300))
rates = st.sampled_from([0.5, 2.0, 4.0])


def point(log_scale, log_ratio, sign):
    """An x of about ±a·exp(log_ratio), kept where neither x log x nor x² / a overflows in sums."""
    return sign * math.exp(min(max(log_scale + log_ratio, -680.0), 680.0))


@st.composite
def cases(draw):
    n = draw(st.integers(1, 3))
    log_scale = np.array([draw(logs) for _ in range(n)])
    shift = np.array([draw(shifts) for _ in range(n)])
    # Minimizers beyond the floating-point range are tested on their own.
    shift = np.clip(shift, -680 + np.abs(log_scale), 680 - np.abs(log_scale)) * (np.abs(log_scale) < 680)
    potential = HyperbolicEntropy(log_scale=log_scale, shift=shift, rate=draw(rates))
    x, other = (np.array([point(s, draw(logs), draw(signs)) for s in log_scale]) for _ in range(2))
    if draw(st.booleans()):  # close points, down to neighbouring numbers
        other = x * (1 + draw(signs) * 10.0 ** draw(st.floats(-16, -1)))
    return case(potential, x, other)


def case(potential, x, other):
    return laws.Case(potential, x, other, dual_rounding(potential, x) + dual_rounding(potential, other))


def dual_rounding(potential, x):
    """Units in the last place of arcsinh(x/a), b and, where it enters, log a."""
    angle = potential.rate * np.abs(potential.gradient(x)) + np.abs(potential.shift)
    return 8 * EPS * (1 + angle + np.abs(potential.shift) + np.abs(potential.log_scale)) / potential.rate


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@given(case=cases())
# A step of 1e-305 beside a minimizer of 1e19: half of the difference of angles underflowed to 0, and 0/0 followed.
@example(case=case(HyperbolicEntropy(scale=1e-281, shift=-692.0), np.array([-1e-305]), np.array([-1e-305])))
# A step that almost cancels a minimizer near the end of the floating-point range: inf − inf in a term not used there.
@example(case=case(HyperbolicEntropy(scale=5e175, shift=-270.0, rate=0.5), np.array([2.80125562e293]), np.array([1.0])))
def test_law(law, case):
    law(case)


@given(log_scale=logs, ratios=st.lists(logs, min_size=2, max_size=6))
def test_exponent_runs_from_two_to_one(log_scale, ratios):
    potential = HyperbolicEntropy(log_scale=log_scale)
    laws.exponent_runs_from_two_to_one(potential, np.array([point(log_scale, r, 1) for r in ratios]))
    assert potential.effective_exponent([0.0])[0] == 2


@given(case=cases())
# gap · a = 1e-330 underflowed in the bound, which then was 1e135 times too small.
@example(case=case(HyperbolicEntropy(scale=1e-30), np.array([1e-165]), np.array([0.0])))
# So did r · gap, which made the bound 0.
@example(case=case(HyperbolicEntropy(log_scale=699.0, rate=1e-200), np.array([-1.06e-310]), np.array([0.0])))
@example(case=case(HyperbolicEntropy(scale=1.0, rate=0.5), np.array([1e300]), np.array([1e300 * (1 + 2.0**-52)])))
def test_separation_bounds_the_distance(case):
    laws.separation_bounds_the_distance(case.potential, case.x, case.other)


@given(
    log_scale=logs,
    log_x=logs,
    sign=signs,
    rate=st.sampled_from([1e-200, 1e-3, 0.5, 4.0, 1e3]),
    log_gap=st.floats(-744, 600),
)
@settings(max_examples=40)
def test_separation_is_a_bound_for_any_gap(log_scale, log_x, sign, rate, log_gap):
    """The point from which the divergence is the gap, by bisection, is inside the bound."""
    potential, x, gap = HyperbolicEntropy(log_scale=log_scale, rate=rate), point(log_x, 0.0, sign), math.exp(log_gap)
    with mp.workdps(1000):  # D is down to 1e-820 of its terms
        a, center = mp.mpf(float(potential.scale)), mp.mpf(x)

        def divergence(p, q):
            sides = [mp.asinh(v / a) for v in (p, q)]
            return (p * (sides[0] - sides[1]) - mp.sqrt(p * p + a * a) + mp.sqrt(q * q + a * a)) / mp.mpf(rate)

        bound = mp.mpf(float(potential.separation(np.array([x]), gap)[0])) * (1 + mp.mpf(4 * EPS))
        if bound < 1e307:
            for end in (center - bound, center + bound):
                assert divergence(end, center) >= mp.mpf(gap) * (1 - mp.mpf(2) ** -40)
                assert divergence(center, end) >= mp.mpf(gap) * (1 - mp.mpf(2) ** -40)


@pytest.mark.parametrize("make", [HyperbolicEntropy, ib.Entropy])
def test_a_scale_for_no_coordinate_is_refused(make):
    with pytest.raises(InputError, match="one for each coordinate, got shape"):
        make(scale=[])


@pytest.mark.parametrize("units", [8 * 2.0**-53, 1e-3])
@given(
    log_scale=st.one_of(st.floats(-1e4, 690), logs, st.just(0.0)),
    log_x=logs,
    shift=shifts,
    rate=rates,
    error=st.one_of(st.just(0.0), st.floats(1e-18, 1.0)),
)
# Only rounding of the product rz + b, only of the hyperbolic sine, and an error of z that the exponential bends
@example(log_scale=0.0, log_x=-30.0, shift=1.0, rate=2.0, error=0.0)
@example(log_scale=0.0, log_x=-300.0, shift=0.0, rate=2.0, error=0.0)
@example(log_scale=0.0, log_x=5.0, shift=2.0, rate=2.0, error=1.0)
@example(log_scale=-800.0, log_x=5.0, shift=0.0, rate=2.0, error=0.0)
@example(log_scale=-800.0, log_x=-690.0, shift=0.0, rate=2.0, error=0.0)
def test_response_error(units, log_scale, log_x, shift, rate, error):
    potential = HyperbolicEntropy(log_scale=log_scale, shift=shift, rate=rate)
    is_direct = potential.scale >= 2.0**-1022
    with mp.workdps(60), pytest.MonkeyPatch.context() as patch:
        patch.setattr("implicit_bias.potential.hyperbolic_entropy.UNITS_OF_ROUNDING", units)
        log_a = mp.log(float(potential.scale)) if is_direct else mp.mpf(log_scale)
        z = float((mp.asinh(mp.exp(mp.mpf(log_x) - log_a)) - mp.mpf(shift)) / rate)
        exponents = rate * abs(z) + abs(shift) + (0.0 if is_direct else abs(log_scale))

        def exact(z, off, factor):
            q = rate * z + mp.mpf(shift)
            if is_direct:
                return mp.exp(log_a) * mp.sinh(q + off) * (1 + factor)
            up, down = mp.exp(log_a + q + off) * (1 + factor), mp.exp(log_a - q - off) * (1 - factor)
            return (up - down) / 2

        laws.response_error_bounds_the_error(potential, z, error, exponents, exact, units)


def test_the_response_at_zero_is_exact():
    """Weights of columns of zeros: z = 0 is no rounding, and with b = 0 nothing else is either."""
    for scale in ({"scale": 3.0}, {"log_scale": -800.0}):
        zero = np.zeros(1)
        assert HyperbolicEntropy(**scale).response_error(zero, zero, zero)[0] == 0
        assert HyperbolicEntropy(**scale).response_error(zero, zero + 1e-9, zero)[0] > 0
        assert HyperbolicEntropy(**scale, shift=1.0).response_error(zero, zero, zero)[0] > 0


@given(log_scale=st.one_of(st.floats(-1e4, 690), logs), log_x=logs, shift=shifts, rate=rates, is_scale=st.booleans())
def test_the_response_is_as_exact_as_it_says(log_scale, log_x, shift, rate, is_scale):
    options = {"shift": shift, "rate": rate}
    is_scale &= log_scale > -690
    scale = {"scale": math.exp(log_scale)} if is_scale else {"log_scale": log_scale}
    potential = HyperbolicEntropy(**scale, **options)
    with mp.workdps(60):
        log_a = mp.log(float(potential.scale)) if is_scale else mp.mpf(log_scale)
        z = np.array([float((mp.asinh(mp.exp(mp.mpf(log_x) - log_a)) - mp.mpf(shift)) / rate)])
        x = potential.inverse_gradient_at(z)
        wanted = mp.exp(log_a) * mp.sinh(rate * mp.mpf(z[0]) + mp.mpf(shift))
        assert abs(mp.mpf(x[0]) - wanted) <= mp.mpf(potential.response_error(z, np.zeros(1), x)[0])


@pytest.mark.parametrize(("make", "rtol"), laws.ARRAYS)
@pytest.mark.parametrize("scale", [0.5, [0.1, 1.0, 20.0]])
def test_types_are_preserved(make, rtol, scale):
    laws.types_are_preserved(HyperbolicEntropy(scale=scale), np.array([0.01, -0.3, 5.0]), make, rtol)


def test_numbers_and_lists_become_float64():
    potential = HyperbolicEntropy(scale=1.0)
    assert potential.gradient(0.0) == 0
    assert potential.value([3, 4]).dtype == np.float64
    assert potential.minimizer == 0
    assert potential.domain == potential.dual_domain == (-np.inf, np.inf)


@pytest.mark.parametrize("scale", [1.0, [1.0, 2.0]])
def test_bad_input_is_refused(scale):
    laws.bad_input_is_refused(HyperbolicEntropy(scale=scale), np.array([1.0, 2.0]))


@given(log_scale=st.floats(-1e5, 690))
def test_relaxations_lead_to_the_potential(log_scale):
    """The easiest scale is near 1, and every gap in log a is twice the one before, the last one up to the potential."""
    potential = HyperbolicEntropy(log_scale=log_scale, shift=0.5, rate=4.0)
    path = [*potential.relaxations(), potential]
    gaps = np.diff([float(p.log_scale) for p in path])
    np.testing.assert_array_equal(gaps[1:], 2 * gaps[:-1])  # halving is exact
    assert abs(path[0].log_scale) <= 5 or log_scale > 5
    assert all(p.shift == 0.5 and p.rate == 4.0 for p in path)


def exact(x, potential):
    """R, R', R'' and 1/R'' of one coordinate, straight from the definition."""
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
    """The distance in units in the last place of ``scale``, or of the wanted number."""
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
    """Six units in the last place of the largest term: each formula is a handful of roundings."""
    potential = HyperbolicEntropy(scale=math.exp(log_scale), shift=shift, rate=rate)
    x = point(log_scale, log_ratio, sign)
    with mp.workdps(1300):  # (x/a)² = 1e-600 must be seen beside 1, and once more in differences
        want = exact(x, potential)
        assert ulps(potential.gradient([x])[0], want["gradient"], want["angle"]) < 6
        assert ulps(potential.value([x]), want["value"], want["size"]) < 6
        assert ulps(potential.metric([x])[0], want["metric"]) < 6
        assert ulps(potential.hessian_diagonal([x])[0], 1 / want["metric"]) < 6
        if shift == 0:
            excess = want["value"] + mp.mpf(float(potential.scale)) / rate
            assert ulps(potential.effective_exponent([x])[0], mp.mpf(x) * want["gradient"] / excess) < 6


@given(**extreme)
# exp(q + log a) with |log a| = 600 lost two digits that a·sinh(q) keeps.
@example(log_scale=600.0, log_ratio=1.0, sign=1.0, shift=1.5, rate=2.0)
def test_inverse_and_conjugate_against_1300_digits(log_scale, log_ratio, sign, shift, rate):
    """The argument q = rz + b rounds to |q| units, and sinh turns that into |q| units of x."""
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
def test_divergence_against_1300_digits(log_scale, log_ratio, sign, shift, closeness):
    """Ten units in the last place of the divergence itself, although its three terms cancel almost entirely."""
    potential = HyperbolicEntropy(scale=math.exp(log_scale), shift=shift)
    x = point(log_scale, log_ratio, sign)
    other = x * (1 + 10.0**closeness) if closeness < 1 else -x
    with mp.workdps(1300):
        here, there = exact(x, potential), exact(other, potential)
        want = here["value"] - there["value"] - there["gradient"] * (mp.mpf(x) - mp.mpf(other))
        assert ulps(potential.divergence([x], [other]), want) < 10


@given(log_scale=st.floats(-300, 300), log_ratio=logs, sign=signs, shift=st.floats(-300, 300))
def test_shifted_exponent_against_1300_digits(log_scale, log_ratio, sign, shift):
    """p(s) at steps far below and far above a minimizer that is not zero."""
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
    """R_a(x)/log(1/a) → ‖x‖₁/2; the next term is O(1/log(1/a))."""
    x = np.array([0.3, -2.0, 0.0, 5.0])
    gaps = []
    for log_scale in (-1e3, -1e4, -1e5):
        limit = HyperbolicEntropy(log_scale=log_scale).value(x) / -log_scale
        gaps.append(abs(limit - np.sum(np.abs(x)) / 2))
    # ½ Σ |x| (log 2|x| − 1) is 3.2 here, so the gap is 3.2 / log(1/a): it falls tenfold, up to terms of order a.
    np.testing.assert_allclose(np.array(gaps[:-1]) / np.array(gaps[1:]), 10, rtol=1e-9)
    assert gaps[-1] < 1e-4


def test_large_scales_approach_the_squared_l2_norm():
    """R_a(x) + n a/2 → ‖x‖²/(4a); measured as a divergence from 0, which does not cancel. The next term is O(x²/a²)."""
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
    """Computed in double precision and rounded: what float32 cannot hold is inf, or underflows."""
    x, potential = make(np.array([1.0, -3e38], np.float32)), HyperbolicEntropy(scale=1e60)
    assert float(potential.value(x)) == -np.inf
    np.testing.assert_array_equal(potential.metric(x), np.inf)
    np.testing.assert_allclose(potential.gradient(x), [0.0, -1.5e-22], rtol=1e-7)
    np.testing.assert_array_equal(potential.inverse_gradient(x[1:]), -np.inf)


# Coordinates of scales over 600 decades and beyond, each with its shift.
LOG_SCALES = [-4000.0, -1400.0, -1000.0, -745.0, -720.0, -709.0, -650.0, -300.0, -23.0, 0.0, 23.0, 300.0, 690.0]
SHIFTS = [0.0, 1.5, -20.0, 0.0, 2.0, 0.0, 0.0, 300.0, 0.0, -0.3, 0.0, 0.0, -1.0]
SIZES = [5e-324, 3e-316, *(10.0**k for k in range(-308, 309, 44)), 1.0, 1.7e308]
RATES = [2.0, pytest.param(0.5, marks=pytest.mark.slow), pytest.param(4.0, marks=pytest.mark.slow)]
WEIGHTS = np.array([0.0, *SIZES, *(-size for size in SIZES)])


def parameters(potential, k):
    """a, b, r of a coordinate, and how a is rounded: below the normal numbers it is known by its logarithm alone."""
    number = {name: np.ravel(getattr(potential, name)) for name in ("scale", "log_scale", "shift")}
    a, log_a, b = (mp.mpf(float(values[k % len(values)])) for values in number.values())
    r = mp.mpf(potential.rate)
    return (mp.exp(log_a), b, r, abs(log_a)) if log_a < -708 else (a, b, r, mp.mpf(0))


def exact_chain(potential, k, x):
    """R and its derivatives at a weight, straight from the definition."""
    a, b, r, blur = parameters(potential, k)
    x = mp.mpf(x)
    angle, radius = mp.asinh(x / a), mp.sqrt(x * x + a * a)
    rounded = (abs(angle) + abs(b) + min(1, abs(angle)) * blur) / r
    share = 1 + min(1, (a / radius) ** 2) * blur
    return [
        ((x * (angle - b) - radius) / r, abs(x) * rounded + radius * share / r),
        ((angle - b) / r, rounded),
        (1 / (r * radius), share / (r * radius)),
        # −M' R''², where M' = r x/√(x² + a²) may lie below the normal numbers.
        (-x / (r * radius**3), share * abs(x) / (r * radius**3) + mp.mpf(2) ** -1074 / EPS / (r * radius) ** 2),
    ]


def exact_dual_chain(potential, k, z):
    """R* and its derivatives; q = r z + b rounds by |q| units, which the exponential hands on."""
    a, b, r, blur = parameters(potential, k)
    q = r * mp.mpf(z) + b
    cosine, sine = a * mp.cosh(q), a * mp.sinh(q)
    # Where the scale or exp(q) leaves the normal numbers, the exponent is q + log a, and rounds as that.
    unit = 1 + abs(r * z) + abs(b) + (abs(mp.log(a)) if abs(q) > 700 else blur)
    numbers = cosine / r, sine, r * cosine, r * r * sine
    factors = 1 / r, 1, r, r * r
    return [
        (number, cosine * factor * unit + mp.mpf(2) ** -1074 * factor / laws.EPS)
        for number, factor in zip(numbers, factors, strict=True)
    ]


@pytest.mark.parametrize("rate", RATES)
def test_derivatives_over_all_decades(rate):
    """At 0, at every size and sign, beside every scale: value to third derivative against 1300 digits."""
    potential = HyperbolicEntropy(log_scale=LOG_SCALES, shift=SHIFTS, rate=rate)
    points = np.repeat(WEIGHTS[:, None], len(LOG_SCALES), axis=1)
    points = np.concatenate([points, np.minimum(np.exp(LOG_SCALES), 1e308) * np.array([[0.3], [-1.0], [7.0]])])
    chain = laws.Chain(potential.value, potential.gradient, functools.partial(exact_chain, potential))
    with mp.workdps(1300):
        laws.torch_derivatives_are_exact(chain, points, ulps=16)


@pytest.mark.parametrize("rate", RATES)
def test_derivatives_of_the_conjugate_over_all_decades(rate):
    potential = HyperbolicEntropy(log_scale=LOG_SCALES, shift=SHIFTS, rate=rate)
    middle = -np.array(LOG_SCALES) / rate
    points = np.array([0.0, 1.0, 1 / rate, -1.0])[:, None] * (np.array([0.0, 1e-300, 1e-3, 1.0, 300.0])[:, None, None])
    points = (points + 0 * middle).reshape(-1, len(middle))
    points = np.concatenate([points, [middle, -middle, 0.9 * middle, -np.array(SHIFTS) / rate]])
    chain = laws.Chain(potential.conjugate, potential.inverse_gradient, functools.partial(exact_dual_chain, potential))
    with mp.workdps(1300):
        laws.torch_derivatives_are_exact(chain, points, ulps=16)


EVERYDAY = HyperbolicEntropy(scale=[0.3, 1.0, 2.0, 1e-3], shift=[0.0, 0.5, -2.0, 0.0], rate=3.0)


@pytest.mark.parametrize("x", [[0.0, 0.0, 0.0, 0.0], [0.1, -1.0, 3.0, -2.0], EVERYDAY.minimizer])
def test_torch_differentiates_what_it_computes(x):
    laws.torch_differentiates_what_it_computes(EVERYDAY, np.array(x), np.array([0.2, 0.3, -0.4, 2.0]), eps=1e-5)


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 1e300])
def test_divergences_of_close_points_have_exact_derivatives(scale):
    potential = HyperbolicEntropy(scale=scale, shift=0.7)
    x = np.array([1e-300, -1e-5, 1.0, -1e5, 1e300])
    with mp.workdps(1300):
        exact = functools.partial(exact_chain, potential)
        laws.divergences_of_close_points_have_exact_derivatives(
            potential, x, lambda _, number: exact(0, number), 16 * EPS
        )


def test_torch_rounds_once():
    laws.torch_rounds_once(EVERYDAY, np.array([0.0, 0.3, -5.0, 1e-3]))
    laws.torch_rounds_once(HyperbolicEntropy(log_scale=[-4000.0, -90.0], shift=[0.0, 1.0]), np.array([1e-3, 0.3]))


def test_a_copy_gives_the_same_numbers():
    laws.a_copy_gives_the_same_numbers(EVERYDAY, np.array([0.1, 0.3, -0.4, 2.0]))


def test_the_derived_difference_of_squares_is_differentiated_at_its_start():
    """Where masks start: R''(0) = 1/(r a), which abs and sign at 0 would make −1/(r a), or 0."""
    potential = ib.derive(ib.Parameterization("u**2 - v**2", "u,v")).at({"u": 0.5, "v": 0.5})
    x = laws.torch.zeros(1)
    want = 1 / (4 * 2 * 0.25)
    assert float(laws.torch.func.hessian(potential.value)(x)) == pytest.approx(want, rel=1e-6)
    assert float(laws.torch.func.jacrev(potential.gradient)(x)) == pytest.approx(want, rel=1e-6)


@given(log_scale=st.floats(-600, 600), log_ratio=st.floats(-20, 20), sign=signs, rate=rates)
@example(log_scale=0.0, log_ratio=-20.0, sign=1.0, rate=2.0)
def test_the_bend_of_the_metric_against_differences_of_many_digits(log_scale, log_ratio, sign, rate):
    """The second derivative of M = r √(x² + a²), which torch asks for in fourth derivatives of R."""
    potential = HyperbolicEntropy(log_scale=log_scale, rate=rate)
    a = float(potential.scale)
    x = sign * a * np.exp(log_ratio)
    with mp.workdps(80):
        # In units of a, as differences have a step of their own.
        want = mp.diff(lambda u: mp.mpf(rate) * mp.sqrt(u * u + 1), mp.mpf(x) / mp.mpf(a), 2) / mp.mpf(a)
        got = laws.torch.func.hessian(lambda v: potential.metric(v).sum())(laws.torch.tensor([x]).double())
        laws.assert_rounded(got[0, 0], (want, want), 16)


@given(log_scale=st.floats(-1400, -708), log_ratio=st.floats(-30, 1400), sign=signs, shift=st.floats(-3, 3), rate=rates)
def test_scales_that_underflow(log_scale, log_ratio, sign, shift, rate):
    """Between the smallest normal number and where exp(log a + q) is all there is, alone and beside usual scales."""
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
            # Beside usual weights a weight is known to the rounding of the largest one.
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
    """R, the exponent and the divergence near the end of the floating-point range, one weight at a time and summed."""
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


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "exactly one"),
        ({"scale": 1.0, "log_scale": 0.0}, ValueError, "exactly one"),
        ({"scale": 0.0}, ib.DomainError, "positive"),
        ({"scale": [1.0, -1.0]}, ib.DomainError, "positive"),
        ({"scale": np.nan}, ValueError, "scale"),
        ({"scale": np.inf}, ValueError, "scale"),
        ({"log_scale": 701.0}, ib.DomainError, "700"),
        ({"log_scale": -np.inf}, ValueError, "log_scale"),
        ({"scale": "wide"}, ValueError, "scale"),
        ({"scale": 1.0, "shift": np.nan}, ValueError, "shift"),
        ({"scale": 1.0, "rate": 0.0}, ValueError, "rate"),
        ({"scale": 1.0, "rate": -2.0}, ValueError, "rate"),
        ({"scale": [1.0, 2.0], "shift": [0.0, 0.0, 0.0]}, ValueError, "same number"),
        ({"scale": np.ones((2, 2))}, ValueError, "one-dimensional"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        HyperbolicEntropy(**arguments)
