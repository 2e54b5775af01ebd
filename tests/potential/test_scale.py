"""Scales and their logarithms, scales that underflow, and the path from an easy scale to a small one."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.potential.scale import relaxed, scale_and_logarithm


@given(st.floats(-700, 700))
def test_both_ways_give_both_numbers(log_a):
    a = math.exp(log_a)
    for scale, log_scale in (scale_and_logarithm("R", a, None), scale_and_logarithm("R", None, log_a)):
        assert scale == pytest.approx(a, rel=1e-15)
        assert log_scale == pytest.approx(log_a, rel=1e-15, abs=1e-15)


def test_the_ends_of_the_range():
    """The largest scale is e^700, and a scale that underflows is 0 but keeps its finite logarithm."""
    scale, log_scale = scale_and_logarithm("R", None, [700.0, -4000.0])
    assert scale.tolist() == [math.exp(700.0), 0.0]
    assert log_scale.tolist() == [700.0, -4000.0]
    with pytest.raises(ib.DomainError, match=r"at most 700 .*, got 700\.0000001"):
        scale_and_logarithm("R", None, [0.0, 700.0000001])
    with pytest.raises(ib.DomainError, match=r"positive numbers, got 0\.0"):
        scale_and_logarithm("R", [1.0, 0.0], None)


@given(st.lists(st.floats(-1e6, 700).map(lambda number: round(number, 3)), min_size=1, max_size=3))
@example([-5.0])
@example([-5.0000001])
@example([-10.0, 3.0])
def test_a_path_halves_until_it_is_easy_and_no_further(log_scale):
    """The path has the scales a^(1/2), a^(1/4), … up to the first above e^(−5), and no scale if a is above that."""
    a = np.array(log_scale)
    path = [*relaxed(a), a]
    for near, far in itertools.pairwise(path):
        np.testing.assert_array_equal(2 * near, far)
    assert np.min(path[0]) >= -5
    assert all(np.min(later) < -5 for later in path[1:])
