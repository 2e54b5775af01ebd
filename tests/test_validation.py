"""Valid input passes unchanged, and everything else raises an ``InputError`` with the argument's name."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from implicit_bias.errors import InputError
from implicit_bias.validation import finite_array, positive_number, time_points, whole_number

shapes = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
finite = npst.arrays(np.float64, shapes, elements=st.floats(allow_nan=False, allow_infinity=False))


@given(finite)
def test_finite_arrays_pass_as_copies(value):
    array = finite_array(value, "q", ndim=value.ndim)
    assert array.dtype == np.float64
    assert np.array_equal(array, value)
    assert not np.shares_memory(array, value)


@given(finite.filter(lambda a: a.size), st.sampled_from([np.nan, np.inf, -np.inf]), st.data())
def test_one_bad_entry_is_located(value, bad, data):
    where = data.draw(st.integers(0, value.size - 1))
    value.flat[where] = bad
    index = tuple(int(i) for i in np.unravel_index(where, value.shape))
    with pytest.raises(InputError, match=r"^q: ") as caught:
        finite_array(value, "q")
    said = f"1 entry is nan or inf, the first at index {index} ({bad})" if index else f"a finite number, got {bad}."
    assert said in str(caught.value)
    with pytest.raises(InputError, match=r"^q: 2 entries are nan or inf, the first at index \(0,\)"):
        finite_array([bad, 1.0, bad], "q")


@pytest.mark.parametrize(
    "value",
    [3, True, [1, 2], (1.5,), np.float32(2), Fraction(1, 2), sp.Rational(1, 3), torch.ones(2), [Fraction(1, 2), 1]],
)
def test_whatever_is_a_real_number_passes(value):
    assert np.array_equal(finite_array(value, "q"), np.asarray(value, dtype=np.float64))


@pytest.mark.parametrize(
    "value",
    [
        None, "1", b"1", ["1"], 1j, [1, 1j], [[1], [1, 2]], {}, object(), sp.Symbol("m"), sp.I, 10**400, [10**400],
        np.longdouble("1e4000"), np.datetime64("2020-01-01"), np.timedelta64(1, "s"), lambda: 1,
        torch.ones(1, requires_grad=True), np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    ],
)  # fmt: skip
def test_whatever_is_not_is_named(value):
    with pytest.raises(InputError, match=r"^q: "):
        finite_array(value, "q")


@given(finite, st.integers(0, 4))
def test_the_number_of_axes_is_checked(value, ndim):
    if value.ndim == ndim:
        assert finite_array(value, "q", ndim=ndim).shape == value.shape
    else:
        wanted = f"an array of {ndim} ax" if ndim else "one number, got shape"
        with pytest.raises(InputError, match=f"^q: expected {wanted}"):
            finite_array(value, "q", ndim=ndim)


@given(st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_positive_numbers(value, zero_allowed):
    if value > 0 or (value == 0 and zero_allowed):
        assert positive_number(value, "q", zero_allowed) == value
    else:
        with pytest.raises(InputError, match=f"^q: expected a {'non-negative' if zero_allowed else 'positive'} number"):
            positive_number(value, "q", zero_allowed)


def test_whole_numbers():
    assert [whole_number(v, "q") for v in (3, np.int8(-3), np.array(2))] == [3, -3, 2]
    for value in (3.0, "3", None, np.float64(3), True, np.False_):
        with pytest.raises(InputError, match=r"^q: expected an integer"):
            whole_number(value, "q")


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=6))
def test_times_increase(times):
    if all(b > a for a, b in pairwise(times)):
        assert time_points(times).tolist() == times
    else:
        with pytest.raises(InputError, match=r"^t: .*strictly increasing"):
            time_points(times)


@pytest.mark.parametrize("value", [[], [[1.0]], [-1.0, 1.0], -1.0, 0.0, [np.nan], "1", [1.0, 1.0]])
def test_bad_times(value):
    with pytest.raises(InputError, match=r"^when: "):
        time_points(value, "when")


def test_one_number_is_an_end_time():
    assert time_points(2).shape == ()
    assert time_points([0.0]).shape == (1,)
