"""The loop of training in discrete steps, for any backend that computes a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError
from implicit_bias.schedule import Schedule, checked_schedule
from implicit_bias.simulate.mini_batches import check_seeds, mini_batches
from implicit_bias.simulate.steps import recorded_steps, step_sizes
from implicit_bias.validation import BoolArray, FloatArray, IntArray, whole_number

_MOST_STRENGTHS = 200_000  # computed and kept at a time


class Backend(Protocol):
    """The state of all runs, and how a step changes it.

    Attributes:
        steps_between_checks: How many steps may pass until training notices that all runs have diverged.
    """

    steps_between_checks: int

    def finite(self) -> BoolArray:
        """Whether all numbers of each run are finite, shape (runs,)."""
        ...

    def state(self) -> Mapping[str, FloatArray]:
        """The arrays to record, by name, each of shape (runs, ...); the next step may overwrite them."""
        ...

    def strengths(self, alpha: FloatArray) -> Iterable[Any]:
        """Turn strengths, shape (steps, runs), into one argument of :meth:`advance` for each step."""
        ...

    def batch(self, weights: FloatArray) -> Any:
        """Turn weights of the observations, shape (runs, d), into an argument of :meth:`advance`."""
        ...

    def advance(self, batch: Any, strength: Any) -> None:
        """Take one step; without a batch all observations weigh the same, without a strength there is no decay."""
        ...


@dataclass(frozen=True, eq=False)
class Plan:
    """The checked arguments of a training.

    Attributes:
        marks: Numbers of the steps to record, increasing; the last is the end.
        eta: Step sizes, shape (runs,).
        schedules: One for each run, or one for all; empty where there is no decay.
        batches: The weights of the observations for each step, shape (runs, d); None if all weigh the same.
        shape: () for one trajectory without an axis of runs, else (runs,).
    """

    marks: IntArray
    eta: FloatArray
    schedules: tuple[Schedule, ...]
    batches: Iterator[FloatArray] | None
    shape: tuple[int, ...]

    @property
    def runs(self) -> int:
        """Number of runs."""
        return self.shape[0] if self.shape else 1


def plan(
    d: int,
    axes: Mapping[str, tuple[int, ...]],
    step: ArrayLike,
    steps: int,
    schedule: Schedule | float | Sequence[Schedule | float] | None,
    has_regularizer: bool,
    batch_size: int | None,
    seed: ArrayLike,
    record: ArrayLike,
) -> Plan:
    """Check the arguments that every training in discrete steps takes.

    Args:
        d: Number of observations.
        axes: The shape () or (runs,) of each further argument that may have an axis of runs, by its name.
        step: η, a number or shape (runs,).
        steps: Number of steps.
        schedule: The strength for all runs, or a list with one for each run; None for no decay.
        has_regularizer: Whether there is a regularizer for a schedule to act on.
        batch_size: Observations in a mini-batch, or None.
        seed: Seed of the mini-batches, a number or shape (runs,).
        record: The number of records, or the steps to record.

    Raises:
        InputError: If numbers are out of range, or the numbers of runs differ.
    """
    last = whole_number(steps, "steps")
    if last < 1:
        raise InputError(f"steps: expected a positive integer, got {steps}.")
    marks, eta, seeds = recorded_steps(record, last), step_sizes(step, last), check_seeds(seed)
    if batch_size is None and seeds.ndim:
        raise InputError("seed: expected a number without a batch_size, as only mini-batches are random.")
    many = isinstance(schedule, Sequence) and not isinstance(schedule, str)
    listed = list(schedule) if isinstance(schedule, Sequence) and not isinstance(schedule, str) else [schedule]
    if not listed:
        raise InputError("schedule: expected one for all runs, or a list with one for each, got an empty list.")
    schedules = tuple(checked_schedule(one, has_regularizer) for one in listed) if schedule is not None else ()
    axes = {**axes, "step": eta.shape, "seed": seeds.shape, "schedule": (len(listed),) if many else ()}
    try:
        shape = np.broadcast_shapes(*axes.values())
    except ValueError:
        counts = ", ".join(f"{name}: {axis[0]}" for name, axis in axes.items() if axis and axis[0] > 1)
        raise InputError(f"runs: expected the same number of runs everywhere, got {counts}.") from None
    runs = shape[0] if shape else 1
    batches = None if batch_size is None else mini_batches(d, batch_size, seeds, runs)
    return Plan(marks, np.broadcast_to(eta, runs), schedules, batches, shape)


def train(backend: Backend, plan: Plan) -> tuple[dict[str, FloatArray], BoolArray, int]:
    """Take steps up to the last mark, or until no run is finite.

    Returns:
        The records by name, each of shape (marks, runs, ...), nan from where a run diverged; whether each run is
        finite; the number of steps.
    """
    strengths = _strengths(backend, plan) if plan.schedules else None
    records: dict[str, FloatArray] = {}
    sound, k, row = np.ones(plan.runs, dtype=bool), 0, 0
    with np.errstate(all="ignore"):  # what overflows shows up in the status
        while True:
            if k == plan.marks[row] or k % backend.steps_between_checks == 0:
                sound &= backend.finite()
            if k == plan.marks[row]:
                for name, found in backend.state().items():
                    if not row:
                        records[name] = np.full((len(plan.marks), *found.shape), np.nan)
                    records[name][row, sound] = found[sound]
                row += 1
            if k == plan.marks[-1] or not sound.any():
                break
            batch = None if plan.batches is None else backend.batch(next(plan.batches))
            backend.advance(batch, None if strengths is None else next(strengths))
            k += 1
        if not row:  # all runs diverged before the first mark
            for name, found in backend.state().items():
                records[name] = np.full((len(plan.marks), *found.shape), np.nan)
    return records, sound, k


def _strengths(backend: Backend, plan: Plan) -> Iterator[Any]:
    """The strengths α at t = kη for each step."""
    groups: dict[int, list[int]] = {}
    for run in range(plan.runs):
        groups.setdefault(id(plan.schedules[run % len(plan.schedules)]), []).append(run)
    # One call of a schedule costs as much as a step, so each call computes many steps.
    many, last = max(1, _MOST_STRENGTHS // plan.runs), int(plan.marks[-1])
    for begin in range(0, last, many):
        t = np.arange(begin, min(begin + many, last))[:, None] * plan.eta
        alpha = np.empty_like(t)
        for members in groups.values():
            alpha[:, members] = plan.schedules[members[0] % len(plan.schedules)](t[:, members])
        yield from backend.strengths(alpha)
