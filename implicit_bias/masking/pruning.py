"""Magnitude pruning of effective weights, masked or dense."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize, prune

from implicit_bias.masking.weight_tensors import Select, WeightTensor, is_weight, weight_tensors, with_own_class
from implicit_bias.validation import finite_array

Module = TypeVar("Module", bound=nn.Module)


class Kept(nn.Module):
    """The last parametrization of a pruned tensor: x where it is kept, 0 elsewhere, whatever is trained below.

    Attributes:
        kept: Booleans of the shape of x, in the state dict.
    """

    kept: torch.Tensor

    def __init__(self, kept: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """X times the booleans."""
        return x * self.kept

    def right_inverse(self, x: torch.Tensor) -> torch.Tensor:
        """X itself: assigning weights to a pruned module prunes them."""
        return x


def prune_(module: Module, sparsity: float, select: Select | None = None) -> Module:
    """Fix the smallest weights of a module at 0, by their effective size over all tensors together.

    They stay 0 in later training; pruned again, to a higher sparsity, a module keeps its zeros. What the module
    computes with the other weights is as before. :func:`~implicit_bias.masking.unmask` leaves the zeros in place.

    Args:
        module: Masked or dense; changed in place. The optimizer's parameters stay the same.
        sparsity: The fraction of weights that are 0 afterwards, in [0, 1], rounded to a whole number of weights.
        select: Which tensors, as in :func:`~implicit_bias.masking.mask`.

    Returns:
        The module.

    Raises:
        ValueError: If the sparsity is outside of [0, 1], there are no weights, or they are not finite.

    >>> layer = nn.Linear(10, 10)
    >>> measure = globals()["sparsity"]
    >>> measure(prune_(layer, 0.9))
    0.9
    """
    amount = float(finite_array(sparsity, "sparsity", ndim=0))
    if not 0 <= amount <= 1:
        raise ValueError(f"sparsity: expected a fraction from 0 to 1, got {sparsity}.")
    tensors = _chosen(module, select)
    for tensor, kept in zip(tensors, _largest([tensor.value.detach() for tensor in tensors], amount), strict=True):
        earlier = next((p for p in tensor.parametrizations or () if isinstance(p, Kept)), None)
        if earlier is not None:
            earlier.kept = kept
            continue
        new = Kept(kept)
        for holder, attribute in tensor.holders:
            parametrize.register_parametrization(with_own_class(holder), attribute, new)
    return module


def sparsity(module: nn.Module, select: Select | None = None) -> float:
    """The fraction of effective weights that are exactly 0.

    Args:
        module: Masked or dense.
        select: Which tensors, as in :func:`~implicit_bias.masking.mask`.

    Raises:
        ValueError: If there are no weights.
    """
    values = [tensor.value.detach() for tensor in _chosen(module, select)]
    return sum(int((x == 0).sum()) for x in values) / sum(x.numel() for x in values)


def _chosen(module: nn.Module, select: Select | None) -> list[WeightTensor]:
    chosen = [t for t in weight_tensors(module) if (select or is_weight)(t.name, t.value.detach())]
    if not chosen:
        raise ValueError(f"module: {type(module).__name__} has no weights that are selected; expected at least one.")
    for tensor in chosen:
        if not bool(torch.isfinite(tensor.value).all()):
            raise ValueError(f"{tensor.name}: holds nan or inf, so its weights have no order; train again.")
    return chosen


def _largest(values: list[torch.Tensor], amount: float) -> list[torch.Tensor]:
    """Booleans that keep all but the smallest fraction of all values together."""
    holder = nn.ParameterDict({str(k): nn.Parameter(x) for k, x in enumerate(values)})
    names = [(holder, name) for name in holder]
    prune.global_unstructured(names, pruning_method=prune.L1Unstructured, amount=amount)
    return [getattr(holder, f"{name}_mask").bool() for _, name in names]
