"""The progress bar of training."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from implicit_bias.training import Progress


class TrainingBar:
    """A bar over all steps with loss, accuracy, ‖x‖₁, α and sparsity; a context manager, and a progress function."""

    def __init__(self, console: Console) -> None:
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
        numbers = f"loss {progress.loss:.3g}  accuracy {progress.accuracy:.1%}"
        if record is not None:
            numbers += (
                f"  test {record.test_accuracy:.1%}  ‖x‖₁ {record.l1_norm:.4g}  α {record.strength:.2g}"
                f"  sparsity {record.sparsity:.1%}"
            )
        self._bar.update(
            self._task,
            total=progress.epochs * progress.steps,
            completed=(progress.epoch - 1) * progress.steps + progress.step,
            epoch=f"{progress.epoch}/{progress.epochs}",
            numbers=numbers,
        )
