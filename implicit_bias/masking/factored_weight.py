r"""What every parametrization x = g(θ) of a weight tensor has, and the trained factors θ that know it."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod

import torch
from torch import nn

from implicit_bias.errors import UnsupportedError
from implicit_bias.masking.kept import Kept
from implicit_bias.symbolic import Parameterization


class FactoredWeight(nn.Module, ABC):
    """Effective weights x = g(θ), elementwise on one weight tensor, whose factors θ are trained in its place.

    :func:`~implicit_bias.masking.reparameterize` puts it on a module. One instance belongs to one tensor.
    """

    names: tuple[str, ...]
    """Letters of the factors, in the order that :meth:`forward` takes them."""

    pruning: tuple[Kept, ...] = ()
    """What pruned the tensor, if anything: a tuple, since a module in an attribute would be saved twice."""

    def effective(self, *factors: torch.Tensor) -> torch.Tensor:
        """Effective weights of the factors, 0 where they are pruned."""
        x = self(*factors)
        for kept in self.pruning:
            x = kept(x)
        return x

    @abstractmethod
    def forward(self, *factors: torch.Tensor) -> torch.Tensor:
        """Effective weights x of the factors; all of the shape of x, or scalars."""

    @abstractmethod
    def right_inverse(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Factors that give x, by this parametrization's rule for a start; a bare tensor if there is only one."""

    @property
    def formula(self) -> str | None:
        """The map of one weight as a formula of :attr:`names`, or None where the library's formulas do not cover it."""
        return None

    @property
    def parameterization(self) -> Parameterization:
        """The same map for the theory: :func:`implicit_bias.derive` takes it.

        Raises:
            UnsupportedError: If no formula is known.
        """
        if self.formula is None:
            raise UnsupportedError(
                f"{type(self).__name__}: its map is no formula of one weight alone; derive covers these."
            )
        return Parameterization(self.formula, list(self.names))


class Factor(nn.Parameter):
    """A trained factor that knows its parametrization, so that an optimizer's groups tell which parameters are masks.

    Plain attributes of a parameter are lost when a model is copied; these are not.
    """

    parametrization: FactoredWeight
    letter: str

    def __new__(cls, data: torch.Tensor, parametrization: FactoredWeight, letter: str) -> Factor:
        """Wrap a tensor; gradients are on."""
        factor = super().__new__(cls, data, True)
        factor.parametrization, factor.letter = parametrization, letter
        return factor

    def __deepcopy__(self, memo: dict) -> Factor:
        """Copy the tensor, and point to the copy of the parametrization."""
        if id(self) not in memo:
            data = self.data.clone(memory_format=torch.preserve_format)
            copied = Factor(data, copy.deepcopy(self.parametrization, memo), self.letter)
            copied.requires_grad_(self.requires_grad)
            if self.grad is not None:
                copied.grad = copy.deepcopy(self.grad, memo)
            memo[id(self)] = copied
        return memo[id(self)]
