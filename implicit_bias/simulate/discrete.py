"""The loop of training in discrete steps, for any backend that computes a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError
from implicit_bias.schedule import Schedule, checked_schedule
from implicit_bias.simulate.mini_batches import MiniBatches, check_seeds
from implicit_bias.simulate.steps import recorded_steps, step_sizes
from implicit_bias.validation import BoolArray, FloatArray, IntArray, whole_number

_MOST_NUMBERS = 100_000  # strengths, or weights of observations, that are computed and kept at a time


class Backend(Protocol):
    """The state of all runs, and how a step changes it.

    Attributes:
        steps_between_checks: How many steps may pass until training notices that all runs have diverged.
        steps_at_once: The inputs of at least so many steps are computed together.
    """

    steps_between_checks: int
    steps_at_once: int

    def finite(self) -> BoolArray:
        """Whether all numbers of each run are finite, shape (runs,)."""
        ...

    def state(self) -> Mapping[str, FloatArray]:
        """The arrays to record, by name, each of shape (runs, ...); the next step may overwrite them."""
        ...

    def strengths(self, alpha: FloatArray) -> Any:
        """Turn strengths, shape (steps, runs), into what :meth:`advance` takes, with the steps as the first axis."""
        ...

    def weights(self, batches: MiniBatches, steps: range) -> Any:
        """Draw the weights of the observations in these steps, with the steps as the first axis."""
        ...

    def advance(self, steps: int, weights: Any, strengths: Any) -> None:
        """Take steps. Without weights all observations weigh the same, without strengths there is no decay.

        Args:
            steps: How many.
            weights: One entry for each step, or None.
            strengths: Likewise.
        """
        ...


@dataclass(frozen=True, eq=False)
class Plan:
    """The checked arguments of a training.

    Attributes:
        d: Number of observations.
        marks: Numbers of the steps to record, increasing; the last is the end.
        eta: Step sizes, shape (runs,).
        schedules: One for each run, or one for all; empty where there is no decay.
        batches: The mini-batches; None if all observations weigh the same in every step.
        shape: () for one trajectory without an axis of runs, else (runs,).
    """

    d: int
    marks: IntArray
    eta: FloatArray
    schedules: tuple[Schedule, ...]
    batches: MiniBatches | None
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
    batches = None if batch_size is None else MiniBatches(d, batch_size, seeds, runs)
    return Plan(d, marks, np.broadcast_to(eta, runs), schedules, batches, shape)


def train(backend: Backend, plan: Plan) -> tuple[dict[str, FloatArray], BoolArray, int]:
    """Take steps up to the last mark, or until no run is finite.

    Returns:
        The records by name, each of shape (marks, runs, ...), nan from where a run diverged; whether each run is
        finite; the number of steps.
    """
    records: dict[str, FloatArray] = {}
    sound, k, row = np.ones(plan.runs, dtype=bool), 0, 0
    inputs, last = _inputs(backend, plan), int(plan.marks[-1])
    block, weights, strengths = range(0), None, None
    with np.errstate(all="ignore"):  # what overflows shows up in the status
        while True:
            if k == plan.marks[row] or k % backend.steps_between_checks == 0:
                sound &= backend.finite()
            if k == plan.marks[row]:
                for name, found in backend.state().items():
                    if not row:
                        records[name] = np.empty((len(plan.marks), *found.shape))
                    records[name][row] = found
                    if not sound.all():
                        records[name][row, ~sound] = np.nan
                row += 1
            if k == last or not sound.any():
                break
            if k == block.stop:
                block, weights, strengths = next(inputs)
            check = k - k % backend.steps_between_checks + backend.steps_between_checks
            stop = min(block.stop, int(plan.marks[row]), check)
            now = slice(k - block.start, stop - block.start)
            backend.advance(
                stop - k,
                None if weights is None else weights[now],
                None if strengths is None else strengths[now],
            )
            k = stop
        if not row:  # all runs diverged before the first mark
            records = {name: np.empty((len(plan.marks), *found.shape)) for name, found in backend.state().items()}
        for values in records.values():
            values[row:] = np.nan
    return records, sound, k


def _inputs(backend: Backend, plan: Plan) -> Iterator[tuple[range, Any, Any]]:
    """The weights of the observations and the strengths, for many steps at a time: a call costs as much as a step."""
    groups = _runs_by_schedule(plan)
    many = max(backend.steps_at_once, _MOST_NUMBERS // (plan.runs * (1 if plan.batches is None else plan.d)))
    last = int(plan.marks[-1])
    for begin in range(0, last, many):
        steps = range(begin, min(begin + many, last))
        weights = None if plan.batches is None else backend.weights(plan.batches, steps)
        strengths = backend.strengths(_strengths(plan, groups, steps)) if groups else None
        yield steps, weights, strengths


def _runs_by_schedule(plan: Plan) -> list[tuple[Schedule, Any]]:
    """Each schedule with the runs that it is for, as an index."""
    if len(plan.schedules) == 1:
        return [(plan.schedules[0], slice(None))]
    members: dict[int, list[int]] = {}
    for run, schedule in enumerate(plan.schedules):
        members.setdefault(id(schedule), []).append(run)
    return [(plan.schedules[runs[0]], runs) for runs in members.values()]


def _strengths(plan: Plan, groups: Sequence[tuple[Schedule, Any]], steps: range) -> FloatArray:
    """The strengths α at t = kη, shape (steps, runs)."""
    t = np.array(steps)[:, None] * plan.eta
    alpha = np.empty_like(t)
    for schedule, runs in groups:
        alpha[:, runs] = schedule(t[:, runs])
    return alpha
