r"""Products of parameter matrices, with their first and second derivatives, as functions of arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from implicit_bias.errors import InputError
from implicit_bias.simulate.model import FormulaModel, Model, Values
from implicit_bias.symbolic.matrix_parameterization import Factor, MatrixParameterization
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import FloatArray

Named = Mapping[str, FloatArray]


class MatrixModel:
    """A :class:`~implicit_bias.simulate.model.Model` of weights that form a matrix.

    Parameters have the shape (size, ...), with any runs behind.

    Args:
        parameterization: X = g(θ) with its regularizer if it has one.
        n: Number of weights.

    Raises:
        InputError: If X does not have n entries.
    """

    separable = False

    def __init__(self, parameterization: MatrixParameterization, n: int) -> None:
        self.parameterization = parameterization
        rows, columns = parameterization.shape
        if rows * columns != n:
            raise InputError(
                f"parameterization: expected a matrix of {n} entries, one for each column of Z, got shape "
                f"{(rows, columns)}."
            )
        decaying = parameterization.regularizer
        self._decay = None
        if decaying is not None:
            shapes = parameterization.shapes
            self._decay = np.concatenate([np.full(math.prod(shapes[k]), 2 * decaying[k]) for k in shapes])

    @property
    def size(self) -> int:
        """How many numbers the parameters of one run consist of."""
        return self.parameterization.size

    @property
    def inner(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter of one run by name."""
        return dict(self.parameterization.shapes)

    def shaped(self, flat: FloatArray) -> FloatArray:
        """Move the numbers of (..., size) to the front."""
        return np.moveaxis(flat, -1, 0)

    def flat(self, theta: FloatArray) -> FloatArray:
        """The inverse of :meth:`shaped`."""
        return np.moveaxis(theta, 0, -1)

    def named(self, theta: FloatArray) -> dict[str, FloatArray]:
        """Parameters by name, of shapes (..., rows, columns) or (..., length)."""
        flat, found, begin = self.flat(theta), {}, 0
        for name, shape in self.inner.items():
            end = begin + math.prod(shape)
            found[name] = flat[..., begin:end].reshape(*flat.shape[:-1], *shape)
            begin = end
        return found

    def joined(self, named: Named) -> FloatArray:
        """The inverse of :meth:`named`."""
        parts = [
            named[name].reshape(*named[name].shape[: named[name].ndim - len(s)], -1) for name, s in self.inner.items()
        ]
        return self.shaped(np.concatenate(parts, axis=-1))

    def smallness(self, theta: FloatArray) -> FloatArray:
        """The root mean square of each matrix, at most 1, or that of the smallest other one where it is zero."""
        sizes = {name: float(np.sqrt(np.mean(value**2))) for name, value in self.named(theta).items()}
        least = min((size for size in sizes.values() if size > 0), default=1.0)
        filled = {name: np.full(self.inner[name], min(size or least, 1.0)) for name, size in sizes.items()}
        return self.joined(filled)

    def weights(self, theta: FloatArray) -> FloatArray:
        """The entries of X, row by row, shape (..., n)."""
        return self._product(self.named(theta))

    def evaluate(self, theta: FloatArray) -> Values:
        """The weights, and how gradients in them pull at the parameters."""
        named = self.named(theta)
        pulls = np.empty(0)
        if self._decay is not None:
            pulls = self._decay.reshape(-1, *([1] * (theta.ndim - 1))) * theta
        return Values(self._product(named), lambda gradient: self.joined(self._pull(named, gradient)), pulls)

    def gradients(self, theta: FloatArray, directions: FloatArray) -> FloatArray:
        """∇⟨v, g⟩ for several v, shape (k, n) to (k, size), at one θ, shape (size,)."""
        named = {name: np.broadcast_to(v, (len(directions), *v.shape)) for name, v in self.named(theta).items()}
        return self.flat(self.joined(self._pull(named, directions)))

    def hessian(self, theta: FloatArray, direction: FloatArray) -> FloatArray:
        """∇²⟨v, g⟩ for one v, shape (n,), at one θ; shape (size, size)."""
        named, rows = self.named(theta), self.named(np.eye(self.size))
        gradient = self._matrix(direction)
        total = {name: np.zeros_like(value) for name, value in rows.items()}
        for term in self.parameterization.terms:
            for k in range(len(term.factors)):
                for j, pulled in enumerate(term.factors):
                    if j != k:
                        factors = [_as_matrix(f, rows if i == k else named) for i, f in enumerate(term.factors)]
                        change = term.number * _around(factors, j, gradient)
                        total[pulled.name] += _as_parameter(pulled, change)
        found = self.flat(self.joined(total))
        return (found + found.T) / 2

    def regularizer(self, theta: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """∇h and ∇²h at one θ, or None."""
        return None if self._decay is None else (self._decay * theta, np.diag(self._decay))

    def _matrix(self, x: FloatArray) -> FloatArray:
        return x.reshape(*x.shape[:-1], *self.parameterization.shape)

    def _product(self, named: Named) -> FloatArray:
        total: FloatArray | float = 0.0
        for term in self.parameterization.terms:
            total = total + term.number * _chain([_as_matrix(factor, named) for factor in term.factors])
        found = np.asarray(total)
        return found.reshape(*found.shape[:-2], math.prod(self.parameterization.shape))

    def _pull(self, named: Named, gradient: FloatArray) -> dict[str, FloatArray]:
        """∂gᵀ times a gradient in the weights, shape (..., n), by name."""
        matrix = self._matrix(gradient)
        total = {name: np.zeros_like(value) for name, value in named.items()}
        for term in self.parameterization.terms:
            factors = [_as_matrix(factor, named) for factor in term.factors]
            for k, factor in enumerate(term.factors):
                total[factor.name] += _as_parameter(factor, term.number * _around(factors, k, matrix))
        return total


def model_of(parameterization: Parameterization | MatrixParameterization, n: int) -> Model:
    """The model of a parameterization of n weights."""
    if isinstance(parameterization, MatrixParameterization):
        return MatrixModel(parameterization, n)
    return FormulaModel(parameterization, n)


def _as_matrix(factor: Factor, named: Named) -> FloatArray:
    value = named[factor.name]
    if factor.kind == "diagonal":
        return value[..., None] * np.eye(value.shape[-1])
    return value.swapaxes(-1, -2) if factor.kind == "transposed" else value


def _as_parameter(factor: Factor, slope: FloatArray) -> FloatArray:
    """Turn a slope in a factor into one in its parameter."""
    if factor.kind == "diagonal":
        return np.diagonal(slope, axis1=-2, axis2=-1)
    return slope.swapaxes(-1, -2) if factor.kind == "transposed" else slope


def _chain(factors: list[FloatArray]) -> FloatArray:
    product = factors[0]
    for factor in factors[1:]:
        product = product @ factor
    return product


def _around(factors: list[FloatArray], k: int, gradient: FloatArray) -> FloatArray:
    """Leftᵀ G Rightᵀ for the products before and after factor k: the slope of ⟨G, product⟩ in that factor."""
    slope = gradient
    if k:
        slope = _chain(factors[:k]).swapaxes(-1, -2) @ slope
    if k + 1 < len(factors):
        slope = slope @ _chain(factors[k + 1 :]).swapaxes(-1, -2)
    return slope
