"""The weight tensors of a module, masked or not, tied or not, under their names in the dense model."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from implicit_bias.errors import InputError, known_options
from implicit_bias.masking.factored_weight import FactoredWeight
from implicit_bias.masking.hooks import Hook, computed, hooks, parts, removal
from implicit_bias.masking.kept import Kept
from implicit_bias.masking.weight_kinds import holds_weight

Select = Callable[[str, torch.Tensor], bool]


@dataclass(frozen=True, eq=False)
class WeightTensor:
    """One tensor of weights, held by one module or by several that share it.

    Attributes:
        name: Its name in the dense model, such as ``"fc1.weight"``; the first one if the weights are tied.
        holders: The modules that hold it, each with the name of its attribute.
    """

    name: str
    holders: tuple[tuple[nn.Module, str], ...]

    @property
    def value(self) -> torch.Tensor:
        """The effective weights x, attached to the graph of the trained tensors. Reading them changes nothing."""
        module, attribute = self.holders[0]
        if attribute in hooks(module):
            return computed(module, attribute)
        if self.parametrizations is None or self.other is None:
            return getattr(module, attribute)
        with _in_evaluation(self.parametrizations):  # in training, some draw numbers or change their buffers
            return getattr(module, attribute)

    @property
    def parametrizations(self) -> parametrize.ParametrizationList | None:
        """The parametrizations that PyTorch holds for it, or None if there are none."""
        module, attribute = self.holders[0]
        return registered(module, attribute) if parametrize.is_parametrized(module, attribute) else None

    @property
    def mask(self) -> FactoredWeight | None:
        """The parametrization that this library put on it, or None."""
        return next((p for p in self.parametrizations or () if isinstance(p, FactoredWeight)), None)

    @property
    def pruning(self) -> Kept | None:
        """The parametrization that keeps its pruned weights at 0, or None."""
        return next((p for p in self.parametrizations or () if isinstance(p, Kept)), None)

    @property
    def other(self) -> tuple[str, str] | None:
        """The name of another library's reparametrization on it, and the call that removes it, or None."""
        module, attribute = self.holders[0]
        path = self.name.rpartition(".")[0]
        layer = f"model.get_submodule({path!r})" if path else "model"
        if attribute in hooks(module):
            return removal(module, attribute, layer)
        foreign = [part for part in self.parametrizations or () if not isinstance(part, FactoredWeight | Kept)]
        if not foreign:
            return None
        kind = type(foreign[0])
        return f"{kind.__module__}.{kind.__name__}", (
            f"torch.nn.utils.parametrize.remove_parametrizations({layer}, {attribute!r})"
        )

    @property
    def trained(self) -> list[torch.Tensor]:
        """The tensors that an optimizer trains: its factors, or the tensor itself."""
        module, attribute = self.holders[0]
        return _trained(module, attribute)

    @property
    def factors(self) -> dict[str, torch.Tensor]:
        """The trained factors of a masked tensor by their letters; empty for a dense one."""
        return {} if self.mask is None else dict(zip(self.mask.names, self.trained, strict=True))

    @property
    def is_weight(self) -> bool:
        """Whether one of its holders uses it as a weight."""
        axes = self.value.ndim
        return any(holds_weight(module, attribute, axes) for module, attribute in self.holders)

    @property
    def has_shape(self) -> bool:
        """Whether its shape is known: a lazy module that has not seen a batch yet has parameters without one."""
        return not any(isinstance(tensor, UninitializedParameter) for tensor in self.trained)


@known_options
def is_weight(module: nn.Module, name: str) -> bool:
    """Tell whether a tensor is a weight, which masking and pruning take unless ``select`` says otherwise.

    Weights are those of torch's Linear, Bilinear, Conv, ConvTranspose, Embedding, EmbeddingBag and MultiheadAttention,
    of classes derived from them, and of recurrent layers and cells. Biases and gains of norms are no weights, whatever
    their shape. In other modules, a tensor is a weight if it is called ``weight`` or ``…_weight`` and has two axes or
    more, unless the class is called a norm.

    Args:
        module: The model.
        name: The tensor's name in the dense model, as ``select`` gets it.

    Raises:
        InputError: If the model has no such tensor.

    >>> model = nn.Sequential(nn.Conv1d(2, 3, 5), nn.LayerNorm([3, 8]))
    >>> is_weight(model, "0.weight"), is_weight(model, "1.weight")
    (True, False)
    """
    tensors = {tensor.name: tensor for tensor in weight_tensors(module)}
    if name not in tensors:
        raise InputError(f"name: there is no tensor {name!r}; known: {', '.join(tensors)}.")
    return tensors[name].is_weight


