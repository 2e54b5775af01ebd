"""Tabulated arc lengths against closed forms on every kind of interval, and metrics that are refused."""

import numpy as np
import pytest

import implicit_bias as ib
from implicit_bias.potential.arc_length import ArcLength

# (M, domain, g, points u): g solves g'² = M(g), and g(0) is the weight at which the table starts.
CLOSED_FORMS = {
    "line": (lambda x: 1 + x**2, (-np.inf, np.inf), np.sinh, np.linspace(-20, 20, 41)),
    "flat": (lambda x: np.ones_like(x), (-np.inf, np.inf), lambda u: u, np.linspace(-1e6, 1e6, 41)),
    "above": (lambda x: 4 * x, (0.0, np.inf), lambda u: (1 + u) ** 2, np.linspace(-1 + 1e-9, 1e3, 41)),
    "below": (lambda x: -4 * x, (-np.inf, 0.0), lambda u: -((1 - u) ** 2), np.linspace(-1e3, 1 - 1e-9, 41)),
    "both": (lambda x: 1 - x**2, (-1.0, 1.0), np.sin, np.linspace(-1.5, 1.5, 41)),
    "shifted": (lambda x: x - 3, (3.0, np.inf), lambda u: 3 + (1 + u / 2) ** 2, np.linspace(-1.9, 1e3, 41)),
    "blow-up": (lambda x: (1 + x**2) ** 2, (-np.inf, np.inf), np.tan, np.linspace(-1.5, 1.5, 41)),
}


@pytest.mark.parametrize("case", CLOSED_FORMS)
def test_against_closed_forms(case):
    metric, domain, g, u = CLOSED_FORMS[case]
    length = ArcLength(metric, domain)
    x = g(u)
    np.testing.assert_allclose(length.weight(u), x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(length.length(length.weight(u)), u, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(length.speed(u) ** 2, metric(x), rtol=1e-11, atol=1e-11)
    step, u = 1e-5, u[1:-1]
    bend = (length.speed(u + step) - length.speed(u - step)) / (2 * step)
    np.testing.assert_allclose(length.bend(u), bend, rtol=1e-4, atol=1e-4 * np.max(np.abs(bend)))


def test_beyond_the_table_is_nan():
    length = ArcLength(lambda x: (1 + x**2) ** 2, (-np.inf, np.inf))  # tan blows up at ±π/2
    assert length.range == pytest.approx((-np.pi / 2, np.pi / 2), rel=1e-15)
    assert np.all(np.isnan(length.weight(np.array([-2.0, 2.0]))))


@pytest.mark.parametrize(
    ("metric", "where"),
    [(lambda x: np.where(x > 0.3, 2.0, 1.0), r"0\.3"), (lambda x: np.abs(x - 1) ** 0.5, "1"), (lambda x: x**2, "0")],
)
def test_a_metric_that_is_not_smooth_is_refused(metric, where):
    with pytest.raises(ib.UnsupportedError, match=f"near x = .*{where}"):
        ArcLength(metric, (-np.inf, np.inf))


def test_a_negative_metric_is_refused_with_a_point():
    with pytest.raises(ib.DomainError, match=r"1/R'' > 0, got -"):
        ArcLength(lambda x: 1 - x**2, (-np.inf, np.inf))
