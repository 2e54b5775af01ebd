"""A table of a flow at nodes, for many coordinates at once; it grows when a query reaches beyond it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.integrate import DOP853

from implicit_bias.errors import DomainError

# Near SciPy's least; its error norm averages, so single coordinates may be some digits worse.
_RELATIVE_TOLERANCE = 1e-13
_SEGMENT = 2.5  # e-foldings between the points at which ends are judged
_SEGMENTS_BEFORE_ENDS = 16  # after these the ends are judged
_SEGMENTS_TO_TARGETS = 300  # after these a target counts as out of reach
_STEPS_OF_SEGMENT = 400  # a smooth segment takes about forty; far more are as small as the rounding errors of g
_IMPLICIT_STEPS = 10  # of a stiff segment
_SEGMENTS_TO_ENDS = 160  # after these an end that cannot be told stays open
# For the movement of a quantity from segment to segment, and for the ratio of two such movements:
_ROUNDING = 2e-15  # relative to its size and its way, a movement that is rounding alone
_GEOMETRIC_RATIO = 0.97  # below it a settled movement is the tail of a geometric series
_END_TOLERANCE = 1e-10  # relative to its size and its way, the error that an end by that series may have
_LINEAR_TOLERANCE = 1e-3  # below 1 by at most this, a ratio belongs to a movement that does not shrink
_RATIO_TOLERANCE = 1e-4  # a relative decrease of the ratio that counts as none
_EXPONENT_TOLERANCE = 0.01  # a relative change of the exponent that a power law may still show
_GROWING_POWER = 0.75  # a power of the number of e-foldings grows without end if 1 - exponent is below this

Follow = Callable[[np.ndarray], np.ndarray]


class FlowTable:
    """States of shape (r, n) along a flow in its number of e-foldings.

    Args:
        velocity: The derivative of the state in the number of e-foldings.
        start: The first state.
        unit: The size of each entry near the start, for absolute tolerances.
        implicit: The state a part of an e-folding after another, by a method for stiff flows; it stands still where the
            flow cannot be followed. It takes over where the flow turns stiff. None if there is no such method.
    """

    def __init__(self, velocity: Follow, start: np.ndarray, unit: np.ndarray, implicit: Follow | None = None) -> None:
        self._velocity, self._unit, self._implicit = velocity, unit, implicit
        self._is_stiff = False
        self._nodes = [start]
        self._ends_of_segments = [start]
        self._exhausted = False

    def _grow(self) -> None:
        """Append the nodes of one more segment, unless rounding errors in the velocity make that impossible."""
        fresh = None if self._is_stiff else self._explicit_segment()
        if fresh is None and self._implicit is not None:
            self._is_stiff = True
            fresh = [self._nodes[-1]]
            for _ in range(_IMPLICIT_STEPS):
                fresh.append(self._implicit(fresh[-1]))
            # Where all stand still, that is the last segment: a coordinate's one before it is not full.
            self._exhausted = bool(np.all(fresh[-1] == fresh[0]))
            fresh = fresh[1:]
        if fresh is None:
            self._exhausted = True
        else:
            self._nodes += fresh
            self._ends_of_segments.append(fresh[-1])

    def _explicit_segment(self) -> list[np.ndarray] | None:
        """The nodes of one more segment, or None if that takes too many steps."""
        shape = self._nodes[0].shape

        def flat(_: float, state: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                return self._velocity(state.reshape(shape)).ravel()

        atol = 1e-14 * self._unit.ravel()
        solver = DOP853(
            flat, 0.0, self._nodes[-1].ravel(), _SEGMENT, max_step=1.0, rtol=_RELATIVE_TOLERANCE,
            atol=atol,  # pyright: ignore[reportArgumentType] - SciPy takes arrays, but its default is a number
        )  # fmt: skip
        fresh: list[np.ndarray] = []
        while solver.status == "running" and len(fresh) < _STEPS_OF_SEGMENT:
            solver.step()
            fresh.append(solver.y.reshape(shape).copy())
        return fresh if solver.status == "finished" else None

    def end(self, follow: Follow) -> tuple[np.ndarray, np.ndarray]:
        """Find where a monotone quantity of the state ends.

        Returns:
            The ends, shape (n,), ±inf where the quantity never stops, and a mask of the ends that could be told. Where
            an end could not be told, it is the farthest value that was reached, which is inside.

        Raises:
            DomainError: If the flow cannot be followed at all.
        """
        told = np.zeros(self._nodes[0].shape[1], bool)
        while len(self._ends_of_segments) <= _SEGMENTS_BEFORE_ENDS and not self._exhausted:
            self._grow()
        if len(self._ends_of_segments) == 1:
            raise DomainError(
                "The flow of ∇g cannot be followed for a single e-folding: at the start ∇g is rough, or has lost its "
                "digits, as that of 1 - tanh(u) has beyond u = 18."
            )
        while True:
            ends, told = self._judged(follow)
            if np.all(told) or len(self._ends_of_segments) > _SEGMENTS_TO_ENDS or self._exhausted:
                return ends, told
            self._grow()

    def _judged(self, follow: Follow) -> tuple[np.ndarray, np.ndarray]:
        """The ends, and a mask of those that the segments so far tell."""
        states = np.stack(self._ends_of_segments)
        values = np.stack([follow(state) for state in self._ends_of_segments])
        start, last = values[0], values[-1]
        direction = np.sign(last - start)
        # A coordinate that leaves the floating-point range stands still; its last full segment is the one before.
        moves = np.any(states[1:] != states[:-1], axis=1)
        count = np.where(moves[-1], len(moves), np.maximum(np.sum(moves, axis=0) - 1, 0))
        steps = np.abs(np.diff(values, axis=0))
        columns = np.arange(len(start))
        step, earlier, first = (steps[np.maximum(count - k, 0), columns] for k in (1, 2, 3))
        with np.errstate(all="ignore"):
            ratio, before = step / earlier, earlier / first
            # The rest of a geometric series beyond the last full segment.
            rest = step * ratio / (1 - ratio)
            end = values[np.maximum(count, 0), columns] + direction * rest
            error = step * np.abs(ratio - before) / (1 - ratio) ** 2
            # 1 - exponent, if the quantity is a power of the number of e-foldings, which dies out most slowly.
            fall, fall_before = (1 - ratio) * count, (1 - before) * (count - 1)
        way = np.abs(last - start)
        enough = count >= 3
        is_still = step <= _ROUNDING * (np.abs(last) + way)
        dies_out = (ratio < _GEOMETRIC_RATIO) & (error <= _END_TOLERANCE * (np.abs(end) + way))
        # Growth that slackens may end, for instance at a level far from the start.
        runs_on = (ratio >= 1 - _LINEAR_TOLERANCE) & (ratio >= (1 - _RATIO_TOLERANCE) * before)
        runs_on |= (fall < _GROWING_POWER) & (np.abs(fall - fall_before) < _EXPONENT_TOLERANCE * fall)
        told = enough & (is_still | dies_out | runs_on)
        ends = np.select([~told, is_still, dies_out], [last, last, end], direction * np.inf)
        # The error of an end at 0 is small relative to the way to it, not relative to 0.
        return np.where(told & (np.abs(ends) < 1e-12 * way), 0.0, ends), told

    def before(self, targets: np.ndarray, columns: np.ndarray, follow: Follow) -> tuple[np.ndarray, np.ndarray]:
        """Find the last states before a monotone quantity passes its targets, and the targets that it never reaches.

        Args:
            targets: Values for the quantity to reach, shape (m,).
            columns: The coordinate of each target, shape (m,).
            follow: The quantity of a state, shape (n,).

        Returns:
            States of shape (r, m), and a mask of the unreachable targets, shape (m,), whose state is the first one.
        """
        sign = np.sign(targets - follow(self._nodes[0])[columns])
        outside = np.zeros(len(targets), bool)
        while True:
            short = (sign * follow(self._nodes[-1])[columns] < sign * targets) & ~outside
            if not np.any(short):
                break
            if len(self._ends_of_segments) > _SEGMENTS_BEFORE_ENDS:
                ends, told = self.end(follow)
                outside |= short & told[columns] & (sign * targets >= sign * ends[columns])
            if len(self._ends_of_segments) > _SEGMENTS_TO_TARGETS or self._exhausted:
                outside |= short
            if np.any(short & ~outside):
                self._grow()
        values = np.stack([follow(node)[columns] for node in self._nodes])
        index = np.maximum(np.sum(sign * values <= sign * targets, axis=0) - 1, 0)
        return np.stack(self._nodes)[np.where(outside, 0, index), :, columns].T, outside
