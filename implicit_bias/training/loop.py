"""Epochs and steps of a training, with its checkpoints and its reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch.nn import functional

from implicit_bias.training import checkpoint as checkpoints
from implicit_bias.training.batches import Batch, Batches
from implicit_bias.training.data.images import ImageData
from implicit_bias.training.determinism import MODEL, stream_seed
from implicit_bias.training.fast_steps import compilation, compiled
from implicit_bias.training.learning_rates import LearningRate
from implicit_bias.training.result import EpochRecord, Progress
from implicit_bias.training.run_state import RunState
from implicit_bias.training.tensorboard import TensorBoard
from implicit_bias.training.weights import all_finite, size_and_tiny_weights

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_SECONDS_BETWEEN_REPORTS = 0.1


@dataclass(frozen=True, eq=False)
class LoopSettings:
    """Arguments of :func:`~implicit_bias.training.train` that the loop needs; ``path`` is its ``checkpoint``."""

    epochs: int
    batch_size: int
    save_every: int
    seed: int
    schedule: LearningRate
    path: Path | None
    log_dir: str | Path | None
    channels_last: bool = False
    compiled: bool = False


@dataclass(frozen=True)
class _Sums:
    """Totals over the images of one epoch, or over the test images."""

    loss: float
    correct: float
    images: int


class TrainingLoop:
    """The loop over epochs and steps.

    Args:
        fabric: A launched Fabric on the devices to use.
        state: The run, as checkpoints hold it.
        data: Images.
        settings: Epochs, batches and checkpoints.
        progress: Called about ten times a second and after each epoch.
    """

    def __init__(
        self,
        fabric: Fabric,
        state: RunState,
        data: ImageData,
        settings: LoopSettings,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._fabric, self._state, self._settings, self._progress = fabric, state, settings, progress
        self._first_rates = [group["lr"] for group in state.optimizer.param_groups]
        self._model, self._optimizer = fabric.setup(state.model, state.optimizer)
        dtype = next(state.model.parameters()).dtype
        order = torch.channels_last if settings.channels_last else torch.contiguous_format
        self._batches = Batches(data, fabric.device, dtype, fabric.global_rank, fabric.world_size, order)
        self._compiled = compiled(state.model) if settings.compiled else None
        self._whole = min(settings.batch_size, len(data.train))
        self._steps = -(-len(data.train) // settings.batch_size)
        self._wide = torch.float32 if fabric.device.type == "mps" else torch.float64
        self._last_report, self._saved_epoch = -float("inf"), 0

    def all_epochs(self, history: tuple[EpochRecord, ...]) -> tuple[tuple[EpochRecord, ...], str | None]:
        """Continue a history to the last epoch, or to a loss that is not finite, and return it with the reason then."""
        settings, self._saved_epoch = self._settings, len(history)
        self._fabric.barrier()  # until every process has read the old checkpoint
        if not history:
            self._save(history)  # a folder that cannot be written raises an error now, not after the first epoch
        log_dir = settings.log_dir if self._fabric.is_global_zero else None
        with TensorBoard(log_dir, len(history) + 1) as log:
            for epoch in range(len(history) + 1, settings.epochs + 1):
                outcome = self._epoch(epoch, history)
                if isinstance(outcome, str):
                    return history, f"{outcome}{self._advice()}"
                history = (*history, outcome)
                log.write(outcome)
                if epoch % settings.save_every == 0 or epoch == settings.epochs:
                    self._save(history)
                self._report(epoch, self._steps, outcome.train_loss, outcome.train_accuracy, outcome, always=True)
        return history, None

    def _epoch(self, epoch: int, history: tuple[EpochRecord, ...]) -> EpochRecord | str:
        """Run one epoch and return its record, or a sentence that says what was not finite."""
        began = time.perf_counter()
        state, settings = self._state, self._settings
        factor = settings.schedule((epoch - 1) / settings.epochs)
        for group, rate in zip(state.optimizer.param_groups, self._first_rates, strict=True):
            group["lr"] = rate * factor
        torch.manual_seed(stream_seed(settings.seed, epoch, MODEL, self._fabric.global_rank))
        strength = state.method.present_strength
        trained = self._steps_of(epoch, history[-1] if history else None)
        if isinstance(trained, str):
            return trained
        if not all_finite(state.model):
            return self._failure("the weights are", epoch, self._steps)
        tested = self._test()
        accuracy = trained.correct / trained.images
        state.method.end_epoch(accuracy)
        norm, tiny = size_and_tiny_weights(state.model)
        return EpochRecord(
            epoch=epoch,
            learning_rate=self._first_rates[0] * factor,
            train_loss=trained.loss / trained.images,
            train_accuracy=accuracy,
            test_loss=tested.loss / tested.images,
            test_accuracy=tested.correct / tested.images,
            l1_norm=norm,
            strength=strength,
            tiny_weights=tiny,
            seconds=time.perf_counter() - began,
        )

    def _steps_of(self, epoch: int, record: EpochRecord | None) -> _Sums | str:
        """Take all steps of an epoch and return their totals, or a sentence that says what was not finite.

        Totals stay on the device until they are needed, since a GPU would idle while each step waits for a number.
        """
        self._model.train()
        objectives = torch.zeros(self._steps, dtype=self._batches.dtype, device=self._fabric.device)
        sums = torch.zeros(2, dtype=self._wide, device=self._fabric.device)
        seen = 0
        for step, batch in enumerate(self._batches.epoch(self._settings.seed, epoch, self._settings.batch_size)):
            objectives[step] = self._step(batch, sums)
            seen += batch.size
            if self._is_report_due():
                # A process may not leave the others in the middle of an epoch.
                if self._fabric.world_size == 1 and not bool(torch.isfinite(objectives[: step + 1]).all()):
                    break
                loss, correct = sums.tolist()
                share = max(seen / self._fabric.world_size, 1)
                self._report(epoch, step + 1, loss / share, correct / share, record)
        bad = torch.nonzero(~torch.isfinite(objectives)).flatten()
        first = torch.tensor(
            [float(bad[0]) if len(bad) else float("inf")], dtype=self._wide, device=self._fabric.device
        )
        sums, first = self._total(sums), self._total(first, "min")
        if torch.isfinite(first):
            return self._failure("the loss is", epoch, int(first) + 1)
        loss, correct = sums.tolist()
        return _Sums(loss, correct, len(self._batches.train))

    def _step(self, batch: Batch, sums: torch.Tensor) -> torch.Tensor:
        """Take one step of the optimizer, and add loss and correct answers of this share to the sums.

        Returns:
            The objective: the mean loss plus the penalty.
        """
        logits = self._logits(batch.images)
        losses = functional.cross_entropy(logits, batch.labels, reduction="sum")
        # Processes average their gradients, so each divides its sum over images by its part of the whole batch.
        objective = losses * (batch.counted * self._fabric.world_size / batch.size)
        penalty = self._state.method.penalty(self._state.model)
        if penalty is not None:
            objective = objective + penalty
        self._fabric.backward(objective)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if batch.counted:
            with torch.no_grad():
                sums += torch.stack([losses.to(self._wide), _correct(logits, batch.labels).to(self._wide)])
        return objective.detach()

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        """The logits in training; the last batch of an epoch, if it is smaller, is not worth a compilation."""
        if self._compiled is None or len(images) < self._whole:
            return self._model(images)
        with compilation(self._state.model), self._fabric.autocast():
            return self._compiled(images).to(self._batches.dtype)

    def _test(self) -> _Sums:
        """Totals over the test images."""
        model = self._state.model
        if self._fabric.world_size > 1:
            for buffer in model.buffers():  # running statistics differ among processes; those of the first one count
                torch.distributed.broadcast(buffer, 0)
        model.eval()
        sums = torch.zeros(2, dtype=self._wide, device=self._fabric.device)
        with torch.no_grad(), self._fabric.autocast():
            for batch in self._batches.evaluation():
                if batch.counted:
                    logits = model(batch.images).to(self._batches.dtype)
                    losses = functional.cross_entropy(logits, batch.labels, reduction="sum")
                    sums += torch.stack([losses.to(self._wide), _correct(logits, batch.labels).to(self._wide)])
        model.train()
        loss, correct = self._total(sums).tolist()
        return _Sums(loss, correct, len(self._batches.test))

    def _total(self, value: torch.Tensor, operation: str = "sum") -> torch.Tensor:
        """Combine the values of all processes."""
        if self._fabric.world_size == 1:
            return value
        # Fabric reduces collections, too; from a tensor it makes a tensor.
        return cast("torch.Tensor", self._fabric.all_reduce(value, reduce_op=operation))

    def _save(self, history: tuple[EpochRecord, ...]) -> None:
        """Write the checkpoint, if there is a path for it."""
        if self._settings.path is not None and self._fabric.is_global_zero:
            checkpoints.write(self._settings.path, self._state.tensors(), self._state.numbers(history))
        self._saved_epoch = len(history)

    def _is_report_due(self) -> bool:
        return self._progress is not None and time.perf_counter() - self._last_report >= _SECONDS_BETWEEN_REPORTS

    def _report(
        self, epoch: int, step: int, loss: float, accuracy: float, record: EpochRecord | None, always: bool = False
    ) -> None:
        """Call ``progress``; unless ``always``, at most about ten times a second."""
        if self._progress is not None and (always or self._is_report_due()) and self._fabric.is_global_zero:
            self._progress(Progress(epoch, self._settings.epochs, step, self._steps, loss, accuracy, record))
        self._last_report = time.perf_counter()

    def _failure(self, what: str, epoch: int, step: int) -> str:
        in_all = (epoch - 1) * self._steps + step
        return f"{what} nan or inf at epoch {epoch}, step {step} of {self._steps} (step {in_all} in all)"

    def _advice(self) -> str:
        lower = "lower the learning rate or the strength"
        if self._settings.path is None:
            return f"; {lower}"
        return f"; {self._settings.path} keeps the run after epoch {self._saved_epoch}; {lower}"


def _correct(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return (logits.argmax(1) == labels).sum()
