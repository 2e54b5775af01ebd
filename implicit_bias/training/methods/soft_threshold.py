r"""Soft threshold reparameterization (STR): one trained threshold a layer."""

from __future__ import annotations

from torch import nn

from implicit_bias import masking
from implicit_bias.training.methods.method import Method


class SoftThreshold(Method):
    r"""Trains sign(w)(|w| − σ(s))₊ with :math:`\text{strength}\cdot(\lVert w\rVert^2 + \sum s^2)`.

    Decay of s < 0 raises the threshold, so the strength sets the sparsity. A. Kusupati et al., "Soft threshold weight
    reparameterization for learnable sparsity", ICML 2020.

    Args:
        strength: What multiplies the squares.
        start: s_0 of every layer.
    """

    name = "str"
    label = "STR"
    usual_strength = 0.005

    def __init__(self, strength: float = 0.0, start: float = -10.0) -> None:
        super().__init__(strength)
        self.initial = masking.SoftThreshold(start).start

    def prepare(self, model: nn.Module) -> None:
        """Put a threshold on all weights."""
        masking.reparameterize(model, lambda name: masking.SoftThreshold(self.initial))

    def weight_decay(self) -> float:
        """Twice the strength."""
        return 2 * self.strength

    def finish(self, model: nn.Module) -> None:
        """Leave x."""
        masking.unmask(model)
