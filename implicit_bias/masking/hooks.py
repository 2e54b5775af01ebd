"""Weights that an older reparametrization of PyTorch computes, in a hook before every forward pass."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.prune import BasePruningMethod

# torch.nn.utils has functions of the same names as these modules, so only this form of import finds the classes.
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

Hook = BasePruningMethod | SpectralNorm | WeightNorm

_PARTS: dict[type[Hook], tuple[str, ...]] = {
    BasePruningMethod: ("_orig",),
    SpectralNorm: ("_orig",),
    WeightNorm: ("_g", "_v"),
}
"""The parameters that each leaves are called like the tensor, with these endings."""


def hooks(module: nn.Module) -> dict[str, Hook]:
    """The hooks of a module by the name of the tensor that each computes, in the order in which they run."""
    found = [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, Hook)]
    return {hook._tensor_name if isinstance(hook, BasePruningMethod) else hook.name: hook for hook in found}


def parts(attribute: str, hook: Hook) -> list[str]:
    """The names of the tensors from which a hook computes one."""
    return [attribute + ending for kind, endings in _PARTS.items() if isinstance(hook, kind) for ending in endings]


def computed(module: nn.Module, attribute: str) -> torch.Tensor:
    """The tensor that the hooks would compute now; the module keeps the one from its last pass."""
    shadow = _Shadow(module)
    for hook in hooks(module).values():
        hook(shadow, ())  # pyright: ignore[reportArgumentType] - a shadow stands in for the module
    return getattr(shadow, attribute)


def removal(module: nn.Module, attribute: str, layer: str) -> tuple[str, str] | None:
    """The name of the hook that computes a tensor, and the call that takes it off a layer of this name.

    Where a hook computes what another hook needs, it is the innermost one, which has to go first.
    """
    hook = hooks(module).get(attribute)
    if hook is None:
        return None
    for part in parts(attribute, hook):
        below = removal(module, part, layer)
        if below is not None:
            return below
    if isinstance(hook, BasePruningMethod):
        return "torch.nn.utils.prune", f"torch.nn.utils.prune.remove({layer}, {attribute!r})"
    kind = "weight_norm" if isinstance(hook, WeightNorm) else "spectral_norm"
    return f"torch.nn.utils.{kind}", f"torch.nn.utils.remove_{kind}({layer}, {attribute!r})"


class _Shadow:
    """Answers like a module in evaluation, and keeps what hooks assign to itself.

    In training, spectral normalization would also improve its singular vectors.
    """

    training = False

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)
