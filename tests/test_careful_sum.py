"""Sums and products in more than double precision against rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from implicit_bias.careful_sum import (
    CarefulSum,
    exact_bits,
    leading,
    normalized,
    sum_error,
    two_product,
    two_sum,
)

ANY = st.floats(-1e100, 1e100).filter(lambda v: v == 0 or abs(v) > 1e-100)


@given(ANY, ANY)
def test_sums_and_products_without_error(a, b):
    total, lost = two_sum(a, b)
    assert Fraction(total) + Fraction(lost) == Fraction(a) + Fraction(b)
    assert total == a + b
    result, rest = two_product(a, b)
    assert Fraction(result) + Fraction(rest) == Fraction(a) * Fraction(b)
    assert result == a * b


def test_scaling_to_subnormal_numbers_is_in_doubt():
    found = CarefulSum(np.array([1.5, 0.0]), np.array([2.0**-60, 0.0]), np.array([2.0**-100, 0.0]))
    scaled = found.scaled(np.array(2.0**-1074))
    exact = (Fraction(3, 2) + Fraction(1, 2**60)) / 2**1074
    assert abs(Fraction(float(scaled.high[0])) + Fraction(float(scaled.low[0])) - exact) <= Fraction(
        float(scaled.error[0])
    )
    assert scaled.error[1] == 0
    assert scaled.high[0] == found.high[0] * 2.0**-1074


@pytest.mark.parametrize("terms", [1, 2, 3, 10, 1000, 10**6, 10**9])
def test_the_rounding_of_a_sum(terms):
    """``sum_error`` is at least Higham's bound γ_k = ku/(1 − ku) for a sum of k products, and not much more."""
    unit = Fraction(1, 2**53)
    assert terms * unit / (1 - terms * unit) <= Fraction(sum_error(terms)) <= Fraction(3.1) * terms * unit
    assert Fraction(sum_error(terms)) <= Fraction(1.02) * (terms + 2) * unit


@given(st.integers(2, 2**45))
def test_so_many_products_of_so_many_bits_add_up_exactly(terms):
    """The sum is a whole number of units, at most terms · 4^bits of them, which 53 bits hold; with one bit more not."""
    bits = exact_bits(terms)
    assert terms * 4**bits <= 2**53
    assert 2 ** (terms - 1).bit_length() * 4 ** (bits + 1) > 2**53


@given(st.floats(-1, 1), st.integers(-60, 60), st.integers(2, 26))
def test_leading_bits_are_the_nearest(value, exponent, bits):
    scaled = value * 2.0**exponent
    top = float(leading(np.array([scaled]), exponent, bits)[0])
    unit = Fraction(2) ** (exponent - bits)
    assert (Fraction(top) / unit).denominator == 1
    assert abs(Fraction(scaled) - Fraction(top)) <= unit / 2


def test_vectors_are_divided_by_a_power_of_two():
    vector, exponent = normalized(np.array([3.0, -5.0]))
    np.testing.assert_array_equal(vector * 2.0**exponent, [3.0, -5.0])
    assert 0.5 <= np.abs(vector).max() <= 1
    for wrong in (np.nan, np.inf):
        assert normalized(np.array([1.0, wrong])) == (None, 0)
