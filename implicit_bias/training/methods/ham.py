r"""HAM on the weights themselves, with a constant contraction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer

from implicit_bias import masking
from implicit_bias.training.methods.method import Method


class HyperbolicSteps(Method):
    r"""Trains x itself, and multiplies it after every step as :class:`implicit_bias.masking.HAM` does.

    The strength is the contraction c. A prepared model has no penalty and no weight decay.

    T. Jacobs, A. Gadhikar, C. Rubio-Madrigal, R. Burkholz, "Hyperbolic aware minimization: implicit bias for sparsity",
    ICLR 2026.

    Args:
        strength: c >= 0.
        growth: γ >= 0. On small images, LeNet trains with 20 and diverges with 50 at the learning rate of 0.1; the 200
            of the authors' code needs smaller gradients.
    """

    growth: float

    def __init__(self, strength: float = 0.0, growth: float = 10.0) -> None:
        super().__init__(strength, growth=growth)
        self._ham: masking.HAM | None = None

    def start(self, model: nn.Module, optimizer: Optimizer, epochs: int) -> None:
        """Follow the optimizer from its first step on."""
        self._ham = masking.HAM(optimizer, self.growth, self.strength, model=model)

    @property
    def steps(self) -> masking.HAM:
        """The steps that follow those of the optimizer."""
        if self._ham is None:
            raise RuntimeError("HAM: start(…) was not called yet, so there are no steps.")
        return self._ham

    def growth_and_contraction(self) -> tuple[float, float]:
        """The present γ and c."""
        return self.steps.growth, self.steps.contraction

    @property
    def present_strength(self) -> float:
        """The present c."""
        return self._ham.contraction if self._ham else self.strength

    def state_dict(self) -> dict[str, float | int]:
        """Growth and contraction."""
        return dict(self.steps.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""
        self.steps.load_state_dict(state)
