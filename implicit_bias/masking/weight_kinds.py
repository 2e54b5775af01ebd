"""Which tensors of a module are weights: the kind of module decides, not their shapes."""

from __future__ import annotations

import re

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

_LAYERS: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.Linear, "weight"),
    (nn.Bilinear, "weight"),
    (_ConvNd, "weight"),
    (nn.Embedding, "weight"),
    (nn.EmbeddingBag, "weight"),
    (nn.MultiheadAttention, r"(in|q|k|v)_proj_weight"),
    (nn.RNNCellBase, r"weight_[ih]h"),
    (nn.RNNBase, r"weight_(ih|hh|hr)_l\d+(_reverse)?"),
)
"""Torch's layers, with the names that they and classes derived from them give their weights."""

_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_CALLED_NORM = re.compile(r"[Nn]orm(?![a-z])")  # LayerNorm2d, RMSNorm, layer_norm; not NormalizedLinear
_CALLED_WEIGHT = re.compile(r"(.*_)?weight")


def holds_weight(module: nn.Module, attribute: str, axes: int) -> bool:
    """Tell whether a tensor of a module is one of its weights.

    Linear, bilinear, convolutional, embedding, attention and recurrent layers of torch have known names for their
    weights. A gain of a norm is no weight, whatever its shape. In any other module, a tensor is a weight if it has two
    axes or more and is called ``weight`` or ``…_weight``, and the class is not called a norm.

    Args:
        module: The module that holds the tensor.
        attribute: Its name in the module.
        axes: How many axes it has.
    """
    if any(isinstance(module, kind) and re.fullmatch(names, attribute) for kind, names in _LAYERS):
        return True
    if isinstance(module, _NORMS) or any(_CALLED_NORM.search(kind.__name__) for kind in type(module).__mro__):
        return False
    return axes >= 2 and _CALLED_WEIGHT.fullmatch(attribute) is not None
