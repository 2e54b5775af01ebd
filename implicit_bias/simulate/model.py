r"""The field that training follows, :math:`-\partial g^T\nabla f - \alpha\nabla h`, as functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass

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
        slopes: ∂g, shape (p, ..., n) for the derivatives of each coordinate in its own parameters; (n, p, ...) for a
            coupled parameterization.
        pulls: ∇h, of the shape of the parameters; empty without a regularizer.
    """

    x: FloatArray
    slopes: FloatArray
    pulls: FloatArray


class Model:
    r"""A parameterization of n weights as functions of arrays, for any number of runs side by side.

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

    def weights(self, theta: FloatArray) -> FloatArray:
        """The weights g(θ), shape (..., n)."""
        outputs = self._output(theta)
        return outputs[0] if self.separable else np.moveaxis(outputs, 0, -1)

    def evaluate(self, theta: FloatArray) -> Values:
        """The values of g, ∂g and ∇h at parameters."""
        found, p, n = self._everything(theta), self._p, self._n
        if self.separable:
            return Values(found[0], found[1 : p + 1], found[p + 1 :])
        slopes = found[n : n + n * p].reshape(n, p, *found.shape[1:])
        return Values(np.moveaxis(found[:n], 0, -1), slopes, found[n + n * p :])

    def velocity(self, values: Values, gradient: FloatArray, alpha: FloatArray | float) -> FloatArray:
        """−∂gᵀ∇f − α∇h, of the shape of the parameters.

        Args:
            values: The result of :meth:`evaluate` at the parameters.
            gradient: ∇f, shape (..., n).
            alpha: Strength of the regularizer: a number, or an array that broadcasts against a parameter.
        """
        if self.separable:
            motion = -values.slopes * gradient
        else:
            motion = -np.einsum("np...,...n->p...", values.slopes, gradient)
        if len(values.pulls):
            motion -= alpha * values.pulls
        return motion
