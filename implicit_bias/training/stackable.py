"""Which runs one computation can stand for."""

from __future__ import annotations

from collections.abc import Sequence

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
        UnsupportedError: If a pass in training changes a buffer, two passes give different outputs, or torch cannot
            compute several networks at once.
    """
    images = _some_images(model, data)
    alone = "take a network that does not, or train its runs one by one."
    memory = ModelMemory(model)
    before = {name: values.clone() for name, values in model.named_buffers()}
    try:
        model.train()
        with torch.no_grad():
            first = model(images)
            after = dict(model.named_buffers())
            changed = next((name for name, values in before.items() if not _same(values, after[name])), None)
            memory.restore()
            model.train()
            differs = not _same(first, model(images))
    finally:
        memory.restore()
    if changed is not None:
        layer = model.get_submodule(changed.rpartition(".")[0])
        raise UnsupportedError(
            f"model: {changed} ({type(layer).__name__}) changes in every pass, such as running statistics, which a "
            f"population does not train; {alone}"
        )
    if differs:
        raise UnsupportedError(
            "model: draws random numbers, such as dropout, which the runs of a population would not draw as alone; "
            f"{alone}"
        )
    _check_vmap(model, images)


def _check_vmap(model: nn.Module, images: torch.Tensor) -> None:
    tensors = {name: values.detach()[None] for name, values in (*model.named_parameters(), *model.named_buffers())}
    try:
        vmap(lambda one: functional_call(model, one, (images,)))(tensors)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise UnsupportedError(
            f"model: torch.func.vmap cannot compute several {type(model).__name__} at once ({reason}); train its runs "
            "one by one."
        ) from error


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
