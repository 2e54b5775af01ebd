"""Timing in turn: A, B, C, A, B, C, …, so that whatever else slows the machine down slows all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """The time that one method took in each round.

    Attributes:
        seconds: Wall time, shape (rounds,).
        cores: CPU time over wall time in all rounds: above 1, more than one thread was at work.
    """

    seconds: np.ndarray
    cores: float

    @property
    def median(self) -> float:
        """Median wall time in seconds."""
        return float(np.median(self.seconds))

    def over(self, other: Timing) -> float:
        """Median over the rounds that both took part in of the ratio of their wall times."""
        shared = min(len(self.seconds), len(other.seconds))
        return float(np.median(self.seconds[:shared] / other.seconds[:shared]))


def once(task: Callable[[], object]) -> Timing:
    """Time one run."""
    return in_turn({"task": task}, {"task": 1})["task"]


def in_turn(tasks: Mapping[str, Callable[[], object]], rounds: Mapping[str, int]) -> dict[str, Timing]:
    """Run the tasks one after the other, and again, each as often as its number of rounds says.

    Args:
        tasks: What to time, by name.
        rounds: Number of rounds by name; a task with fewer than others takes part in the first ones.
    """
    wall: dict[str, list[float]] = {name: [] for name in tasks}
    cpu: dict[str, list[float]] = {name: [] for name in tasks}
    for k in range(max(rounds.values())):
        for name, task in tasks.items():
            if k < rounds[name]:
                began, busy = time.perf_counter(), time.process_time()
                task()
                wall[name].append(time.perf_counter() - began)
                cpu[name].append(time.process_time() - busy)
    return {name: Timing(np.array(wall[name]), sum(cpu[name]) / sum(wall[name])) for name in tasks}
