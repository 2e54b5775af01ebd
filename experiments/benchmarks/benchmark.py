"""A benchmark measures the rows of a table and compares them with aims; it saves both before anything is drawn."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from experiments.benchmarks.environment import environment, limited_threads
from implicit_bias.files import write_whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = dict[str, Any]  # str, int, float or None
Settings = TypeVar("Settings", bound="DataclassInstance")
T = TypeVar("T")


class Track(Protocol):
    """Wraps an iterable to show its progress."""

    def __call__(self, steps: Iterable[T], description: str) -> Iterable[T]:
        """Yield the steps and show how many are done."""
        ...


@dataclass(frozen=True)
class Aim:
    """A number hoped for, beside the number measured.

    Attributes:
        text: The quantity, and where it is measured.
        target: The number hoped for.
        measured: The number found.
        larger_is_better: Whether the target is a lower bound.
    """

    text: str
    target: float
    measured: float
    larger_is_better: bool = True

    @property
    def reached(self) -> bool:
        """Whether the number found is at least as good as the target."""
        return self.measured >= self.target if self.larger_is_better else self.measured <= self.target


@dataclass(frozen=True)
class Benchmark(Generic[Settings]):
    """One table of measurements.

    Attributes:
        name: Its name on the command line and the stem of its files.
        title: One sentence for people.
        explanation: How to read the table.
        configuration: The settings by mode (``default`` and ``quick``), each a frozen dataclass.
        threads: Threads that every method gets.
        measure: Turns settings into rows that all have the same keys.
        aims: Compares rows with aims; those of the quick mode are not compared.
    """

    name: str
    title: str
    explanation: str
    configuration: Mapping[str, Settings]
    threads: int
    measure: Callable[[Settings, Track], list[Row]]
    aims: Callable[[list[Row]], list[Aim]]

    def run(self, folder: Path, mode: str, track: Track) -> None:
        """Measure, and save ``<name>.json`` (everything) and ``<name>.csv`` (the rows) in an existing folder."""
        began = time.perf_counter()
        machine = environment()
        with limited_threads(self.threads):
            rows = self.measure(self.configuration[mode], track)
        aims = [asdict(aim) | {"reached": aim.reached} for aim in self.aims(rows)] if mode == "default" else []
        record = {
            "benchmark": self.name,
            "title": self.title,
            "explanation": self.explanation,
            "mode": mode,
            "configuration": asdict(self.configuration[mode]),
            "threads": self.threads,
            "environment": machine,
            "seconds": round(time.perf_counter() - began, 1),
            "aims": aims,
            "rows": rows,
        }
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_whole(folder / f"{self.name}.json", text)
        lines = StringIO()
        writer = csv.DictWriter(lines, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(folder / f"{self.name}.csv", lines.getvalue())
