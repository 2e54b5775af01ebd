"""Levels on which formulas are not smooth: brackets across them, and where flows end, against closed forms."""

import numpy as np
import pytest

import implicit_bias as ib


@pytest.mark.parametrize(
    ("g", "h"),
    [
        ("m*w", "abs(m*w)"),
        ("m*w", "sign(m*w)*m*w"),
        ("m*w", "abs(m*w - 1/3)"),
        ("u*v", "u*abs(v)"),
        ("u", "u + abs(u)/2"),
    ],
)
def test_a_bracket_that_jumps_is_not_zero(g, h):
    report = ib.Parameterization(g).commutes_with(h)
    assert report.outcome is ib.Outcome.REFUTED
    assert report.jumps
    assert "does not exist at" in str(report)
    with pytest.raises(ib.NotCommutingError):
        ib.derive(g, h)


@pytest.mark.parametrize("p", [(5, 3), (3, 2), (4, 3), (5, 4), (1, 2), (1, 3)])
def test_differences_of_powers_end_where_a_parameter_reaches_zero(p):
    """The flow u' = p u^(p−1) makes u^(2−p) linear in time."""
    top, bottom = p
    power, u, v = top / bottom, 0.7, 0.6
    rate = power * (2 - power)
    low, high = -(u ** (2 - power)) / rate, v ** (2 - power) / rate
    weight = (u ** (2 - power) + rate * high) ** (power / (2 - power))
    shape = ib.Parameterization(f"u**({top}/{bottom}) - v**({top}/{bottom})")
    R = ib.NumericalPotential(shape, {"u": u, "v": v})
    np.testing.assert_allclose(R.dual_domain, (low, high), rtol=1e-8)
    np.testing.assert_allclose(R.domain, (-weight, weight), rtol=1e-8)
    with pytest.raises(ib.DomainError):
        R.gradient(1.01 * weight)


def test_softplus_is_positive_and_unbounded():
    R = ib.NumericalPotential(ib.Parameterization("log(1 + exp(u))"), {"u": 0.3})
    assert R.domain == (0.0, np.inf)
