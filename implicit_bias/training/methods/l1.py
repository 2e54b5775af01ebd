r"""L1 penalties: on the weights themselves, or on the factor m of the mask alone."""

from __future__ import annotations

import torch
from torch import nn

from implicit_bias import masking
from implicit_bias.masking.weight_tensors import selected_tensors
from implicit_bias.training.methods.mask import Mask
from implicit_bias.training.methods.method import Method


class L1(Method):
    r"""Trains x itself with :math:`\text{strength}\cdot\lVert x\rVert_1`."""

    name = "l1"
    label = "L1 on x"
    usual_strength = 0.0004

    def penalty(self, model: nn.Module) -> torch.Tensor | None:
        """The weighted L1 norm of all weights; biases and norms are spared."""
        if not self.strength:
            return None
        return self.strength * total_size([tensor.value for tensor in selected_tensors(model)])


class L1Mask(Mask):
    r"""Trains m ⊙ w with :math:`\text{strength}\cdot\lVert m\rVert_1`, which does not commute with the mask."""

    name = "l1-mask"
    label = "L1 on m"
    usual_strength = 0.002

    def weight_decay(self) -> float:
        """None: the penalty is all there is."""
        return 0.0

    def penalty(self, model: nn.Module) -> torch.Tensor | None:
        """The weighted L1 norm of all m."""
        masks = [factors["m"] for factors in masking.factors(model).values()]
        return self.strength * total_size(masks) if self.strength else None


def total_size(tensors: list[torch.Tensor]) -> torch.Tensor:
    """The L1 norm of several tensors together."""
    return torch.stack([tensor.abs().sum() for tensor in tensors]).sum()
