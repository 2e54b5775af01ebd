"""The flow of the regularizer, which takes the initial values to those from which decay leaves the potential."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from implicit_bias.errors import DomainError
from implicit_bias.symbolic.compiled import compiled
from implicit_bias.symbolic.dynamics import SteepestDescent
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.symbolic.smoothness import ends_of_flow


class RegularizerFlow:
    """θ' = −∇h(θ) of one coordinate, as far as g and h stay smooth.

    Args:
        parameterization: g and h; without h nothing moves.
        dynamics: The flow of g that has to be possible where this one ends; None for gradient flow.
    """

    def __init__(self, parameterization: Parameterization, dynamics: SteepestDescent | None) -> None:
        symbols, gradient = parameterization.symbols, parameterization.gradient
        h = sp.Integer(0) if parameterization.regularizer is None else parameterization.regularizer
        ends = parameterization.ends(sp.Integer(2) if dynamics is None else dynamics.exponent)
        levels = dict.fromkeys([*ends, *(ends_of_flow(h, gradient(h), symbols) if h else ())])
        self._pull, self._levels = compiled(symbols, list(-gradient(h))), compiled(symbols, list(levels))

    def __call__(self, start: np.ndarray, decay: float) -> np.ndarray:
        """θ after a time.

        Args:
            start: θ at time 0, shape (p, n).
            decay: The time, A > 0.

        Raises:
            DomainError: If the flow cannot be followed so far.
        """
        return followed(self._pull, self._levels, start, decay)


def followed(
    pull: Callable[[np.ndarray], np.ndarray],
    levels: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    decay: float,
) -> np.ndarray:
    """θ after the flow of a pull for time ``decay``, which must not reach a point where a level is zero."""
    shape = start.shape
    begin = levels(start)

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return pull(state.reshape(shape)).ravel()

    def is_inside(_: float, state: np.ndarray) -> float:
        """Positive while every level keeps its first sign, else negative, also where a level has no value."""
        with np.errstate(all="ignore"):
            return float(np.nan_to_num(np.min(levels(state.reshape(shape)) / begin, initial=1.0), nan=-1.0))

    is_inside.terminal = True  # type: ignore[attr-defined] - how SciPy is told to stop at an event
    span = (0.0, decay)
    path = solve_ivp(velocity, span, start.ravel(), "DOP853", (decay,), events=is_inside, rtol=1e-13, atol=1e-300)
    if path.status == 1 or is_inside(0.0, start) <= 0:
        time = path.t_events[0][0] if path.status == 1 else 0.0
        raise DomainError(
            f"decay: got {decay}, but at {time:.6g} the flow of the regularizer reaches a point where g or it is not "
            "smooth, beyond which there is no potential from this start."
        )
    if not path.success or not np.all(np.isfinite(path.y)):
        raise DomainError(f"decay: the flow of the regularizer cannot be followed to {decay}: {path.message}")
    return path.y[:, -1].reshape(shape)
