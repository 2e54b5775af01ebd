"""The formula of a potential that is the derivative of each other one, for torch and JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from implicit_bias.errors import UnsupportedError

Array = Any  # a torch tensor or a JAX array
# The derivative of a formula in one of its points, computed from the other formulas, a product, and the points.
Rule = Callable[..., Array]

_DERIVATIVES: dict[str, tuple[Rule, ...]] = {
    "terms_at": (lambda at, times, x: at("gradient_at", x),),
    "gradient_at": (lambda at, times, x: at("curvature_at", x),),
    # R''' = −M' R''² for M = 1/R''; multiplied in this order, as R''² alone may overflow.
    "curvature_at": (
        lambda at, times, x: -times(times(at("metric_slope_at", x), at("curvature_at", x)), at("curvature_at", x)),
    ),
    "metric_at": (lambda at, times, x: at("metric_slope_at", x),),
    "metric_slope_at": (lambda at, times, x: at("metric_bend_at", x),),
    "inverse_gradient_at": (lambda at, times, z: at("metric_at", at("inverse_gradient_at", z)),),
    "conjugate_terms_at": (lambda at, times, z: at("inverse_gradient_at", z),),
    "divergence_terms_at": (
        lambda at, times, x, reference: at("gradient_rise_at", x, reference),
        lambda at, times, x, reference: times(reference - x, at("curvature_at", reference)),
    ),
    "gradient_rise_at": (
        lambda at, times, x, reference: at("curvature_at", x),
        lambda at, times, x, reference: -at("curvature_at", reference),
    ),
}
_WORDS = {"_exponent_from": "the effective exponent", "metric_bend_at": "the second derivative of the metric 1/R''"}


def derivatives(formula: str, potential: str) -> tuple[Rule, ...]:
    """The derivatives of a formula in each of its points.

    Args:
        formula: The name of a method without checks.
        potential: The name of the potential, for the error.

    Raises:
        UnsupportedError: If the formula has no derivative.
    """
    if formula not in _DERIVATIVES:
        raise UnsupportedError(
            f"{_WORDS[formula]} of {potential} has no derivative here; differentiate less often, or detach it."
        )
    return _DERIVATIVES[formula]
