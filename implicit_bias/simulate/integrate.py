"""SciPy's integrators, step by step, with a restart wherever the schedule jumps."""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.integrate import BDF, DOP853, LSODA, RK23, RK45, DenseOutput, OdeSolution, OdeSolver, Radau, odeint
from scipy.linalg import LinAlgError

from implicit_bias.errors import InputError
from implicit_bias.simulate.trajectory import Path, Stats, Trajectory
from implicit_bias.status import Status
from implicit_bias.validation import FloatArray, positive_number, whole_number

Field = Callable[[float, FloatArray], FloatArray]
Method = Literal["BDF", "DOP853", "LSODA", "RK23", "RK45", "Radau"]

_METHODS: dict[Method, Callable[..., OdeSolver]] = {
    "BDF": BDF,
    "DOP853": DOP853,
    "LSODA": LSODA,
    "RK23": RK23,
    "RK45": RK45,
    "Radau": Radau,
}
EXPLICIT = ("RK23", "RK45", "DOP853")
# This replaces velocities that are not finite, and makes every method shorten its step. LSODA would accept nan as a
# converged step, and the implicit methods would raise an error.
_HUGE_VELOCITY = 1e150


@dataclass(frozen=True)
class Settings:
    """How to integrate a flow.

    Attributes:
        method: The name of a method of ``scipy.integrate.solve_ivp``.
        rtol: Relative tolerance per step.
        atol: Absolute tolerance per step.
        max_steps: Limit on the number of steps; of LSODA at given times, between two of them.
        dense: Whether to keep the path between the times.

    Raises:
        InputError: If there is no such method, or a number is not positive.
    """

    method: Method
    rtol: float
    atol: float
    max_steps: int
    dense: bool = False

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            raise InputError(f"method: expected one of {', '.join(_METHODS)}, got {self.method!r}.")
        if whole_number(self.max_steps, "max_steps") < 1:
            raise InputError(f"max_steps: expected a positive integer, got {self.max_steps}.")
        object.__setattr__(self, "rtol", positive_number(self.rtol, "rtol"))
        object.__setattr__(self, "atol", positive_number(self.atol, "atol"))


@dataclass(frozen=True)
class Integrated:
    """The times reached, the states there (k, N), how the integration ended, its cost, and the path if it was kept."""

    t: FloatArray
    state: FloatArray
    status: Status
    stats: Stats
    path: OdeSolution | None = None


def integrate(
    field: Field,
    start: FloatArray,
    times: FloatArray,
    breakpoints: Sequence[float],
    settings: Settings,
    *,
    scale: float | FloatArray = 1.0,
    jacobian: Field | None = None,
) -> Integrated:
    """Integrate state' = field(t, state) from t = 0.

    LSODA at given times runs in compiled code from one time to the next. Everything else goes step by step in Python,
    and so does LSODA where its compiled code gets stuck.

    Args:
        field: The right-hand side.
        start: State at t = 0.
        times: Increasing times to report; or a 0-d array, the end time, to report the solver's own steps.
        breakpoints: Times at which the right-hand side jumps; no step crosses one.
        settings: Method, tolerances and limits.
        scale: The size of the state, by which the absolute tolerance is multiplied; a number or one for each entry.
        jacobian: The Jacobian of the field in the state; explicit methods do not use it.
    """
    began = time.perf_counter()
    end = float(times if times.ndim == 0 else times[-1])
    edges = [0.0, *sorted(b for b in set(breakpoints) if 0 < b < end), end]
    method, rtol, atol = settings.method, settings.rtol, settings.atol * scale
    is_compiled = method == "LSODA" and times.ndim == 1 and not settings.dense
    count = _Count()
    status, state = Status.CONVERGED, np.asarray(start, dtype=float)
    reached, states, pieces = [np.empty(0)], [np.empty((0, len(state)))], []

    field, jacobian = _apart(field), jacobian and _apart(jacobian)
    with np.errstate(all="ignore"), warnings.catch_warnings(), _raised_as_they_were():
        warnings.simplefilter("ignore")  # an overflow or a failure of LSODA shows up in the status
        if not np.all(np.isfinite(field(0.0, state))):
            status = Status.NOT_FINITE
        elif times.ndim == 0 or times[0] == 0:
            reached.append(np.zeros(1))
            states.append(state[None, :])
        for left, right in itertools.pairwise(edges):
            if status is not Status.CONVERGED or left == right:
                break
            # Evaluations at the right edge must see the field before the jump.
            tame = _tamed(field, right if right == end else float(np.nextafter(right, left)))
            piece = None
            if is_compiled:
                with suppress(_StuckError):
                    piece = _at_times(tame, jacobian, state, left, right, times, settings, atol, count)
            if piece is None:
                options = {} if jacobian is None or method in EXPLICIT else {"jac": jacobian}
                solver = _METHODS[method](tame, left, state, right, rtol=rtol, atol=atol, **options)
                piece = _by_steps(solver, times, settings.max_steps, count, pieces if settings.dense else None)
            at, path, state, status = piece
            finite = np.all(np.isfinite(path), axis=1)
            reached.append(at[finite])
            states.append(path[finite])
    path = OdeSolution([pieces[0].t_old, *(piece.t for piece in pieces)], pieces) if pieces else None
    stats = Stats(count.evaluations, count.jacobians, count.steps, time.perf_counter() - began)
    return Integrated(np.concatenate(reached), np.concatenate(states), status, stats, path)


