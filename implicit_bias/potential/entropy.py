r"""The relative entropy: the potential of :math:`x = u^2`, known as exponentiated gradient."""

from __future__ import annotations

import math

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike

from implicit_bias.errors import known_options
from implicit_bias.potential.scale import headroom, relaxed, scale_and_logarithm
from implicit_bias.potential.separable import UNITS_OF_ROUNDING, Array, SeparablePotential
from implicit_bias.validation import positive_number

_SERIES_TERMS = 18  # 1/20! is below the rounding of 1/2!


@known_options
class Entropy(SeparablePotential):
    r"""Potential of positive weights whose inverse mirror map is an exponential, :math:`x = a\,e^{r z}`.

    .. math:: R_a(x) = \frac1r \sum_i x_i \log\frac{x_i}{a} - x_i

    The scale a is its minimizer, and r is its rate. The square :math:`x = u^2` has r = 4 and
    :math:`a = u_0^2`, times :math:`e^{-4A}` under the decay h = u² [Kivinen1997]_. For a → 0 it tends to an L1 norm of
    positive weights. The domain is (0, ∞), and the dual domain is the whole line.

    All formulas work with log a, so that a itself may underflow.

    Args:
        scale: The scale a > 0, a number or one per coordinate. Give this or ``log_scale``.
        log_scale: log a, at most 700; it may be so small that a underflows.
        rate: The rate r > 0.

    Raises:
        InputError: If both or neither scale is given, or a parameter is not finite.
        DomainError: If a scale is not positive, or log_scale exceeds 700.

    References:
        .. [Kivinen1997] Kivinen and Warmuth, "Exponentiated gradient versus gradient descent for linear predictors",
           Information and Computation 132, 1997.

    >>> R = Entropy(scale=1.0)
    >>> R.gradient([1.0, 2.0]).round(4).tolist()  # ¼ log x
    [0.0, 0.1733]
    >>> float(R.divergence([1.0], [2.0]).round(4))  # ¼ (1 − log 2)
    0.0767
    """

    formula = r"R_a(x) = \frac{1}{r} \sum_i x_i \log \frac{x_i}{a_i} - x_i"
    settings = ("scale", "log_scale", "rate")
    horizon = "l1"

    def __init__(
        self, scale: ArrayLike | None = None, *, log_scale: ArrayLike | None = None, rate: float = 4.0
    ) -> None:
        self.scale, self.log_scale = scale_and_logarithm("Entropy", scale, log_scale)
        self.rate = positive_number(rate, "rate")

    def __repr__(self) -> str:
        if self.size is None:
            return f"Entropy(log_scale={self.log_scale:g}, rate={self.rate:g})"
        low, high = np.min(self.log_scale), np.max(self.log_scale)
        return f"Entropy(n={self.size}, log_scale in [{low:g}, {high:g}], rate={self.rate:g})"

    @property
    def size(self) -> int | None:
        return len(self.log_scale) if self.log_scale.ndim else None

    @property
    def domain(self) -> tuple[Array, Array]:
        """The positive half line."""
        return (0.0, np.inf)

    def relaxations(self) -> list[SeparablePotential]:
        """The same entropy at scales a^(1/2), a^(1/4), …, easiest first, until log a is within 5 of 0."""
        return [Entropy(log_scale=log_scale, rate=self.rate) for log_scale in relaxed(self.log_scale)]

    def terms_at(self, x: Array) -> Array:
        unit = headroom(x)
        return x * unit * (self._log_ratio(x) - 1) / self.rate / unit

    def gradient_at(self, x: Array) -> Array:
        return self._log_ratio(x) / self.rate

    def metric_at(self, x: Array) -> Array:
        return self.rate * x

    def curvature_at(self, x: Array) -> Array:
        return 1 / self.rate / x

    def metric_slope_at(self, x: Array) -> Array:
        return self.rate * array_namespace(x).ones_like(x)

    def metric_bend_at(self, x: Array) -> Array:
        return array_namespace(x).zeros_like(x)

    def inverse_gradient_at(self, z: Array) -> Array:
        xp = array_namespace(z)
        q = self.rate * z
        scale, limits = self._constant(self.scale, z), xp.finfo(z.dtype)
        # A product where its factors are representable, since the sum q + log a carries the rounding of log a.
        is_direct = (scale >= float(limits.smallest_normal)) & (xp.abs(q) < 0.99 * math.log(float(limits.max)))
        with np.errstate(over="ignore"):  # flows and limits call this directly
            direct = scale * xp.exp(xp.where(is_direct, q, 0.0))
            return xp.where(is_direct, direct, xp.exp(q + self._constant(self.log_scale, z)))

    def conjugate_terms_at(self, z: Array) -> Array:
        return self.inverse_gradient_at(z) / self.rate

    def divergence_terms_at(self, x: Array, reference: Array) -> Array:
        xp = array_namespace(x)
        delta = _log_quotient(x, reference)
        step = xp.clip(delta, -1.0, 1.0)
        close = x * step * _excess(step) * step  # in this order, as δ² alone may underflow
        unit = headroom(x, reference)
        far = x * unit * delta + (reference - x) * unit
        return xp.where(xp.abs(delta) < 1, close, far / unit) / self.rate

    def gradient_rise_at(self, x: Array, reference: Array) -> Array:
        return _log_quotient(x, reference) / self.rate

    def _exponent(self, x: Array, center: Array, step: Array) -> Array:
        """With δ = log(x/a) it is δ (1 − e^(−δ)) / (δ − 1 + e^(−δ)); numerator and denominator are of order δ²."""
        xp = array_namespace(x)
        log_a = self._constant(self.log_scale, x)
        is_small = xp.abs(step) < xp.abs(center) / 2
        near = xp.log1p(xp.where(is_small, step / xp.where(center > 0, center, 1.0), 0.0))
        delta = xp.where(is_small, near, xp.log(x) - log_a)
        small = xp.clip(delta, -1.0, 1.0)
        is_resolved = xp.abs(small) > 1e-30  # for smaller δ, which may be 0, (1 − e^(−δ))/δ is 1 in double precision
        slope = xp.where(is_resolved, -xp.expm1(-small) / xp.where(is_resolved, small, 1.0), 1.0)
        above, below = xp.clip(delta, 1.0, None), xp.clip(delta, None, -1.0)  # times e^δ where that is the smaller
        far = above * -xp.expm1(-above) / (above - 1 + xp.exp(-above))
        far_below = below * xp.expm1(below) / (1 + (below - 1) * xp.exp(below))
        return xp.where(xp.abs(delta) < 1, slope / _excess(small), xp.where(delta > 0, far, far_below))

    def separation(self, x: np.ndarray, gap: float) -> np.ndarray | None:
        r"""Bounds on the distance from x to an x' with D_R(x, x') <= gap, or None if x is not positive.

        As :math:`-\log t \ge 1 - t` at :math:`t = \sqrt{x'/x}`, the divergence is at least
        :math:`\frac1r\sum_i(\sqrt{x_i} - \sqrt{x_i'})^2 = D^2/r`, and
        :math:`\|x - x'\|_2 \le D\,(2\max_i\sqrt{x_i} + D)`.
        """
        if not np.all(x > 0):  # a solver's trial point, of which the divergence says nothing
            return None
        reach = math.sqrt(self.rate) * math.sqrt(gap)
        return reach * (2 * np.sqrt(x) + reach) + (4 * math.ulp(0.0) if gap else 0.0)

    def response_error(self, z: np.ndarray, z_error: np.ndarray, x: np.ndarray) -> np.ndarray:
        """A bound on the rounding of a e^(rz), if exp is right to four units in the last place."""
        exponents = self.rate * np.abs(z) + np.where(
            self.scale >= np.finfo(float).smallest_normal, 0.0, -self.log_scale
        )
        error = 1.1 * self.rate * z_error + UNITS_OF_ROUNDING * exponents
        spread = 1.1 * np.expm1(error)
        return x * (spread + 1.1 * UNITS_OF_ROUNDING) + np.finfo(float).smallest_normal

    def _log_ratio(self, x: Array) -> Array:
        """log(x/a), without rounding from log a where x/a is representable."""
        xp = array_namespace(x)
        scale, log_a = self._constant(self.scale, x), self._constant(self.log_scale, x)
        divisible = scale >= float(xp.finfo(x.dtype).smallest_normal)
        safe = xp.where(divisible, scale, xp.ones_like(scale + x))
        return xp.where(divisible, _log_quotient(x, safe), xp.log(x) - log_a)


def _log_quotient(x: Array, y: Array) -> Array:
    """log(x/y) for positive x and y, without cancellation where their quotient is representable."""
    xp = array_namespace(x)
    difference = xp.log(x) - xp.log(y)
    is_divisible = xp.abs(difference) < 0.95 * math.log(float(xp.finfo(x.dtype).max))
    is_close = xp.abs(difference) < 0.5  # then x − y has no rounding error
    quotient = xp.where(is_divisible, x, 1.0) / xp.where(is_divisible, y, 1.0)
    change = xp.where(is_close, x - y, 0.0) / y
    return xp.where(is_close, xp.log1p(change), xp.where(is_divisible, xp.log(quotient), difference))


def _excess(delta: Array) -> Array:
    """(e^(−δ) − 1 + δ)/δ² for |δ| <= 1, by its power series."""
    total = array_namespace(delta).zeros_like(delta)
    for k in range(_SERIES_TERMS, -1, -1):
        total = total * -delta + 1 / math.factorial(k + 2)
    return total
