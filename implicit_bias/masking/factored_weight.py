r"""The base class of every parametrization x = g(θ) of a weight tensor, and the trained factors θ, which know it."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod

import torch
from torch import nn

from implicit_bias.errors import UnsupportedError
from implicit_bias.masking.kept import Kept
from implicit_bias.symbolic import Parameterization


class FactoredWeight(nn.Module, ABC):
    """Effective weights x = g(θ), elementwise on one weight tensor; training changes the factors θ in its place.

    :func:`~implicit_bias.masking.reparameterize` puts it on a module. One instance belongs to one tensor.
    """

    names: tuple[str, ...]
    """Letters of the factors, in the order in which :meth:`forward` takes them."""

    pruning: tuple[Kept, ...] = ()
    """The pruning of the tensor, if it is pruned; in a tuple, since torch would save a module in an attribute twice."""

    def effective(self, *factors: torch.Tensor) -> torch.Tensor:
        """Effective weights of the factors, 0 where they are pruned."""
        x = self(*factors)
        for kept in self.pruning:
            x = kept(x)
        return x

    @abstractmethod
    def forward(self, *factors: torch.Tensor) -> torch.Tensor:
        """Effective weights x of the factors, each of which has the shape of x or is a scalar."""

    @abstractmethod
    def right_inverse(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Factors that give x, by this parametrization's rule for a start; one factor is no tuple."""

    @property
    def formula(self) -> str | None:
        """The map of one weight as a formula in :attr:`names`, or None where the library's formulas do not cover it."""
        return None

    @property
    def parameterization(self) -> Parameterization:
        """The same map for the theory, as :func:`implicit_bias.derive` takes it.

        Raises:
            UnsupportedError: If there is no :attr:`formula`.
        """
        if self.formula is None:
            raise UnsupportedError(
                f"{type(self).__name__}: has no formula of one weight alone, and derive covers only such maps."
            )
        return Parameterization(self.formula, list(self.names))


class Factor(nn.Parameter):
    """A trained factor that knows its parametrization, so that an optimizer's groups tell which parameters are masks.

    A parameter loses plain attributes when its model is copied, but not these.

    Args:
        data: The tensor to train.
        parametrization: Whose factor it is.
        letter: Its name there.
    """

    def __new__(cls, data: torch.Tensor, parametrization: FactoredWeight, letter: str) -> Factor:
        """Wrap a tensor, with gradients on."""
        return super().__new__(cls, data, True)

    def __init__(self, data: torch.Tensor, parametrization: FactoredWeight, letter: str) -> None:
        self.parametrization, self.letter = parametrization, letter

    def __deepcopy__(self, memo: dict) -> Factor:
        """Copy the tensor, and refer to the copy of the parametrization."""
        if id(self) not in memo:
            data = self.data.clone(memory_format=torch.preserve_format)
            copied = Factor(data, copy.deepcopy(self.parametrization, memo), self.letter)
            copied.requires_grad_(self.requires_grad)
            if self.grad is not None:
                copied.grad = copy.deepcopy(self.grad, memo)
            memo[id(self)] = copied
        return memo[id(self)]
