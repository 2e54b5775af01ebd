"""Curves that are hyperbolic sines are recognized, with the values of the curve, and others are refused."""

import mpmath as mp
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.symbolic.inversion import exponential_terms, invert

u0, v0, z = sp.symbols("u0 v0 z", real=True)
A = sp.Symbol("A", nonnegative=True)
positive = st.fractions(min_value=sp.Rational(1, 9), max_value=9, max_denominator=9).map(sp.Rational)
few = settings(max_examples=max(10, settings.default.max_examples // 5))  # each takes long
CURVES = [
    u0**2 * sp.exp(4 * z) - v0**2 * sp.exp(-4 * z),
    (u0**2 * sp.exp(2 * z) - v0**2 * sp.exp(-2 * z)) * sp.exp(-4 * A) / 2,
    ((u0 + v0) ** 2 * sp.exp(2 * z) - (u0 - v0) ** 2 * sp.exp(-2 * z)) / 4,
    u0**2 * sp.exp(2 * z - 3 * A) - v0**2 * sp.exp(A - 2 * z),
    u0 * v0 * sp.cosh(3 * z) + (u0**2 + v0**2) * sp.sinh(3 * z) / 2,
]


def _value(expression, values):
    return mp.mpf(expression.subs({s.name: v for s, v in zip((u0, v0, z, A), values, strict=True)}).evalf(50))


def _plain(expression):
    return expression.xreplace({s: sp.Symbol(s.name) for s in expression.free_symbols})


@pytest.mark.parametrize("curve", CURVES)
@few
@given(positive, positive, st.integers(-8, 8), st.integers(0, 8))
def test_the_form_takes_the_values_of_the_curve(curve, u, v, time, decay):
    form = invert(curve, z)
    values = (u, v, sp.Rational(time, 7), sp.Rational(decay, 7))
    assume(all(_value(_plain(c), values) > 0 for c in form.conditions))
    with mp.workdps(50):
        a, log_a, r, b, x = (
            _value(_plain(e), values) for e in (form.scale, form.log_scale, form.rate, form.shift, curve)
        )
        assert a > 0
        assert r > 0
        assert abs(mp.log(a) - log_a) < mp.mpf(10) ** -40
        assert abs(a * mp.sinh(r * mp.mpf(time) / 7 + b) - x) < mp.mpf(10) ** -40 * (1 + abs(x))


@pytest.mark.parametrize(
    "curve",
    [
        z,
        z**2,
        sp.exp(z),
        u0 * sp.exp(z) - v0 * sp.exp(-2 * z),
        sp.exp(2 * z) - sp.exp(-2 * z) + 1,
        sp.exp(z) - sp.exp(-z) + sp.exp(3 * z),
        sp.sin(z),
        sp.exp(z**2),
        z * sp.exp(z) - sp.exp(-z),
        (u0**2 + v0**2) * sp.exp(z) - u0**2 * sp.exp(-z),
    ],
)
def test_other_curves_are_unsupported(curve):
    with pytest.raises(ib.UnsupportedError, match=r"x\(s\)"):
        invert(curve, z)


@given(st.dictionaries(st.integers(-4, 4), st.integers(-5, 5).filter(bool), min_size=1, max_size=4))
def test_exponential_sums_are_taken_apart(expected):
    curve = sum(c * sp.exp(rate * z + rate) for rate, c in expected.items())
    assert exponential_terms(curve, z) == {sp.Integer(r): c * sp.exp(r) for r, c in expected.items()}
