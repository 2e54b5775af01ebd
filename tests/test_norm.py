"""The norm of vectors whose squares leave the floating-point range, against ``math.hypot``."""

import math

import numpy as np
import pytest

from implicit_bias.norm import norm


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1.0, 1e200])
def test_norm_of_any_size(size):
    vector = size * np.array([3.0, -4.0, 12.0])
    assert norm(vector) == pytest.approx(math.hypot(*vector), rel=1e-3 if size < 1e-300 else 1e-15)


def test_norms_that_are_no_numbers():
    assert norm(np.zeros(0)) == norm(np.zeros(3)) == 0
    assert norm(np.array([1.0, np.inf])) == np.inf
    assert np.isnan(norm(np.array([1.0, np.nan])))
