"""Models of one architecture side by side, so that one operation computes all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

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
        self._objective = _Objective(models[0], regularizer)
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
        model = self._models[0]
        with torch.no_grad():
            return vmap(lambda tensors: functional_call(model, tensors, (images,)))({**self.parameters, **self.buffers})

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
            tensors = {f"model.{name}": value for name, value in (*parameters.items(), *buffers.items())}
            return functional_call(objective, tensors, batch)

        found, (objectives, (losses, correct)) = vmap(grad_and_value(of_one, has_aux=True))(
            self.parameters, self.buffers, images, labels, strengths
        )
        return found, objectives, losses, correct


class _Objective(nn.Module):
    """What one model is trained on, as a module that holds the model, so that its tensors can be replaced by others."""

    def __init__(self, model: nn.Module, regularizer: Regularizer) -> None:
        super().__init__()
        self.model, self.regularizer = model, regularizer

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, strength: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        logits = self.model(images)
        losses = functional.cross_entropy(logits, labels, reduction="sum")
        value, h = losses * (1 / len(images)), self.regularizer(self.model)
        correct = (logits.argmax(1) == labels).sum()
        return value if h is None else value + strength * h, (losses.detach(), correct)


def _stacked(tensors: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([each[name].detach() for each in tensors]) for name in tensors[0]}


def _set_buffers(model: nn.Module, values: Mapping[str, torch.Tensor]) -> None:
    for name, owner, attribute in list(_owners(model)):
        if name in values:
            owner._buffers[attribute] = values[name]


def _owners(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Every buffer's name in the model, with the module that holds it and its name there."""
    for path, module in model.named_modules():
        for attribute in module._buffers:
            yield f"{path}.{attribute}" if path else attribute, module, attribute
