"""The result of training: the model, a record of every epoch, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from implicit_bias.status import Status


@dataclass(frozen=True)
class EpochRecord:
    """Numbers of one epoch. Losses are mean cross-entropies in nats, without penalties; accuracies are fractions.

    Attributes:
        epoch: Its number, from 1.
        learning_rate: The learning rate during the epoch.
        train_loss: On the training batches during the epoch, each before its own step.
        train_accuracy: On the training batches during the epoch, each before its own step.
        test_loss: On the test (or validation) images after the epoch.
        test_accuracy: On the test (or validation) images after the epoch.
        l1_norm: ‖x‖₁ of the effective weights in matrices and kernels after the epoch.
        strength: The regularization strength during the epoch.
        tiny_weights: The fraction of the effective weights that are at most 1/1000 of the largest one after the epoch;
            few of them are exactly 0, which :func:`~implicit_bias.masking.sparsity` counts.
        seconds: Wall time of the epoch with its tests.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    l1_norm: float
    strength: float
    tiny_weights: float
    seconds: float


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for progress bars.

    Attributes:
        epoch: The present epoch, from 1.
        epochs: The number of epochs of the run.
        step: The number of steps of this epoch that are done.
        steps: The number of steps of an epoch.
        loss: Mean training loss in this epoch so far.
        accuracy: Training accuracy in this epoch so far.
        record: The record of the last complete epoch, or None before the end of the first.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    record: EpochRecord | None


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained model and the history of its training.

    Attributes:
        model: The model that was given, dense again.
        history: A record of each complete epoch, also of those before an interruption.
        status: CONVERGED after the last epoch, whatever the loss is then, or NOT_FINITE.
        seconds: Wall time of this call.
        is_main: Whether this is the first of several processes, the one that should write files.
    """

    model: nn.Module
    history: tuple[EpochRecord, ...]
    status: Status
    seconds: float
    is_main: bool = True

    def __repr__(self) -> str:
        last = f", last test accuracy={self.history[-1].test_accuracy:.4g}" if self.history else ""
        failed = "" if self.status is Status.CONVERGED else f", {self.status.value}"
        return f"TrainingResult({type(self.model).__name__}, {len(self.history)} epochs{last}{failed})"
