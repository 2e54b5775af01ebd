"""The training loop: any model, data set and method, on one device or several, that can be interrupted at any time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer

from implicit_bias.masking import effective_weights, kept_weights, unmask
from implicit_bias.status import Status, settle
from implicit_bias.training import checkpoint as checkpoints
from implicit_bias.training.batches import Batch, Batches
from implicit_bias.training.data.images import ImageData
from implicit_bias.training.determinism import MODEL, reproducible, stream_seed
from implicit_bias.training.devices import PRECISIONS, checked_device, make_fabric
from implicit_bias.training.learning_rates import LEARNING_RATES, LearningRate
from implicit_bias.training.methods import Method
from implicit_bias.training.result import EpochRecord, Progress, TrainingResult
from implicit_bias.training.run_state import RunState, check_configuration, hyperparameters
from implicit_bias.training.tensorboard import TensorBoard
from implicit_bias.training.weights import all_finite, size_and_sparsity
from implicit_bias.validation import positive_number, whole_number

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_SECONDS_BETWEEN_REPORTS = 0.1


def train(
    model: nn.Module,
    data: ImageData,
    method: Method,
    *,
    epochs: int,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    batch_size: int = 256,
    optimizer: str | Callable[..., Optimizer] = "sgd",
    schedule: str | LearningRate = "cosine",
    seed: int = 0,
    device: str | torch.device = "cpu",
    devices: int = 1,
    precision: str = "32-true",
    checkpoint: str | Path | None = None,
    save_every: int = 1,
    resume: bool = False,
    log_dir: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    throw: bool = True,
) -> TrainingResult:
    r"""Train a model on images by cross-entropy plus the penalty of a method.

    The data stay in the device's memory. Everything drawn depends on ``seed`` and the epoch alone, and operations are
    deterministic, so on one device (and one number of threads) a run can be repeated, and continued after an
    interruption of any kind, bit by bit. Several devices share each batch; their gradients add up to those of the
    whole batch, except that batch normalization sees each device's share alone unless the devices are GPUs.

    Args:
        model: A dense network of images (n, channels, height, width) that gives logits (n, classes); trained in place,
            and moved to the device.
        data: What to train on, and to test by after every epoch.
        method: What makes the network sparse; a new one for every run.
        epochs: Passes over the training images.
        learning_rate: The first learning rate. The preprint doubles its 0.1 for masks, which LeNet does not stand.
        momentum: Of SGD.
        batch_size: Images in a step, over all devices together.
        optimizer: ``"sgd"``, or a function of the method's parameter groups and ``lr``, as all of ``torch.optim`` are.
        schedule: ``"cosine"``, ``"constant"`` or ``"step"`` (a tenth at the half, a hundredth at three quarters), or a
            function of the part of all epochs that is done, for the factor of the learning rate in an epoch.
        seed: Of the order of images and of their augmentation; the model brings its own initial weights.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        devices: How many. For more than one the program is started once more for each of the others, so train from a
            script or the command line, not a notebook. ``is_main`` of the result tells them apart.
        precision: ``"32-true"``, ``"64-true"`` or ``"bf16-mixed"``.
        checkpoint: A file that holds the run after every ``save_every``-th epoch.
        save_every: Epochs between checkpoints; the last epoch is saved anyway.
        resume: Continue from the checkpoint, if it is there; without it, an existing checkpoint is an error.
        log_dir: A folder for TensorBoard.
        progress: Called about ten times a second and after each epoch.
        throw: Whether a loss that is not finite raises an error.

    Returns:
        The model, dense again, with a record of every epoch. If the loss stopped being finite, the model holds what
        it was then, and the checkpoint the last good epoch.

    Raises:
        ValueError: If the input is bad: a setting out of range, no such device, a model that does not fit the data, a
            checkpoint of another run or a damaged one. Files are left as they are then.
        SolverError: If the loss is nan or inf and ``throw`` is set; the message names epoch and step.
    """
    began = time.perf_counter()
    settings = _Settings(
        epochs=_at_least_one(epochs, "epochs"),
        batch_size=_at_least_one(batch_size, "batch_size"),
        save_every=_at_least_one(save_every, "save_every"),
        seed=_seed(seed),
        schedule=_schedule(schedule),
        path=None if checkpoint is None else Path(checkpoint),
        log_dir=log_dir,
    )
    first_rate = positive_number(learning_rate, "learning_rate")
    make_optimizer = _sgd(positive_number(momentum, "momentum", zero_allowed=True)) if optimizer == "sgd" else optimizer
    if not callable(make_optimizer):
        raise ValueError(f"optimizer: expected 'sgd' or a function such as torch.optim.Adam, got {optimizer!r}.")
    place = checked_device(device, devices)
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}.")
    if batch_size < devices:
        raise ValueError(f"batch_size: {batch_size} images cannot be shared by {devices} devices; raise it.")
    saved = _saved(settings.path, resume)
    with reproducible(place):
        _check_model(model, data)
        configuration = {
            "model": type(model).__name__,
            "initial weights": checkpoints.tensors_digest(model.state_dict()),
            "data": data.name,
            "images": data.digest(),
            "method": type(method).name,
            **{f"{name} of the method": value for name, value in _public_numbers(method).items()},
            "epochs": settings.epochs,
            "batch_size": settings.batch_size,
            "schedule": schedule if isinstance(schedule, str) else "a function",
            "seed": settings.seed,
            "precision": precision,
        }
        if saved is not None:  # before the model is changed
            check_configuration(saved, configuration)
        fabric = make_fabric(place, devices, precision)
        model.to(fabric.device, PRECISIONS[precision])
        if devices > 1 and fabric.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        method.prepare(model)
        built = make_optimizer(method.parameter_groups(model), lr=first_rate)
        method.start(model, built, settings.epochs)
        configuration["optimizer"] = type(built).__name__
        for k, group in enumerate(hyperparameters(built), start=1):
            configuration |= {f"{name} of group {k}": value for name, value in group.items()}
        state = RunState(model, built, method, configuration)
        run = _Run(fabric, state, data, settings, progress)
        history, failure = run.all_epochs(state.restore(saved) if saved is not None else ())
        method.finish(model)
        if kept_weights(model):  # of a method that trains x itself
            unmask(model)
    status = Status.CONVERGED if failure is None else Status.NOT_FINITE
    result = TrainingResult(model, history, status, time.perf_counter() - began, fabric.is_global_zero)
    return settle(result, throw, f"train: {failure}. Training")


@dataclass(frozen=True, eq=False)
class _Settings:
    epochs: int
    batch_size: int
    save_every: int
    seed: int
    schedule: LearningRate
    path: Path | None
    log_dir: str | Path | None


@dataclass(frozen=True)
class _Sums:
    """Totals over images of one epoch, or of the tests."""

    loss: float
    correct: float
    images: int


class _Run:
    """The loop over epochs and steps."""

    def __init__(
        self,
        fabric: Fabric,
        state: RunState,
        data: ImageData,
        settings: _Settings,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.fabric, self.state, self.settings, self.progress = fabric, state, settings, progress
        self.first_rates = [group["lr"] for group in state.optimizer.param_groups]
        self.model, self.optimizer = fabric.setup(state.model, state.optimizer)
        dtype = next(state.model.parameters()).dtype
        self.batches = Batches(data, fabric.device, dtype, fabric.global_rank, fabric.world_size)
        self.steps = -(-len(data.train) // settings.batch_size)
        self.wide = torch.float32 if fabric.device.type == "mps" else torch.float64
        self.last_report, self.saved_epoch = -float("inf"), 0

    def all_epochs(self, history: tuple[EpochRecord, ...]) -> tuple[tuple[EpochRecord, ...], str | None]:
        """Run from the end of a history to the last epoch, or to a loss that is not finite and the reason."""
        settings, self.saved_epoch = self.settings, len(history)
        self.fabric.barrier()  # every process has read the old checkpoint
        if not history:
            self.save(history)  # so that a folder that cannot be written shows now, not after the first epoch
        log_dir = settings.log_dir if self.fabric.is_global_zero else None
        with TensorBoard(log_dir, len(history) + 1) as log:
            for epoch in range(len(history) + 1, settings.epochs + 1):
                outcome = self.epoch(epoch, history)
                if isinstance(outcome, str):
                    return history, f"{outcome}{self.advice()}"
                history = (*history, outcome)
                log.write(outcome)
                if epoch % settings.save_every == 0 or epoch == settings.epochs:
                    self.save(history)
                self.report(epoch, self.steps, outcome.train_loss, outcome.train_accuracy, outcome, always=True)
        return history, None

    def epoch(self, epoch: int, history: tuple[EpochRecord, ...]) -> EpochRecord | str:
        """One epoch; its record, or what was not finite."""
        began = time.perf_counter()
        state, settings = self.state, self.settings
        factor = settings.schedule((epoch - 1) / settings.epochs)
        for group, rate in zip(state.optimizer.param_groups, self.first_rates, strict=True):
            group["lr"] = rate * factor
        torch.manual_seed(stream_seed(settings.seed, epoch, MODEL, self.fabric.global_rank))
        strength = state.method.present_strength
        trained = self.steps_of(epoch, history[-1] if history else None)
        if isinstance(trained, str):
            return trained
        if not all_finite(state.model):
            return self.failure("the weights are", epoch, self.steps)
        tested = self.test()
        accuracy = trained.correct / trained.images
        state.method.end_epoch(accuracy)
        norm, sparsity = size_and_sparsity(state.model)
        return EpochRecord(
            epoch=epoch,
            learning_rate=self.first_rates[0] * factor,
            train_loss=trained.loss / trained.images,
            train_accuracy=accuracy,
            test_loss=tested.loss / tested.images,
            test_accuracy=tested.correct / tested.images,
            l1_norm=norm,
            strength=strength,
            sparsity=sparsity,
            seconds=time.perf_counter() - began,
        )

    def steps_of(self, epoch: int, record: EpochRecord | None) -> _Sums | str:
        """All steps of an epoch; their totals, or what was not finite.

        Totals stay on the device until they are needed, since waiting for a number in every step would idle a GPU.
        """
        self.model.train()
        objectives = torch.zeros(self.steps, device=self.fabric.device)
        sums = torch.zeros(2, dtype=self.wide, device=self.fabric.device)
        seen = 0
        for step, batch in enumerate(self.batches.epoch(self.settings.seed, epoch, self.settings.batch_size)):
            objectives[step] = self.step(batch, sums)
            seen += batch.size
            if self.is_report_due():
                # Among several processes only those that share every step may stop, at the end of the epoch.
                if self.fabric.world_size == 1 and not bool(torch.isfinite(objectives[: step + 1]).all()):
                    break
                loss, correct = sums.tolist()
                share = max(seen / self.fabric.world_size, 1)
                self.report(epoch, step + 1, loss / share, correct / share, record)
        bad = torch.nonzero(~torch.isfinite(objectives)).flatten()
        first = torch.tensor([float(bad[0]) if len(bad) else float("inf")], dtype=self.wide, device=self.fabric.device)
        sums, first = self.total(sums), self.total(first, "min")
        if torch.isfinite(first):
            return self.failure("the loss is", epoch, int(first) + 1)
        return _Sums(*sums.tolist(), len(self.batches.train))

    def step(self, batch: Batch, sums: torch.Tensor) -> torch.Tensor:
        """One step of the optimizer; adds loss and correct answers of this share to the sums.

        Returns:
            The objective: mean loss with penalty.
        """
        logits = self.model(batch.images)
        losses = functional.cross_entropy(logits, batch.labels, reduction="sum")
        # Processes average their gradients, so each divides its sum over images by its part of the whole batch.
        objective = losses * (batch.counted * self.fabric.world_size / batch.size)
        penalty = self.state.method.penalty(self.state.model)
        if penalty is not None:
            objective = objective + penalty
        self.fabric.backward(objective)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if batch.counted:
            with torch.no_grad():
                sums += torch.stack([losses.to(self.wide), _correct(logits, batch.labels).to(self.wide)])
        return objective.detach()

    def test(self) -> _Sums:
        """Totals over the test images."""
        model = self.state.model
        if self.fabric.world_size > 1:
            for buffer in model.buffers():  # running statistics differ among processes; the first one's count
                torch.distributed.broadcast(buffer, 0)
        model.eval()
        sums = torch.zeros(2, dtype=self.wide, device=self.fabric.device)
        with torch.no_grad(), self.fabric.autocast():
            for batch in self.batches.evaluation():
                if batch.counted:
                    logits = model(batch.images).to(self.batches.dtype)
                    losses = functional.cross_entropy(logits, batch.labels, reduction="sum")
                    sums += torch.stack([losses.to(self.wide), _correct(logits, batch.labels).to(self.wide)])
        model.train()
        return _Sums(*self.total(sums).tolist(), len(self.batches.test))

    def total(self, value: torch.Tensor, operation: str = "sum") -> torch.Tensor:
        """Combine the values of all processes."""
        return self.fabric.all_reduce(value, reduce_op=operation) if self.fabric.world_size > 1 else value

    def save(self, history: tuple[EpochRecord, ...]) -> None:
        """Write the checkpoint, if one is wanted."""
        if self.settings.path is not None and self.fabric.is_global_zero:
            checkpoints.write(self.settings.path, self.state.tensors(), self.state.numbers(history))
        self.saved_epoch = len(history)

    def is_report_due(self) -> bool:
        return self.progress is not None and time.perf_counter() - self.last_report >= _SECONDS_BETWEEN_REPORTS

    def report(
        self, epoch: int, step: int, loss: float, accuracy: float, record: EpochRecord | None, always: bool = False
    ) -> None:
        """Tell the caller where the run stands."""
        if self.progress is not None and (always or self.is_report_due()) and self.fabric.is_global_zero:
            self.progress(Progress(epoch, self.settings.epochs, step, self.steps, loss, accuracy, record))
        self.last_report = time.perf_counter()

    def failure(self, what: str, epoch: int, step: int) -> str:
        in_all = (epoch - 1) * self.steps + step
        return f"{what} nan or inf at epoch {epoch}, step {step} of {self.steps} (step {in_all} in all)"

    def advice(self) -> str:
        lower = "lower the learning rate or the strength"
        if self.settings.path is None:
            return f"; {lower}"
        return f"; {self.settings.path} keeps the run after epoch {self.saved_epoch}; {lower}"


def _correct(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return (logits.argmax(1) == labels).sum()


def _sgd(momentum: float) -> Callable[..., Optimizer]:
    def make(groups: list[dict], lr: float) -> Optimizer:
        device = groups[0]["params"][0].device
        # One kernel for all of a step where there is one.
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, fused=device.type in ("cpu", "cuda"))

    return make


def _at_least_one(value: int, name: str) -> int:
    if whole_number(value, name) < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}.")
    return whole_number(value, name)


def _seed(value: int) -> int:
    if not 0 <= whole_number(value, "seed") < 2**63:
        raise ValueError(f"seed: expected a number from 0 to 2**63 - 1, got {value}.")
    return whole_number(value, "seed")


def _schedule(value: str | LearningRate) -> LearningRate:
    if callable(value):
        return value
    if value not in LEARNING_RATES:
        known = ", ".join(LEARNING_RATES)
        raise ValueError(f"schedule: expected {known} or a function of time in [0, 1), got {value!r}.")
    return LEARNING_RATES[value]


def _saved(path: Path | None, resume: bool) -> checkpoints.Checkpoint | None:
    """The checkpoint to continue from, if any; an existing one is never overwritten by a new run."""
    if path is None:
        if resume:
            raise ValueError("resume: there is nothing to resume from; name the checkpoint.")
        return None
    if not path.exists():
        return None
    if not resume:
        raise ValueError(f"{path}: holds a run already; resume it (resume=True), or name another file.")
    return checkpoints.read(path)


def _public_numbers(method: Method) -> dict[str, Any]:
    """What a method was made with."""
    return {
        name: value
        for name, value in vars(method).items()
        if not name.startswith("_") and isinstance(value, bool | int | float | str | type(None))
    }


def _check_model(model: nn.Module, data: ImageData) -> None:
    """Run two images through the model, before anything is changed.

    Raises:
        ValueError: If it does not take them, does not give logits, or its weights are not finite.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model: expected a torch.nn.Module, got {type(model).__name__}.")
    if effective_weights(model):
        raise ValueError("model: is masked already, and the method puts on its own mask; unmask the model first.")
    trained = next((p for p in model.parameters() if p.is_floating_point()), None)
    if trained is None:
        raise ValueError(f"model: {type(model).__name__} has no parameters to train.")
    if not all_finite(model):
        raise ValueError(f"model: weights of {type(model).__name__} are nan or inf; initialize it again.")
    images = next(Batches(data, trained.device, trained.dtype).epoch(seed=0, epoch=1, size=2)).images
    was_training = model.training
    try:
        model.eval()
        with torch.no_grad():
            shape = tuple(model(images).shape)
    except RuntimeError as error:
        raise ValueError(
            f"model: {type(model).__name__} cannot take images of shape {data.shape} ({error}); "
            "build(name, data) gives one that can."
        ) from None
    finally:
        model.train(was_training)
    if shape != (len(images), data.classes):
        raise ValueError(
            f"model: {type(model).__name__} gives outputs of shape {shape} for {len(images)} images; expected logits "
            f"of shape ({len(images)}, {data.classes})."
        )
