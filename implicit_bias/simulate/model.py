r"""The field that training follows, :math:`-\partial g^T\nabla f - \alpha\nabla h`, as functions of arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from implicit_bias.errors import InputError
from implicit_bias.symbolic.compiled import compiled
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import FloatArray


@dataclass(frozen=True, eq=False)
class Values:
    """The values of g, ∂g and ∇h at parameters θ.

    Attributes:
        x: g(θ), shape (..., n).
        pull: The function v ↦ ∂gᵀv of gradients in the weights, shape (..., n), to the shape of the parameters.
        pulls: ∇h, of the shape of the parameters; empty without a regularizer.
    """

    x: FloatArray
    pull: Callable[[FloatArray], FloatArray]
    pulls: FloatArray


def velocity(values: Values, gradient: FloatArray, alpha: FloatArray | float) -> FloatArray:
    """−∂gᵀ∇f − α∇h, of the shape of the parameters.

    Args:
        values: Those at the parameters.
        gradient: ∇f, shape (..., n).
        alpha: Strength of the regularizer: a number, or an array that broadcasts against a parameter.
    """
    motion = -values.pull(gradient)
    if len(values.pulls):
        motion -= alpha * values.pulls
    return motion


class Model(Protocol):
    """A parameterization of n weights as functions of arrays, for any number of runs side by side.

    Attributes:
        separable: Whether each weight has parameters of its own.
    """

    separable: bool

    @property
    def size(self) -> int:
        """How many numbers the parameters of one run consist of."""
        ...

    @property
    def inner(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter of one run by name."""
        ...

    def shaped(self, flat: FloatArray) -> FloatArray:
        """Reshape numbers (..., size) to parameters θ, whose first axis is not that of runs."""
        ...

    def flat(self, theta: FloatArray) -> FloatArray:
        """The inverse of :meth:`shaped`."""
        ...

    def named(self, theta: FloatArray) -> dict[str, FloatArray]:
        """The parameters by name, each with any axes of runs in front of its own."""
        ...

    def joined(self, named: Mapping[str, FloatArray]) -> FloatArray:
        """The inverse of :meth:`named`."""
        ...

    def smallness(self, theta: FloatArray) -> FloatArray:
        """The size below which each number of a start counts as zero to an integrator, at most 1; of the shape of θ."""
        ...

    def weights(self, theta: FloatArray) -> FloatArray:
        """The weights g(θ), shape (..., n)."""
        ...

    def evaluate(self, theta: FloatArray) -> Values:
        """The values of g, ∂g and ∇h at parameters."""
        ...

    def gradients(self, theta: FloatArray, directions: FloatArray) -> FloatArray:
        """∇⟨v, g⟩ for several v, shape (k, n) to (k, size), at the θ of one run."""
        ...

    def hessian(self, theta: FloatArray, direction: FloatArray) -> FloatArray:
        """∇²⟨v, g⟩ for one v, shape (n,), at the θ of one run; shape (size, size)."""
        ...

    def regularizer(self, theta: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """∇h, shape (size,), and ∇²h, shape (size, size), at the θ of one run; None without a regularizer."""
        ...


class FormulaModel:
    r"""A :class:`Model` of weights that are formulas.

    Parameters have the shape (p, ..., n) if each weight has its own, and (p, ...) in a coupled parameterization.

    Args:
        parameterization: x = g(θ), with its regularizer if it has one.
        n: Number of weights.

    Raises:
        InputError: If a coupled parameterization does not have n outputs.
    """

    def __init__(self, parameterization: Parameterization, n: int) -> None:
        self.parameterization, self._n, self._p = parameterization, n, len(parameterization.params)
        self.separable = parameterization.separable
        outputs, h = parameterization.outputs, parameterization.regularizer
        if not self.separable and len(outputs) != n:
            raise InputError(
                f"parameterization: expected one formula for each of {n} columns of Z, got {len(outputs)}."
            )
        formulas = [*outputs, *(slope for output in outputs for slope in parameterization.gradient(output).flat())]
        if h is not None:
            formulas += parameterization.gradient(h).flat()
        self._output = compiled(parameterization.symbols, list(outputs))
        self._everything = compiled(parameterization.symbols, formulas)

    @property
    def size(self) -> int:
        """How many numbers the parameters of one run consist of."""
        return self._p * self._n if self.separable else self._p

    def shaped(self, flat: FloatArray) -> FloatArray:
        """Reshape numbers (..., size) to parameters (p, ..., n), or (p, ...) in a coupled parameterization."""
        if not self.separable:
            return np.moveaxis(flat, -1, 0)
        return np.moveaxis(flat.reshape(*flat.shape[:-1], self._p, self._n), -2, 0)

    def flat(self, theta: FloatArray) -> FloatArray:
        """The inverse of :meth:`shaped`."""
        if not self.separable:
            return np.moveaxis(theta, 0, -1)
        moved = np.moveaxis(theta, 0, -2)
        return moved.reshape(*moved.shape[:-2], self.size)

    @property
    def inner(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter of one run by name."""
        return dict.fromkeys(self.parameterization.params, (self._n,) if self.separable else ())

    def named(self, theta: FloatArray) -> dict[str, FloatArray]:
        """The parameters by name, of shape (..., n), or (...) in a coupled parameterization."""
        return dict(zip(self.parameterization.params, theta, strict=True))

    def joined(self, named: Mapping[str, FloatArray]) -> FloatArray:
        """The inverse of :meth:`named`."""
        return np.stack([named[name] for name in self.parameterization.params])

    def smallness(self, theta: FloatArray) -> FloatArray:
        """The smallest nonzero value of each coordinate, at most 1; repeated to the shape of θ."""
        size = np.where(theta == 0, 1.0, np.abs(theta))
        return np.broadcast_to(np.minimum(np.min(size, axis=0), 1.0), theta.shape)

    def weights(self, theta: FloatArray) -> FloatArray:
        """The weights g(θ), shape (..., n)."""
        outputs = self._output(theta)
        return outputs[0] if self.separable else np.moveaxis(outputs, 0, -1)

    def evaluate(self, theta: FloatArray) -> Values:
        """The values of g, ∂g and ∇h at parameters."""
        found, p, n = self._everything(theta), self._p, self._n
        if self.separable:
            own = found[1 : p + 1]
            return Values(found[0], lambda gradient: own * gradient, found[p + 1 :])
        slopes = found[n : n + n * p].reshape(n, p, *found.shape[1:])
        x = np.moveaxis(found[:n], 0, -1)
        return Values(x, lambda gradient: np.einsum("np...,...n->p...", slopes, gradient), found[n + n * p :])

    def gradients(self, theta: FloatArray, directions: FloatArray) -> FloatArray:
        """∇⟨v, g⟩ for several v, shape (k, n) to (k, size), at the θ of one run."""
        pull = self.evaluate(theta).pull
        return np.stack([self.flat(pull(direction)) for direction in directions])

    def hessian(self, theta: FloatArray, direction: FloatArray) -> FloatArray:
        """∇²⟨v, g⟩ for one v, shape (n,), at the θ of one run; shape (size, size)."""
        found, p = self._bends(theta), self._p
        if not self.separable:
            return np.tensordot(direction, found[: p * p * self._n].reshape(self._n, p, p), 1)
        return self._blocks(found[: p * p].reshape(p, p, self._n) * direction)

    def regularizer(self, theta: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """∇h, shape (size,), and ∇²h, shape (size, size), at the θ of one run; None without a regularizer."""
        if self.parameterization.regularizer is None:
            return None
        slopes, p = self.evaluate(theta).pulls, self._p
        bends = self._bends(theta)[-p * p :]
        if not self.separable:
            return slopes, bends.reshape(p, p)
        return self.flat(slopes), self._blocks(bends.reshape(p, p, self._n))

    def _blocks(self, bends: FloatArray) -> FloatArray:
        """The Hessian of a sum over weights of their own, from blocks of shape (p, p, n)."""
        full = np.zeros((self._p, self._n, self._p, self._n))
        each = np.arange(self._n)
        full[:, each, :, each] = np.moveaxis(bends, -1, 0)
        return full.reshape(self.size, self.size)

    @cached_property
    def _bends(self) -> Callable[[FloatArray], FloatArray]:
        """All entries of the Hessians of the outputs, then of the regularizer, as a function of parameters."""
        parameterization, h = self.parameterization, self.parameterization.regularizer
        formulas = [*parameterization.outputs, *(() if h is None else (h,))]
        return compiled(parameterization.symbols, [b for f in formulas for b in parameterization.hessian(f).flat()])
