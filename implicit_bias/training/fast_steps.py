"""Faster steps of a single network: images and kernels with channels last in memory, and passes that torch compiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from implicit_bias.errors import InputError


def order_(model: nn.Module, memory_format: torch.memory_format) -> None:
    """Bring the tensors of a model that have four axes, such as kernels and their factors, into an order in memory.

    Parameters and buffers stay the same objects with the same numbers.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.contiguous(memory_format=memory_format)


def compiled(model: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """The model's passes, compiled by torch for one size of batch when they are first called.

    On a GPU they are captured as graphs, so that a step waits for no launch of a kernel. Torch's memory of what it
    compiled before is cleared: it takes only a few models of one class, and computes further ones without.

    Raises:
        InputError: If torch cannot compile on this machine.
    """
    from torch._inductor import list_options

    # Without the tuning by which two runs could have sums in different orders, where torch knows this option.
    options: dict[str, Any] = {"triton.cudagraphs": True}
    if "deterministic" in list_options():
        options["deterministic"] = True
    torch.compiler.reset()
    try:
        return torch.compile(model, dynamic=False, options=options)
    except RuntimeError as error:
        raise _not_compiled(model, error) from error


@contextmanager
def compilation(model: nn.Module) -> Iterator[None]:
    """Say in one sentence that the passes of a model could not be compiled, where they are first called.

    Raises:
        InputError: Then, from the error of torch.
    """
    from torch._dynamo.exc import BackendCompilerFailed, TorchDynamoException

    try:
        yield
    except BackendCompilerFailed as error:
        raise _not_compiled(model, error.inner_exception) from error
    except TorchDynamoException as error:
        raise _not_compiled(model, error) from error


def _not_compiled(model: nn.Module, error: Exception) -> InputError:
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return InputError(
        f"compiled: torch.compile cannot compile {type(model).__name__} here ({reason.rstrip('.')}); it needs a C++ "
        "compiler on a CPU and Triton on a GPU. Train without it."
    )
