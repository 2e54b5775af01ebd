"""A flow over unit time, for many states at once: from a node of a table to a target near it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import DOP853

from implicit_bias.potential import stiff_flow

_EXPLICIT_STEPS = 200  # from a node; a query that takes more of them is stiff


class TooFarError(Exception):
    """An integration takes more steps than are allowed."""


def advance(
    velocity: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    unit: np.ndarray,
    jacobian: Callable[[np.ndarray], np.ndarray] | None = None,
    max_steps: float = np.inf,
) -> np.ndarray:
    """Integrate a field of shape (r, m) over unit time.

    From a node, a few steps are enough, unless the flow is stiff; then its Jacobian helps. If their number is limited,
    a state that leaves the floating-point range also raises :class:`TooFarError`.
    """

    def flat(_: float, state: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.nan_to_num(velocity(state.reshape(start.shape)), posinf=0.0, neginf=0.0).ravel()

    if not np.any(flat(0.0, start)):  # every query is a node, and SciPy's choice of a first step would divide 0 by 0
        return start.copy()
    atol = 1e-14 * np.maximum(np.abs(start), unit).ravel()
    solver = DOP853(
        flat, 0.0, start.ravel(), 1.0, rtol=1e-13,
        atol=atol,  # pyright: ignore[reportArgumentType] - SciPy takes arrays, but its default is a number
    )  # fmt: skip
    steps = 0
    while solver.status == "running":
        if jacobian is not None and steps >= _EXPLICIT_STEPS:
            return _advance_stiff(velocity, jacobian, solver.y.reshape(start.shape), unit, 1.0 - solver.t)
        solver.step()
        steps += 1
        if steps > max_steps:
            raise TooFarError
    if max_steps < np.inf and (solver.status == "failed" or np.max(np.abs(solver.y)) > 1e150):
        raise TooFarError
    return solver.y.reshape(start.shape).copy()


def _advance_stiff(
    velocity: Callable[[np.ndarray], np.ndarray],
    jacobian: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    unit: np.ndarray,
    span: float,
) -> np.ndarray:
    """Integrate a stiff field of shape (r, m) over a span of time; nan where that is not possible."""
    with np.errstate(all="ignore"):
        return stiff_flow.advance(
            lambda y: span * np.nan_to_num(velocity(y), posinf=0.0, neginf=0.0),
            lambda y: span * jacobian(y),
            start,
            unit,
        )