def weight_tensors(module: nn.Module) -> list[WeightTensor]:
    """Every parameter of a module, and every tensor that was a parameter before it was reparametrized.

    A parameter that several modules share is one tensor, unless they make different weights of it.
    """
    if not isinstance(module, nn.Module):
        raise InputError(f"module: expected a torch.nn.Module, got {type(module).__name__}.")
    found: dict[tuple[int, ...], tuple[str, list[tuple[nn.Module, str]]]] = {}
    for path, holder in module.named_modules():
        if isinstance(holder, parametrize.ParametrizationList):
            continue
        for attribute in _attributes(holder):
            name = f"{path}.{attribute}" if path else attribute
            key = tuple(map(id, (*_trained(holder, attribute), *_computing(holder, attribute))))
            found.setdefault(key, (name, []))[1].append((holder, attribute))
    return [WeightTensor(name, tuple(holders)) for name, holders in found.values()]


def selected_tensors(module: nn.Module, select: Select | None = None) -> list[WeightTensor]:
    """The tensors that ``select(name, tensor)`` accepts, or without it those that :func:`is_weight` accepts.

    Raises:
        InputError: If one has no shape yet, or ``select`` is no function.
    """
    if select is not None and not callable(select):
        raise InputError(
            f"select: expected a function, such as lambda name, tensor: name == '0.weight', got {select!r}."
        )
    tensors = weight_tensors(module)
    for tensor in tensors:
        if not tensor.has_shape:
            raise InputError(f"{tensor.name}: has no shape yet; run the lazy module on one batch first.")
    if select is None:
        return [tensor for tensor in tensors if tensor.is_weight]
    return [tensor for tensor in tensors if select(tensor.name, tensor.value.detach())]


def masked_tensors(module: nn.Module) -> list[WeightTensor]:
    """The tensors that this library masked."""
    return [tensor for tensor in weight_tensors(module) if tensor.mask is not None]


def with_own_class(module: nn.Module) -> nn.Module:
    """Give a parametrized module a class of its own, and return it.

    PyTorch makes a class for it, whose properties are the parametrized tensors. Copies of the module share this class,
    so registering or removing a parametrization on a copy would change, or break, the others.
    """
    if parametrize.is_parametrized(module):
        shared = type(module)
        kept = {key: value for key, value in vars(shared).items() if key not in ("__dict__", "__weakref__")}
        module.__class__ = types.new_class(shared.__name__, shared.__bases__, exec_body=lambda own: own.update(kept))
    return module


def registered(module: nn.Module, attribute: str) -> parametrize.ParametrizationList:
    """The parametrizations of an attribute of a module, which has some."""
    found = module.get_submodule(f"parametrizations.{attribute}")
    if not isinstance(found, parametrize.ParametrizationList):
        raise TypeError(f"{attribute}: expected parametrizations of PyTorch, got {type(found).__name__}.")
    return found


def original_names(held: parametrize.ParametrizationList) -> list[str]:
    """The names under which PyTorch holds the tensors below some parametrizations."""
    return ["original"] if held.is_tensor else [f"original{k}" for k in range(held.ntensors)]


def _attributes(holder: nn.Module) -> list[str]:
    """The names of the tensors that a module would hold as parameters if nothing were reparametrized."""
    hooked = hooks(holder)
    hidden = {part for attribute, hook in hooked.items() for part in parts(attribute, hook)}
    plain = [name for name, parameter in holder._parameters.items() if parameter is not None]
    is_parametrized = parametrize.is_parametrized(holder)
    made = dict(holder.get_submodule("parametrizations").named_children()) if is_parametrized else {}
    return [
        name
        for name in dict.fromkeys([*plain, *made, *hooked])
        # By place, not by type: torch.func puts plain tensors in the places of parameters.
        if name not in hidden and any(own in place._parameters for place, own in _places(holder, name))
    ]


def _trained(holder: nn.Module, attribute: str) -> list[torch.Tensor]:
    """The parameters below a tensor: itself, its factors, or those from which a hook computes it."""
    return [getattr(place, name) for place, name in _places(holder, attribute)]


def _places(holder: nn.Module, attribute: str) -> list[tuple[nn.Module, str]]:
    """Where the tensors below a tensor are held: modules with their names there."""
    hook = hooks(holder).get(attribute)
    if hook is not None:
        return [place for part in parts(attribute, hook) for place in _places(holder, part)]
    if not parametrize.is_parametrized(holder, attribute):
        return [(holder, attribute)]
    held = registered(holder, attribute)
    return [(held, name) for name in original_names(held)]


def _computing(holder: nn.Module, attribute: str) -> list[Hook | nn.Module]:
    """The hook or the parametrizations that compute a tensor from the trained ones."""
    hook = hooks(holder).get(attribute)
    if hook is not None:
        return [hook]
    return [*registered(holder, attribute)] if parametrize.is_parametrized(holder, attribute) else []


@contextmanager
def _in_evaluation(module: nn.Module) -> Iterator[None]:
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
