"""Weights that pruning fixed at 0."""

from __future__ import annotations

import torch
from torch import nn


class Kept(nn.Module):
    """The last parametrization of a pruned tensor: x where it is kept, and 0 elsewhere.

    Attributes:
        kept: Booleans of the shape of x, in the state dict.
    """

    kept: torch.Tensor

    def __init__(self, kept: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply x by the booleans."""
        return x * self.kept

    def right_inverse(self, x: torch.Tensor) -> torch.Tensor:
        """Return x itself, so that weights assigned to a pruned module are pruned."""
        return x
