"""The laws hold for steep potentials as well, whose gradients grow fast and whose exponents exceed 2."""

import numpy as np
import potential_laws as laws
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib

RATIOS = st.one_of(st.floats(-300, 300), st.floats(-3, 3))


class Cosh(ib.SeparablePotential):
    """R(x) = s² Σ cosh(x_i/s) − 1."""

    size = None

    def __init__(self, scale):
        self.scale = scale

    def terms_at(self, x):
        return 2 * (self.scale * np.sinh(x / self.scale / 2)) ** 2

    def gradient_at(self, x):
        return self.scale * np.sinh(x / self.scale)

    def inverse_gradient_at(self, z):
        return self.scale * np.arcsinh(z / self.scale)

    def metric_at(self, x):
        return 1 / np.cosh(x / self.scale)


def case(scale, ratio, slope=1.0):
    """The case at x = s · ratio; a slope other than 1 makes the gradient wrong.

    The rounding of x/s is magnified by cosh.
    """
    x = np.array([scale * ratio])
    wrong = type("Wrong", (Cosh,), {"gradient_at": lambda self, x: slope * Cosh.gradient_at(self, x)})
    rounding = 8 * laws.EPS * np.cosh(x / scale) * (np.abs(x) + scale)
    return laws.Case(wrong(scale), x, x, rounding, length=np.full(1, scale))


@given(scale=st.floats(1e-20, 1e20), ratio=RATIOS)
def test_the_derivative_of_a_steep_value(scale, ratio):
    laws.gradient_is_derivative_of_value(case(scale, ratio))


@given(scale=st.floats(1e-20, 1e20), ratio=RATIOS)
def test_exponents_above_two(scale, ratio):
    laws.effective_exponent_is_the_logarithmic_slope(case(scale, ratio))


@pytest.mark.parametrize("ratio", [0.5, 5.0, 200.0])
def test_a_wrong_gradient_is_seen(ratio):
    with pytest.raises(AssertionError):
        laws.gradient_is_derivative_of_value(case(1.0, ratio, slope=1 + 1e-6))