@dataclass(frozen=True, eq=False)
class _Interpolation:
    """Makes the trajectory at times between the reported ones; it can be pickled."""

    reading: Callable[[FloatArray, FloatArray], Trajectory]
    path: OdeSolution

    def __call__(self, times: FloatArray) -> Trajectory:
        return self.reading(times, self.path(times).T)


@dataclass
class _Count:
    """The cost of an integration so far."""

    evaluations: int = 0
    jacobians: int = 0
    steps: int = 0


class _StuckError(Exception):
    """The integrator evaluates the field at the same time again and again."""


def _watched(field: Field, size: int) -> Field:
    """The field, which raises :class:`_StuckError` when the integrator gets stuck.

    A step and a numerical Jacobian for so many entries never need as many evaluations at one time.
    """
    latest, repeated = -np.inf, 0

    def watched(at: float, state: FloatArray) -> FloatArray:
        nonlocal latest, repeated
        repeated = 0 if at > latest else repeated + 1
        latest = max(latest, at)
        if repeated > 500 + 10 * size:
            raise _StuckError
        return field(at, state)

    return watched


_Piece = tuple[FloatArray, FloatArray, FloatArray, Status]  # times, states there, the last state, how it ended


def _at_times(
    field: Field,
    jacobian: Field | None,
    state: FloatArray,
    left: float,
    right: float,
    times: FloatArray,
    settings: Settings,
    atol: float | FloatArray,
    count: _Count,
) -> _Piece:
    """Integrate one piece by LSODA, without returning to Python between the times.

    Raises:
        _StuckError: If steps no longer advance the time, which LSODA does not notice.
    """
    inner = times[(times > left) & (times < right)]
    grid = np.concatenate([[left], inner, [right]])
    found, info = odeint(
        _watched(field, len(state)),
        state,
        grid,
        Dfun=jacobian,
        tfirst=True,
        full_output=True,
        rtol=settings.rtol,
        atol=atol,
        tcrit=[right],
        mxstep=settings.max_steps,
    )
    arrived = np.all(np.isfinite(found), axis=1)
    if "successful" not in info["message"]:
        # LSODA stopped before the first time that its clock has not passed; entries from there on are undefined.
        arrived[1:] &= np.asarray(info["tcur"]) >= grid[1:]
    arrived = np.logical_and.accumulate(arrived)
    last = int(np.flatnonzero(arrived)[-1])
    entry = min(last, len(grid) - 2)
    count.evaluations += int(info["nfe"][entry])
    count.jacobians += int(info["nje"][entry])
    count.steps += int(info["nst"][entry])
    reported = np.isin(grid, times) & arrived
    reported[0] = False  # the piece before reported it
    if arrived[-1]:
        status = Status.CONVERGED
    elif not np.all(np.isfinite(found[last + 1])):
        status = Status.NOT_FINITE
    else:
        status = Status.MAX_ITERATIONS if "xcess work" in info["message"] else Status.STEP_SIZE
    return grid[reported], found[reported], found[last], status


