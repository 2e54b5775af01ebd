"""The loop of training in discrete time, whatever computes a step."""

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

_MOST_STRENGTHS = 200_000  # strengths that are computed and kept at a time


class Backend(Protocol):
    """The state of all runs, and how a step changes it.

    Attributes:
        steps_between_checks: Steps after which a training without a sound run ends, at the latest.
    """

    steps_between_checks: int

    def finite(self) -> BoolArray:
        """Whether each run is in the floating-point range, shape (runs,)."""
        ...

    def state(self) -> Mapping[str, FloatArray]:
        """What is recorded, by name, each of shape (runs, ...); the next step may change it."""
        ...

    def strengths(self, alpha: FloatArray) -> Iterable[Any]:
        """Strengths of shape (steps, runs), in the form in which :meth:`advance` takes those of one step."""
        ...

    def batch(self, weights: FloatArray) -> Any:
        """Weights of the observations, shape (runs, d), in the form in which :meth:`advance` takes them."""
        ...

    def advance(self, batch: Any, strength: Any) -> None:
        """Take one step; None stands for all observations alike, and for no decay."""
        ...


@dataclass(frozen=True, eq=False)
class Plan:
    """What is known of a training before its first step.

    Attributes:
        marks: Numbers of the steps to record, increasing; the last is the end.
        eta: Step sizes, shape (runs,).
        schedules: One for each run, or one for all; empty where there is no decay.
        batches: Weights of the observations in one step after another, or None for all observations alike.
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
    """Check what every training in discrete time is told.

    Args:
        d: Number of observations.
        axes: By name, the shape () or (runs,) of what else may have an axis of runs.
        step: η, a number or shape (runs,).
        steps: Number of steps.
        schedule: Strength, for all runs or a list with one for each.
        has_regularizer: Whether there is something for a schedule to act on.
        batch_size: Observations in a mini-batch, or None.
        seed: Of the mini-batches.
        record: Number of records, or the steps to record.

    Raises:
        InputError: If numbers are out of range, or do not fit each other.
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
        What was recorded, by name, each of shape (marks, runs, ...), nan of runs from where they diverged; which runs
        are finite; the number of steps.
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
        if not row:  # nothing was ever sound at a mark
            for name, found in backend.state().items():
                records[name] = np.full((len(plan.marks), *found.shape), np.nan)
    return records, sound, k


def _strengths(backend: Backend, plan: Plan) -> Iterator[Any]:
    """The strengths α at t = kη in one step after another."""
    groups: dict[int, list[int]] = {}
    for run in range(plan.runs):
        groups.setdefault(id(plan.schedules[run % len(plan.schedules)]), []).append(run)
    # One call of a schedule costs as much as a step, so it is asked for many steps at once.
    many, last = max(1, _MOST_STRENGTHS // plan.runs), int(plan.marks[-1])
    for begin in range(0, last, many):
        t = np.arange(begin, min(begin + many, last))[:, None] * plan.eta
        alpha = np.empty_like(t)
        for members in groups.values():
            alpha[:, members] = plan.schedules[members[0] % len(plan.schedules)](t[:, members])
        yield from backend.strengths(alpha)
