r"""Powerpropagation: x = v |v|^{p−1}, with weight decay on v."""

from __future__ import annotations

from torch import nn

from implicit_bias import masking
from implicit_bias.training.methods.method import Method


class Powerpropagation(Method):
    r"""Trains v with :math:`\text{strength}\cdot\lVert v\rVert^2`; for p = 2 that is the strength times ‖x‖₁.

    J. Schwarz et al., "Powerpropagation: a sparsity inducing weight reparameterisation", NeurIPS 2021.

    Args:
        strength: What multiplies ‖v‖².
        power: p >= 1.
    """

    name = "powerpropagation"
    label = "Powerpropagation"
    usual_strength = 0.003

    def __init__(self, strength: float = 0.0, power: float = 2.0) -> None:
        super().__init__(strength)
        self.power = masking.Powerpropagation(power).power

    def prepare(self, model: nn.Module) -> None:
        """Put the power on all weights."""
        masking.reparameterize(model, lambda name: masking.Powerpropagation(self.power))

    def weight_decay(self) -> float:
        """Twice the strength."""
        return 2 * self.strength

    def finish(self, model: nn.Module) -> None:
        """Leave x."""
        masking.unmask(model)
