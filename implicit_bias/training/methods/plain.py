"""Methods that consist of a parametrization and a penalty or a weight decay alone."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from implicit_bias import masking
from implicit_bias.masking.weight_tensors import selected_tensors
from implicit_bias.training.methods.method import Method


def dense(strength: float = 0.0) -> Method:
    r"""Trains x itself with :math:`\text{strength}\cdot\lVert x\rVert_2^2`."""
    return Method(strength, decay=2.0)


def l1(strength: float = 0.0) -> Method:
    r"""Trains x itself with :math:`\text{strength}\cdot\lVert x\rVert_1`, without a penalty on biases and norms."""
    return Method(strength, penalty=lambda model: _size(tensor.value for tensor in selected_tensors(model)))


def l1_mask(strength: float = 0.0, beta: float = 1.0) -> Method:
    r"""Trains m ⊙ w with :math:`\text{strength}\cdot\lVert m\rVert_1`, which does not commute with the mask."""

    def size_of_masks(model: nn.Module) -> torch.Tensor:
        return _size(factors["m"] for factors in masking.factors(model).values())

    return Method(strength, lambda: masking.Product(beta), size_of_masks, beta=beta)


def powerpropagation(strength: float = 0.0, power: float = 2.0) -> Method:
    r"""Trains x = v |v|^{p−1} with :math:`\text{strength}\cdot\lVert v\rVert^2`; for p = 2 that is strength · ‖x‖₁.

    J. Schwarz et al., "Powerpropagation: a sparsity inducing weight reparameterisation", NeurIPS 2021.
    """
    return Method(strength, lambda: masking.Powerpropagation(power), decay=2.0, power=power)


def soft_threshold(strength: float = 0.0, start: float = -10.0) -> Method:
    r"""Trains sign(w)(|w| − σ(s))₊ with :math:`\text{strength}\cdot(\lVert w\rVert^2 + \sum s^2)`, from s_0 = start.

    There is one s for each tensor of weights. Where it is negative, its decay raises the threshold, so the strength
    sets the sparsity.

    A. Kusupati et al., "Soft threshold weight reparameterization for learnable sparsity", ICML 2020.
    """
    return Method(strength, lambda: masking.SoftThreshold(start), decay=2.0, initial=start)


def _size(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    """The L1 norm of several tensors together."""
    return torch.stack([tensor.abs().sum() for tensor in tensors]).sum()
