r"""The hyperbolic entropy: the potential of :math:`x = m \odot w` and of :math:`x = u^2 - v^2`."""

from __future__ import annotations

import math

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, known_options
from implicit_bias.potential.scale import headroom, relaxed, scale_and_logarithm
from implicit_bias.potential.separable import SMALL, UNITS_OF_ROUNDING, Array, SeparablePotential
from implicit_bias.validation import finite_array, positive_number

_LOG_2 = math.log(2.0)
_SMALLEST_NORMAL = float(np.finfo(float).smallest_normal)
_LOG_OF_LARGE_RATIO = 18.0  # for larger log r, asinh(r) = log(2r) (1 + O(1/r²)) is log(2r) in double precision


@known_options
class HyperbolicEntropy(SeparablePotential):
    r"""Potential whose inverse mirror map is a hyperbolic sine, :math:`x = a \sinh(r z + b)`.

    .. math:: R_a(x) = \frac1r \sum_i x_i \operatorname{arcsinh}\frac{x_i}{a} - \sqrt{x_i^2 + a^2} - b\,x_i

    It has scale a, rate r and shift b. The mask :math:`x = m \odot w` has r = 2,
    :math:`a = \tfrac12 (m_0^2 - w_0^2)\,e^{-4A}` and :math:`b = \log\frac{m_0 + w_0}{m_0 - w_0}`; the difference of
    squares :math:`u^2 - v^2` has r = 4. For a → ∞ it is a squared L2 norm, and for a → 0 an L1 norm [Woodworth2020]_.

    All formulas work with log a, so that a itself may underflow.

    Args:
        scale: The scale a > 0, a number or one per coordinate. Give this or ``log_scale``.
        log_scale: log a, at most 700; it may be so small that a underflows.
        shift: The shift b, a number or one per coordinate.
        rate: The rate r > 0.

    Raises:
        InputError: If both or neither scale is given, or a parameter is not finite.
        DomainError: If a scale is not positive, or log_scale exceeds 700.

    References:
        .. [Woodworth2020] Woodworth et al., "Kernel and rich regimes in overparametrized models", COLT 2020.

    >>> R = HyperbolicEntropy(scale=1e-300)
    >>> R.effective_exponent([1e-305, 1.0]).round(2).tolist()
    [2.0, 1.0]
    """

    formula = r"R_a(x) = \frac{1}{r} \sum_i x_i \operatorname{arcsinh} \frac{x_i}{a_i} - \sqrt{x_i^2 + a_i^2} - b_i x_i"
    settings = ("scale", "log_scale", "shift", "rate")
    horizon = "l1"

    def __init__(
        self,
        scale: ArrayLike | None = None,
        *,
        log_scale: ArrayLike | None = None,
        shift: ArrayLike = 0.0,
        rate: float = 2.0,
    ) -> None:
        self.scale, self.log_scale = scale_and_logarithm("HyperbolicEntropy", scale, log_scale)
        self.shift = finite_array(shift, "shift")
        self.rate = positive_number(rate, "rate")
        try:
            shape = np.broadcast_shapes(self.log_scale.shape, self.shift.shape)
        except ValueError:
            raise InputError(
                f"scale has shape {self.log_scale.shape} and shift {self.shift.shape}: expected the same number of "
                "coordinates."
            ) from None
        if len(shape) > 1:
            raise InputError(f"scale and shift: expected numbers or one-dimensional arrays, got shape {shape}.")
        self._size = shape[0] if shape else None
        self._smallest_scale, self._largest_scale = float(self.scale.min()), float(self.scale.max())
        self._note_range()

    def _note_range(self) -> None:
        smallest = self._smallest_scale
        self._is_normal = smallest >= _SMALLEST_NORMAL
        # Then a² is exact to rounding, and a²/e^q leaves the floating-point range only if x is beyond 1e100.
        self._is_moderate = smallest >= 1e-100 and self._largest_scale <= 1e100
        self._square = self.scale * self.scale if self._is_moderate else None

    def moved(self, log_scale: np.ndarray, shift: np.ndarray) -> HyperbolicEntropy:
        """The entropy at another scale and shift of the same shapes, unchecked, as a flow asks for it at every step."""
        scale = np.exp(log_scale)
        return self._with(log_scale, scale, float(scale.min()), float(scale.max()), shift)

    def shrunk(self, exponent: float) -> HyperbolicEntropy:
        """The entropy at the scale :math:`a e^{-s}`, unchecked: what decay leaves where it moves no shift."""
        log_scale, factor = self.log_scale - exponent, math.exp(-exponent)
        scale = np.exp(log_scale)
        return self._with(log_scale, scale, self._smallest_scale * factor, self._largest_scale * factor, self.shift)

    def _with(
        self, log_scale: np.ndarray, scale: np.ndarray, smallest: float, largest: float, shift: np.ndarray
    ) -> HyperbolicEntropy:
        other = object.__new__(HyperbolicEntropy)
        vars(other).update(vars(self))
        other.scale, other.log_scale, other.shift = scale, log_scale, shift
        other._smallest_scale, other._largest_scale = smallest, largest
        other._note_range()
        return other

    def __repr__(self) -> str:
        if self._size is None:
            return f"HyperbolicEntropy(log_scale={self.log_scale:g}, shift={self.shift:g}, rate={self.rate:g})"
        low, high = np.min(self.log_scale), np.max(self.log_scale)
        return f"HyperbolicEntropy(n={self._size}, log_scale in [{low:g}, {high:g}], rate={self.rate:g})"

    @property
    def size(self) -> int | None:
        return self._size

    def relaxations(self) -> list[SeparablePotential]:
        """The same entropy at scales a^(1/2), a^(1/4), …, easiest first, until log a is within 5 of 0."""
        return [
            HyperbolicEntropy(log_scale=log_scale, shift=self.shift, rate=self.rate)
            for log_scale in relaxed(self.log_scale)
        ]

    def terms_at(self, x: Array) -> Array:
        unit = self._unit(x)
        angle = self._angle(x) - self._constant(self.shift, x)
        return (x * unit * angle - self._radius(x, unit)) / self.rate / unit

    def gradient_at(self, x: Array) -> Array:
        return (self._angle(x) - self._constant(self.shift, x)) / self.rate

    def metric_at(self, x: Array) -> Array:
        unit = self._unit(x)
        return self.rate * self._radius(x, unit) / unit

    def curvature_at(self, x: Array) -> Array:
        unit = self._unit(x)
        return unit / self._radius(x, unit) / self.rate

    def metric_slope_at(self, x: Array) -> Array:
        """M' = r x/√(x² + a²)."""
        xp = array_namespace(x)
        unit = self._unit(x)
        radius = self._radius(x, unit)
        is_usual = (radius > 0) & xp.isfinite(radius)  # otherwise x is 0 and a underflows, or x has overflowed
        return self.rate * xp.where(is_usual, x * unit / xp.where(is_usual, radius, 1.0), xp.sign(x))

    def metric_bend_at(self, x: Array) -> Array:
        """M'' = r a²/(x² + a²)^(3/2)."""
        xp = array_namespace(x)
        unit = self._unit(x)
        radius, scale = self._radius(x, unit), self._constant(self.scale, x)
        direct = scale * unit / radius
        direct = direct * (self.rate / radius * unit) * direct  # in this order, as the square alone may underflow
        # A scale below the normal numbers has lost digits, or all of them.
        log_ratio = self._constant(self.log_scale, x) - (xp.log(radius) - xp.log(unit))
        vanishing = self.rate * xp.exp(2 * log_ratio - (xp.log(radius) - xp.log(unit)))
        return xp.where(scale >= float(xp.finfo(x.dtype).smallest_normal), direct, vanishing)

    def inverse_gradient_at(self, z: Array) -> Array:
        xp = array_namespace(z)
        q, log_a, is_direct = self._exponent_parts(z)
        size = xp.abs(q)
        with np.errstate(over="ignore"):  # flows and limits call this directly
            direct = self._constant(self.scale, z) * xp.sinh(xp.where(is_direct, q, 0.0))
            shifted = 0.5 * (xp.exp(size + log_a) - xp.exp(log_a - size))
        return xp.where(is_direct, direct, xp.sign(q) * shifted)

    def respond(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weight and the metric from one or two exponentials, computed in place to save memory traffic."""
        angle = self.rate * z
        angle += self.shift
        if self._is_moderate:
            grown = np.exp(angle)
            grown *= self.scale
            shrunk = self._square / grown
        elif self._is_normal:
            grown, shrunk = self.scale * np.exp(angle), self.scale * np.exp(-angle)
        else:
            grown, shrunk = np.exp(self.log_scale + angle), np.exp(self.log_scale - angle)
        x = grown - shrunk
        x *= 0.5
        # The difference is exact to rounding of a: too little where all weights together are smaller than that.
        if self._is_normal and np.vdot(x, x) < self._largest_scale * self._largest_scale:
            x = self.scale * np.sinh(angle)
        grown += shrunk
        grown *= 0.5 * self.rate
        return x, grown

    def conjugate_terms_at(self, z: Array) -> Array:
        xp = array_namespace(z)
        q, log_a, is_direct = self._exponent_parts(z)
        direct = self._constant(self.scale, z) * xp.cosh(xp.where(is_direct, q, 0.0))
        size = xp.abs(q)
        with np.errstate(over="ignore"):  # flows and limits call this directly
            shifted = 0.5 * (xp.exp(size + log_a) + xp.exp(log_a - size))
        return xp.where(is_direct, direct, shifted) / self.rate

    def _exponent_parts(self, z: Array) -> tuple[Array, Array, Array]:
        """Return q = r z + b, log a, and whether a·sinh(q) can be computed from a, without the rounding of log a."""
        xp = array_namespace(z)
        q = self.rate * z + self._constant(self.shift, z)
        limits = xp.finfo(z.dtype)
        is_normal = self._constant(self.scale, z) >= float(limits.smallest_normal)
        is_direct = is_normal & (xp.abs(q) < 0.99 * math.log(float(limits.max)))
        return q, self._constant(self.log_scale, z), is_direct

    def divergence_terms_at(self, x: Array, reference: Array) -> Array:
        xp = array_namespace(x)
        angle, delta = self._angle(x), self._angle_difference(x, reference, x - reference)
        _, excess = _close_expansion(angle, delta)
        small = xp.clip(delta, -1.0, 1.0)
        unit = self._unit(x, reference)
        radius = self._radius(x, unit)
        # In this order, as δ² alone may underflow, and so may the product while a unit below 1 is in it.
        close = radius * small * excess / xp.clip(unit, None, 1.0) * small / xp.clip(unit, 1.0, None)
        far = x * unit * delta - (radius - self._radius(reference, unit))
        return xp.where(xp.abs(delta) < 1, close, far / unit) / self.rate

    def gradient_rise_at(self, x: Array, reference: Array) -> Array:
        return self._angle_difference(x, reference, x - reference) / self.rate

    def _exponent(self, x: Array, center: Array, step: Array) -> Array:
        xp = array_namespace(x)
        angle, delta = self._angle(x), self._angle_difference(x, center, step)
        change, excess = _close_expansion(angle, delta)
        is_close = xp.abs(delta) < 1
        unit = self._unit(x, center)
        far = x * unit * delta - (self._radius(x, unit) - self._radius(center, unit))
        return xp.where(is_close, change / excess, delta * (step * unit) / xp.where(is_close, 1.0, far))

    def separation(self, x: np.ndarray, gap: float) -> np.ndarray:
        r"""Bounds on |x_i − x_i'| for an x' with D_R(x, x') <= gap; the largest of them bounds ‖x − x'‖₂.

        On the segment :math:`1/R'' = r\sqrt{\xi^2 + a^2} \le r(C + D)` with :math:`C = \sqrt{x_i^2 + a_i^2}` and
        :math:`D = |x_i - x_i'|`. So :math:`D^2 \le 2 r\,\mathrm{gap}\,(C + D)`, a quadratic inequality for D. It holds
        for the norm as well, with the largest C.
        """
        # Take products of roots, since r · gap, its square and its product with C may underflow.
        root = math.sqrt(self.rate) * math.sqrt(gap)
        return root * root + root * np.sqrt(root * root + 2 * self._radius(x)) + (4 * math.ulp(0.0) if gap else 0.0)

    def response_error(self, z: np.ndarray, z_error: np.ndarray, x: np.ndarray) -> np.ndarray:
        r"""A bound on the rounding of :math:`x = a \sinh(rz + b)`, if exp and sinh are right to four units.

        An error of q = rz + b is multiplied by the radius √(x² + a²), and one of a or of the result by \|x\|.
        """
        angle, radius = self.rate * np.abs(z) + np.abs(self.shift), self._radius(x)
        # Where a is not representable, x is a difference of exponentials of log a ± q. The same holds where sinh(q)
        # overflows, but there |log a| < |q|, and the bound for q covers the rounding of both.
        is_direct = (self.scale >= _SMALLEST_NORMAL) | ((angle == 0) & (z_error == 0))
        exponents = angle + np.where(is_direct, 0.0, np.abs(self.log_scale))
        error = 1.1 * self.rate * z_error + UNITS_OF_ROUNDING * exponents
        spread = 1.1 * np.expm1(error)
        underflow = np.where(error > 0, _SMALLEST_NORMAL, 0.0)
        return radius * spread + 1.1 * UNITS_OF_ROUNDING * np.abs(x) + underflow

    def _unit(self, x: Array, *others: Array) -> Array:
        """Powers of two; √(x² + a²) and its products, times these, stay in the floating-point range."""
        return headroom(x, *others, self._constant(self.scale, x))

    def _radius(self, x: Array, unit: Array | float = 1.0) -> Array:
        """√(x² + a²), times a unit."""
        xp = array_namespace(x)
        scale = self._constant(self.scale, x)
        scaled = scale * unit
        if not self._is_normal:  # a scale below the normal numbers has lost digits; log a and the unit restore them
            lifted = xp.exp(self._constant(self.log_scale, x) + xp.log(unit))
            scaled = xp.where(scale < float(xp.finfo(x.dtype).smallest_normal), lifted, scaled)
        return xp.hypot(x * unit, scaled)

    def _angle(self, x: Array) -> Array:
        """arcsinh(x/a), also where x/a or a leaves the floating-point range."""
        xp = array_namespace(x)
        scale, log_a = self._constant(self.scale, x), self._constant(self.log_scale, x)
        limits = xp.finfo(x.dtype)
        size = xp.abs(x)
        normal = float(limits.smallest_normal)
        log_ratio = xp.log(xp.maximum(size, xp.full_like(size, normal))) - log_a
        if not self._is_normal:  # a weight below the normal numbers may be larger than the scale
            lifted = xp.log(xp.maximum(size / SMALL, xp.full_like(size, normal))) + math.log(SMALL)
            log_ratio = xp.where(size < normal, lifted - log_a, log_ratio)
        # Divide where the quotient is exact to rounding; elsewhere only the logarithm is representable.
        divisible = (scale >= float(limits.smallest_normal)) & (log_ratio < 0.99 * math.log(float(limits.max)))
        safe_scale = xp.where(divisible, scale, xp.ones_like(scale + size))
        ratio = xp.where(divisible, xp.where(divisible, size, 1.0) / safe_scale, xp.exp(xp.clip(log_ratio, None, 60.0)))
        near = xp.asinh(xp.clip(ratio, None, 1e8))
        far = xp.where(divisible, xp.log(xp.maximum(ratio, xp.ones_like(ratio))), log_ratio) + _LOG_2
        return xp.sign(x) * xp.where(log_ratio > _LOG_OF_LARGE_RATIO, far, near)

    def _angle_difference(self, x: Array, y: Array, step: Array) -> Array:
        """arcsinh(x/a) − arcsinh(y/a) for step = x − y, without cancellation where x and y are close."""
        xp = array_namespace(x)
        plain = self._angle(x) - self._angle(y)
        is_one_sided = x * xp.sign(y) >= 0
        unit = self._unit(x, y)
        total = x * unit + y * unit
        is_shared = is_one_sided & (total != 0)
        share = xp.where(is_shared, x * unit / xp.where(is_shared, total, 1.0), 0.5)
        # sinh(p − q) = (x − y) / (share · a cosh q + (1 − share) · a cosh p) for sinh p = x/a and sinh q = y/a.
        mean_radius = share * self._radius(y, unit) + (1 - share) * self._radius(x, unit)
        is_close = is_one_sided & (xp.abs(plain) < 1) & (mean_radius > 0)
        scaled = xp.where(is_close, step * unit, 0.0)  # elsewhere the step may overflow
        divisor = xp.maximum(xp.where(is_close, mean_radius, 1.0), xp.abs(scaled) / 2)  # as |sinh(p − q)| < 2
        return xp.where(is_close, xp.asinh(scaled / divisor), plain)


def _close_expansion(angle: Array, difference: Array) -> tuple[Array, Array]:
    r"""Slope and divergence between two points whose angles differ by δ, |δ| <= 1, relative to δ² √(x²+a²).

    With p the angle of x and τ = tanh p, x − y and r·D(x, y) are √(x²+a²) times

    .. math:: \sinh\delta - \tau(\cosh\delta - 1), \qquad \cosh\delta - 1 - \tau(\sinh\delta - \delta).

    The function returns the first over δ and the second over δ², which stay exact to rounding down to δ = 0.
    """
    xp = array_namespace(difference)
    delta = xp.clip(difference, -1.0, 1.0)
    tau = xp.tanh(angle)
    # For smaller δ, sinh(δ/2)/(δ/2) is 1 in double precision, and δ/2 may underflow.
    is_resolved = xp.abs(delta) > 1e-10
    half = xp.where(is_resolved, delta / 2, 1.0)
    sinh_half = xp.where(is_resolved, xp.sinh(half) / half, 1.0)
    versine = 0.5 * sinh_half**2  # (cosh δ − 1)/δ²
    sine = sinh_half * xp.cosh(delta / 2)  # sinh(δ)/δ
    cubic = xp.zeros_like(delta)  # (sinh δ − δ)/δ³ by eight terms of its power series, enough for |δ| <= 1
    for k in range(7, -1, -1):
        cubic = cubic * delta**2 + 1 / math.factorial(2 * k + 3)
    return sine - tau * delta * versine, versine - tau * delta * cubic
