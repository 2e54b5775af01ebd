"""Which runs one computation can stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.func import functional_call, vmap

from implicit_bias.errors import InputError, UnsupportedError
from implicit_bias.training.batches import Batches
from implicit_bias.training.data.images import ImageData
from implicit_bias.training.methods import Method
from implicit_bias.training.population_loop import MemberRun
from implicit_bias.training.preparation import public_numbers
from implicit_bias.training.restoration import ModelMemory
from implicit_bias.training.run_state import Setting


def check_stackable(model: nn.Module, data: ImageData) -> None:
    """Refuse networks whose runs would not be independent copies of one computation.

    Raises:
        UnsupportedError: If two passes in training give different outputs, or torch cannot compute several networks at
            once with the buffers, such as running statistics, that each would have alone.
    """
    images = _some_images(model, data)
    memory = ModelMemory(model)
    try:
        first, after = _pass(model, images)
        memory.restore()
        second, _ = _pass(model, images)
        memory.restore()
        if not _same(first, second):
            raise UnsupportedError(
                "model: draws random numbers, such as dropout, which the runs of a population would not draw as alone; "
                "take a network that does not, or train its runs one by one."
            )
        _check_vmap(model, images, after)
    finally:
        memory.restore()


def _pass(model: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The output of a pass in training mode, and the buffers that it leaves."""
    model.train()
    with torch.no_grad():
        output = model(images)
    return output, {name: values.clone() for name, values in model.named_buffers()}


def _check_vmap(model: nn.Module, images: torch.Tensor, after: Mapping[str, torch.Tensor]) -> None:
    parameters = {name: values.detach()[None] for name, values in model.named_parameters()}
    buffers = {name: values.clone()[None] for name, values in model.named_buffers()}
    model.train()
    name = type(model).__name__
    try:
        with torch.no_grad():
            vmap(lambda one: functional_call(model, one, (images,)))({**parameters, **buffers})
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise UnsupportedError(
            f"model: torch.func.vmap cannot compute several {name} at once ({reason}); train its runs one by one."
        ) from error
    # The same numbers up to the rounding of other sums; what a pass replaces and does not change in place is lost.
    lost = next((n for n, values in buffers.items() if not _close(values[0], after[n])), None)
    if lost is not None:
        raise UnsupportedError(
            f"model: {lost} changes in every pass in a way that torch.func.vmap loses for several {name} at once; "
            "train its runs one by one."
        )


def _close(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.allclose(first.double(), second.double(), rtol=1e-4, atol=1e-6, equal_nan=True)


def _same(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.equal(first.nan_to_num(), second.nan_to_num())


def check_alike(runs: Sequence[MemberRun]) -> None:
    """Refuse runs that one computation cannot stand for: it has the layers and the numbers of the first."""
    first = runs[0].state
    shapes = {name: tensor.shape for name, tensor in first.model.state_dict().items()}
    numbers = _apart_from_strength(first.method)
    for run in runs[1:]:
        model, method = run.state.model, run.state.method
        if type(method) is not type(first.method) or _apart_from_strength(method) != numbers:
            raise InputError(
                "method: expected methods that differ in strength alone, got "
                f"{type(first.method).__name__} with {numbers} and {type(method).__name__} with "
                f"{_apart_from_strength(method)}; train one population for each."
            )
        alike = {name: tensor.shape for name, tensor in model.state_dict().items()} == shapes
        if not alike or repr(model) != repr(first.model):
            raise InputError("build: expected networks of one architecture for all seeds, got different ones.")


def _apart_from_strength(method: Method) -> dict[str, Setting]:
    return {name: value for name, value in public_numbers(method).items() if name != "strength"}


def _some_images(model: nn.Module, data: ImageData) -> torch.Tensor:
    like = next(p for p in model.parameters() if p.is_floating_point())
    return next(Batches(data, like.device, like.dtype).epoch(seed=0, epoch=1, size=8)).images
