"""A potential that gives only its four formulas inherits the rest, here against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib

points = st.floats(-5, 5).filter(lambda x: abs(x) > 0.01)


class Exponential(ib.SeparablePotential):
    """R(x) = Σ e^x − x, which is not symmetric about its minimum at 0; the dual domain is (−1, ∞)."""

    size = None
    dual_domain = (-1.0, np.inf)

    def terms_at(self, x):
        return np.exp(x) - x

    def gradient_at(self, x):
        return np.expm1(x)

    def inverse_gradient_at(self, z):
        return np.log1p(z)

    def metric_at(self, x):
        return np.exp(-x)


R = Exponential()


@given(points, points)
def test_what_follows_from_four_formulas(x, other):
    z = np.expm1(x)
    assert R.conjugate([z]) == pytest.approx((1 + z) * np.log1p(z) - (1 + z), rel=1e-12, abs=1e-12)
    assert R.divergence([x], [other]) == pytest.approx(
        np.exp(x) - np.exp(other) - np.exp(other) * (x - other), rel=1e-9, abs=1e-9
    )
    # The effective exponent is the logarithmic slope of R − R(0) = e^s − 1 − s.
    assert R.effective_exponent([x])[0] == pytest.approx(x * np.expm1(x) / (np.expm1(x) - x), rel=1e-9)
    weight, metric = R.respond(np.array([z]))
    assert weight[0] == pytest.approx(x, rel=1e-12)
    assert metric[0] == pytest.approx(np.exp(-x), rel=1e-12)


def test_it_promises_nothing_that_needs_more():
    assert R.minimizer == 0.0
    assert R.effective_exponent([0.0]).tolist() == [2.0]
    assert R.separation(np.ones(1), 1.0) is None
    assert R.relaxations() == []
    assert R.domain == (-np.inf, np.inf)
    with pytest.raises(ib.DomainError, match=r"interval \(-1, inf\), got -1"):
        R.inverse_gradient([-1.0])
