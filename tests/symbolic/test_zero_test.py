"""Deciding whether an expression vanishes: what is proved, what is only supported, and what has a witness."""

import math

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from implicit_bias.symbolic.zero_test import vanishes
from implicit_bias.verdict import Outcome

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


def test_the_decay_is_tried_at_non_negative_values_only():
    decay = sp.Symbol("A", nonnegative=True)
    assert vanishes(sp.Abs(decay) - decay).outcome is Outcome.PROVED
    assert vanishes(decay - 3).witness[decay] >= 0
