"""The dense network with weight decay."""

from __future__ import annotations

from implicit_bias.training.methods.method import Method


class Dense(Method):
    r"""Trains x itself with :math:`\text{strength}\cdot\lVert x\rVert_2^2`."""

    name = "dense"
    label = "Dense"
    usual_strength = 0.02

    def weight_decay(self) -> float:
        """Twice the strength."""
        return 2 * self.strength
