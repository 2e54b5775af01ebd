"""Training of any model on any data set by any method, on one device or several; it can be interrupted at any time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from implicit_bias.errors import InputError, known_options
from implicit_bias.files import held
from implicit_bias.masking import kept_weights, unmask
from implicit_bias.status import Status, settle
from implicit_bias.training.data.images import ImageData, check_data
from implicit_bias.training.determinism import reproducible
from implicit_bias.training.devices import PRECISIONS, checked_device, is_further_process, make_fabric
from implicit_bias.training.fast_steps import order_
from implicit_bias.training.learning_rates import LearningRate
from implicit_bias.training.loop import LoopSettings, TrainingLoop
from implicit_bias.training.methods import Method
from implicit_bias.training.preparation import (
    at_least_one,
    begin,
    check_batches,
    check_method,
    check_model,
    checked_module,
    checked_rates,
    configuration_of,
    saved_run,
    sgd,
)
from implicit_bias.training.restoration import left_as_it_was
from implicit_bias.training.result import Progress, TrainingResult
from implicit_bias.training.run_state import check_configuration
from implicit_bias.validation import positive_number, seed_number


@known_options
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
    channels_last: bool = False,
    compiled: bool = False,
    checkpoint: str | Path | None = None,
    save_every: int = 1,
    resume: bool = False,
    log_dir: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    throw: bool = True,
) -> TrainingResult:
    r"""Train a model on images by cross-entropy plus the penalty of a method.

    The data stay in the device's memory. All random numbers depend on ``seed`` and the epoch alone, and operations are
    deterministic, so on one device (and one number of threads) a run can be repeated bit by bit, and continued bit by
    bit after any interruption. Several devices share each batch, and their gradients add up to those of the whole
    batch; but batch normalization sees each device's share alone unless the devices are GPUs.

    Args:
        model: A dense network that turns images (n, channels, height, width) into logits (n, classes). It is trained in
            place, and moved to the device.
        data: The images to train on, and those to test on after every epoch.
        method: The way to make the network sparse; a new one for every run.
        epochs: The number of passes over the training images.
        learning_rate: The first learning rate. The preprint doubles its 0.1 for masks, which is too much for LeNet.
        momentum: The momentum of SGD.
        batch_size: Images in a step, over all devices together.
        optimizer: ``"sgd"``, or a function of the method's parameter groups and ``lr``, such as any of ``torch.optim``.
        schedule: ``"cosine"``, ``"constant"`` or ``"step"`` (a tenth after half of the epochs, a hundredth after three
            quarters), or a function that takes the fraction of all epochs that have ended, and returns the factor of
            the learning rate in the next one.
        seed: The seed of the order of images and of their augmentation; the model brings its own initial weights.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        devices: The number of devices. With more than one, the program starts once more for each of the others, so
            train from a script or the command line, not a notebook. ``is_main`` of the result tells them apart.
        precision: ``"32-true"``, ``"64-true"`` or ``"bf16-mixed"``: passes in bfloat16, while weights, momentum and
            penalty stay float32.
        channels_last: Keep images and kernels in memory with channels last, as the tensor cores of a GPU read them.
            Convolutions round differently then, so a run has other last digits.
        compiled: Let torch compile the passes in training, and capture them as graphs on a GPU. It takes up to minutes
            before the first step, changes the last digits, lets dropout draw other numbers, and is for one device. On a
            GPU, torch does not promise that another process compiles the same sums, so bit by bit is not promised.
        checkpoint: A file that holds the run after every ``save_every``-th epoch; one run at a time may write it.
        save_every: Epochs between checkpoints; the last epoch is always saved.
        resume: Continue from the checkpoint, if it exists; without it, an existing checkpoint is an error. ``epochs``
            may have grown: from there on the run has the learning rates of the longer one.
        log_dir: A folder for TensorBoard.
        progress: Called about ten times a second and after each epoch.
        throw: Whether a loss that is not finite raises an error.

    Returns:
        The model, dense again, with a record of every epoch. If the loss stopped being finite and ``throw`` is not set,
        the model is as it was then, and the checkpoint holds the last good epoch.

    Raises:
        InputError: If the input is bad: a setting out of range, no such device, a model that does not fit the data or
            the last batch, a checkpoint of another run or a damaged one. All files stay as they are then.
        OSError: If a file cannot be written; the checkpoint holds what it held before.
        FolderInUseError: If another run writes the checkpoint; the message says which.
        SolverError: If the loss is nan or inf and ``throw`` is set; the message names epoch and step.

    After any error, in the model, a method, the optimizer, ``progress`` or the disk, and after an interruption by the
    user, the model is as it was before the call: its modules, weights, buffers, gradients, modes, device and precision.
    So the same call with ``resume`` continues from the checkpoint.
    """
    began = time.perf_counter()
    for name, path in (("checkpoint", checkpoint), ("log_dir", log_dir)):
        if not isinstance(path, str | Path | None):
            raise InputError(f"{name}: expected a path, got {type(path).__name__}.")
    settings = LoopSettings(
        epochs=at_least_one(epochs, "epochs"),
        batch_size=at_least_one(batch_size, "batch_size"),
        save_every=at_least_one(save_every, "save_every"),
        seed=seed_number(seed),
        schedule=checked_rates(schedule),
        path=None if checkpoint is None else Path(checkpoint),
        log_dir=log_dir,
        channels_last=channels_last,
        compiled=compiled,
    )
    check_method(method)
    check_data(data)
    if not (progress is None or callable(progress)):
        raise InputError(f"progress: expected a function, got {progress!r}.")
    first_rate = positive_number(learning_rate, "learning_rate")
    make_optimizer = sgd(positive_number(momentum, "momentum", zero_allowed=True)) if optimizer == "sgd" else optimizer
    if not callable(make_optimizer):
        raise InputError(f"optimizer: expected 'sgd' or a function such as torch.optim.Adam, got {optimizer!r}.")
    place = checked_device(device, devices)
    if precision not in PRECISIONS:
        raise InputError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}.")
    if batch_size < devices:
        raise InputError(f"batch_size: {batch_size} images cannot be shared by {devices} devices; raise it.")
    if compiled and devices > 1:
        raise InputError(f"compiled: is for one device, got {devices}; train without it, or on one.")
    with _only_run(settings.path), reproducible(place), left_as_it_was(checked_module(model)):
        saved = saved_run(settings.path, resume)
        check_model(model, data)
        check_batches(model, data, settings.batch_size, place, devices)
        model.zero_grad(set_to_none=True)  # gradients from before would enter the first step
        configuration = configuration_of(model, data, method, settings) | {
            "schedule": schedule if isinstance(schedule, str) else "a function",
            "precision": precision,
        }
        if saved is not None:  # before the model is changed
            check_configuration(saved, configuration)
        fabric = make_fabric(place, devices, precision)
        model.to(fabric.device, PRECISIONS[precision])
        if devices > 1 and fabric.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        state = begin(model, method, make_optimizer, first_rate, settings.epochs, configuration)
        if channels_last:
            order_(model, torch.channels_last)
        loop = TrainingLoop(fabric, state, data, settings, progress)
        history, failure = loop.all_epochs(state.restore(saved) if saved is not None else ())
        method.finish(model)
        if kept_weights(model):  # of a method that trains x itself
            unmask(model)
        if channels_last:
            order_(model, torch.contiguous_format)
        status = Status.CONVERGED if failure is None else Status.NOT_FINITE
        result = TrainingResult(model, history, status, time.perf_counter() - began, fabric.is_global_zero)
        return settle(result, throw, f"train: {failure}. Training")


def _only_run(path: Path | None) -> AbstractContextManager[None]:
    """Keep other runs away from a checkpoint; the processes of one run share the lock of the first."""
    if path is None or is_further_process():
        return nullcontext()
    return held(path.with_name(f".{path.name}.lock"))
