"""The mask x = m ⊙ w, with a constant strength, from spred's start, or with PILoT's schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer

from implicit_bias import masking
from implicit_bias.training.methods.method import Method
from implicit_bias.validation import positive_number


class Mask(Method):
    r"""Trains m ⊙ w with :math:`\text{strength}\cdot(\lVert m\rVert^2 + \lVert w\rVert^2)`, from m² − w² = β.

    Args:
        strength: α >= 0.
        beta: β >= 0.
    """

    def __init__(self, strength: float = 0.0, beta: float = 1.0) -> None:
        super().__init__(strength, lambda: masking.Product(beta), decay=2.0, beta=beta)

    def start(self, model: nn.Module, optimizer: Optimizer, epochs: int) -> None:
        """Refuse an optimizer whose weight decay is not known to be a strength of a mask."""
        if self.weight_decay():
            masking.masked_groups(optimizer)


def spred(strength: float = 0.0) -> Mask:
    r"""The mask from the balanced start β = 0: no weight ever changes its sign.

    L. Ziyin, Z. Wang, "spred: solving L1 penalty with SGD", ICML 2023.
    """
    return Mask(strength, beta=0.0)


class ScheduledMask(Mask):
    r"""The mask with the strength that :class:`implicit_bias.masking.PILoT` (algorithm 1) adapts.

    Args:
        strength: The first α.
        delta: δ >= 1.
        threshold: K as a multiple of :math:`\lVert x_0\rVert_1`, so that it fits networks of every size.
        beta: β.
    """

    def __init__(self, strength: float = 0.0, delta: float = 1.01, threshold: float = 0.0, beta: float = 1.0) -> None:
        super().__init__(strength, beta)
        self.delta = positive_number(delta, "delta")
        self.threshold = positive_number(threshold, "threshold", zero_allowed=True)
        self._schedule: masking.PILoT | None = None

    def start(self, model: nn.Module, optimizer: Optimizer, epochs: int) -> None:
        """Make the schedule; K refers to the weights as they are now."""
        norm = masking.masked_norm(optimizer)
        self._schedule = masking.PILoT(optimizer, self.strength, self.delta, self.threshold * norm, epochs)

    @property
    def schedule(self) -> masking.PILoT:
        """The running schedule."""
        if self._schedule is None:
            raise RuntimeError("PILoT: start(…) was not called yet, so there is no schedule.")
        return self._schedule

    def end_epoch(self, accuracy: float) -> None:
        """Adapt α."""
        self.schedule.step(accuracy)

    @property
    def present_strength(self) -> float:
        """The present α."""
        return self.schedule.alpha if self._schedule else self.strength

    def state_dict(self) -> dict[str, float | int]:
        """The state of the schedule."""
        return self.schedule.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`, with its weight decay."""
        self.schedule.load_state_dict(state)
