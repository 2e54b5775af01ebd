r"""Continuous sparsification: a sigmoid mask whose temperature rises until it is 0 or 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from implicit_bias import masking
from implicit_bias.errors import InputError
from implicit_bias.training.methods.method import Method
from implicit_bias.validation import positive_number, whole_number


class ContinuousSparsification(Method):
    r"""Trains w ⊙ σ(τs) with :math:`\text{strength}\cdot\sum\sigma(\tau s)`; the dense model is w where s > 0.

    After epoch k of T the temperature is :math:`\tau = \tau_T^{k/T}`.

    P. Savarese, H. Silva, M. Maire, "Winning the lottery with continuous sparsification", NeurIPS 2020.

    Args:
        strength: The factor of the sum of the mask, >= 0.
        start: s_0, the same for every weight.
        final_temperature: τ_T >= 1.
    """

    def __init__(self, strength: float = 0.0, start: float = 0.05, final_temperature: float = 200.0) -> None:
        super().__init__(strength, lambda: masking.SigmoidMask(start), self._openings, initial=start)
        self.final_temperature = positive_number(final_temperature, "final_temperature")
        if self.final_temperature < 1:
            raise InputError(f"final_temperature: expected a number >= 1, got {final_temperature}.")
        self._masks: list[masking.SigmoidMask] = []
        self._epochs = self._epoch = 0

    def start(self, model: nn.Module, optimizer: Optimizer, epochs: int) -> None:
        """Find the masks whose temperature rises."""
        self._masks = [part for part in model.modules() if isinstance(part, masking.SigmoidMask)]
        self._epochs, self._epoch = epochs, 0

    def _openings(self, model: nn.Module) -> torch.Tensor:
        """The sum of the mask."""
        heat = self._masks[0].temperature if self._masks else 1.0
        return torch.stack([torch.sigmoid(heat * each["s"]).sum() for each in masking.factors(model).values()]).sum()

    def end_epoch(self, accuracy: float) -> None:
        """Raise the temperature after an epoch."""
        self._epoch += 1
        self._heat()

    def _heat(self) -> None:
        for mask in self._masks:
            mask.temperature.fill_(self.final_temperature ** (self._epoch / self._epochs))

    def finish(self, model: nn.Module) -> None:
        """Leave w where s > 0, and 0 elsewhere."""
        with torch.no_grad():
            hard = {name: factors["w"] * (factors["s"] > 0) for name, factors in masking.factors(model).items()}
            masking.unmask(model)
            for name, x in hard.items():
                model.get_parameter(name).copy_(x)

    def state_dict(self) -> dict[str, float | int]:
        """The number of epochs that have ended."""
        return {"epoch": self._epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`, at the temperature after these epochs."""
        self._epoch = whole_number(state["epoch"], "epoch")
        self._heat()
