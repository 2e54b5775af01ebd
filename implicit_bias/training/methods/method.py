"""The hooks of a method that makes a network sparse, the same few for the mask and all of its rivals."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from implicit_bias import masking
from implicit_bias.errors import InputError, did_you_mean
from implicit_bias.masking.weight_tensors import selected_tensors
from implicit_bias.validation import positive_number


class Method:
    r"""Trains :math:`f(x) + \text{strength} \cdot h(\theta)`, by its own x = g(θ) and h.

    The training loop calls :meth:`prepare`, makes the optimizer from :meth:`parameter_groups`, calls :meth:`start`,
    adds :meth:`penalty` to the loss of every step, calls :meth:`end_epoch` after every epoch and :meth:`finish` at the
    end. The state consists of what changes during training.

    Args:
        strength: The regularization strength, >= 0; each method says what it multiplies.
        parametrization: Makes g for one tensor; without it x itself is trained.
        penalty: h of a prepared model; without it weight decay is all there is.
        decay: The weight decay λ for strength 1: 2 for h = ‖θ‖².
        numbers: The other numbers of the method, which become attributes. A run can only be continued with the same.

    Attributes:
        name: Its name on the command line; the table of methods sets it.
        label: Its name in figures; the table of methods sets it.
    """

    name = label = ""

    def __init__(
        self,
        strength: float = 0.0,
        parametrization: Callable[[], masking.FactoredWeight] | None = None,
        penalty: Callable[[nn.Module], torch.Tensor] | None = None,
        decay: float = 0.0,
        **numbers: float,
    ) -> None:
        self.strength = positive_number(strength, "strength", zero_allowed=True)
        self._parametrization, self._penalty, self._decay = parametrization, penalty, decay
        if parametrization is not None:
            parametrization()  # raises an error for numbers that it cannot take
        vars(self).update({name: float(number) for name, number in numbers.items()})

    def prepare(self, model: nn.Module) -> None:
        """Put the parametrization on all weights of a dense model, in place."""
        if (parametrization := self._parametrization) is not None:
            masking.reparameterize(model, lambda name: parametrization())

    def weight_decay(self) -> float:
        """The first weight decay λ of the weights or their factors; it adds λθ to the gradient."""
        return self._decay * self.strength

    def parameter_groups(self, model: nn.Module) -> list[dict]:
        """Groups for the optimizer: weights or factors with :meth:`weight_decay`, biases and norms without any."""
        # Two tensors, such as one pruned and one not, may share a parameter.
        chosen = {id(p): p for tensor in selected_tensors(model) for p in tensor.trained}
        return [
            {"params": list(chosen.values()), "weight_decay": self.weight_decay()},
            {"params": [p for p in model.parameters() if id(p) not in chosen], "weight_decay": 0.0},
        ]

    def start(self, model: nn.Module, optimizer: Optimizer, epochs: int) -> None:
        """Prepare the first epoch; called once, before it and before :meth:`load_state_dict`.

        Raises:
            UnsupportedError: If the optimizer does not do what the method asks for.
        """

    def regularizer(self, model: nn.Module) -> torch.Tensor | None:
        """The regularizer h, or None if weight decay is all there is."""
        return self._penalty(model) if self._penalty else None

    def penalty(self, model: nn.Module) -> torch.Tensor | None:
        """The penalty to add to the loss of a batch, strength times h, or None."""
        h = self.regularizer(model) if self.strength else None
        return None if h is None else self.strength * h

    def growth_and_contraction(self) -> tuple[float, float] | None:
        """The γ and c by which :func:`~implicit_bias.masking.ham.multiply_` follows every step, or None."""

    def end_epoch(self, accuracy: float) -> None:
        """Adapt after an epoch of the given training accuracy (a fraction)."""

    @property
    def present_strength(self) -> float:
        """The strength at present, for logs."""
        return self.strength

    def finish(self, model: nn.Module) -> None:
        """Leave a dense model, in place."""
        if self._parametrization is not None:
            masking.unmask(model)

    def state_dict(self) -> dict[str, float | int]:
        """Numbers that change during training, apart from those in the model and the optimizer."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""


@dataclass(frozen=True)
class MethodEntry:
    """An entry in the table of methods; called with a strength and the other numbers, it makes a method for a run.

    Attributes:
        name: The method's name on the command line.
        label: Its name in figures.
        usual_strength: A strength to begin with: the best one in ``figures/full/mnist`` for LeNet-300-100 on MNIST,
            95 % pruned in one shot; for HAM, the contraction in the README of its authors' code.
        make: Makes the method from ``strength`` and from its other numbers by keyword.
    """

    name: str
    label: str
    usual_strength: float
    make: Callable[..., Method]

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of the numbers that it takes beside the strength."""
        return tuple(name for name in inspect.signature(self.make).parameters if name != "strength")

    def __call__(self, strength: float = 0.0, **numbers: float) -> Method:
        """Make a new method for a run.

        Raises:
            InputError: If the method has no number of a name, or one is out of range.
        """
        for name in numbers:
            if name not in self.numbers:
                hint = did_you_mean(name, ("strength", *self.numbers))
                raise InputError(
                    f"{self.name} has no {name!r}{hint}; beside the strength it has "
                    f"{', '.join(self.numbers) or 'nothing to set'}."
                )
        method = self.make(strength, **numbers)
        method.name, method.label = self.name, self.label
        return method
