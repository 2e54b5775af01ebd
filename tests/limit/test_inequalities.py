"""Lower bounds on what weights have beyond inequalities, against fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from implicit_bias.limit.inequalities import Inequalities
from implicit_bias.linear_map import DenseMap

numbers = st.floats(-1e3, 1e3, allow_subnormal=False)


def beyond(rows, signs, least):
    return Inequalities(DenseMap(np.array(rows, dtype=float)), np.array(signs), np.array(least), np.empty(0))


def test_room_is_the_distance_beyond_the_least_value():
    found = beyond([[1.0, 2.0], [1.0, 2.0]], [1.0, -1.0], [1.0, 0.5])
    room = found.room(np.array([1.0, 1.0]), np.array([0.0, 0.5]), np.array([0.25, 0.0]))
    np.testing.assert_allclose(room, [1 + 2 + 1 - 0.25 - 1, -4 - 0.25 - 0.5], rtol=2e-2)
    assert np.all(room <= [2.75, -4.75])
    assert found.hold_near(np.array([3.0, 1.0]), np.zeros(2), np.zeros(2)) is False
    assert beyond([[1.0, 2.0]], [1.0], [1.0]).hold_near(np.array([3.0, 1.0]), np.zeros(2), np.zeros(2)) is True


def test_equality_up_to_rounding_is_no_room():
    assert not beyond([[1.0, 0.0]], [1.0], [1.0]).hold_near(np.array([1.0, 0.0]), np.zeros(2), np.zeros(2))


def test_nothing_to_check_holds():
    nothing = Inequalities(None, np.empty(0), np.empty(0), np.empty(0))
    assert nothing.hold_near(np.zeros(2), np.zeros(2), np.zeros(2))


@given(
    entries=st.lists(numbers, min_size=12, max_size=12),
    width=st.floats(0, 1),
    sign=st.sampled_from([-1.0, 1.0]),
)
def test_room_is_never_too_large(entries, width, sign):
    row, x, shift, corner = (np.array(entries[k : k + 3]) for k in (0, 3, 6, 9))
    widths = np.full(3, width)
    room = beyond([row], [sign], [1.0]).room(x, shift, widths)[0]
    exact = sum(
        Fraction(float(z)) * (Fraction(float(v)) + Fraction(float(s)) + (1 if c >= 0 else -1) * Fraction(width))
        for z, v, s, c in zip(row, x, shift, corner, strict=True)
    )
    assert Fraction(float(room)) <= Fraction(sign) * exact - 1


@pytest.mark.parametrize("size", [1.0, 1e150])
def test_cancelling_terms_leave_no_room(size):
    """0.1 + 0.2 − 0.3 is not zero in floating point, and the exact value of the doubles decides."""
    found = beyond([[0.1 * size, 0.2 * size, -0.3 * size]], [1.0], [1e-20 * size])
    exact = Fraction(0.1) + Fraction(0.2) - Fraction(0.3)
    assert found.hold_near(np.ones(3), np.zeros(3), np.zeros(3)) <= (exact > Fraction(1e-20))


@pytest.mark.parametrize("seed", range(200))
def test_rounding_leaves_no_room(seed):
    """Where a sum in doubles is as large as the least value or larger, and the exact one is not."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    row, x = rng.standard_normal(n), rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4)
    shift = rng.standard_normal(n) * 2.0 ** -rng.integers(20, 56)
    if n > 1 and seed % 2:  # terms that cancel, in units in which products are rounded as usual
        x[-1] = -(row[:-1] @ x[:-1]) / row[-1] * (1 + 1e-9)
        row = row * 2.0**450
    exact = sum(Fraction(z) * (Fraction(v) + Fraction(s)) for z, v, s in zip(row, x, shift, strict=True))
    sign, exact = (1.0, exact) if exact > 0 else (-1.0, -exact)
    for ulps in (-1, 0, 1, 2):
        least = float(exact) + ulps * float(np.spacing(abs(float(exact))))
        room = beyond([row], [sign], [least]).room(x, shift, np.zeros(n))[0]
        assert Fraction(float(room)) <= exact - Fraction(least)
