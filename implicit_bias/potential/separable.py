r"""Potentials that are a sum over coordinates, :math:`R(x) = \sum_i R_i(x_i)`, each strictly convex on an interval."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import array_api_compat
import numpy as np
from array_api_compat import array_namespace, is_array_api_obj, is_jax_array, is_torch_array

from implicit_bias.errors import DomainError, InputError, UnsupportedError
from implicit_bias.potential.base import Array, Potential

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A few operations and one exponential, each right to four units in the last place, add this to a relative error.
UNITS_OF_ROUNDING = 8 * 2.0**-53
SMALL = 2.0**-64  # a factor that keeps products and sums of large numbers in the floating-point range
# Numbers beyond the floating-point range are inf, in NumPy as in torch, without a warning.
_overflow_allowed = np.errstate(over="ignore", divide="ignore")


class SeparablePotential(Potential):
    r"""A separable, strictly convex potential :math:`R(x) = \sum_i R_i(x_i)`.

    The public methods take arrays of shape ``(..., n)`` in NumPy, torch or JAX (numbers and lists become float64 NumPy
    arrays), check the domain and return the same type, dtype and device. Torch and JAX differentiate them, and JAX
    compiles them. A subclass supplies the formulas of one coordinate in the methods whose names end in ``_at``. These
    check nothing, and take only floating arrays inside the domain; solvers, which know that theirs are, call them
    directly.

    Attributes:
        formula: R in LaTeX, for display.
        settings: The names of the attributes in the formula, for display.
        horizon: The norm to whose ball the sublevel sets of R tend in shape as they grow, within the domain: ``"l1"``,
            ``"l2"`` or ``"linf"``; None if it is none of them, or not known. It is the geometry in which the mirror
            flow of R maximizes the margin of separable labels.
    """

    formula: ClassVar[str] = ""
    settings: ClassVar[tuple[str, ...]] = ()
    horizon: ClassVar[Literal["l1", "l2", "linf"] | None] = None

    @abstractmethod
    def terms_at(self, x: Array) -> Array:
        """R_i(x_i) of each coordinate."""

    @abstractmethod
    def gradient_at(self, x: Array) -> Array:
        """R_i'(x_i) of each coordinate."""

    @abstractmethod
    def inverse_gradient_at(self, z: Array) -> Array:
        """The x_i with R_i'(x_i) = z_i."""

    @abstractmethod
    def metric_at(self, x: Array) -> Array:
        """1 / R_i''(x_i) of each coordinate."""

    def respond(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = self.inverse_gradient_at(z)
        return x, self.metric_at(x)

    def curvature_at(self, x: Array) -> Array:
        """R_i''(x_i) of each coordinate."""
        return 1 / self.metric_at(x)

    def metric_slope_at(self, x: Array) -> Array:
        """The derivative of the metric, by which torch differentiates R a third time."""
        raise UnsupportedError(
            f"{type(self).__name__}: the metric 1/R'' has no derivative here, so R can be differentiated only twice; "
            "define metric_slope_at(x) for a third time."
        )

    def metric_bend_at(self, x: Array) -> Array:
        """The second derivative of the metric, by which torch differentiates R a fourth time."""
        raise UnsupportedError(
            f"{type(self).__name__}: the metric 1/R'' has no second derivative here, so R can be differentiated only "
            "three times; define metric_bend_at(x) for a fourth time."
        )

    def conjugate_terms_at(self, z: Array) -> Array:
        """R_i*(z_i) of each coordinate."""
        x = self.inverse_gradient_at(z)
        return x * z - self.terms_at(x)

    def divergence_terms_at(self, x: Array, reference: Array) -> Array:
        """The Bregman divergence of each coordinate of x from the reference x'."""
        return self.terms_at(x) - self.terms_at(reference) - self.gradient_at(reference) * (x - reference)

    def gradient_rise_at(self, x: Array, reference: Array) -> Array:
        """R_i'(x_i) − R_i'(x'_i), the derivative of the divergence in x_i."""
        return self.gradient_at(x) - self.gradient_at(reference)

    @property
    def domain(self) -> tuple[Array, Array]:
        """The ends of the open interval on which R_i is defined: numbers, or arrays of shape (n,)."""
        return (-np.inf, np.inf)

    @property
    def dual_domain(self) -> tuple[Array, Array]:
        """The ends of the open interval that R_i' maps the domain onto: numbers, or arrays of shape (n,)."""
        return (-np.inf, np.inf)

    @property
    def minimizer(self) -> np.ndarray:
        return self.inverse_gradient_at(np.zeros(() if self.size is None else self.size))

    @_overflow_allowed
    def terms(self, x: Array) -> Array:
        """R_i(x_i) of each coordinate, shape ``(..., n)``; :meth:`value` is their sum."""
        return self._evaluate("terms_at", self._admit_weights, {"x": x})

    @_overflow_allowed
    def value(self, x: Array) -> Array:
        """R(x), summed over the last axis: shape ``(...)``; inf where terms overflow."""
        return self._evaluate("terms_at", self._admit_weights, {"x": x}, _sum_last)

    @_overflow_allowed
    def gradient(self, x: Array) -> Array:
        """The mirror map ∇R(x), shape ``(..., n)``."""
        return self._evaluate("gradient_at", self._admit_weights, {"x": x})

    @_overflow_allowed
    def inverse_gradient(self, z: Array) -> Array:
        """The x with ∇R(x) = z, which is ∇R*(z); shape ``(..., n)``. Weights that overflow are inf."""
        return self._evaluate("inverse_gradient_at", self._admit_duals, {"z": z})

    @_overflow_allowed
    def hessian_diagonal(self, x: Array) -> Array:
        """The diagonal of ∇²R(x), shape ``(..., n)``."""
        return self._evaluate("curvature_at", self._admit_weights, {"x": x})

    @_overflow_allowed
    def metric(self, x: Array) -> Array:
        """The diagonal of (∇²R(x))⁻¹, by which the flow of x preconditions the gradient; shape ``(..., n)``."""
        return self._evaluate("metric_at", self._admit_weights, {"x": x})

    @_overflow_allowed
    def conjugate(self, z: Array) -> Array:
        r"""The convex conjugate :math:`R^*(z) = \sup_x \langle x, z\rangle - R(x)`, shape ``(...)``."""
        return self._evaluate("conjugate_terms_at", self._admit_duals, {"z": z}, _sum_last)

    @_overflow_allowed
    def divergence(self, x: Array, x2: Array) -> Array:
        r"""The Bregman divergence, shape ``(...)``.

        .. math:: D_R(x, x_2) = R(x) - R(x_2) - \langle\nabla R(x_2), x - x_2\rangle
        """
        return self._evaluate("divergence_terms_at", self._admit_weights, {"x": x, "x2": x2}, _sum_last)

    @_overflow_allowed
    def effective_exponent(self, s: Array) -> Array:
        r"""The local exponent of R at distance s from its minimizer, elementwise in ``s``.

        .. math:: p(s) = \frac{d \log(R(x_{\min}+s) - R(x_{\min}))}{d \log |s|}

        It is 2 where R acts like the squared L2 norm, 1 where it acts like the L1 norm, and 2 at s = 0. It has no
        derivative in torch, where a backward pass through it raises ``UnsupportedError``.
        """
        return self._evaluate("_exponent_from", self._admit_steps, {"s": s})

    def _exponent_from(self, step: Array) -> Array:
        center = self._constant(self.minimizer, step)
        return self._exponent(self._admit_weights(center + step, "minimizer + s"), center, step)

    def _exponent(self, x: Array, center: Array, step: Array) -> Array:
        xp = array_namespace(step)
        excess = self.divergence_terms_at(x, center)
        rise = step * self.gradient_at(x)
        is_known = (excess > 0) & xp.isfinite(excess)
        ratio = xp.where(excess > 0, xp.inf, 2.0)  # inf if the excess overflows, 2 if it underflows
        return xp.where(is_known, rise / xp.where(is_known, excess, 1.0), ratio)

    def separation(self, x: np.ndarray, gap: float) -> np.ndarray | None:
        r"""Bounds on the distance from x that a divergence of at most ``gap`` allows, shape (n,), or None if unknown.

        If :math:`D_R(x, x') \le \mathrm{gap}` or :math:`D_R(x', x) \le \mathrm{gap}`, then :math:`|x_i - x_i'|` is at
        most the i-th of them, and :math:`\|x - x'\|_2` is at most the largest of them.
        """
        return None

    def response_error(self, z: np.ndarray, z_error: np.ndarray, x: np.ndarray) -> np.ndarray | None:
        """A bound on the rounding error of x = ∇R*(z), shape (n,), or None if unknown.

        Args:
            z: Dual variables, as they were computed.
            z_error: A bound on how far the exact dual variables are from them.
            x: ``inverse_gradient(z)``, as it was computed.
        """
        return None

    def relaxations(self) -> list[SeparablePotential]:
        """Easier potentials of the same family, easiest first, on the way to this one; empty if none is needed.

        A solver follows them so that a hard problem always has a good start. They lie on a line that ends at this
        potential, and each gap is twice the one before, so that dual solutions can be extrapolated.
        """
        return []

    def plot(self, x: Array | None = None, ax: Axes | None = None, *, normalize: bool = False, **options: Any) -> Axes:
        """Draw the terms R_i(x_i) against x_i, for up to six coordinates that differ.

        Args:
            x: The weights to draw, shape (k,), all in the domain; by default those from −2 to 2 in the domain, and a
                wider range if the minimizer is beyond.
            ax: Where to draw; by default pyplot's current axes, so that several calls share one plot.
            normalize: Draw (R_i − min R_i) / (the largest such value drawn) instead: between 0 and 1, so that
                potentials of very different scales show their shapes, from a parabola to |x|.
            options: Arguments for matplotlib's ``Axes.plot``.

        Raises:
            DomainError: If a weight is outside the domain.
        """
        return self._display.plot(self, x, ax, normalize=normalize, **options)

    def _evaluate(
        self,
        formula: str,
        check: Callable[[Array, str], Array],
        given: dict[str, Array],
        finish: Callable[[Array], Array] = lambda terms: terms,
    ) -> Array:
        """A formula at checked points, computed in double precision and rounded to the type of the first one.

        Args:
            formula: The name of a method without checks.
            check: Takes a floating array and its name, and raises an error if it is outside the domain.
            given: The points by name.
            finish: A further step in double precision.
        """
        points = {name: self._real(value, name) for name, value in given.items()}
        foreign = (point for point in points.values() if is_torch_array(point) or is_jax_array(point))
        like = next(foreign, next(iter(points.values())))
        if is_torch_array(like):
            from implicit_bias.potential.differentiation import evaluate

            return finish(evaluate(self, formula, check, points)).to(like.device, like.dtype)
        if is_jax_array(like):
            from implicit_bias.potential.in_jax import evaluate

            result = finish(evaluate(self, formula, check, points))
        else:
            doubles = (check(_double(point), name) for name, point in points.items())
            result = finish(getattr(self, formula)(*doubles))
        return result if result.dtype == like.dtype else result.astype(like.dtype)

    def _real(self, value: Array, name: str) -> Array:
        """Return ``value`` as an array of floating type that fits the coordinates, or raise an error."""
        array = _as_array(value)
        xp = array_namespace(array)
        if not xp.isdtype(array.dtype, "real floating"):
            if not xp.isdtype(array.dtype, ("integral", "bool")):
                raise InputError(f"{name}: expected real numbers, got dtype {array.dtype}.")
            array = xp.astype(array, xp.float64)
        if self.size is not None and array.ndim > 0 and array.shape[-1] not in (1, self.size):
            raise InputError(
                f"{name}: expected shape (..., {self.size}), as the potential has {self.size} coordinates, "
                f"got {tuple(array.shape)}."
            )
        return array

    def _admit_weights(self, x: Array, name: str) -> Array:
        """Return the floating array x if it is inside the domain, or raise an error."""
        return self._admit(x, name, self.domain)

    def _admit_duals(self, z: Array, name: str) -> Array:
        """Return the floating array z if it is inside the dual domain, or raise an error."""
        return self._admit(z, name, self.dual_domain)

    def _admit_steps(self, s: Array, name: str) -> Array:
        """Return the floating array s if it is finite, or raise an error."""
        return self._admit(s, name, (-np.inf, np.inf))

    def _admit(self, array: Array, name: str, interval: tuple[Array, Array]) -> Array:
        """Return a floating array if it is inside the open interval, or raise an error."""
        xp = array_namespace(array)
        low, high = (xp.asarray(end, dtype=array.dtype, device=array_api_compat.device(array)) for end in interval)
        inside = (array > low) & (array < high)
        if not bool(xp.all(inside)):
            inside, got, low, high = (
                np.broadcast_to(np.asarray(array_api_compat.to_device(v, "cpu")), inside.shape)
                for v in (inside, array, low, high)
            )
            where = tuple(int(i) for i in np.argwhere(~inside)[0])
            raise DomainError(
                f"{name}: expected values in the open interval ({low[where]:g}, {high[where]:g}), got {got[where]} at "
                f"index {where}."
            )
        return array

    @staticmethod
    def _constant(values: np.ndarray | float, like: Array) -> Array:
        """A parameter of the potential in the type, dtype and device of ``like``."""
        return array_namespace(like).asarray(values, dtype=like.dtype, device=array_api_compat.device(like))


def _as_array(value: Array) -> Array:
    return value if is_array_api_obj(value) else np.asarray(value)


def _double(array: Array) -> Array:
    return array if array.dtype == np.float64 else array.astype(np.float64)


def _sum_last(terms: Array) -> Array:
    """The sum over the last axis; inf where terms overflow to both sides, never nan."""
    if not terms.ndim:
        return terms
    xp = array_namespace(terms)
    with np.errstate(invalid="ignore"):
        total = xp.sum(terms, axis=-1)
        # A partial sum may overflow where the sum does not.
        total = xp.where(xp.isfinite(total), total, xp.sum(terms * SMALL, axis=-1) / SMALL)
    return xp.where(xp.isnan(total), xp.inf, total)
