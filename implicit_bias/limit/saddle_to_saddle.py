r"""The flow of a vanishing scale: it waits at saddles of the loss, and jumps from one to the next.

Training x = m ⊙ w from m = √2a, w = 0 (or x = (u² − v²)/2 from u = v = √a) is the mirror flow of a hyperbolic entropy
of scale a, :math:`x = a\sinh(-2Z^T\nu)` with :math:`\nu' = (Zx - y)/d`. Take time and ν in units of log(1/a),

.. math:: \tau = \frac{t}{\log(1/a)}, \qquad s = \frac{-2Z^T\nu}{\log(1/a)} .

As a → 0 a weight vanishes while \|s_i\| < 1, and moves freely once s_i reaches a wall, with the sign of s_i. So x is at
once the minimizer of the loss over all weights with x_i ≥ 0 where s_i = 1, x_i ≤ 0 where s_i = −1, and x_i = 0
elsewhere. It stays there while s moves along :math:`s' = -2\nabla f(x)`, until another entry reaches a wall
[Pesme2023]_. At the start x = 0 and s = 0.

In the dual variables this is the flow of a convex function: ν moves in the direction −y/d, projected onto the tangent
cone of the polytope :math:`\|2Z^T\nu\|_\infty \le 1`. So the path of ν is unique, whatever the data, and it ends where
:math:`-y^T\nu` is largest on that polytope, which is the dual of basis pursuit. The path of x is unique as long as the
columns of the free weights do not depend on each other.

References:
    .. [Pesme2023] Pesme, Flammarion, "Saddle-to-saddle dynamics in diagonal linear networks", NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.careful_sum import SMALLEST, UNIT_ROUNDOFF, sum_error
from implicit_bias.errors import InputError, known_options
from implicit_bias.limit.exact_path import ExactPath, exact_path
from implicit_bias.limit.jump_times import JumpTimes
from implicit_bias.limit.projection import check_interpolates
from implicit_bias.limit.signed_least_squares import SignedFit, signed_least_squares
from implicit_bias.linear_map import EntriesMap
from implicit_bias.problem import Regression
from implicit_bias.shown import Shown
from implicit_bias.status import Status, settle
from implicit_bias.validation import BoolArray, FloatArray, IntArray, finite_array, whole_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of s, whose walls are at ±1. Where rounding has grown to this, it is no longer told which entry comes first.
_LARGEST_DRIFT = 1e-6
_NEAR = 1e6  # times the last jump: up to such a horizon, of data that nearly cancel, fractions look for further jumps
# Products of entries whose exponents are beyond it could leave the floating-point range.
_LARGEST_EXPONENT = 100


@dataclass(frozen=True, eq=False)
class SaddlePath(Shown):
    """The limit of flows as their scale a vanishes: weights that are constant but for jumps.

    Attributes:
        times: When the path jumps, in τ = t/log(1/a) with flow time t, increasing, shape (k,).
        time_error_bound: A proven bound on how far each of these times is from that of the exact path, shape (k,); inf
            from the first jump on at which several weights arrive together, or a weight that may be zero is kept, as
            rounding then hides in how many steps the exact path gets there, unless the path was computed in fractions.
            Of the flow at a finite scale it says nothing.
        x: The weights before the first jump, which are zero, and after each one, shape (k + 1, n).
        error_bound: A proven bound on the distance of each row of x to the exact minimizer of the loss over weights
            with the same walls, shape (k + 1,).
        loss: The loss at each row of x, shape (k + 1,).
        dual: ν over log(1/a) at the jumps, with the ν of :func:`~implicit_bias.mirror_flow`, shape (k, d);
            s = −2Zᵀν.
        ties: Whether several weights reached their walls together, up to rounding, shape (k,). Then the exact path
            may make several jumps at times that differ by rounding.
        horizon: The path is known up to this τ; no further jump comes before it. It is about the inverse of the
            rounding errors, or infinite, if the path has ended.
        status: How the path ended: CONVERGED if no further jump comes before the horizon, which for a finite one leaves
            open what comes after it; DEGENERATE if the next jump has no unique end; STALLED if rounding hides which
            weight moves next, and Z is too large to compute the path in fractions (about 14 × 28).
    """

    times: FloatArray
    time_error_bound: FloatArray
    x: FloatArray
    error_bound: FloatArray
    loss: FloatArray
    dual: FloatArray
    ties: BoolArray
    horizon: float
    status: Status

    def __repr__(self) -> str:
        last = f", the last at {self.times[-1]:.6g}" if len(self.times) else ""
        failed = "" if self.status is Status.CONVERGED else f"{self.status.value}, "
        return (
            f"SaddlePath(n={self.x.shape[1]}, {len(self.times)} jumps{last}, loss {self.loss[0]:.3g} to "
            f"{self.loss[-1]:.3g}, {failed}known up to τ = {self.horizon:.3g})"
        )

    @property
    def supports(self) -> tuple[IntArray, ...]:
        """The indices of the weights that are not zero, for each row of x."""
        return tuple(np.flatnonzero(row) for row in self.x)

    def at(self, times: ArrayLike) -> FloatArray:
        """The weights at some τ, of any shape (...); shape (..., n). At a jump they are those after it.

        Raises:
            InputError: If a time is negative or beyond the horizon.
        """
        asked = finite_array(times, "times")
        if np.any(asked < 0) or np.any(asked > self.horizon):
            raise InputError(
                f"times: expected t/log(1/a) from 0 to the horizon {self.horizon:.6g}, got {np.min(asked):g} to "
                f"{np.max(asked):g}."
            )
        return self.x[np.searchsorted(self.times, asked, side="right")]

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the weights as steps against τ = t/log(1/a).

        Args:
            ax: Where to draw; by default pyplot's current axes, so that several calls share one plot.
            options: Passed to matplotlib's ``Axes.plot``, once for each weight; at most the 100 largest are drawn.
        """
        return self._display.plot(self, ax, **options)