def _by_steps(
    solver: OdeSolver, times: FloatArray, max_steps: int, count: _Count, path: list[DenseOutput] | None
) -> _Piece:
    """Integrate one piece step by step, which dense output needs."""
    status, reached, states = Status.CONVERGED, [np.empty(0)], [np.empty((0, len(solver.y)))]
    while status is Status.CONVERGED and solver.status == "running":
        status = _advance(solver, count.steps, max_steps)
        count.steps += 1
        if status is Status.CONVERGED:
            at, state = _passed(solver, times)
            reached.append(at)
            states.append(state)
            if path is not None:
                path.append(solver.dense_output())
    count.evaluations += int(solver.nfev)
    count.jacobians += int(solver.njev)
    return np.concatenate(reached), np.concatenate(states), solver.y, status


class _OfTheFieldError(Exception):
    """Carries an error out of a field past those that SciPy's linear algebra raises itself."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


def _apart(field: Field) -> Field:
    """The field, whose own errors cannot be taken for those of SciPy's linear algebra."""

    def apart(at: float, state: FloatArray) -> FloatArray:
        try:
            return field(at, state)
        except (ValueError, LinAlgError) as error:
            raise _OfTheFieldError(error) from error

    return apart


@contextmanager
def _raised_as_they_were() -> Iterator[None]:
    """Let errors of a field out as what they are, with the traceback that leads to them."""
    try:
        yield
    except _OfTheFieldError as carrier:
        raise carrier.error from None


def _tamed(field: Field, last: float) -> Field:
    """The field of one piece, made finite and never evaluated after the piece's last time."""

    def tamed(at: float, state: FloatArray) -> FloatArray:
        value = field(min(at, last), state)
        # This product is finite unless something needs repair, and costs a fraction of the repair.
        if math.isfinite(value @ value):
            return value
        return np.nan_to_num(value, nan=_HUGE_VELOCITY, posinf=_HUGE_VELOCITY, neginf=-_HUGE_VELOCITY)

    return tamed


def _advance(solver: OdeSolver, steps: int, max_steps: int) -> Status:
    """Take one step."""
    if steps >= max_steps:
        return Status.MAX_ITERATIONS
    try:
        solver.step()
    except (ValueError, LinAlgError):  # raised by SciPy's linear algebra for inf and nan, never by a field
        return Status.NOT_FINITE
    if not np.all(np.isfinite(solver.y)):
        return Status.NOT_FINITE
    # LSODA goes on even if its steps no longer advance the time.
    stuck = solver.status == "failed" or solver.t == solver.t_old
    return Status.STEP_SIZE if stuck else Status.CONVERGED


def _passed(solver: OdeSolver, times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The times to report within the last step, and the states there."""
    if times.ndim == 0:
        return np.array([solver.t]), solver.y[None, :].copy()
    first, last = np.searchsorted(times, np.array([solver.t_old, solver.t], dtype=float), side="right")
    inner = times[first:last]
    if not len(inner):
        return inner, np.empty((0, len(solver.y)))
    return inner, solver.dense_output()(inner).T


def with_path(reading: Callable[[FloatArray, FloatArray], Trajectory], integrated: Integrated) -> Trajectory:
    """The trajectory of an integration, with its path if that was kept.

    Args:
        reading: Makes a trajectory from times (k,) and states (k, N). If it can be pickled, so can the path.
        integrated: The result of the integrator.
    """
    found, path = reading(integrated.t, integrated.state), integrated.path
    return found if path is None else replace(found, path=Path(path.ts, _Interpolation(reading, path)))
