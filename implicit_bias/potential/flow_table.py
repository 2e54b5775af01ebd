"""A table of a flow at nodes, for many coordinates at once, that grows when a query reaches beyond it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import DOP853

from implicit_bias.errors import DomainError

# Near SciPy's least; its error norm averages, so single coordinates may be some digits worse.
_TOLERANCE = 1e-13
_SEGMENT = 2.5  # e-foldings between the points at which ends are judged
_REACH = 16  # segments after which the ends are judged
_FARTHEST = 300  # segments after which a target counts as out of reach
_STEPS = 400  # a smooth segment takes some forty; far more means steps as small as the rounding errors of g
_DIES_OUT = 0.97  # a quantity has an end if its movement shrinks at least by this factor from segment to segment

Follow = Callable[[np.ndarray], np.ndarray]


class FlowTable:
    """States of shape (r, n) along a flow in its number of e-foldings.

    Args:
        velocity: The derivative of the state in e-foldings.
        start: The first state.
        unit: The size of each entry near the start, for absolute tolerances.
    """

    def __init__(self, velocity: Callable[[np.ndarray], np.ndarray], start: np.ndarray, unit: np.ndarray) -> None:
        self._velocity, self._unit = velocity, unit
        self._nodes = [start]
        self._ends_of_segments = [start]
        self._exhausted = False

    def _grow(self) -> None:
        """Append the nodes of one more segment, or find that rounding errors in the velocity allow no more."""
        shape = self._nodes[0].shape

        def flat(_: float, state: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                return self._velocity(state.reshape(shape)).ravel()

        atol = 1e-14 * self._unit.ravel()
        solver = DOP853(flat, 0.0, self._nodes[-1].ravel(), _SEGMENT, max_step=1.0, rtol=_TOLERANCE, atol=atol)
        fresh: list[np.ndarray] = []
        while solver.status == "running" and len(fresh) < _STEPS:
            solver.step()
            fresh.append(solver.y.reshape(shape).copy())
        if solver.status == "finished":
            self._nodes += fresh
            self._ends_of_segments.append(fresh[-1])
        else:
            self._exhausted = True

    def end(self, follow: Follow) -> np.ndarray:
        """Where a monotone quantity of the state ends, ±inf where it never stops; shape (n,)."""
        while len(self._ends_of_segments) <= _REACH and not self._exhausted:
            self._grow()
        judged = self._ends_of_segments[: _REACH + 1][-3:]
        if len(judged) < 3:
            raise DomainError(
                "The flow of ∇g cannot be followed for a single e-folding: at the start ∇g is rough, or has lost its "
                "digits, as that of tanh(u) has beyond |u| = 6."
            )
        first, before, last = (follow(state) for state in judged)
        direction = np.sign(last - follow(self._nodes[0]))
        movement, earlier = np.abs(last - before), np.abs(before - first)
        ratio = np.divide(movement, earlier, out=np.zeros_like(movement), where=earlier > 0)
        stops = ratio < _DIES_OUT
        # The rest of a geometric series; where the movement is down to rounding, there is no rest.
        rest = movement * np.where(stops, ratio, 0.0) / (1 - np.where(stops, ratio, 0.0))
        end = last + direction * rest
        # An end at 0 is met with an error that is small beside the way to it, not beside 0.
        end = np.where(np.abs(end) < 1e-12 * np.abs(end - follow(self._nodes[0])), 0.0, end)
        return np.where(stops, end, direction * np.inf)

    def before(self, targets: np.ndarray, columns: np.ndarray, follow: Follow) -> tuple[np.ndarray, np.ndarray]:
        """The last states before a monotone quantity passes its targets, and which targets it never reaches.

        Args:
            targets: What the quantity shall reach, shape (m,).
            columns: The coordinate of each target, shape (m,).
            follow: The quantity of a state, shape (n,).

        Returns:
            States of shape (r, m), those of unreachable targets being the first, and a mask of shape (m,).
        """
        sign = np.sign(targets - follow(self._nodes[0])[columns])
        outside = np.zeros(len(targets), bool)
        while True:
            short = (sign * follow(self._nodes[-1])[columns] < sign * targets) & ~outside
            if not np.any(short):
                break
            if len(self._ends_of_segments) > _REACH:
                outside |= short & (sign * targets >= sign * self.end(follow)[columns])
            if len(self._ends_of_segments) > _FARTHEST or self._exhausted:
                outside |= short
            if np.any(short & ~outside):
                self._grow()
        values = np.stack([follow(node)[columns] for node in self._nodes])
        index = np.maximum(np.sum(sign * values <= sign * targets, axis=0) - 1, 0)
        return np.stack(self._nodes)[np.where(outside, 0, index), :, columns].T, outside