@known_options
def saddle_to_saddle(problem: Regression, *, max_jumps: int = 10_000, throw: bool = True) -> SaddlePath:
    r"""Compute the path of x = m ⊙ w, or (u² − v²)/2, from an initialization that vanishes, without following a flow.

    The squared loss may have any minimizer: if Zx = y has no solution, the path ends at a least-squares solution. At
    scale a the flow is about 1/log(1/a) off the path, but for times close to a jump.

    Args:
        problem: Z, shape (d, n), an array or a sparse array, and y, under the squared loss.
        max_jumps: Limit on the number of jumps.
        throw: Raise if the path cannot be followed to its end, instead of reporting it in ``status``.

    Raises:
        InputError: If the loss is not squared, or Z is an operator.
        SolverError: If a jump has no unique end, rounding hides the next one, or there are too many, if ``throw``.

    >>> path = saddle_to_saddle(Regression([[2.0, 1.0]], [2.0]))
    >>> path.times.tolist(), path.x.tolist()
    ([0.125], [[0.0, 0.0], [1.0, 0.0]])
    """
    check_interpolates(problem, "saddle_to_saddle")
    if not isinstance(problem.linear, EntriesMap):
        raise InputError(
            f"Z: expected an array or a sparse array of at most 5000 rows, whose columns can be read, got "
            f"{type(problem.Z).__name__}."
        )
    if whole_number(max_jumps, "max_jumps") < 0:
        raise InputError(f"max_jumps: expected an integer >= 0, got {max_jumps}.")
    with np.errstate(all="ignore"):  # what leaves the floating-point range shows up in the status
        path, reached = _follow(problem, problem.linear, max_jumps)
    advice = None
    if path.status is Status.DEGENERATE:
        names = ", ".join(map(str, reached[:5])) + (", …" if len(reached) > 5 else "")
        advice = (
            f"At τ = {path.horizon:.6g} weights {names} are free to move and their columns of Z depend on each other, "
            "so orders below the leading one choose the next point: perturb Z, or run mirror_flow at a small scale."
        )
    elif path.status is Status.STALLED:
        advice = f"After τ = {path.horizon:.6g} rounding hides which weight moves next; result.x holds the path so far."
    elif path.status is Status.MAX_ITERATIONS:
        advice = f"There are more than {max_jumps} jumps: raise max_jumps; result.x holds the path so far."
    return settle(path, throw, "saddle_to_saddle", advice)


