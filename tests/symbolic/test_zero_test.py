"""Whether an expression vanishes: identities are proved or supported by numbers, and others have a witness."""

import math

import mpmath as mp
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from implicit_bias.claims.verdict import Outcome
from implicit_bias.symbolic.zero_test import TRIALS, _sample, by_numbers, vanishes

x, y = sp.symbols("x y", real=True)
numbers = st.lists(st.integers(-4, 4), min_size=3, max_size=3)


def _linear(c):
    return c[0] * x + c[1] * y + c[2]


@given(numbers, numbers, numbers)
def test_a_product_minus_its_expansion_is_proved_zero(a, b, c):
    product = _linear(a) * _linear(b) * _linear(c)
    assert vanishes(product - sp.expand(product)).outcome is Outcome.PROVED


@given(numbers.filter(any), numbers.filter(any), st.integers(-80, 80))
def test_any_other_polynomial_has_a_witness_however_small_it_is(a, b, power):
    product = _linear(a) * _linear(b) * sp.Rational(10) ** power
    test = vanishes(product)
    assert test.outcome is Outcome.REFUTED
    exact = product.subs(test.witness)
    assert exact != 0
    assert math.isclose(float(test.value / exact), 1)


@pytest.mark.parametrize(
    "expression",
    [
        sp.Integer(0),
        sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1,
        sp.cosh(x) ** 2 - sp.sinh(x) ** 2 - 1,
        sp.sinh(x + y) - sp.sinh(x) * sp.cosh(y) - sp.cosh(x) * sp.sinh(y),
        sp.asinh(x) - sp.log(x + sp.sqrt(x**2 + 1)),
        sp.exp(x) * sp.exp(-x) - 1,
        sp.sqrt(2) + sp.sqrt(3) - sp.sqrt(5 + 2 * sp.sqrt(6)),
        (sp.exp(-200) * x + y) ** 2 - sp.exp(-400) * x**2 - 2 * sp.exp(-200) * x * y - y**2,
    ],
)
def test_identities(expression):
    assert vanishes(expression).outcome in (Outcome.PROVED, Outcome.SUPPORTED)


def test_only_algebra_proves():
    identity = sp.atan(x) + sp.atan(1 / x) - sp.pi / 2
    supported = vanishes(identity, [x])
    assert supported.outcome is Outcome.SUPPORTED
    assert supported.points >= 10
    refuted = vanishes(identity)
    assert refuted.outcome is Outcome.REFUTED
    assert refuted.witness[x] < 0


@pytest.mark.parametrize(
    "expression",
    [
        sp.exp(-200) * x,
        sp.exp(-x) * sp.Rational(10) ** -70,
        sp.exp(x) - 1 - x - x**2 / 2,
        sp.sin(x),
        sp.Abs(x) - x,
        sp.Integer(1),
        sp.pi - sp.Rational(355, 113),
        sp.pi - sp.Rational(str(sp.pi.evalf(25))),
    ],
)
def test_what_is_not_zero(expression):
    test = vanishes(expression)
    assert test.outcome is Outcome.REFUTED
    assert abs(test.value) > 0


def test_conditions_are_respected():
    test = vanishes(sp.Abs(x - y) - x + y, [x - y])
    assert test.outcome in (Outcome.PROVED, Outcome.SUPPORTED)
    other = vanishes(sp.Abs(x - y) - x + y, [y - x])
    assert other.witness[y] > other.witness[x]


@pytest.mark.parametrize(
    ("expression", "conditions"),
    [(sp.log(-1 - x**2), ()), (x, (-1 - x**2,)), (1 / (x - x), ())],
)
def test_nothing_is_concluded_without_a_point(expression, conditions):
    assert vanishes(expression, conditions).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("declared", "inside"),
    [
        ("positive", lambda v: v > 0),
        ("nonnegative", lambda v: v >= 0),
        ("negative", lambda v: v < 0),
        ("nonpositive", lambda v: v <= 0),
        ("nonzero", lambda v: v != 0),
        ("real", lambda v: True),
    ],
)
def test_symbols_are_tried_where_they_are_declared_to_be(declared, inside):
    s, other = sp.Symbol("s", **{declared: True}), sp.Symbol("t", real=True)
    points = list(_sample([s, other], [other]))
    assert len(points) == TRIALS
    assert all(inside(point[s]) and point[other] > 0 for point in points)
    assert {sp.sign(point[s]) for point in points} >= ({1, -1} if declared in ("real", "nonzero") else set())


