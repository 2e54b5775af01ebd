"""A model as it was before a training that failed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parameter import is_lazy


class ModelMemory:
    """Remembers a model as it is now: modules, parameters, buffers, gradients, modes and hooks.

    It keeps a copy of every tensor. Restored parameters and buffers are the same objects as before, so an optimizer, a
    tie or another model that shares them is restored as well.

    Args:
        model: Any module.
    """

    def __init__(self, model: nn.Module) -> None:
        self._parts = [_Part(module) for module in model.modules()]
        tensors = [*model.parameters(), *model.buffers()]
        self._tensors = [_Content.of(tensor) for tensor in tensors if not is_lazy(tensor)]

    def restore(self) -> None:
        """Make the model what it was when this memory was made."""
        for part in self._parts:
            part.restore()
        for content in self._tensors:
            content.restore()


@contextmanager
def left_as_it_was(model: nn.Module) -> Iterator[None]:
    """Restore a model after any exception, also after an interruption by the user."""
    memory = ModelMemory(model)
    try:
        yield
    except BaseException:
        memory.restore()
        raise


class _Part:
    """One module: its class, which parametrizations change, its attributes, and the content of their containers."""

    def __init__(self, module: nn.Module) -> None:
        self._module, self._class, self._attributes = module, type(module), dict(vars(module))
        containers = [value for value in self._attributes.values() if isinstance(value, dict | list | set)]
        self._containers = [(container, copy.copy(container)) for container in containers]

    def restore(self) -> None:
        self._module.__class__ = self._class
        vars(self._module).clear()
        vars(self._module).update(self._attributes)
        # In place, since the handles of hooks refer to the containers.
        for container, before in self._containers:
            container.clear()
            container.extend(before) if isinstance(container, list) else container.update(before)


@dataclass(frozen=True, eq=False)
class _Content:
    """One tensor: its memory, which a move to a device or another precision replaces, and the numbers in it."""

    tensor: torch.Tensor
    memory: torch.Tensor
    values: torch.Tensor
    requires_grad: bool
    gradient: torch.Tensor | None
    attributes: dict[str, object]

    @classmethod
    def of(cls, tensor: torch.Tensor) -> _Content:
        gradient = tensor.grad if tensor.is_leaf else None
        return cls(tensor, tensor.data, tensor.detach().clone(), tensor.requires_grad, gradient, dict(vars(tensor)))

    def restore(self) -> None:
        if not torch.equal(self.memory, self.values):  # expanded buffers cannot be written to
            self.memory.copy_(self.values)
        self.tensor.grad = None  # it may have another precision, which would not fit the memory
        self.tensor.data = self.memory
        if self.tensor.requires_grad != self.requires_grad:
            self.tensor.requires_grad_(self.requires_grad)
        self.tensor.grad = self.gradient
        vars(self.tensor).clear()  # a mask marks a parameter that it replaces
        vars(self.tensor).update(self.attributes)
