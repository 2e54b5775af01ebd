"""The bounds of the hyperbolic entropy, from which solvers bound their errors, against arithmetic of many digits."""

import math

import mpmath as mp
import numpy as np
import potential_laws as laws
import pytest
from hyperbolic_references import case, cases, logs, point, rates, shifts, signs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from implicit_bias import HyperbolicEntropy

EPS = laws.EPS


@given(case=cases())
# If gap · a = 1e-330 underflows in the bound, it is 1e135 times too small.
@example(case=case(HyperbolicEntropy(scale=1e-30), np.array([1e-165]), np.array([0.0])))
# If r · gap underflows, the bound is 0.
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
    """At the bound, on either side and in either order of arguments, the divergence is at least the gap."""
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


@pytest.mark.parametrize("units", [8 * 2.0**-53, 1e-3])
@given(
    log_scale=st.one_of(st.floats(-1e4, 690), logs, st.just(0.0)),
    log_x=logs,
    shift=shifts,
    rate=rates,
    error=st.one_of(st.just(0.0), st.floats(1e-18, 1.0)),
)
# Only rz + b is rounded; only the hyperbolic sine; and the error of z is so large that the exponential bends.
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

        laws.response_error_bounds_the_error(potential, z, error, rate, exponents, exact, units)


def test_the_response_at_zero_is_exact():
    """A weight of a zero column has z = 0, which is exact, and with b = 0 so is everything computed from it."""
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
