"""What a way to make a network sparse is made of: the same few hooks for the mask and all of its rivals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn
from torch.optim import Optimizer

from implicit_bias.masking.weight_tensors import selected_tensors
from implicit_bias.validation import positive_number


class Method:
    r"""Trains :math:`f(x) + \text{strength} \cdot h(\theta)`, by its own x = g(θ) and h.

    The training loop calls :meth:`prepare`, makes the optimizer from :meth:`parameter_groups`, calls :meth:`start`,
    adds :meth:`penalty` to the loss of every step, calls :meth:`end_epoch` after every epoch and :meth:`finish` in the
    end. Only what changes during training is state.

    Args:
        strength: The regularization strength, >= 0; what it multiplies is said by each method.

    Attributes:
        name: Its name on the command line.
        label: Its name in figures.
        usual_strength: A strength to begin with: the best for LeNet-300-100 on MNIST, 95 % pruned in one shot, of
            ``figures/full/mnist``.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    usual_strength: ClassVar[float]

    def __init__(self, strength: float = 0.0) -> None:
        self.strength = positive_number(strength, "strength", zero_allowed=True)

    def prepare(self, model: nn.Module) -> None:
        """Put the parametrization on a dense model, in place; nothing for methods that train x itself."""

    def weight_decay(self) -> float:
        """The weight decay λ of the weights or their factors at the start; it adds λθ to the gradient."""
        return 0.0

    def parameter_groups(self, model: nn.Module) -> list[dict]:
        """Groups for the optimizer: weights or factors with :meth:`weight_decay`, biases and norms without any."""
        # Tensors of two forms, such as one pruned and one not, may share a parameter.
        chosen = {id(p): p for tensor in selected_tensors(model) for p in tensor.trained}
        return [
            {"params": list(chosen.values()), "weight_decay": self.weight_decay()},
            {"params": [p for p in model.parameters() if id(p) not in chosen], "weight_decay": 0.0},
        ]

    def start(self, model: nn.Module, optimizer: Optimizer, epochs: int) -> None:
        """Learn what is needed later; called once, before the first epoch and before :meth:`load_state_dict`.

        Raises:
            UnsupportedError: If the optimizer does not train what the method says.
        """

    def penalty(self, model: nn.Module) -> torch.Tensor | None:
        """What is added to the loss of a batch, or None."""
        return None

    def end_epoch(self, accuracy: float) -> None:
        """Adapt after an epoch of the given training accuracy (a fraction)."""

    @property
    def present_strength(self) -> float:
        """The strength in force now, for logs."""
        return self.strength

    def finish(self, model: nn.Module) -> None:
        """Leave a dense model, in place."""

    def state_dict(self) -> dict[str, float | int]:
        """Numbers that change during training, apart from those in the model and the optimizer."""
        return {}

    def load_state_dict(self, state: Mapping[str, float | int]) -> None:
        """Continue from :meth:`state_dict`."""
