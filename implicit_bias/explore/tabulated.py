r"""A potential for pictures: one quick integration, kept as a table.

:class:`~implicit_bias.potential.NumericalPotential` answers every query to 1e-10 and takes a second for a picture. Here
the flow of ∇g is integrated once, to 1e-9, and read off by cubic Hermite interpolation, which has the exact slopes
:math:`R'' = 1/\|\nabla g\|^2` and :math:`R'` at every node. A start that moves along this flow keeps the nodes: R'
changes by a constant, and :class:`Tables` knows which of them a start lies on.
"""

from __future__ import annotations

import copy
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from math import dist, hypot, isfinite

import numpy as np
from scipy.integrate import odeint
from scipy.interpolate import CubicHermiteSpline, PPoly

from implicit_bias.errors import DomainError
from implicit_bias.potential import SeparablePotential
from implicit_bias.potential.base import Array
from implicit_bias.potential.separable_map import SeparableMap

PointField = Callable[[Sequence[float]], Sequence[float]]

_FOLDS_PER_PIECE = 30.0  # e-foldings of the flow that are integrated in one call
_NODES_PER_PIECE = 1200
_MOST_PIECES = 12
_LARGEST_STATE = 1e100  # the table ends before it
_RESOLUTION = 1e-14  # of parameters, relative to their size at the start
_LARGEST_BLUR = 1e-6  # relative error of a weight that this resolution may cause
_KEPT = 8  # tables of a parameterization
_ON_THE_CURVE = 1e-7  # how far off the curve of a table a start may lie, relative to its size
_MOST_UNITS = 100.0  # of R' between starts of one table, beyond which its digits are spent on the difference
_APART = 0.5  # of an interval between nodes: the error of a closer node would show in the slopes at the minimizer
_NO_TABLE = "init: the flow of ∇g cannot be followed from this start: it leaves the floating-point range at once."


