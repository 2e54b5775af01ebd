"""The progress bar of training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from implicit_bias.training import Progress


BESIDE_THE_NUMBERS = 32  # columns for the epoch, a short bar and the time left


class TrainingBar:
    """A bar over all steps with as many numbers as one line holds; a context manager, and a progress function."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[numbers]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("train", total=None, epoch="–", numbers="")

    def __enter__(self) -> TrainingBar:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show where training stands."""
        record = progress.record
        numbers = [f"loss {progress.loss:.3g}", f"accuracy {progress.accuracy:.1%}"]
        if record is not None:
            numbers[1:1] = [f"test {record.test_accuracy:.1%}", f"tiny weights {record.tiny_weights:.1%}"]
            numbers += [f"‖x‖₁ {record.l1_norm:.4g}", f"α {record.strength:.2g}"]
        self._bar.update(
            self._task,
            total=progress.epochs * progress.steps,
            completed=(progress.epoch - 1) * progress.steps + progress.step,
            epoch=f"{progress.epoch}/{progress.epochs}",
            numbers=_as_many_as_fit(numbers, self._console.width - BESIDE_THE_NUMBERS),
        )


def _as_many_as_fit(numbers: Sequence[str], columns: int) -> str:
    """The first of the numbers, on a line of so many columns; at least one."""
    ends = accumulate(len(each) + 2 for each in numbers)
    count = sum(end - 2 <= columns for end in ends)
    return "  ".join(numbers[: max(count, 1)])
