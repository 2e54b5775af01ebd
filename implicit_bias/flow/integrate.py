"""SciPy's integrators, one step at a time, restarted where the schedule jumps."""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import BDF, DOP853, LSODA, RK23, RK45, OdeSolver, Radau
from scipy.linalg import LinAlgError

from implicit_bias.flow.solution import FlowStats
from implicit_bias.status import Status

Field = Callable[[float, np.ndarray], np.ndarray]

_METHODS = {method.__name__: method for method in (BDF, DOP853, LSODA, RK23, RK45, Radau)}
EXPLICIT = ("RK23", "RK45", "DOP853")
# LSODA takes a nan for a converged step, and implicit methods refuse it; of a huge number all of them shorten the step.
_HUGE = 1e150


@dataclass(frozen=True)
class Trajectory:
    """Times reached, states there (k, N), how it ended and what it cost."""

    t: np.ndarray
    state: np.ndarray
    status: Status
    stats: FlowStats


def integrate(
    field: Field,
    start: np.ndarray,
    times: np.ndarray,
    breakpoints: Sequence[float] = (),
    *,
    method: str,
    rtol: float,
    atol: float,
    max_steps: int,
    jacobian: Field | None = None,
) -> Trajectory:
    """Integrate state' = field(t, state) from t = 0.

    Args:
        field: The right-hand side.
        start: State at t = 0.
        times: Increasing times to report, or a 0-d array: an end time, and the solver's own steps are reported.
        breakpoints: Times at which the right-hand side jumps; no step crosses one.
        method: The name of a method of ``scipy.integrate.solve_ivp``.
        rtol: Relative tolerance per step.
        atol: Absolute tolerance per step.
        max_steps: Limit on the number of steps.
        jacobian: The Jacobian; explicit methods do without it.
    """
    if method not in _METHODS:
        raise ValueError(f"method: expected one of {', '.join(_METHODS)}, got {method!r}.")
    began = time.perf_counter()
    end = float(times if times.ndim == 0 else times[-1])
    edges = [0.0, *sorted(b for b in set(breakpoints) if 0 < b < end), end]
    options = {} if jacobian is None or method in EXPLICIT else {"jac": jacobian}
    steps, evaluations, jacobians = 0, 0, 0
    status, state = Status.CONVERGED, np.asarray(start, dtype=float)
    reached, states = [np.empty(0)], [np.empty((0, len(state)))]

    def report(at: np.ndarray, path: np.ndarray) -> None:
        finite = np.all(np.isfinite(path), axis=1)
        reached.append(at[finite])
        states.append(path[finite])

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an overflow shows up in the status
        warnings.simplefilter("ignore", UserWarning)  # LSODA's, likewise
        if np.all(np.isfinite(field(0.0, state))):
            if times.ndim == 0 or times[0] == 0:
                report(np.zeros(1), state[None, :])
        else:
            status = Status.NOT_FINITE
        for left, right in itertools.pairwise(edges):
            if status is not Status.CONVERGED or left == right:
                break
            # A stage at the right edge belongs to the piece before the jump.
            last = right if right == end else float(np.nextafter(right, left))
            solver = _METHODS[method](_tamed(field, last), left, state, right, rtol=rtol, atol=atol, **options)
            while status is Status.CONVERGED and solver.status == "running":
                status = _advance(solver, steps, max_steps)
                steps += 1
                if status is Status.CONVERGED:
                    report(*_passed(solver, times))
            evaluations += solver.nfev
            jacobians += solver.njev
            state = solver.y
    stats = FlowStats(int(evaluations), int(jacobians), time.perf_counter() - began)
    return Trajectory(np.concatenate(reached), np.concatenate(states), status, stats)


def _tamed(field: Field, last: float) -> Field:
    """The field of one piece, evaluated up to its last time and made finite."""

    def tamed(at: float, state: np.ndarray) -> np.ndarray:
        return np.nan_to_num(field(min(at, last), state), nan=_HUGE, posinf=_HUGE, neginf=-_HUGE)

    return tamed


def _advance(solver: OdeSolver, steps: int, max_steps: int) -> Status:
    """Take one step."""
    if steps >= max_steps:
        return Status.MAX_ITERATIONS
    try:
        solver.step()
    except (ValueError, LinAlgError):  # what linear algebra says about inf and nan
        return Status.NOT_FINITE
    if not np.all(np.isfinite(solver.y)):
        return Status.NOT_FINITE
    # LSODA goes on with steps that no longer move the time.
    stuck = solver.status == "failed" or solver.t == solver.t_old
    return Status.STEP_SIZE if stuck else Status.CONVERGED


def _passed(solver: OdeSolver, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The times to report that the last step has passed, and the states there."""
    if times.ndim == 0:
        return np.array([solver.t]), solver.y[None, :].copy()
    first, last = np.searchsorted(times, [solver.t_old, solver.t], side="right")
    inner = times[first:last]
    if not len(inner):
        return inner, np.empty((0, len(solver.y)))
    return inner, solver.dense_output()(inner).T
