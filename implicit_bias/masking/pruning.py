"""Magnitude pruning of effective weights, masked or dense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from implicit_bias.errors import InputError, UnsupportedError, known_options
from implicit_bias.masking.kept import Kept
from implicit_bias.masking.weight_tensors import Select, WeightTensor, selected_tensors, weight_tensors, with_own_class
from implicit_bias.validation import finite_array

Module = TypeVar("Module", bound=nn.Module)


@known_options
def prune_(module: Module, sparsity: float, select: Select | None = None) -> Module:
    """Fix the smallest weights of a module at 0, by their effective size over all tensors together.

    They stay 0 in later training. Pruning again counts them as the smallest, and a lower sparsity gives none of them
    back; :func:`keep_` does. The other weights stay as they are. :func:`~implicit_bias.masking.unmask` turns the zeros
    into plain weights, which may be trained again.

    Args:
        module: Masked or dense; changed in place. The optimizer's parameters stay the same.
        sparsity: The fraction of weights that are 0 afterwards, in [0, 1], rounded to a whole number of weights.
        select: Which tensors, as in :func:`~implicit_bias.masking.mask`.

    Returns:
        The module.

    Raises:
        InputError: If the sparsity is outside of [0, 1], there are no weights, or they are not finite.
        UnsupportedError: If a hook of ``torch.nn.utils.prune``, or of the older weight or spectral normalization,
            computes a tensor. Nothing is changed then.

    >>> layer = nn.Linear(10, 10)
    >>> measure = globals()["sparsity"]
    >>> measure(prune_(layer, 0.9))
    0.9
    """
    amount = float(finite_array(sparsity, "sparsity", ndim=0))
    if not 0 <= amount <= 1:
        raise InputError(f"sparsity: expected a fraction from 0 to 1, got {sparsity}.")
    return keep_(module, _largest(_chosen(module, select), amount))


@known_options
def keep_(module: Module, kept: Mapping[str, torch.Tensor]) -> Module:
    """Fix the weights of a module at 0 wherever ``kept`` is false, as :func:`prune_` does by size.

    Args:
        module: Masked or dense; changed in place. ``kept`` replaces an earlier pruning of the same tensor.
        kept: Booleans of the shape of the weights, by the name of the tensor in the dense model.

    Returns:
        The module.

    Raises:
        InputError: If a name, shape or type does not fit; nothing is changed then.
        UnsupportedError: As in :func:`prune_`.
    """
    if not isinstance(kept, Mapping):
        raise InputError(f"kept: expected a dict of booleans by the names of tensors, got {type(kept).__name__}.")
    tensors = {tensor.name: tensor for tensor in weight_tensors(module)}
    for name, keep in kept.items():
        if name not in tensors:
            raise InputError(f"kept: there is no tensor {name!r}; known: {', '.join(tensors)}.")
        _check_prunable(tensors[name])
        shape = tensors[name].value.shape
        if not isinstance(keep, torch.Tensor):
            raise InputError(f"kept[{name!r}]: expected a torch.Tensor of booleans, got {type(keep).__name__}.")
        if keep.dtype != torch.bool or keep.shape != shape:
            raise InputError(
                f"kept[{name!r}]: expected booleans of shape {tuple(shape)}, got {keep.dtype} of {tuple(keep.shape)}."
            )
    for name, keep in kept.items():
        _register(tensors[name], Kept(keep.to(tensors[name].value.device)))
    return module


def _check_prunable(tensor: WeightTensor) -> None:
    """Raise ``UnsupportedError`` for a tensor that a hook computes, and would overwrite before every pass."""
    if tensor.other is not None and tensor.parametrizations is None:
        kind, remove = tensor.other
        raise UnsupportedError(
            f"{tensor.name}: is computed by {kind}; remove that first, {remove}, "
            "or leave it out: select=lambda name, tensor: …"
        )


def _register(tensor: WeightTensor, new: Kept) -> None:
    earlier = tensor.pruning
    if earlier is not None:
        earlier.kept = new.kept
        return
    if tensor.mask is not None:
        tensor.mask.pruning = (new,)
    for holder, attribute in tensor.holders:
        parametrize.register_parametrization(with_own_class(holder), attribute, new)


def kept_weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """The booleans of all pruned tensors, by their names in the dense model, as :func:`keep_` takes them."""
    return {t.name: t.pruning.kept for t in weight_tensors(module) if t.pruning is not None}


@known_options
def sparsity(module: nn.Module, select: Select | None = None) -> float:
    """The fraction of effective weights that are exactly 0.

    Args:
        module: Masked or dense, or pruned and normalized by other tools; the weights that its layers use now count.
        select: Which tensors, as in :func:`~implicit_bias.masking.mask`.

    Raises:
        InputError: If there are no weights.
    """
    values = [tensor.value.detach() for tensor in _chosen(module, select)]
    return sum(int((x == 0).sum()) for x in values) / sum(x.numel() for x in values)


def _chosen(module: nn.Module, select: Select | None) -> list[WeightTensor]:
    chosen = selected_tensors(module, select)
    if not chosen:
        raise InputError(f"module: {type(module).__name__} has no weights that are selected; expected at least one.")
    for tensor in chosen:
        if not bool(torch.isfinite(tensor.value).all()):
            raise InputError(f"{tensor.name}: holds nan or inf, so its weights cannot be ordered; train again.")
    return chosen


def _largest(tensors: list[WeightTensor], amount: float) -> dict[str, torch.Tensor]:
    """Booleans that prune the smallest fraction of all values together, and what was pruned before."""
    # Pruned weights get a size below all others, or a weight that is 0 by itself might take the place of one of them.
    sizes = [
        t.value.detach().abs() if t.pruning is None else t.value.detach().abs().masked_fill(~t.pruning.kept, -1)
        for t in tensors
    ]
    flat = torch.cat([size.flatten() for size in sizes])
    pruned = round(amount * len(flat))
    # The few largest are found much sooner than the many smallest.
    kept = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
    kept[torch.topk(flat, len(flat) - pruned).indices] = True
    kept &= flat >= 0
    parts = kept.split([size.numel() for size in sizes])
    return {t.name: part.view(size.shape) for t, size, part in zip(tensors, sizes, parts, strict=True)}
