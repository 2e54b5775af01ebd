"""Checks of the arguments of a training, and the first state of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from implicit_bias.errors import InputError, did_you_mean
from implicit_bias.masking import effective_weights
from implicit_bias.masking.weight_tensors import selected_tensors
from implicit_bias.training import checkpoint as checkpoints
from implicit_bias.training.batches import Batches
from implicit_bias.training.data.images import ImageData
from implicit_bias.training.learning_rates import LEARNING_RATES, LearningRate
from implicit_bias.training.loop import LoopSettings
from implicit_bias.training.methods import Method
from implicit_bias.training.restoration import ModelMemory
from implicit_bias.training.run_state import Hyperparameter, RunState, Setting, hyperparameters
from implicit_bias.training.weights import all_finite
from implicit_bias.validation import whole_number


def begin(
    model: nn.Module,
    method: Method,
    make_optimizer: Callable[..., Optimizer],
    learning_rate: float,
    epochs: int,
    configuration: Mapping[str, Hyperparameter],
) -> RunState:
    """Put a method on a dense model, in place, and make the optimizer; with the settings that a checkpoint keeps."""
    method.prepare(model)
    optimizer = make_optimizer(method.parameter_groups(model), lr=learning_rate)
    method.start(model, optimizer, epochs)
    settings = {**configuration, "optimizer": type(optimizer).__name__}
    for k, group in enumerate(hyperparameters(optimizer), start=1):
        settings |= {f"{name} of group {k}": value for name, value in group.items()}
    return RunState(model, optimizer, method, settings)


def configuration_of(
    model: nn.Module, data: ImageData, method: Method, settings: LoopSettings
) -> dict[str, Hyperparameter]:
    """The settings that must be the same for a run to be continued."""
    return {
        "model": type(model).__name__,
        "initial weights": checkpoints.tensors_digest(model.state_dict()),
        "data": data.name,
        "images": data.digest(),
        "method": method.name,
        **{f"{name} of the method": value for name, value in public_numbers(method).items()},
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "channels_last": settings.channels_last,
        "compiled": settings.compiled,
    }


def sgd(momentum: float) -> Callable[..., Optimizer]:
    """Make SGD of parameter groups and ``lr``."""

    def make(groups: list[dict], lr: float) -> Optimizer:
        device = groups[0]["params"][0].device
        # Fused, a step is a single kernel, where PyTorch has one.
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, fused=device.type in ("cpu", "cuda"))

    return make


def at_least_one(value: int, name: str) -> int:
    """Return a whole number >= 1, or raise ``InputError``."""
    if whole_number(value, name) < 1:
        raise InputError(f"{name}: expected at least 1, got {value}.")
    return whole_number(value, name)


def checked_rates(value: str | LearningRate) -> LearningRate:
    """Return the learning rates of a name, or the function itself; raise ``InputError`` for another name."""
    if callable(value):
        return value
    if value not in LEARNING_RATES:
        known, hint = ", ".join(LEARNING_RATES), did_you_mean(str(value), LEARNING_RATES)
        raise InputError(f"schedule: expected {known} or a function of a time in [0, 1), got {value!r}{hint}.")
    return LEARNING_RATES[value]


def saved_run(path: Path | None, resume: bool) -> checkpoints.Checkpoint | None:
    """The checkpoint to continue from, or None; a new run never overwrites an existing one."""
    if path is None:
        if resume:
            raise InputError("resume: there is nothing to resume from; name the checkpoint.")
        return None
    if not path.exists():
        return None
    if not resume:
        raise InputError(f"{path}: holds a run already; resume it (resume=True), or name another file.")
    return checkpoints.read(path)


def public_numbers(method: Method) -> dict[str, Setting]:
    """The numbers that a method was made with."""
    return {
        name: value
        for name, value in vars(method).items()
        if not name.startswith("_") and name not in ("name", "label") and isinstance(value, Setting)
    }


def checked_module(model: nn.Module) -> nn.Module:
    """Return a module, or raise ``InputError``."""
    if not isinstance(model, nn.Module):
        raise InputError(f"model: expected a torch.nn.Module, got {type(model).__name__}.")
    return model


def check_method(method: Method) -> None:
    """Raise ``InputError`` for what is no method."""
    if not isinstance(method, Method):
        raise InputError(f"method: expected a Method, such as training.METHODS['pilot'](), got {method!r}.")


def check_model(model: nn.Module, data: ImageData) -> None:
    """Run two images through the model, before anything is changed.

    Raises:
        InputError: If the model does not take them, gives no logits, is masked, or its weights are not finite or have
            no shape yet.
    """
    selected_tensors(model)
    if effective_weights(model):
        raise InputError("model: is masked already, and the method puts its own mask on it; unmask the model first.")
    trained = next((p for p in model.parameters() if p.is_floating_point()), None)
    if trained is None:
        raise InputError(f"model: {type(model).__name__} has no parameters to train.")
    if not any(p.requires_grad for p in model.parameters()):
        raise InputError(f"model: all parameters of {type(model).__name__} are frozen; set requires_grad of some.")
    if not all_finite(model):
        raise InputError(f"model: weights of {type(model).__name__} are nan or inf; initialize it again.")
    images = next(Batches(data, trained.device, trained.dtype).epoch(seed=0, epoch=1, size=2)).images
    was_training = model.training
    try:
        model.eval()
        with torch.no_grad():
            shape = tuple(model(images).shape)
    except RuntimeError as error:
        raise InputError(
            f"model: {type(model).__name__} cannot take images of shape {data.shape} ({error}); "
            "build(name, data) gives one that can."
        ) from None
    finally:
        model.train(was_training)
    if shape != (len(images), data.classes):
        raise InputError(
            f"model: {type(model).__name__} gives outputs of shape {shape} for {len(images)} images; expected logits "
            f"of shape ({len(images)}, {data.classes})."
        )


def check_batches(model: nn.Module, data: ImageData, batch_size: int, place: torch.device, devices: int) -> None:
    """Run the smallest batch of an epoch through the model as in training: batch normalization takes no single image.

    Raises:
        InputError: If the model does not take it.
    """
    n = len(data.train)
    smallest = n % batch_size or min(batch_size, n)
    if devices > 1 and place.type != "cuda":  # GPUs normalize over their shares together
        smallest = max(1, smallest // devices)
    trained = next(p for p in model.parameters() if p.is_floating_point())
    images = next(Batches(data, trained.device, trained.dtype).epoch(seed=0, epoch=1, size=smallest)).images
    memory = ModelMemory(model)
    try:
        model.train()
        with torch.no_grad():
            model(images)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"model: {type(model).__name__} takes no batch of {smallest} in training ({error}), which is the smallest "
            f"share of {n} images in batches of {batch_size}; choose another batch_size."
        ) from None
    finally:
        memory.restore()