class _Units:
    """Powers of two that bring Z and y to moderate sizes, which rounds nothing."""

    def __init__(self, problem: Regression, linear: EntriesMap) -> None:
        size = int(np.frexp(float(np.max(linear.row_sizes)))[1])
        self.Z = size if abs(size) > _LARGEST_EXPONENT else 0
        self.y = int(np.frexp(float(np.max(np.abs(problem.y))))[1])
        self.linear = linear.scaled_rows(np.full(problem.d, -self.Z)) if self.Z else linear
        self.target = np.ldexp(problem.y, -self.y)

    def weights(self, x: FloatArray) -> FloatArray:
        return np.ldexp(x, self.y - self.Z)

    def bounds(self, errors: FloatArray) -> FloatArray:
        return np.where(errors > 0, np.ldexp(errors, self.y - self.Z) + SMALLEST * self.linear.shape[1], 0.0)

    def times(self, tau: FloatArray | float) -> FloatArray:
        return np.ldexp(tau, -self.y - self.Z)

    def time_bounds(self, errors: FloatArray) -> FloatArray:
        return self.times(errors) + 2 * SMALLEST

    def dual(self, nu: FloatArray) -> FloatArray:
        return np.ldexp(nu, -self.Z)


def _follow(problem: Regression, linear: EntriesMap, max_jumps: int) -> tuple[SaddlePath, IntArray]:
    """The path, and the weights that were free at a jump without a unique end."""
    units = _Units(problem, linear)
    walk = _Walk(units.linear, units.target)
    status = None
    while status is None:
        status = walk.wait() if len(walk.times) < max_jumps or not walk.has_push() else Status.MAX_ITERATIONS
        if status is None:
            status = walk.jump()
    x = units.weights(np.array([fit.x for fit in walk.fits]))
    path = SaddlePath(
        times=units.times(np.array(walk.times)),
        time_error_bound=units.time_bounds(np.array(walk.clock.bounds)),
        x=x,
        error_bound=units.bounds(np.array([fit.error_bound for fit in walk.fits])),
        loss=problem.loss(x),
        dual=units.dual(np.array(walk.duals).reshape(-1, problem.d)),
        ties=np.array(walk.ties, dtype=bool),
        horizon=float(units.times(walk.horizon)),
        status=status,
    )
    if not (np.all(np.isfinite(path.x)) and np.all(np.isfinite(path.times)) and np.all(np.isfinite(path.loss))):
        raise InputError("Z and y: the path leaves the floating-point range; rescale them.")
    hides_jumps = path.horizon < _NEAR * np.max(path.times, initial=0.0)
    if status in (Status.STALLED, Status.DEGENERATE) or hides_jumps:
        exact = exact_path(linear.columns(np.arange(problem.n)), problem.y, max_jumps)
        if exact is not None:
            return _rounded(problem, exact), np.flatnonzero(exact.walls)
    return path, np.flatnonzero(walk.signs)


def _rounded(problem: Regression, exact: ExactPath) -> SaddlePath:
    """A path in fractions, rounded."""
    x = np.array([[float(value) for value in row] for row in exact.x])
    times = np.array([float(time) for time in exact.times])
    if exact.horizon is None:
        status = Status.CONVERGED
    else:
        status = Status.DEGENERATE if exact.is_degenerate else Status.MAX_ITERATIONS
    return SaddlePath(
        times=times,
        time_error_bound=np.array(
            [_rounding([time], [exactly]) for time, exactly in zip(times, exact.times, strict=True)]
        ),
        x=x,
        error_bound=np.array([_rounding(row, exactly) for row, exactly in zip(x, exact.x, strict=True)]),
        loss=problem.loss(x),
        dual=np.array([[float(value) for value in nu] for nu in exact.duals]).reshape(-1, problem.d),
        ties=np.array(exact.ties, dtype=bool),
        horizon=np.inf if exact.horizon is None else float(exact.horizon),
        status=status,
    )


def _rounding(found: Iterable[float], exact: list[Fraction]) -> float:
    """A bound on the distance of numbers to exact ones."""
    errors = [float(abs(Fraction(float(value)) - want)) + SMALLEST for value, want in zip(found, exact, strict=True)]
    return 1.01 * sum(error for error in errors if error > SMALLEST)


