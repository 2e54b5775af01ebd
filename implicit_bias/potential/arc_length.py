r"""The arc length of a metric, :math:`u(x) = \int dx/\sqrt{M(x)}`, and its inverse, as piecewise polynomials.

With :math:`M = 1/R''` the inverse g solves :math:`g'(u)^2 = M(g(u))`: the parameterization whose potential is R.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from implicit_bias.errors import DomainError, UnsupportedError

Function = Callable[[np.ndarray], np.ndarray]

_DEGREE = 15
_NODES = chebyshev.chebpts1(_DEGREE + 1)
_FIT = np.linalg.inv(chebyshev.chebvander(_NODES, _DEGREE))
# Turns values at the nodes into their integral from −1 to each node and to 1.
_INTEGRATE = chebyshev.chebvander(np.append(_NODES, 1.0), _DEGREE + 1) @ chebyshev.chebint(_FIT, lbnd=-1)
_RESOLVED_TAIL = 1e-13  # last coefficients over the largest, of a polynomial that resolves a function to rounding
_PANEL_WIDTH = 0.5  # of the panels before refinement
_PANELS_AT_A_TIME = 2_000  # refined together; a handful of special points need a few each
_BISECTIONS = 50  # they resolve features down to 1e-15 of the unit


@dataclass(frozen=True)
class _Chart:
    """x as an increasing function of τ that resolves all sizes near the finite ends of an interval.

    Attributes:
        weight: x(τ).
        slope: x'(τ).
        coordinate: τ(x).
        reach: The least and largest τ, where double precision hardly tells x from an end, or where x is about 1e17.
        blur: The relative rounding error of the distance from x to the nearest end.
    """

    weight: Function
    slope: Function
    coordinate: Function
    reach: tuple[float, float]
    blur: Function


class ArcLength:
    r"""u(x) and g(u) on an interval; u = 0 at x = 0, at distance 1 from a single finite end, or midway between two.

    The inverse agrees with the integral to 1e-12 relative to 1 + \|x\|, or relative to the distance from a finite end.
    It covers \|x\| up to 1e17, or distances from an end between 1e-26 (1e-13 of an end other than 0) and 1e26, as far
    as M stays in the floating-point range, and is nan beyond.

    Args:
        metric: M > 0 of one coordinate, vectorized.
        domain: The ends of the interval, which may be infinite.

    Raises:
        DomainError: If M is not positive somewhere on the interval.
        UnsupportedError: If M has a zero, a pole or a jump inside the interval, or detail below 1e-15.

    >>> length = ArcLength(lambda x: 4 * x, (0.0, np.inf))  # the entropy: u = √x − 1
    >>> length.weight(np.array([0.0, 1.0])).round(12).tolist()
    [1.0, 4.0]
    """

    def __init__(self, metric: Function, domain: tuple[float, float]) -> None:
        self.metric_at, self._chart = metric, _chart(*domain)
        edges = self._edges()
        left, width = edges[:-1], np.diff(edges)
        done: list[tuple[np.ndarray, ...]] = []
        for _ in range(_BISECTIONS):
            panels, is_resolved = self._panels(left, width)
            done.append(tuple(part[is_resolved] for part in panels))
            left, width = left[~is_resolved], width[~is_resolved] / 2
            if not len(left) or len(left) > _PANELS_AT_A_TIME:
                break
            left, width = np.concatenate([left, left + width]), np.concatenate([width, width])
        if len(left):
            raise self._refusal(left[len(left) // 2])
        left, *rest = (np.concatenate(part) for part in zip(*done, strict=True))
        order = np.argsort(left)
        self._left = left[order]
        self._width, self._length, self._inverse, self._speeds, self._integrals = (part[order] for part in rest)
        # Sum outwards from τ = 0, so that lengths near it keep their digits.
        zero = int(np.searchsorted(self._left, 0.0))
        below, above = np.cumsum(self._length[:zero][::-1])[::-1], np.cumsum(self._length[zero:])
        self._starts = np.concatenate([-below, [0.0], above])

    def _edges(self) -> np.ndarray:
        """The edges of the first panels, within reach and where M stays in the floating-point range."""
        first, last = (round(end / _PANEL_WIDTH) for end in self._chart.reach)
        edges = _PANEL_WIDTH * np.arange(first, last + 1)
        with np.errstate(all="ignore"):
            metric = self.metric_at(self._chart.weight(edges))
        lost = ~(np.isfinite(metric) & (metric != 0))
        center = -first
        if lost[center]:
            raise self._refusal(0.0)
        below, above = np.flatnonzero(lost[:center]), np.flatnonzero(lost[center:])
        return edges[below[-1] + 1 if len(below) else 0 : center + above[0] if len(above) else len(edges)]

    def _refusal(self, tau: float) -> UnsupportedError:
        return UnsupportedError(
            f"The arc length cannot be integrated near x = {float(self._chart.weight(np.array(tau))):.6g}: R'' "
            "vanishes, is infinite or jumps there, or loses its digits in double precision."
        )

    def _panels(self, left: np.ndarray, width: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Fit polynomials on each panel, and tell whether they resolve the integrand and the inverse."""
        tau = left[:, None] + (_NODES + 1) * width[:, None] / 2
        x = self._chart.weight(tau)
        metric = self.metric_at(x)
        if not np.all(metric > 0):
            raise DomainError(
                f"potential: expected 1/R'' > 0, got {metric[~(metric > 0)][0]:.5g} at x = {x[~(metric > 0)][0]:.5g}."
            )
        speed = np.sqrt(metric)
        integrand = self._chart.slope(tau) / speed * width[:, None] / 2
        reached = integrand @ _INTEGRATE.T
        length = reached[:, -1]
        share = 2 * reached[:, :-1] / length[:, None] - 1
        fitted = np.linalg.solve(chebyshev.chebvander(share, _DEGREE), np.stack([_NODES + 0 * share, speed], axis=-1))
        integrals = integrand @ _FIT.T
        inverse, speeds = fitted[..., 0], fitted[..., 1]
        tail = _RESOLVED_TAIL + np.max(self._chart.blur(x), axis=1)
        tails = [np.max(np.abs(c[:, -2:]), axis=1) <= tail * np.max(np.abs(c), axis=1) for c in (integrals, inverse)]
        return (left, width, length, inverse, speeds, integrals), tails[0] & tails[1]

    @property
    def range(self) -> tuple[float, float]:
        """The ends of the interval of u that the polynomials cover."""
        return float(self._starts[0]), float(self._starts[-1])

    def length(self, x: np.ndarray) -> np.ndarray:
        """u(x), elementwise; nan where x is not covered."""
        tau = self._chart.coordinate(np.asarray(x, dtype=float))
        panel = np.clip(np.searchsorted(self._left, tau, side="right") - 1, 0, len(self._left) - 1)
        place = 2 * (tau - self._left[panel]) / self._width[panel] - 1
        coefficients = chebyshev.chebint(self._integrals[panel], lbnd=-1, axis=-1)
        inside = (self._left[0] <= tau) & (tau <= self._left[-1] + self._width[-1])
        u = self._starts[panel] + chebyshev.chebval(place, np.moveaxis(coefficients, -1, 0), tensor=False)
        return np.where(inside, u, np.nan)

    def weight(self, u: np.ndarray) -> np.ndarray:
        """g(u), elementwise; nan where u is not covered."""
        panel, share = self._locate(u)
        place = chebyshev.chebval(share, np.moveaxis(self._inverse[panel], -1, 0), tensor=False)
        return self._chart.weight(self._left[panel] + (place + 1) * self._width[panel] / 2)

    def speed(self, u: np.ndarray) -> np.ndarray:
        """g'(u) = √M(g(u)), elementwise."""
        return np.sqrt(self.metric_at(self.weight(u)))

    def bend(self, u: np.ndarray) -> np.ndarray:
        """g''(u), elementwise, with about five digits less than g'."""
        panel, share = self._locate(u)
        slopes = chebyshev.chebder(self._speeds[panel], axis=-1)
        return chebyshev.chebval(share, np.moveaxis(slopes, -1, 0), tensor=False) * 2 / self._length[panel]

    def _locate(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The panel of each u, and its position there between −1 and 1."""
        u = np.asarray(u, dtype=float)
        panel = np.clip(np.searchsorted(self._starts, u, side="right") - 1, 0, len(self._left) - 1)
        share = 2 * (u - self._starts[panel]) / self._length[panel] - 1
        return panel, np.where(np.abs(share) <= 1 + 1e-12, share, np.nan)


def _chart(low: float, high: float) -> _Chart:
    def blur(x: np.ndarray) -> np.ndarray:
        return 2.0**-49 * np.abs(x) / np.minimum(x - low, high - x)

    def nearest(end: float, unit: float) -> float:
        """The logarithm of the least distance from an end, in units."""
        return max(-60.0, np.log(1e-13 * abs(end) / unit)) if end else -60.0

    if np.isfinite(low) and np.isfinite(high):
        span = high - low

        def inside(tau: np.ndarray) -> np.ndarray:
            distance = span / (1 + np.exp(np.abs(tau)))  # from the nearest end
            return np.where(tau < 0, low + distance, high - distance)

        return _Chart(
            weight=inside,
            slope=lambda tau: span / (4 * np.cosh(tau / 2) ** 2),
            coordinate=lambda x: np.log((x - low) / (high - x)),
            reach=(nearest(low, span), -nearest(high, span)),
            blur=blur,
        )
    if np.isfinite(low):
        return _Chart(lambda tau: low + np.exp(tau), np.exp, lambda x: np.log(x - low), (nearest(low, 1), 60.0), blur)
    if np.isfinite(high):
        reach = (-60.0, -nearest(high, 1))
        return _Chart(
            lambda tau: high - np.exp(-tau), lambda tau: np.exp(-tau), lambda x: -np.log(high - x), reach, blur
        )
    return _Chart(np.sinh, np.cosh, np.arcsinh, (-40.0, 40.0), blur)