class TabulatedPotential(SeparablePotential):
    """R of one coordinate within a reach of its minimizer.

    Args:
        function: g and its derivatives, for arrays.
        field: ∇g and ∇²g·∇g at one point, 2p numbers.
        start: θ at the minimizer, shape (p,).
        reach: How far from the minimizer weights will be asked for, where the domain goes that far.

    Raises:
        DomainError: If the flow cannot be followed from the start.
    """

    def __init__(self, function: SeparableMap, field: PointField, start: np.ndarray, reach: float) -> None:
        self._function, self._field, self._start = function, field, np.asarray(start, dtype=float)
        self._origin = self._start.tolist()
        self._length = float(np.linalg.norm(self._start)) or 1.0
        self._center = float(function.output(self._start[:, None])[0])
        with np.errstate(all="ignore"):  # how far a weight moves if its parameters move by their size
            self._stride = float(np.linalg.norm(function.gradient(self._start[:, None]))) * self._length
        sides = [self._side(sign, reach) for sign in (-1.0, 1.0)]
        nodes = np.concatenate([sides[0][::-1], sides[1][1:]])
        x, gradient, metric, sound = self._weights(nodes[:, :-1])
        s = nodes[:, -1]
        sound &= np.isfinite(s)
        by_x = np.flatnonzero(sound)[np.unique(x[sound], return_index=True)[1]]
        if len(by_x) < 4:
            raise DomainError(_NO_TABLE)
        self._curve = CubicHermiteSpline(x[by_x], nodes[by_x, :-1], (gradient[:, by_x] / metric[by_x]).T)  # dθ/dx
        self._read(x[by_x], s[by_x], metric[by_x])

    def _read(self, x: np.ndarray, s: np.ndarray, metric: np.ndarray) -> None:
        """Interpolate nodes of increasing x, one of them the minimizer, as far as R is finite."""
        k = int(np.searchsorted(x, self._center))
        excess = _summed_from(k, x, s, metric)
        far = np.isfinite(excess) & np.isfinite(1 / metric)
        x, s, metric, excess = x[far], s[far], metric[far], excess[far]
        by_s = np.unique(s, return_index=True)[1]
        if len(by_s) < 4:
            raise DomainError(_NO_TABLE)
        self._nodes = x, s, metric
        k = int(np.searchsorted(x, self._center))
        self._slope = _TwoSided(x, s, 1 / metric, k)
        # The integral of the slope, and not a cubic of its own: R − min R vanishes like a square.
        self._value = self._slope.integral(excess)
        self._weight = _TwoSided(s[by_s], x[by_s], metric[by_s], int(np.searchsorted(s[by_s], 0.0)))
        self._ends = (float(x[0]), float(x[-1])), (float(s[by_s[0]]), float(s[by_s[-1]]))

    def moved(self, start: np.ndarray) -> TabulatedPotential | None:
        r"""The potential whose minimizer is at other parameters on the same curve, or None if they lie elsewhere.

        The new R' is the old one less its value there.
        """
        theta = np.asarray(start, dtype=float)
        center = float(self._function.output(theta[:, None])[0])
        x, s, metric = self._nodes
        if not x[0] < center < x[-1] or not self._passes(theta, center):
            return None
        slope, unit = float(self._slope(center)), self._unit(theta.tolist())
        if not (abs(slope) <= _MOST_UNITS * unit and unit <= _MOST_UNITS * self._unit(self._origin)):
            return None
        here = float(np.sum(self._function.gradient(theta[:, None]) ** 2))
        if not here > 0:
            return None
        k = int(np.searchsorted(x, center))
        far = np.abs(x - center) > _APART * (x[k] - x[k - 1])
        x, s, metric = x[far], s[far] - slope, metric[far]
        k = int(np.searchsorted(x, center))
        if not 0 < k < len(x):
            return None
        x, s, metric = np.insert(x, k, center), np.insert(s, k, 0.0), np.insert(metric, k, here)
        other = copy.copy(self)
        other._center = center
        other._read(x, s, metric)
        return other

    def _unit(self, theta: Sequence[float]) -> float:
        """The flow time of one e-folding, which R' is measured in; 0 where ∇g underflows."""
        try:
            return 1 / self._rate(theta)[1]
        except ArithmeticError:
            return 0.0

    def _passes(self, theta: np.ndarray, x: float) -> bool:
        size = np.linalg.norm(theta) or self._length
        return bool(np.linalg.norm(self._curve(x) - theta) <= _ON_THE_CURVE * min(size, self._length))

    def _weights(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """x, ∇g, ‖∇g‖² and whether they can be relied on, at parameters of shape (k, p).

        Next to a pole of g, as of log(v) at 0, weights differ whose parameters are too close for the integration.
        """
        with np.errstate(all="ignore"):
            x, gradient = self._function.output(theta.T), self._function.gradient(theta.T)
            metric = np.sum(gradient**2, axis=0)
            blur = np.sqrt(metric) * _RESOLUTION * self._length
            sound = np.isfinite(x) & (metric > 0) & np.isfinite(1 / metric)
            sound &= blur <= _LARGEST_BLUR * np.maximum(np.abs(x - self._center), self._stride)
        return x, gradient, metric, sound

    def _side(self, sign: float, reach: float) -> np.ndarray:
        """Nodes (k, p + 1) of the flow of ±∇g, up to the reach or to where it stops: θ and s."""
        pieces = [np.append(self._start, 0.0)[None]]
        times = np.linspace(0.0, _FOLDS_PER_PIECE, _NODES_PER_PIECE)
        time = self._unit(self._origin)
        if not time:
            raise DomainError(_NO_TABLE)
        unit = np.append(np.full(len(self._start), self._length), time)
        for _ in range(_MOST_PIECES):
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # where LSODA gives up, the table ends
                path, info = odeint(
                    lambda state, _: self._velocity(sign, state.tolist()), pieces[-1][-1], times,
                    rtol=1e-9, atol=_RESOLUTION * unit, full_output=True,
                )  # fmt: skip
            arrived = np.concatenate([[True], np.asarray(info["tcur"]) >= times[1:]])
            sound = np.logical_and.accumulate(arrived & np.all(np.abs(path) < _LARGEST_STATE, axis=1))
            pieces.append(path[sound][1:])
            if not np.all(sound):
                break
            x, _, _, is_read = self._weights(pieces[-1][:, :-1])
            far = abs(x[-1] - self._center)
            if not is_read[-1] or far > reach or np.ptp(x) <= 1e-12 * far:
                break
        return np.concatenate(pieces)

    def _velocity(self, sign: float, state: list[float]) -> list[float]:
        """The flow of ∇g in e-foldings: they grow like time near a critical point, like a logarithm near a blow-up."""
        try:
            gradient, rate = self._rate(state[:-1])
            pace = sign / rate
            velocity = [pace * slope for slope in gradient]
            velocity.append(pace)
        except (ArithmeticError, ValueError):
            return [0.0] * len(state)
        return velocity if isfinite(sum(velocity)) else [0.0] * len(state)

    def _rate(self, theta: Sequence[float]) -> tuple[Sequence[float], float]:
        """∇g and e-foldings per unit of flow time."""
        field = self._field(theta)
        gradient, bend = field[: len(theta)], field[len(theta) :]
        norm = hypot(*gradient)
        return gradient, norm / hypot(dist(theta, self._origin), self._length) + hypot(*bend) / norm

    def __getstate__(self) -> dict[str, object]:
        """Everything but the functions that the table was made from, which cannot be pickled."""
        return {name: value for name, value in vars(self).items() if name not in ("_function", "_field")}

    @property
    def size(self) -> int | None:
        return None

    @property
    def minimizer(self) -> np.ndarray:
        return np.array(self._center)

    @property
    def domain(self) -> tuple[Array, Array]:
        """The weights in the table, which come within rounding of a finite end of the domain."""
        return self._ends[0]

    @property
    def dual_domain(self) -> tuple[Array, Array]:
        """The values of R' in the table."""
        return self._ends[1]

    def terms_at(self, x: Array) -> Array:
        return self._value(x)

    def gradient_at(self, x: Array) -> Array:
        return self._slope(x)

    def inverse_gradient_at(self, z: Array) -> Array:
        return self._weight(np.clip(z, *self._ends[1]))

    def metric_at(self, x: Array) -> Array:
        return 1 / self._slope(np.clip(x, *self._ends[0]), 1)

    def divergence_terms_at(self, x: Array, reference: Array) -> Array:
        if np.all(reference == self._center):  # R is counted from its minimum: nothing cancels
            return self._value(x)
        return super().divergence_terms_at(x, reference)


class _TwoSided:
    """Cubic Hermite interpolation on both sides of a node, in the distance from it, so that nothing cancels there.

    Args:
        x: Increasing nodes.
        values: The values at them.
        slopes: The derivatives at them.
        k: The node.
    """

    def __init__(self, x: np.ndarray, values: np.ndarray, slopes: np.ndarray, k: int) -> None:
        self._center, self._base = x[k], values[k]
        self._sides = []
        for sign, part in ((-1.0, np.arange(k, -1, -1)), (1.0, np.arange(k, len(x)))):
            part = part[np.unique(sign * (x[part] - x[k]), return_index=True)[1]]
            if len(part) > 1:  # else nobody asks on this side
                step, rise = sign * (x[part] - x[k]), values[part] - values[k]
                self._sides.append((sign, part, CubicHermiteSpline(step, rise, sign * slopes[part])))

    def __call__(self, x: np.ndarray | float, order: int = 0) -> np.ndarray:
        step = np.asarray(x - self._center)
        found = np.zeros(step.shape)
        for sign, _, side in self._sides:
            here = sign * step >= 0 if len(self._sides) > 1 else np.ones(step.shape, dtype=bool)
            if here.all():
                found = sign**order * side(sign * step, order)
                break
            if here.any():
                found[here] = sign**order * side(sign * step[here], order)
        return found + self._base if order == 0 else found

    def integral(self, values: np.ndarray) -> _TwoSided:
        """The integral from the node, whose values at all nodes are given, of an interpolant that is 0 there."""
        other = copy.copy(self)
        other._base, other._sides = 0.0, []
        for sign, part, side in self._sides:
            powers = sign * side.c / np.arange(len(side.c), 0, -1)[:, None]
            other._sides.append((sign, part, PPoly(np.concatenate([powers, values[part][None, :-1]]), side.x)))
        return other


def _summed_from(k: int, x: np.ndarray, s: np.ndarray, metric: np.ndarray) -> np.ndarray:
    """The integral of the Hermite interpolant of s(x) from node k to every node, summed outwards: nothing cancels."""
    h = np.diff(x)
    pieces = h * (s[1:] + s[:-1]) / 2 + h**2 * np.diff(-1 / metric) / 12
    return np.concatenate([-np.cumsum(pieces[:k][::-1])[::-1], [0.0], np.cumsum(pieces[k:])])


class Tables:
    """The tables of one parameterization, a new one only where a start lies on the curve of none.

    Args:
        function: g and its derivatives, for arrays.
        field: ∇g and ∇²g·∇g at one point, 2p numbers.
    """

    def __init__(self, function: SeparableMap, field: PointField) -> None:
        self._function, self._field = function, field
        self._kept: deque[tuple[float, TabulatedPotential]] = deque(maxlen=_KEPT)

    def at(self, start: np.ndarray, reach: float) -> TabulatedPotential:
        """The potential with its minimizer at a start of shape (p,).

        Raises:
            DomainError: If the flow cannot be followed from the start.
        """
        for far, table in tuple(self._kept):
            found = table.moved(start) if far >= reach else None
            if found is not None:
                return found
        table = TabulatedPotential(self._function, self._field, start, reach)
        self._kept.appendleft((reach, table))
        return table