class _Walk:
    """The path so far, and the steps that extend it: wait until an entry of s reaches a wall, then jump.

    Attributes:
        fits: The minimizers so far.
        times: When the path reached each of them but the first.
        duals: ν at these times.
        ties: Whether several entries of s arrived then.
        signs: The walls at which entries of s are, 0 for others.
        horizon: Up to when the path is known.
        clock: Bounds on the times.
    """

    def __init__(self, linear: EntriesMap, y: FloatArray) -> None:
        d, n = linear.shape
        self.linear, self.y = linear, y
        self.signs, self.nu, self.time = np.zeros(n), np.zeros(d), 0.0
        # A bound on the rounding of s, from that of all pushes so far and from its own products.
        self.drift = np.zeros(n)
        start = signed_least_squares(linear, y, self.signs, np.zeros(n))
        self.fits: list[SignedFit] = [start] if start is not None else []
        self.times: list[float] = []
        self.clock = JumpTimes(linear)
        self.duals: list[FloatArray] = []
        self.ties: list[bool] = []
        self.arrived = np.zeros(n, dtype=bool)
        self.horizon = 0.0

    def _speeds(self) -> tuple[FloatArray, FloatArray]:
        """ds/dτ of the entries that are not held at a wall, and a bound on its error; both (n,)."""
        fit, factor = self.fits[-1], 2 / self.linear.shape[0]
        is_loose = ~fit.is_held
        return np.where(is_loose, factor * fit.push, 0.0), np.where(is_loose, 1.01 * factor * fit.push_error, 0.0)

    def has_push(self) -> bool:
        """Whether any entry of s certainly moves."""
        speed, doubt = self._speeds()
        return bool(np.any(np.abs(speed) > doubt))

    def wait(self) -> Status | None:
        """Move s until an entry reaches a wall, and note the walls."""
        speed, doubt = self._speeds()
        s = np.where(self.signs != 0, self.signs, -2 * self.linear.adjoint(self.nu))
        moves = np.abs(speed) > doubt
        # An entry whose direction rounding hides moves at most at the speed that is seen of it and the doubt.
        unsure = ~moves & (doubt > 0)
        room = np.maximum(1 - np.abs(s) - self.drift, 0.0)[unsure] / (np.abs(speed) + doubt)[unsure]
        soonest = float(np.min(room, initial=np.inf))
        if not np.any(moves):
            self.horizon = self.time + soonest
            return Status.CONVERGED
        heading = np.sign(speed)
        gap = np.maximum(1 - heading * s, 0.0)
        wait = float(np.min(gap[moves] / np.abs(speed[moves])))
        rounding = 4 * sum_error(self.linear.shape[0]) * self.linear.absolute_adjoint(np.abs(self.nu))
        drift = self.drift + wait * doubt + rounding + 4 * UNIT_ROUNDOFF
        # The wait itself is off by the drift of the entry that arrives first, over its speed.
        first = int(np.argmin(np.where(moves, gap / np.abs(speed), np.inf)))
        late = 2 * drift[first] / (np.abs(speed[first]) - doubt[first])
        arrives = moves & (gap - wait * np.abs(speed) <= 2 * drift + late * np.abs(speed))
        if soonest < wait:
            self.horizon = self.time + soonest
            return Status.STALLED
        if np.any(np.abs(s) > 1 + 2 * (self.drift + rounding)):
            return Status.STALLED
        if not np.isfinite(wait) or np.max(drift[arrives]) > _LARGEST_DRIFT:
            return Status.STALLED
        self.horizon = self.time = self.time + wait
        self.drift = drift
        before, self.nu = self.nu, self.nu - wait / self.linear.shape[0] * self.fits[-1].residual
        self.clock.wait(self.fits[-1], before, self.nu, wait, self.time)
        self.signs = np.where(arrives, heading, np.where(self.fits[-1].is_held, self.signs, 0.0))
        self.arrived = arrives
        return None

    def jump(self) -> Status | None:
        """Move x to the minimizer within the present walls."""
        fit = signed_least_squares(self.linear, self.y, self.signs, self.fits[-1].x)
        if fit is None:
            return Status.STALLED
        if not np.isfinite(fit.error_bound):
            return Status.DEGENERATE
        # A point that is less certain than it is large, or a loss that rises, is no minimizer that the path goes to.
        before = self.fits[-1].residual
        rises = np.linalg.norm(fit.residual) > (1 + _LARGEST_DRIFT) * np.linalg.norm(before)
        if rises or fit.error_bound > np.max(np.abs(fit.x), initial=0.0):
            return Status.STALLED
        self.clock.jump(self.fits[-1], fit, self.signs, self.arrived)
        self.fits.append(fit)
        self.times.append(self.time)
        self.duals.append(self.nu)
        self.ties.append(int(np.sum(self.arrived)) > 1)
        return None
