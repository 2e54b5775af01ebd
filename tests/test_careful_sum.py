"""Sums and products in more than double precision against rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from implicit_bias.careful_sum import CarefulSum, sum_error, two_product, two_sum

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


@pytest.mark.parametrize("terms", [1, 2, 3, 10, 1000, 10**6, 10**9])
def test_the_rounding_of_a_sum(terms):
    """``sum_error`` is at least Higham's bound γ_k = ku/(1 − ku) for a sum of k products, and not much more."""
    unit = Fraction(1, 2**53)
    assert terms * unit / (1 - terms * unit) <= Fraction(sum_error(terms)) <= Fraction(3.1) * terms * unit
    assert Fraction(sum_error(terms)) <= Fraction(1.02) * (terms + 2) * unit
