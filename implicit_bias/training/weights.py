"""The size of the effective weights of a network, masked or dense, and how many of them are tiny."""

from __future__ import annotations

import torch
from torch import nn

from implicit_bias.masking.weight_tensors import selected_tensors, weight_tensors

TINY_TO_LARGEST = 1e-3
"""A weight counts as tiny if it is at most this fraction of the network's largest one."""


def size_and_tiny_weights(model: nn.Module) -> tuple[float, float]:
    """The norm ‖x‖₁ of all weights, and the fraction of them with |x| <= :data:`TINY_TO_LARGEST` · max |x|.

    Weights are matrices and kernels, not biases and gains of norms. Without weights both numbers are 0. Of these tiny
    weights few are exactly 0: :func:`~implicit_bias.masking.sparsity` counts those.

    >>> layer = nn.Linear(4, 1)
    >>> layer.weight.data = torch.tensor([[1.0, -2.0, 0.0, 1e-4]])
    >>> [round(value, 4) for value in size_and_tiny_weights(layer)]
    [3.0001, 0.5]
    """
    with torch.no_grad():
        values = [t.value.abs() for t in selected_tensors(model)]
        if not values:
            return 0.0, 0.0
        bound = TINY_TO_LARGEST * torch.stack([x.max() for x in values]).max()
        norm = sum(float(x.sum(dtype=torch.float64 if x.device.type != "mps" else torch.float32)) for x in values)
        tiny = sum(int((x <= bound).sum()) for x in values)
    return norm, tiny / sum(x.numel() for x in values)


def all_finite(model: nn.Module) -> bool:
    """Tell whether all parameters, buffers and weights are finite; a product of finite factors may overflow."""
    tensors = [t for t in model.state_dict().values() if t.is_floating_point()]
    with torch.no_grad():
        tensors += [t.value for t in weight_tensors(model)]
        return all(bool(torch.isfinite(t).all()) for t in tensors)
