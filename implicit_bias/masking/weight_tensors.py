"""The weight tensors of a module, under the names that they have in the dense model, masked or not, tied or not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import parametrize

from implicit_bias.masking.kept import Kept
from implicit_bias.masking.parametrization import Parametrization

Select = Callable[[str, torch.Tensor], bool]


@dataclass(frozen=True, eq=False)
class WeightTensor:
    """One tensor of weights, held by one module or by several that share it.

    Attributes:
        name: Its name in the dense model, such as ``"fc1.weight"``; of tied weights the first.
        holders: The modules that hold it, each with the name of its attribute.
    """

    name: str
    holders: tuple[tuple[nn.Module, str], ...]

    @property
    def value(self) -> torch.Tensor:
        """The effective weights x, attached to the graph of what is trained."""
        module, attribute = self.holders[0]
        return getattr(module, attribute)

    @property
    def parametrizations(self) -> parametrize.ParametrizationList | None:
        """What PyTorch registered on it, if anything."""
        module, attribute = self.holders[0]
        if not parametrize.is_parametrized(module, attribute):
            return None
        return module.parametrizations[attribute]

    @property
    def mask(self) -> Parametrization | None:
        """The parametrization of this library on it, if any."""
        return next((p for p in self.parametrizations or () if isinstance(p, Parametrization)), None)

    @property
    def pruning(self) -> Kept | None:
        """Which of its weights are pruned, if any."""
        return next((p for p in self.parametrizations or () if isinstance(p, Kept)), None)

    @property
    def trained(self) -> list[torch.Tensor]:
        """What the optimizer sees of it: its factors, or the tensor itself."""
        registered = self.parametrizations
        if registered is None:
            return [self.value]
        return [registered.original] if registered.is_tensor else _originals(registered)

    @property
    def factors(self) -> dict[str, torch.Tensor]:
        """The trained factors of a masked tensor by their letters."""
        return {} if self.mask is None else dict(zip(self.mask.names, self.trained, strict=True))


def is_weight(name: str, tensor: torch.Tensor) -> bool:
    """Whether a tensor is a matrix or a kernel called weight: of Linear, Conv, Embedding, attention; not of a norm."""
    return tensor.ndim >= 2 and re.search(r"(^|_)weight($|_[ih]h)", name.rpartition(".")[2]) is not None


def weight_tensors(module: nn.Module) -> list[WeightTensor]:
    """Every parameter of a module, and every tensor that was a parameter before it was parametrized."""
    found: dict[int, tuple[str, list[tuple[nn.Module, str]]]] = {}
    for path, holder in module.named_modules():
        if isinstance(holder, parametrize.ParametrizationList):
            continue
        trained = dict(holder._parameters)
        if parametrize.is_parametrized(holder):
            for attribute, registered in holder.parametrizations.items():
                trained[attribute] = registered.original if registered.is_tensor else registered.original0
        for attribute, tensor in trained.items():
            if tensor is not None:
                name = f"{path}.{attribute}" if path else attribute
                found.setdefault(id(tensor), (name, []))[1].append((holder, attribute))
    return [WeightTensor(name, tuple(holders)) for name, holders in found.values()]


def selected_tensors(module: nn.Module, select: Select | None = None) -> list[WeightTensor]:
    """The tensors that ``select(name, tensor)`` accepts; without it those that :func:`is_weight` does."""
    return [t for t in weight_tensors(module) if (select or is_weight)(t.name, t.value.detach())]


def masked_tensors(module: nn.Module) -> list[WeightTensor]:
    """The tensors that this library parametrized."""
    return [tensor for tensor in weight_tensors(module) if tensor.mask is not None]


def with_own_class(module: nn.Module) -> nn.Module:
    """Give a parametrized module a class of its own, and return it.

    PyTorch makes a class for it, whose properties are the parametrized tensors; copies of the module share this class,
    so that registering or removing a parametrization on a copy would change, or break, the others.
    """
    if parametrize.is_parametrized(module):
        shared = type(module)
        kept = {key: value for key, value in vars(shared).items() if key not in ("__dict__", "__weakref__")}
        module.__class__ = type(shared.__name__, shared.__bases__, kept)
    return module


def _originals(registered: parametrize.ParametrizationList) -> list[torch.Tensor]:
    return [getattr(registered, f"original{k}") for k in range(registered.ntensors)]
