"""Logs of every epoch for TensorBoard."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from implicit_bias.errors import require
from implicit_bias.training.result import EpochRecord


class TensorBoard:
    """A context manager that writes a scalar for every number of every epoch.

    Args:
        folder: The folder to write to, or None to write nothing.
        first_epoch: The first epoch to write. TensorBoard drops the epochs that it has from there on, so that a resumed
            run shows every epoch once.
    """

    def __init__(self, folder: str | Path | None, first_epoch: int) -> None:
        self._writer = None
        if folder is not None:
            require("train", "tensorboard")
            from torch.utils.tensorboard import SummaryWriter

            _wait_for_a_new_second(Path(folder))
            self._writer = SummaryWriter(str(folder), purge_step=first_epoch)

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        if self._writer is not None:
            self._writer.close()

    def write(self, record: EpochRecord) -> None:
        """Write one epoch to the disk at once."""
        if self._writer is not None:
            for name, value in asdict(record).items():
                if name != "epoch":
                    self._writer.add_scalar(name.replace("_", "/", 1), value, record.epoch)
            self._writer.flush()


def _wait_for_a_new_second(folder: Path) -> None:
    """Wait until no file of events in the folder was begun in the present second.

    TensorBoard reads the files in the order of their names, which begin with the second. Within one second that order
    is not theirs in time, and a resumed run, read first, would lose its epochs to the run that it resumes.
    """
    now = time.time()
    if any(folder.glob(f"events.out.tfevents.{int(now):010d}.*")):
        time.sleep(int(now) + 1 - now)
