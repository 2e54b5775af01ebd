"""One call of SciPy's integrators, restarted where the schedule jumps."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from implicit_bias.flow.solution import FlowStats
from implicit_bias.status import Status

Field = Callable[[float, np.ndarray], np.ndarray]


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
    jacobian: Field | None = None,
) -> Trajectory:
    """Integrate state' = field(t, state) from t = 0.

    Args:
        field: The right-hand side.
        start: State at t = 0.
        times: Increasing times to report, or a 0-d array: an end time, and the solver's own steps are reported.
        breakpoints: Times at which the right-hand side jumps; no step crosses one.
        method: A method of ``scipy.integrate.solve_ivp``.
        rtol: Relative tolerance per step.
        atol: Absolute tolerance per step.
        jacobian: The Jacobian, for implicit methods.
    """
    began = time.perf_counter()
    end = float(times if times.ndim == 0 else times[-1])
    edges = [0.0, *sorted(b for b in set(breakpoints) if 0 < b < end), end]
    options = {} if jacobian is None else {"jac": jacobian}
    reached, states, evaluations, jacobians = [], [], 0, 0
    status, state = Status.CONVERGED, np.asarray(start, dtype=float)
    if times.ndim == 0 or times[0] == 0:
        reached.append(np.zeros(1))
        states.append(state[None, :])
    for left, right in zip(edges[:-1], edges[1:], strict=True):
        if left == right:
            break
        inner = None if times.ndim == 0 else times[(times > left) & (times <= right)]
        # The state at the right edge is needed for the restart, whether or not it is reported.
        wanted = None if inner is None else np.union1d(inner, [right])
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # an overflow shows up in the status below
            warnings.simplefilter("ignore", UserWarning)  # LSODA's, likewise
            piece = solve_ivp(field, (left, right), state, method, wanted, rtol=rtol, atol=atol, **options)
        evaluations += piece.nfev
        jacobians += piece.njev
        selected = np.ones(len(piece.t), bool) if inner is None else np.isin(piece.t, inner)
        selected &= piece.t > left
        reached.append(piece.t[selected])
        states.append(piece.y.T[selected])
        if piece.status < 0 or not np.all(np.isfinite(piece.y)):
            status = Status.STEP_SIZE if np.all(np.isfinite(piece.y)) else Status.NOT_FINITE
            break
        state = piece.y[:, -1]
    stats = FlowStats(int(evaluations), int(jacobians), time.perf_counter() - began)
    t, path = np.concatenate(reached), np.concatenate(states)
    finite = np.all(np.isfinite(path), axis=1)
    return Trajectory(t[finite], path[finite], status, stats)