POSITIVE, NEGATIVE, DECAY = (
    sp.Symbol("p", positive=True),
    sp.Symbol("n", negative=True),
    sp.Symbol("A", nonnegative=True),
)
# Identities in e > 0 and a real f. Each has a factor c; it holds for c = 1 and fails for any other.
IDENTITIES = [
    lambda e, f, c: c * sp.atan(e) + sp.atan(1 / e) - sp.pi / 2,
    lambda e, f, c: sp.log(e**2) - 2 * c * sp.log(e),
    lambda e, f, c: sp.sqrt(e) * sp.sqrt(1 + f**2) - c * sp.sqrt(e * (1 + f**2)),
    lambda e, f, c: sp.Abs(e) - c * e,
    lambda e, f, c: sp.sqrt(e**2 * f**2) - c * e * sp.Abs(f),
    lambda e, f, c: c * sp.sinh(f) ** 2 + 1 - sp.cosh(f) ** 2,
    lambda e, f, c: sp.asinh(f) - c * sp.log(f + sp.sqrt(1 + f**2)),
    lambda e, f, c: sp.acosh(1 + e) - c * sp.log(1 + e + sp.sqrt(e * (e + 2))),
    lambda e, f, c: sp.tanh(f) - (1 - sp.exp(-2 * c * f)) / (1 + sp.exp(-2 * c * f)),
    lambda e, f, c: sp.exp(c * sp.log(e) * sp.Rational(5, 3)) - e ** sp.Rational(5, 3),
    lambda e, f, c: sp.asin(f / sp.sqrt(1 + f**2)) - c * sp.atan(f),
    lambda e, f, c: sp.sign(e) * f - c * f,
    lambda e, f, c: 1 / (1 + sp.exp(-f)) - c / 2 - sp.tanh(f / 2) / 2,
    lambda e, f, c: (e + f) ** 3 - e**3 - 3 * c * e * f * (e + f) - f**3,
]
# Each wrapper keeps zero zero and anything else nonzero, but makes the expression harder to simplify.
WRAPPED = [lambda r, f: r, lambda r, f: r * sp.exp(f), lambda r, f: sp.sin(r), lambda r, f: sp.Rational(1, 10**30) * r]


@st.composite
def identities(draw):
    """A function from the factor to the residual, and the conditions under which it vanishes for the factor 1."""
    build, wrap = draw(st.sampled_from(IDENTITIES)), draw(st.sampled_from(WRAPPED))
    a, b = draw(st.sampled_from([1, 2, sp.Rational(1, 3)])), draw(st.sampled_from([1, -2, sp.Rational(3, 2)]))
    e, conditions = draw(
        st.sampled_from(
            [
                (a * x, [x]),
                (-a * x, [-x]),
                (a * x - y, [a * x - y]),
                (a * POSITIVE, []),
                (-a * NEGATIVE, []),
                (a * NEGATIVE**2, []),
                (a + DECAY, []),
                (sp.exp(a * x), []),
            ]
        )
    )
    f = draw(st.sampled_from([b * x, b * NEGATIVE, b * x - y, b * POSITIVE]))
    return lambda c: wrap(build(e, f, sp.S(c)), f), conditions


@settings(max_examples=max(20, settings.default.max_examples // 3))
@given(identities(), st.sampled_from([sp.Rational(1, 2), -1, 1 + sp.Rational(1, 10**12)]))
def test_identities_on_domains_hold_and_their_mutants_do_not(identity, factor):
    residual, conditions = identity
    assert vanishes(residual(1), conditions, proof_time=0).outcome in (Outcome.PROVED, Outcome.SUPPORTED)
    mutant = vanishes(residual(factor), conditions)
    assert mutant.outcome is Outcome.REFUTED
    assert all(condition.subs(mutant.witness) > 0 for condition in conditions)


@pytest.mark.parametrize("build", IDENTITIES)
def test_what_holds_on_one_side_only_is_not_proved(build):
    """Without the condition e > 0 an identity that is false for e < 0 is refuted, and one that is true there holds."""
    residual = build(x, y, sp.Integer(1))
    test = vanishes(residual)
    values = [_number(residual, {x: sp.Rational(-7, 5), y: v}) for v in (sp.Rational(5, 4), sp.Rational(-5, 4))]
    if any(v is not None and abs(v) > 1e-10 for v in values):
        assert test.outcome is Outcome.REFUTED
        assert test.witness[x] < 0
    else:
        assert test.holds


def _number(expression, point):
    """The value by mpmath; None if it is not real, or if the argument of a root, log or acosh leaves its domain."""
    roots = [p.base for p in expression.atoms(sp.Pow) if p.exp.is_Rational and not p.exp.is_Integer]
    for inside in (
        *roots,
        *(f.args[0] for f in expression.atoms(sp.log)),
        *(f.args[0] - 1 for f in expression.atoms(sp.acosh)),
    ):
        if inside.subs(point) < 0:
            return None
    value = sp.lambdify(list(point), expression, "mpmath")(*(mp.mpf(v.p) / v.q for v in point.values()))
    return None if mp.im(value) else mp.re(value)


def test_conditions_are_open():
    """A condition excludes its boundary: sign(x − y) is 1 for x > y, but 0 at x = y, which the first points try."""
    assert vanishes(sp.sign(x - y) - 1, [x - y]).holds
    assert vanishes(sp.sign(x - y) - 1, [x - y + 1]).outcome is Outcome.REFUTED


def test_digits_that_cancelled_decide_nothing():
    """SymPy may give a rounding error for a zero inside a product, where no other term shows how small it is."""
    zero = sp.exp(x / 2) ** 2 * sp.exp(y) - sp.exp(x + y + 1) / sp.E
    hidden = (sp.sqrt(2) * sp.sqrt(3) - sp.sqrt(6) + sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1) * y
    for expression in (zero * sp.sinh(y), hidden, sp.tan(hidden)):
        assert by_numbers(expression).outcome is Outcome.SUPPORTED


def test_the_decay_is_tried_at_non_negative_values_only():
    decay = sp.Symbol("A", nonnegative=True)
    assert vanishes(sp.Abs(decay) - decay).outcome is Outcome.PROVED
    assert vanishes(decay - 3).witness[decay] >= 0
