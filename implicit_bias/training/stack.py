"""Models of one architecture side by side, so that one operation computes all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn import functional

Regularizer = Callable[[nn.Module], torch.Tensor | None]


class Stack:
    """K models whose tensors are the slices of common ones: a change of either is a change of the other.

    Args:
        models: All of one architecture, with the same names and shapes. Their parameters stay the same objects.
        regularizer: h of a model, which may be the first one with the tensors of another in it.

    Attributes:
        parameters: By name in a model, shape (K, ...).
        buffers: Likewise.
    """

    def __init__(self, models: Sequence[nn.Module], regularizer: Regularizer = lambda model: None) -> None:
        self._models = models
        self._objective = Objective(models[0], regularizer)
        self.parameters = _stacked([dict(model.named_parameters()) for model in models])
        self.buffers = _stacked([dict(model.named_buffers()) for model in models])
        for k, model in enumerate(models):
            for name, parameter in model.named_parameters():
                parameter.data = self.parameters[name][k]
            _set_buffers(model, {name: values[k] for name, values in self.buffers.items()})

    def release(self) -> None:
        """Give every model tensors of its own again."""
        for model in self._models:
            for parameter in model.parameters():
                parameter.data = parameter.data.clone()
            _set_buffers(model, {name: values.clone() for name, values in model.named_buffers()})

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """The logits of all models, shape (K, n, classes), for the same images (n, channels, height, width)."""
        objective = self._objective
        with torch.no_grad():
            return vmap(lambda tensors: objective.logits(tensors, images))({**self.parameters, **self.buffers})

    def gradients(
        self, images: torch.Tensor, labels: torch.Tensor, strengths: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor, torch.Tensor]:
        """The gradients of the mean cross-entropy of a batch plus strength times h, for each model with its own batch.

        Args:
            images: Shape (K, n, channels, height, width).
            labels: Shape (K, n).
            strengths: Shape (K,).

        Returns:
            Gradients by name, each (K, ...); objectives, sums of cross-entropies and numbers of correct answers, (K,).
        """
        objective = self._objective

        def of_one(
            parameters: Mapping[str, torch.Tensor], buffers: Mapping[str, torch.Tensor], *batch: torch.Tensor
        ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
            return objective.of({**parameters, **buffers}, *batch)

        found, (objectives, (losses, correct)) = vmap(grad_and_value(of_one, has_aux=True))(
            self.parameters, self.buffers, images, labels, strengths
        )
        return found, objectives, losses, correct


class Objective(nn.Module):
    """What one model is trained on, as a module that holds the model, so that its tensors can be replaced by others.

    Args:
        model: Its tensors may be tied, and its modules may have several names.
        regularizer: h of the model.
    """

    def __init__(self, model: nn.Module, regularizer: Regularizer) -> None:
        super().__init__()
        self.model, self.regularizer = model, regularizer
        self._places = [(place, name) for place, _, _, name in _places(model)]

    def of(
        self, tensors: Mapping[str, torch.Tensor], *batch: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """What :meth:`forward` gives of a batch for other tensors, by their names in the model."""
        # Torch's own way to replace tied tensors leaves the others behind in a module that has two names.
        there = {f"model.{place}": tensors[name] for place, name in self._places}
        return functional_call(self, there, batch, tie_weights=False)

    def logits(self, tensors: Mapping[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        """The logits for other tensors."""
        there = {place: tensors[name] for place, name in self._places}
        return functional_call(self.model, there, (images,), tie_weights=False)

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, strength: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """The objective; the sum of cross-entropies and the number of correct answers."""
        logits = self.model(images)
        losses = functional.cross_entropy(logits, labels, reduction="sum")
        value, h = losses * (1 / len(images)), self.regularizer(self.model)
        correct = (logits.argmax(1) == labels).sum()
        return value if h is None else value + strength * h, (losses.detach(), correct)


def _stacked(tensors: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([each[name].detach() for each in tensors]) for name in tensors[0]}


def _set_buffers(model: nn.Module, values: Mapping[str, torch.Tensor]) -> None:
    for _, holder, attribute, name in list(_places(model)):
        if name in values:
            holder[attribute] = values[name]


def _places(model: nn.Module) -> Iterator[tuple[str, dict[str, Any], str, str]]:
    """Every place of a parameter or buffer, once: its name, what holds it under which name, and its name in the model.

    A tensor at several places has the name of the first one.
    """
    names = {id(tensor): name for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    for path, module in model.named_modules():
        for holder in (module._parameters, module._buffers):
            for attribute, tensor in holder.items():
                if tensor is not None:
                    yield f"{path}.{attribute}" if path else attribute, holder, attribute, names[id(tensor)]
