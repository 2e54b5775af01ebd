r"""The potential of any separable parameterization, closed form or not.

The flow of ∇g moves the weight strictly upwards, :math:`x'(s) = \|\nabla g\|^2 > 0`, so :math:`s \mapsto x(s)` has an
inverse, and that inverse is R'. The same holds for the curves of steepest descent in any norm. A table keeps nodes of
the flow of every coordinate, from its own initial value in both directions; a query starts at the node before it.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import array_api_compat
import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import DomainError, InputError, known_options
from implicit_bias.potential import stiff_flow
from implicit_bias.potential.flow_table import FlowTable
from implicit_bias.potential.separable import Array, SeparablePotential
from implicit_bias.potential.separable_map import SeparableMap, SeparableParameterization, check_start, refuse_start
from implicit_bias.potential.short_flow import TooFarError, advance

_OF_THE_START = ("_length", "_unit", "_tables")  # attributes that depend on the initial values
_LEAST_SHARE_OF_REACH = 1e-8  # a start so much smaller than what ∇g changes over is one at 0
_QUERIES_WITHOUT_TABLE = 6  # of R*'; after more of them a table pays
_STEPS_WITHOUT_TABLE = 100  # a query that takes more of them needs the table
# A level may fall to this part of its value at the start; below it, a step might have jumped over its zero.
_LEAST_LEVEL = 1e-3
_IMPLICIT_EFOLDINGS = 0.25  # of a step along a stiff flow
_LEAST_DIGITS = 1e-8  # of ∇g relative to its size; steps leave errors of a thousand units in the last place in θ
_SETTLED_UNITS = 1e5  # in the last place of θ: the errors that steps along a stiff flow may have
_LARGEST_STATE = 1e150
_INTEGRATED_EFOLDINGS = 0.25  # divergences of closer points are integrated, since differences would cancel


@known_options
class NumericalPotential(SeparablePotential):
    r"""The potential of a separable parameterization for given initial values, by integrating the flow of ∇g.

    R' agrees with closed forms to 1e-10 relative to :math:`|R'| + 1/\|\nabla^2 g\|`. A flow ends where a parameter runs
    away, at a critical point, or where it has no unique continuation: g is not real beyond, its gradient jumps, or it
    is not Lipschitz. To find these ends, the potential follows each flow in e-foldings of its distance from them, and
    extrapolates the quantities that still move. Where a direction settles while the flow moves on, an implicit method
    takes over, until ∇g is lost in the rounding of the parameters. Where that does not tell an end, :attr:`domain`
    reaches as far as the flow was followed, so all of it is certain.

    Args:
        parameterization: A separable x = g(θ).
        init: Initial values by parameter name, numbers or arrays of shape (n,).

    Raises:
        InputError: If the parameterization is coupled, or names or shapes do not match.
        DomainError: If g is not finite at an initial value, or if its gradient vanishes there: no flow leaves such a
            saddle.

    >>> from implicit_bias import Parameterization
    >>> R = NumericalPotential(Parameterization("u**2", "u"), {"u": [1.0, 2.0]})
    >>> R.gradient([2.0, 2.0]).round(10).tolist()  # ¼ log(x/u₀²)
    [0.1732867951, -0.1732867951]
    """

    formula = r"R'(g(\theta(s))) = s, \quad \theta'(s) = \nabla g(\theta(s))"

    def __init__(self, parameterization: SeparableParameterization, init: Mapping[str, ArrayLike]) -> None:
        if not hasattr(parameterization, "separable_map"):
            raise InputError(
                f"parameterization: expected a separable ib.Parameterization, got {type(parameterization).__name__}."
            )
        self._parameterization = parameterization
        self._names = tuple(init) if isinstance(init, Mapping) else ()
        self._begin(np.array(parameterization.start(init), dtype=float))

    def started_at(self, start: np.ndarray) -> NumericalPotential:
        """The potential of the same parameterization, compiled once, for other initial values, shape (p,) or (p, n)."""
        other = copy.copy(self)
        other._function = self._function
        for name in _OF_THE_START:
            vars(other).pop(name, None)
        other._begin(start)
        return other

    def __getstate__(self) -> dict[str, object]:
        """The attributes without the compiled functions, which cannot be pickled and are compiled again when needed."""
        return {name: value for name, value in vars(self).items() if name != "_function"}

    @functools.cached_property
    def _function(self) -> SeparableMap:
        return self._parameterization.separable_map()

    def _begin(self, start: np.ndarray) -> None:
        self._shared = start.ndim == 1
        self._start = start.reshape(len(start), -1)
        check_start(self._function, self._start, self._names)
        with np.errstate(all="ignore"):
            self._x0 = np.array(self._function.output(self._start), dtype=float)
            numbers = (self._x0, self._speed(self._start), self._rate(self._start))
            lost = ~np.all(np.isfinite(numbers), axis=0)
        refuse_start(lost, self._start, self._names, "g or one of its derivatives is no finite real number there")
        self._memo = (self._x0, self._start)
        self._queries = 0

    def __repr__(self) -> str:
        return f"NumericalPotential(n={self.size}, x0 in [{np.min(self._x0):g}, {np.max(self._x0):g}])"

    @property
    def size(self) -> int | None:
        return None if self._shared else len(self._x0)

    @property
    def minimizer(self) -> np.ndarray:
        return self._x0[0] if self._shared else self._x0.copy()

    @property
    def domain(self) -> tuple[Array, Array]:
        """The open interval that each weight can reach, or a part of it if an end is unknown, as two arrays (n,)."""
        return self._ends("x")

    @property
    def dual_domain(self) -> tuple[Array, Array]:
        """The open interval of R', or a part of it if an end is unknown, as two arrays (n,).

        An end is finite where the weight runs away in finite time, or where the flow could not be followed any further.
        """
        return self._ends("s")

    def parameters(self, x: ArrayLike) -> np.ndarray:
        """θ where the flow of ∇g passes x, shape (p, ..., n)."""
        points = self._real(np.asarray(x, dtype=float), "x")
        return self._at_weight(self._admit_weights(points, "x"))[0].copy()

    def _admit_weights(self, x: Array, name: str) -> Array:
        return self._admit_where_reached(x, name, "x")

    def _admit_duals(self, z: Array, name: str) -> Array:
        return self._admit_where_reached(z, name, "s")

    def _admit_where_reached(self, value: Array, name: str, kind: str) -> Array:
        """Return the floating array if it is reached, or raise; look for the ends, which takes long, only if needed."""
        array = self._admit(value, name, (-np.inf, np.inf))
        found = self._locate(_plain(array), kind)
        if np.any(found.outside):
            self._admit(array, name, self._known_ends(kind))
            # The flow was followed no further, or the extrapolated end is past all weights told from the true one.
            got = np.ravel(np.broadcast_to(_plain(array), found.query))[found.outside][0]
            raise DomainError(
                f"{name}: got {got}, beyond what the flow of ∇g reaches in double precision: too near to the end of "
                "the domain to be told from it, or too far from the start; use a value closer to the start."
            )
        return array

    def terms_at(self, x: Array) -> Array:
        return _through_numpy(lambda v: self._at_weight(v)[2], x)

    def gradient_at(self, x: Array) -> Array:
        return _through_numpy(lambda v: self._at_weight(v)[1], x)

    def inverse_gradient_at(self, z: Array) -> Array:
        return _through_numpy(self._weight, z)

    def metric_at(self, x: Array) -> Array:
        return _through_numpy(self._metric_at, x)

    def conjugate_terms_at(self, z: Array) -> Array:
        return _through_numpy(lambda v: self._at_time(v)[1], z)

    def metric_slope_at(self, x: Array) -> Array:
        return _through_numpy(self._metric_slope_at, x)

    def divergence_terms_at(self, x: Array, reference: Array) -> Array:
        return _through_numpy(lambda v, w: self._difference(v, w)[1], x, reference)

    def gradient_rise_at(self, x: Array, reference: Array) -> Array:
        return _through_numpy(lambda v, w: self._difference(v, w)[0], x, reference)

    @functools.cached_property
    def _length(self) -> np.ndarray:
        """The norm of each coordinate's parameters at the start, or 1 if that is 0 or its rounding; shape (n,)."""
        gradient, bend = self._function.gradient(self._start), self._function.bend(self._start)
        size, slope, turn = (np.sqrt(np.sum(each**2, axis=0)) for each in (self._start, gradient, bend))
        with np.errstate(all="ignore"):
            reach = np.fmin(1.0, slope * (slope / turn))  # over which ∇g changes, as the bend is ∇²g ∇g
        return np.where(size > _LEAST_SHARE_OF_REACH * reach, size, 1.0)

    @functools.cached_property
    def _unit(self) -> np.ndarray:
        """The size of the rows of a state (θ, s and ∫x ds) near the start, for absolute tolerances."""
        time = 1 / self._rate(self._start)
        theta = np.broadcast_to(self._length, self._start.shape)
        return np.stack([*theta, time, time * (np.abs(self._x0) + self._length)])

    @functools.cached_property
    def _tables(self) -> tuple[FlowTable, FlowTable]:
        """The nodes downwards and upwards, with θ, s and ∫x ds (which is R*) along the flows of −∇g and ∇g."""
        start = np.concatenate([self._start, np.zeros((2, len(self._x0)))])
        down, up = (functools.partial(self._implicit_step, sign) for sign in (-1.0, 1.0))
        return (
            FlowTable(self._velocity_down, start, self._unit, down if self._can_be_stiff else None),
            FlowTable(self._velocity, start, self._unit, up if self._can_be_stiff else None),
        )

    @property
    def _can_be_stiff(self) -> bool:
        """Whether a direction may settle while the flow moves on, in a field with derivatives."""
        function = self._function
        return len(self._start) > 1 and function.exponent == 2 and function.hessian is not None

    def _hessian(self, theta: np.ndarray) -> np.ndarray:
        assert self._function.hessian is not None  # noqa: S101 - asked for only where it exists
        return self._function.hessian(theta)

    def _implicit_step(self, sign: float, state: np.ndarray) -> np.ndarray:
        """The state a quarter of an e-folding later; columns stand still where ∇g is lost in the rounding of θ."""
        theta = state[:-2]
        with np.errstate(all="ignore"):
            gradient, hessian = self._function.gradient(theta), self._hessian(theta)
            norm = np.sqrt(np.sum(gradient**2, axis=0))
            rounding = np.einsum("ij...,j...->i...", np.abs(hessian), np.spacing(np.abs(theta)))
            lost = np.max(rounding, axis=0) > _LEAST_DIGITS * norm
            blocks = sign * np.moveaxis(np.nan_to_num(hessian, posinf=0.0, neginf=0.0), -1, 0)
            # A settled direction does not count, nor do errors in it; an unstable one does: its deviations are real.
            sure = np.where(np.abs(gradient) > _SETTLED_UNITS * rounding, gradient, 0.0)
            bends = np.linalg.eigvalsh(blocks)
            unstable = np.maximum(bends[:, -1] - 1e-15 * np.max(np.abs(bends), axis=1), 0.0)
            rate = (
                norm / np.sqrt(np.sum((theta - self._start) ** 2, axis=0) + self._length**2)
                + np.abs(np.sum(sure * self._function.bend(theta), axis=0)) / norm**2
                + self._function.approach(theta)
                + unstable
            )
            span = sign * _IMPLICIT_EFOLDINGS / rate
            lost |= ~np.isfinite(span)

            def velocity(moved: np.ndarray) -> np.ndarray:
                x = self._function.output(moved[:-2])
                return span * np.concatenate([self._curve(moved[:-2]), [np.ones_like(x), x]])

            span = np.where(lost, 0.0, span)
            moved = stiff_flow.advance(velocity, lambda y: span * self._hessian(y[:-2]), state, self._unit)
            lost |= ~(np.max(np.abs(moved), axis=0) < _LARGEST_STATE)
        return np.where(lost, state, moved)

    def _slopes(self, theta: np.ndarray) -> np.ndarray:
        """The derivative of dθ/dx in θ."""
        gradient, speed = self._along(theta)
        turn = 2 * gradient[:, None] * self._function.bend(theta)[None]
        return (self._hessian(theta) - turn / speed) / speed

    def _rate(self, theta: np.ndarray) -> np.ndarray:
        """E-foldings per unit of flow time; near a critical point they count time, near other ends its logarithm."""
        gradient = self._function.gradient(theta)
        norm = np.sqrt(np.sum(gradient**2, axis=0))
        velocity = self._function.curve(gradient)
        pace = norm if velocity is gradient else np.sqrt(np.sum(velocity**2, axis=0))
        bend = np.sqrt(np.sum(self._function.bend(theta) ** 2, axis=0))
        # Queries have axes of their own between those of the parameters and of the coordinates.
        start = np.expand_dims(self._start, tuple(range(1, theta.ndim - 1)))
        return (
            pace / np.sqrt(np.sum((theta - start) ** 2, axis=0) + self._length**2)
            + bend / norm
            + self._function.approach(theta)
        )

    def _velocity(self, state: np.ndarray) -> np.ndarray:
        theta = state[:-2]
        curve = self._curve(theta)
        x = self._function.output(theta)
        velocity = np.concatenate([curve, [np.ones_like(x), x]]) / self._rate(theta)
        # A coordinate that has left the floating-point range, or is at a critical point, waits for the others.
        waiting = ~np.isfinite(np.sum(velocity, axis=0)) | (np.max(np.abs(state), axis=0) > _LARGEST_STATE)
        velocity[:, waiting] = 0.0
        return velocity

    def _velocity_down(self, state: np.ndarray) -> np.ndarray:
        return -self._velocity(state)

    def _speed(self, theta: np.ndarray) -> np.ndarray:
        return self._along(theta)[1]

    def _curve(self, theta: np.ndarray) -> np.ndarray:
        return self._function.curve(self._function.gradient(theta))

    def _along(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """dθ/ds and dx/ds."""
        gradient = self._function.gradient(theta)
        velocity = self._function.curve(gradient)
        return velocity, np.sum(gradient * velocity, axis=0)

    def _ends(self, kind: str) -> tuple[Array, Array]:
        low, high = (table.end(self._follow(kind))[0] for table in self._tables)
        return (low[0], high[0]) if self._shared else (low, high)

    def _known_ends(self, kind: str) -> tuple[Array, Array]:
        """The ends as far as they are known, ±inf where they are not."""
        known = []
        for table, beyond in zip(self._tables, (-np.inf, np.inf), strict=True):
            end, told = table.end(self._follow(kind))
            known.append(np.where(told, end, beyond))
        return (known[0][0], known[1][0]) if self._shared else (known[0], known[1])

    def _follow(self, kind: str) -> Callable[[np.ndarray], np.ndarray]:
        """The weight ("x") or the time ("s") of a state."""
        return (lambda state: self._function.output(state[:-2])) if kind == "x" else (lambda state: state[-2])

    def _at_time(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """θ and R* at the flow time z, shapes (p, ...) and (...); inf beyond the ends."""
        reached = self._locate(z, "s")
        state, gap = reached.state, reached.target - reached.state[-2]

        def velocity(theta: np.ndarray) -> np.ndarray:
            x = self._function.output(theta[:-1])
            return gap * np.concatenate([self._curve(theta[:-1]), [x]])

        jacobian = (lambda y: gap * self._hessian(y[:-1])) if self._can_be_stiff else None
        moved = advance(velocity, np.delete(state, -2, axis=0), np.delete(reached.unit, -2, axis=0), jacobian)
        moved[:, reached.outside] = np.inf
        return reached.shape(moved[:-1]), reached.shape(moved[-1])

    def _directly(self, z: np.ndarray) -> np.ndarray | None:
        """θ at time z from the start, shape (p, ...), or None if that takes many steps or leads beyond the ends.

        A flow with decay asks every potential only once or twice, and a table would not pay.
        """
        self._queries += 1
        full = np.broadcast_to(z, np.broadcast_shapes(z.shape, () if self._shared else self._x0.shape))
        if self._queries > _QUERIES_WITHOUT_TABLE or "_tables" in vars(self) or not np.all(np.isfinite(full)):
            return None
        columns = np.zeros(full.shape, int) if self._shared else np.broadcast_to(np.arange(len(self._x0)), full.shape)
        unit = np.broadcast_to(self._length, self._start.shape)
        start = self._start[:, columns]
        try:
            theta = advance(
                lambda theta: full * self._curve(theta), start, unit[:, columns], max_steps=_STEPS_WITHOUT_TABLE
            )
        except TooFarError:
            return None
        with np.errstate(all="ignore"):
            left = self._function.levels(theta) / self._function.levels(start)
        return theta if np.all(left > _LEAST_LEVEL) else None

    def _at_weight(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """θ, R' and R where the flow passes x, shapes (p, ...), (...) and (...)."""
        reached = self._locate(x, "x")
        gap = reached.target - self._function.output(reached.state[:-2])

        def velocity(state: np.ndarray) -> np.ndarray:
            curve, speed = self._along(state[:-2])
            weight = self._function.output(state[:-2])
            return gap * np.concatenate([curve, [np.ones_like(weight), weight]]) / speed

        jacobian = (lambda y: gap * self._slopes(y[:-2])) if self._can_be_stiff else None
        moved = advance(velocity, reached.state, reached.unit, jacobian)
        moved[:, reached.outside] = np.nan
        self._memo = (x.copy(), reached.shape(moved[:-2]))  # a copy, since the caller may change x
        return (
            reached.shape(moved[:-2]),
            reached.shape(moved[-2]),
            reached.shape(reached.target * moved[-2] - moved[-1]),
        )

    def _difference(self, x: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """R'(x) − R'(x') and D(x, x'), by integration from x' to x if they are close, else by their definitions."""
        x, reference = np.broadcast_arrays(x, reference)
        theta, slope, value = self._at_weight(reference)
        _, slope_there, value_there = self._at_weight(x)
        rise, plain = slope_there - slope, value_there - value - slope * (x - reference)
        speed = self._speed(theta)
        is_close = np.abs(x - reference) * self._rate(theta) < _INTEGRATED_EFOLDINGS * speed
        gap = np.where(is_close, x - reference, 0.0)

        def velocity(state: np.ndarray) -> np.ndarray:
            curve, pace = self._along(state[:-2])
            share = 1 / pace
            # The rise of R' and its integral, in units of their values for a constant metric.
            return np.concatenate([gap * curve * share, [speed * share, state[-2]]])

        start = np.concatenate([theta, np.zeros((2, *x.shape))])
        jacobian = (lambda y: gap * self._slopes(y[:-2])) if self._can_be_stiff else None
        moved = advance(velocity, start, np.ones_like(start), jacobian)
        rise = np.where(is_close, moved[-2] * (gap / speed), rise)
        return rise, np.where(is_close, moved[-1] * (gap / speed) * gap, plain)

    def _weight(self, z: np.ndarray) -> np.ndarray:
        theta = self._directly(z)
        if theta is None:
            theta = self._at_time(z)[0]
        with np.errstate(all="ignore"):
            x = self._function.output(theta)
        x = np.where(np.isfinite(theta[0]), x, np.where(z > 0, np.inf, -np.inf))
        self._memo = (x.copy(), theta)
        return x

    def _metric_at(self, x: np.ndarray) -> np.ndarray:
        """dx/ds where the curve passes x: ‖∇g‖² for a flow of ∇g."""
        theta = self._passing(x)
        with np.errstate(all="ignore"):
            return self._speed(theta)

    def _metric_slope_at(self, x: np.ndarray) -> np.ndarray:
        """The derivative of Σ|∇g|^q in x, which is q⟨θ', ∇²g θ'⟩/Σ|∇g|^q along the curve θ(s)."""
        theta = self._passing(x)
        with np.errstate(all="ignore"):
            curve, speed = self._along(theta)
            return self._function.exponent * np.sum(curve * self._function.bend(theta), axis=0) / speed

    def _passing(self, x: np.ndarray) -> np.ndarray:
        """θ where the flow passes x; solvers mostly ask for it at the weight that they have just computed."""
        known, theta = self._memo
        return theta if np.array_equal(known, x) else self._at_weight(x)[0]

    def _locate(self, target: np.ndarray, kind: str) -> _Located:
        """The last node before each target, among those of its coordinate."""
        follow = self._follow(kind)
        full = np.broadcast_to(target, np.broadcast_shapes(target.shape, () if self._shared else self._x0.shape))
        flat = full.reshape(-1)
        columns = np.zeros(len(flat), int) if self._shared else np.arange(len(flat)) % len(self._x0)
        start = np.concatenate([self._start, np.zeros((2, len(self._x0)))])
        origin = follow(start)[columns]
        state, outside = start[:, columns], ~np.isfinite(flat)
        for table, chosen in zip(self._tables, (flat < origin, flat > origin), strict=True):
            chosen = chosen & ~outside
            if np.any(chosen):
                state[:, chosen], outside[chosen] = table.before(flat[chosen], columns[chosen], follow)
        return _Located(state, self._unit[:, columns], np.where(outside, origin, flat), outside, full.shape)


@dataclass(frozen=True)
class _Located:
    """The last nodes before the targets of a query.

    Attributes:
        state: The nodes, shape (p + 2, m).
        unit: The sizes of their entries, for absolute tolerances, shape (p + 2, m).
        target: The targets, shape (m,); those outside are replaced by the start.
        outside: Whether the flow does not reach a target, shape (m,).
        query: The shape of the query, of m entries.
    """

    state: np.ndarray
    unit: np.ndarray
    target: np.ndarray
    outside: np.ndarray
    query: tuple[int, ...]

    def shape(self, values: np.ndarray) -> np.ndarray:
        return values.reshape((*values.shape[:-1], *self.query))


def _through_numpy(function: Callable[..., np.ndarray], values: Array, *others: Array) -> Array:
    """Apply a NumPy function to arrays of any kind, and return the kind, type and device of the first."""
    result = function(_plain(values), *(_plain(other) for other in others))
    if isinstance(values, np.ndarray):
        return result.astype(values.dtype)
    xp = array_api_compat.array_namespace(values)
    return xp.asarray(result, dtype=values.dtype, device=array_api_compat.device(values))


def _plain(values: Array) -> np.ndarray:
    """A float64 NumPy array of the same numbers."""
    detached = values.detach() if hasattr(values, "detach") else values
    return np.asarray(array_api_compat.to_device(detached, "cpu"), dtype=float)
