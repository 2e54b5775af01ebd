"""What a way to make a network sparse is made of: the same few hooks for the mask and all of its rivals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Optimizer

from implicit_bias import masking
from implicit_bias.masking.weight_tensors import selected_tensors
from implicit_bias.validation import positive_number


class Method:
    r"""Trains :math:`f(x) + \text{strength} \cdot h(\theta)`, by its own x = g(θ) and h.

    The training loop calls :meth:`prepare`, makes the optimizer from :meth:`parameter_groups`, calls :meth:`start`,
    adds :meth:`penalty` to the loss of every step, calls :meth:`end_epoch` after every epoch and :meth:`finish` in the
    end. Only what changes during training is state.

    Args:
        strength: The regularization strength, >= 0; what it multiplies is said by each method.
        parametrization: Makes g for one tensor; without it x itself is trained.
        penalty: h of a prepared model; without it there is none beside the decay.
        decay: The weight decay λ for strength 1: 2 for h = ‖θ‖².
        numbers: What else it was made with, which become attributes; a run continues with the same alone.

    Attributes:
        name: Its name on the command line, and
        label: in figures; the table gives them.
    """

    name = label = ""

    def __init__(
        self,
        strength: float = 0.0,
        parametrization: Callable[[], masking.Parametrization] | None = None,
        penalty: Callable[[nn.Module], torch.Tensor] | None = None,
        decay: float = 0.0,
        **numbers: float,
    ) -> None:
        self.strength = positive_number(strength, "strength", zero_allowed=True)
        self._parametrization, self._penalty, self._decay = parametrization, penalty, decay
        if parametrization is not None:
            parametrization()  # refuses numbers that it cannot take
        vars(self).update({name: float(number) for name, number in numbers.items()})

    def prepare(self, model: nn.Module) -> None:
        """Put the parametrization on all weights of a dense model, in place."""
        if (parametrization := self._parametrization) is not None:
            masking.reparameterize(model, lambda name: parametrization())

    def weight_decay(self) -> float:
        """The weight decay λ of the weights or their factors at the start; it adds λθ to the gradient."""
        return self._decay * self.strength

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
        return self.strength * self._penalty(model) if self.strength and self._penalty else None

    def end_epoch(self, accuracy: float) -> None:
        """Adapt after an epoch of the given training accuracy (a fraction)."""

    @property
    def present_strength(self) -> float:
        """The strength in force now, for logs."""
        return self.strength

    def finish(self, model: nn.Module) -> None:
        """Leave a dense model, in place."""
        if self._parametrization is not None:
            masking.unmask(model)

    def state_dict(self) -> dict[str, float | int]:
        """Numbers that change during training, apart from those in the model and the optimizer."""
        return {}

    def load_state_dict(self, state: Mapping[str, float | int]) -> None:
        """Continue from :meth:`state_dict`."""


@dataclass(frozen=True)
class MethodEntry:
    """A method in the table of all; called with a strength and its other numbers, it makes one for a run.

    Attributes:
        name: Its name on the command line.
        label: Its name in figures.
        usual_strength: A strength to begin with: the best for LeNet-300-100 on MNIST, 95 % pruned in one shot, of
            ``figures/full/mnist``.
        make: Makes it from these numbers, called ``strength`` and as it says.
    """

    name: str
    label: str
    usual_strength: float
    make: Callable[..., Method]

    def __call__(self, strength: float = 0.0, **numbers: float) -> Method:
        """A new one for a run, of the given numbers."""
        method = self.make(strength, **numbers)
        method.name, method.label = self.name, self.label
        return method
