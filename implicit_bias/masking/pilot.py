r"""PILoT: a mask's weight decay that follows training accuracy and the size of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from implicit_bias.errors import InputError, UnsupportedError, known_options
from implicit_bias.masking.factored_weight import Factor, FactoredWeight
from implicit_bias.masking.replaced import refuse_replaced
from implicit_bias.method_table import USUAL_STRENGTHS
from implicit_bias.validation import positive_number, whole_number

_OTHER_DECAYS = tuple(getattr(torch.optim, name) for name in ("Adafactor", "Muon") if hasattr(torch.optim, name))


def masked_groups(optimizer: Optimizer) -> list[dict]:
    r"""The parameter groups of an optimizer that hold factors of masks and take a weight decay λ.

    ``torch.optim`` adds λθ to the gradient, so λ = 2α trains :math:`f + \alpha\lVert\theta\rVert^2`. AdamW instead
    multiplies θ by 1 − ηλ in each step, whatever it does with the gradient. When steps are adaptive, only this decay
    adds up to :math:`A = \sum \eta\alpha`: by itself it contracts m² − w² by :math:`\prod (1 - \eta\lambda)^2`, which
    is the flow's :math:`e^{-4A}` up to O(η). Adam divides its decay by the size of past gradients, as it does with the
    gradient. Adaptive steps have no potential, with either decay.

    A parameter that shares a group with factors decays as they do; give biases a group of their own to spare them.

    Raises:
        InputError: If no group holds a factor, or one holds a parameter that a mask has replaced since.
        UnsupportedError: If the optimizer has no weight decay, or is Adafactor or Muon.
    """
    refuse_replaced(optimizer)
    groups = [group for group in optimizer.param_groups if any(isinstance(p, Factor) for p in group["params"])]
    name = type(optimizer).__name__
    if not groups:
        raise InputError(f"optimizer: {name} holds no factor of a mask; make it from the parameters after mask(…).")
    for group in groups:
        if isinstance(optimizer, _OTHER_DECAYS):
            raise UnsupportedError(
                f"optimizer: what the weight decay of {name} does to a mask is not known; take SGD, Adam or AdamW."
            )
        if "weight_decay" not in group:
            raise UnsupportedError(f"optimizer: {name} has no weight decay; take SGD, Adam or AdamW.")
    return groups


@known_options
def decay_strength(optimizer: Optimizer, alpha: float) -> None:
    """Set the strength α of Σ m² + w²: weight_decay = 2α in every group that holds factors.

    Call it before each step to drive a mask by any strength over time, such as a schedule of
    :mod:`implicit_bias.schedule` at t = step × η. Groups that are added later need another call.

    Raises:
        InputError: If α is negative or not finite, or as in :func:`masked_groups`.
    """
    strength = positive_number(alpha, "alpha", zero_allowed=True)
    for group in masked_groups(optimizer):
        group["weight_decay"] = 2 * strength


def masked_norm(optimizer: Optimizer) -> float:
    """The norm ‖x‖₁ of all effective weights whose factors an optimizer trains.

    Raises:
        InputError: If one factor of a mask is missing in it, or as in :func:`masked_groups`.
    """
    parts: dict[FactoredWeight, dict[str, Factor]] = {}
    for group in masked_groups(optimizer):
        for parameter in group["params"]:
            if isinstance(parameter, Factor):
                parts.setdefault(parameter.parametrization, {})[parameter.letter] = parameter
    total = 0.0
    with torch.no_grad():
        for parametrization, found in parts.items():
            missing = set(parametrization.names) - found.keys()
            if missing:
                raise InputError(f"optimizer: factor {', '.join(sorted(missing))} of a mask is not in it; add it.")
            x = parametrization.effective(*(found[name] for name in parametrization.names))
            total += float(x.abs().sum(dtype=torch.float64 if x.device.type != "mps" else torch.float32))
    return total


@known_options
class PILoT:
    r"""Algorithm 1 of T. Jacobs and R. Burkholz, "Mask in the Mirror" (ICLR 2025), on an optimizer's weight decay.

    After every epoch k: if training accuracy rose, :math:`\lVert m \odot w\rVert_1 \ge K` and :math:`k \le T/2`, then
    :math:`\alpha \leftarrow \alpha\delta`, else :math:`\alpha \leftarrow \alpha/\delta`. From the construction on,
    weight decay is 2α in every group that holds factors of masks, also in groups that are added later. Accuracy before
    the first epoch counts as 0.

    Args:
        optimizer: Any ``torch.optim`` optimizer with a weight decay but Adafactor and Muon; what AdamW makes of the
            strength stands in :func:`~implicit_bias.masking.masked_groups`.
        alpha: The first strength α >= 0; by default one that suits LeNet-300-100.
        delta: δ >= 1.
        l1_threshold: K >= 0; at 0 the norm decides nothing.
        epochs: The number T of epochs that you train; there is no default, since α rises in the first half of them.

    Attributes:
        alpha: The present strength.
        epoch: The number of epochs that have ended.

    Raises:
        InputError: If a number is out of range, epochs are not given, or no group holds factors.
        UnsupportedError: As in :func:`~implicit_bias.masking.masked_groups`.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        alpha: float = USUAL_STRENGTHS["pilot"],
        delta: float = 1.01,
        l1_threshold: float = 0.0,
        epochs: int | None = None,
    ) -> None:
        if epochs is None:
            raise InputError("epochs: expected how many epochs you train, as in PILoT(optimizer, epochs=20), got none.")
        self.optimizer = optimizer
        self.alpha = positive_number(alpha, "alpha", zero_allowed=True)
        self.delta = positive_number(delta, "delta")
        if self.delta < 1:
            raise InputError(f"delta: expected a factor >= 1, got {delta}.")
        self.l1_threshold = positive_number(l1_threshold, "l1_threshold", zero_allowed=True)
        self.epochs = whole_number(epochs, "epochs")
        if self.epochs < 1:
            raise InputError(f"epochs: expected a positive integer, got {epochs}.")
        self.epoch = 0
        self.accuracy = 0.0
        decay_strength(optimizer, self.alpha)
        self._groups = len(optimizer.param_groups)
        optimizer.register_step_pre_hook(self._reach_added_groups)

    def _reach_added_groups(self, optimizer: Optimizer, *_: object) -> None:
        if len(optimizer.param_groups) != self._groups:  # else keep a decay that the caller may have set meanwhile
            self._groups = len(optimizer.param_groups)
            decay_strength(optimizer, self.alpha)

    def step(self, train_accuracy: float) -> float:
        """End an epoch: adapt α and the weight decay.

        Args:
            train_accuracy: Accuracy on the training data during this epoch; all that counts is whether it rose.

        Returns:
            The new strength α.

        Raises:
            InputError: If the accuracy is negative, nan or inf; nothing is changed then.
        """
        accuracy = positive_number(train_accuracy, "train_accuracy", zero_allowed=True)
        large = masked_norm(self.optimizer) >= self.l1_threshold
        self.epoch += 1
        rose = accuracy > self.accuracy
        self.accuracy = accuracy
        self.alpha *= self.delta if rose and large and self.epoch <= self.epochs / 2 else 1 / self.delta
        decay_strength(self.optimizer, self.alpha)
        return self.alpha

    def state_dict(self) -> dict[str, float | int]:
        """Numbers from which :meth:`load_state_dict` continues."""
        return {"alpha": self.alpha, "epoch": self.epoch, "accuracy": self.accuracy}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state, and set its weight decay.

        Raises:
            InputError: If the state did not come from :meth:`state_dict`.
        """
        if state.keys() != self.state_dict().keys():
            raise InputError(f"state: expected the keys {sorted(self.state_dict())}, got {sorted(state)}.")
        alpha = positive_number(state["alpha"], "alpha", zero_allowed=True)
        epoch, accuracy = whole_number(state["epoch"], "epoch"), positive_number(state["accuracy"], "accuracy", True)
        self.alpha, self.epoch, self.accuracy = alpha, epoch, accuracy
        decay_strength(self.optimizer, self.alpha)

    def __repr__(self) -> str:
        return f"PILoT(alpha={self.alpha:g}, delta={self.delta:g}, epoch {self.epoch} of {self.epochs})"
