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
_PATIENCE = 160  # segments after which an end that cannot be told is left open
# Of the movement of a quantity from segment to segment, and the ratio of two such movements:
_STILL = 2e-15  # beside its size and its way, a movement that is rounding alone
_DIES_OUT = 0.97  # a ratio below which the movement is the tail of a geometric series, if it has settled
_ACCURATE = 1e-10  # beside its size and its way, the error that an end by that series may have
_LINEAR = 1e-3  # below 1, a ratio of a movement that does not shrink
_SLACK = 1e-4  # a relative decrease of the ratio that is none
_SETTLED = 0.01  # a relative change of the exponent that a power law may still show
_GROWS = 0.75  # 1 - exponent of a power of the number of e-foldings that grows without end

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

    def end(self, follow: Follow) -> tuple[np.ndarray, np.ndarray]:
        """Where a monotone quantity of the state ends, and whether that could be told.

        Returns:
            The ends, ±inf where the quantity never stops, shape (n,); where it cannot be told, the farthest value that
            was reached, which is inside. And a mask of those that could be told.

        Raises:
            DomainError: If the flow cannot be followed at all.
        """
        told = np.zeros(self._nodes[0].shape[1], bool)
        while len(self._ends_of_segments) <= _REACH and not self._exhausted:
            self._grow()
        if len(self._ends_of_segments) == 1:
            raise DomainError(
                "The flow of ∇g cannot be followed for a single e-folding: at the start ∇g is rough, or has lost its "
                "digits, as that of 1 - tanh(u) has beyond u = 18."
            )
        while True:
            ends, told = self._judged(follow)
            if np.all(told) or len(self._ends_of_segments) > _PATIENCE or self._exhausted:
                return ends, told
            self._grow()

    def _judged(self, follow: Follow) -> tuple[np.ndarray, np.ndarray]:
        """The ends as far as the segments tell them."""
        states = np.stack(self._ends_of_segments)
        values = np.stack([follow(state) for state in self._ends_of_segments])
        start, last = values[0], values[-1]
        direction = np.sign(last - start)
        # A coordinate waits from where it leaves the floating-point range: its last full segment is the one before.
        moves = np.any(states[1:] != states[:-1], axis=1)
        count = np.where(moves[-1], len(moves), np.maximum(np.sum(moves, axis=0) - 1, 0))
        steps = np.abs(np.diff(values, axis=0))
        columns = np.arange(len(start))
        step, earlier, first = (steps[np.maximum(count - k, 0), columns] for k in (1, 2, 3))
        with np.errstate(all="ignore"):
            ratio, before = step / earlier, earlier / first
            # What is left of a geometric series, beyond the last full segment.
            rest = step * ratio / (1 - ratio)
            end = values[np.maximum(count, 0), columns] + direction * rest
            error = step * np.abs(ratio - before) / (1 - ratio) ** 2
            # 1 - exponent, where the quantity is a power of the number of e-foldings: that dies out most slowly.
            fall, fall_before = (1 - ratio) * count, (1 - before) * (count - 1)
        way = np.abs(last - start)
        enough = count >= 3
        is_still = step <= _STILL * (np.abs(last) + way)
        dies_out = (ratio < _DIES_OUT) & (error <= _ACCURATE * (np.abs(end) + way))
        # Growth that slackens may end: at a level far from the start, for instance.
        runs_on = (ratio >= 1 - _LINEAR) & (ratio >= (1 - _SLACK) * before)
        runs_on |= (fall < _GROWS) & (np.abs(fall - fall_before) < _SETTLED * fall)
        told = enough & (is_still | dies_out | runs_on)
        ends = np.select([~told, is_still, dies_out], [last, last, end], direction * np.inf)
        # An end at 0 is met with an error that is small beside the way to it, not beside 0.
        return np.where(told & (np.abs(ends) < 1e-12 * way), 0.0, ends), told

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
                ends, told = self.end(follow)
                outside |= short & told[columns] & (sign * targets >= sign * ends[columns])
            if len(self._ends_of_segments) > _FARTHEST or self._exhausted:
                outside |= short
            if np.any(short & ~outside):
                self._grow()
        values = np.stack([follow(node)[columns] for node in self._nodes])
        index = np.maximum(np.sum(sign * values <= sign * targets, axis=0) - 1, 0)
        return np.stack(self._nodes)[np.where(outside, 0, index), :, columns].T, outside
