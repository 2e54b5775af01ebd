r"""The von Neumann entropy: the potential of :math:`X = UU^\top` under commuting measurements."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import DomainError, InputError, known_options
from implicit_bias.potential.base import Potential
from implicit_bias.potential.quadratic_forms import exponential_excess
from implicit_bias.potential.scale import relaxed
from implicit_bias.potential.spectral import FloatArray, as_matrices, as_vectors, mean_slope, spectral_divergence
from implicit_bias.validation import finite_array, positive_number, whole_number

_ASYMMETRY = 1e-12  # of a matrix that was computed as a product, relative to its norm
_EIGENVALUE_ROUNDING = 2.0**-50  # of the largest eigenvalue, times the order: what LAPACK loses of the others


@known_options
class VonNeumannEntropy(Potential):
    r"""Relative entropy of positive definite matrices X of order p, with their entries as :math:`n = p^2` weights.

    .. math:: R_S(X) = \tfrac1r \operatorname{tr}(X\log X - X\log S - X), \qquad \nabla R_S(X) = \tfrac1r(\log X -
        \log S), \qquad R_S^*(Z) = \tfrac1r \operatorname{tr}\exp(rZ + \log S)

    The scale S is the minimizer, r the rate. The factorization :math:`X = UU^\top` has r = 4 and
    :math:`S = U_0U_0^\top`, times :math:`e^{-4A}` under the decay :math:`\|U\|_F^2`, if the symmetric parts of all
    measurement matrices and S commute with each other [Gunasekar2017]_. As S = aI and a → 0 it tends to a multiple of
    the trace.

    R is infinite where X is not symmetric, so only the symmetric part of a Z matters, and gradients are symmetric. The
    domain is the open cone of positive definite matrices. Eigenvalues of X below 1e-15 of the largest are rounding, so
    :meth:`gradient` refuses such an X; :meth:`inverse_gradient`, and with it flows and projections, goes on beyond.

    Args:
        order: p.
        scale: S, positive definite, shape (p, p), or a number a > 0 for aI. Give this or ``log_scale``.
        log_scale: log S, symmetric, shape (p, p), or log a; the scale itself may underflow.
        rate: r > 0.

    Raises:
        InputError: If both or neither scale is given, a shape does not fit, or a matrix is not symmetric.
        DomainError: If the scale is not positive definite.

    References:
        .. [Gunasekar2017] Gunasekar, Woodworth, Bhojanapalli, Neyshabur, Srebro, "Implicit regularization in matrix
           factorization", NeurIPS 2017, for commuting measurements.

    >>> R = VonNeumannEntropy(2, scale=1.0)
    >>> R.gradient([2.0, 0.0, 0.0, 1.0]).round(4).tolist()  # ¼ log X
    [0.1733, 0.0, 0.0, 0.0]
    >>> R.inverse_gradient([0.0, 0.25, 0.25, 0.0]).round(4).tolist()  # exp of ((0, 1), (1, 0)): cosh 1 and sinh 1
    [1.5431, 1.1752, 1.1752, 1.5431]
    """

    def __init__(
        self,
        order: int,
        scale: ArrayLike | None = None,
        *,
        log_scale: ArrayLike | None = None,
        rate: float = 4.0,
    ) -> None:
        if whole_number(order, "order") < 1:
            raise InputError(f"order: expected a positive integer, got {order}.")
        self.order, self.rate = whole_number(order, "order"), positive_number(rate, "rate")
        if (scale is None) == (log_scale is None):
            raise InputError("VonNeumannEntropy: give exactly one of scale= and log_scale=.")
        if log_scale is not None:
            self.log_scale = self._square(log_scale, "log_scale")
        elif scale is not None:
            values, vectors = np.linalg.eigh(self._square(scale, "scale"))
            if not values[0] > self.order * _EIGENVALUE_ROUNDING * values[-1]:
                raise DomainError(
                    f"scale: expected a positive definite matrix, got one with the eigenvalue {values[0]:.3g} beside "
                    f"{values[-1]:.3g}; give a tiny one as log_scale=."
                )
            self.log_scale = (vectors * np.log(values)) @ vectors.T

    def __repr__(self) -> str:
        values = np.linalg.eigvalsh(self.log_scale)
        return (
            f"VonNeumannEntropy(order={self.order}, log_scale in [{values[0]:g}, {values[-1]:g}], rate={self.rate:g})"
        )

    @property
    def size(self) -> int:
        return self.order**2

    @property
    def minimizer(self) -> FloatArray:
        return self.inverse_gradient(np.zeros(self.size))

    def relaxations(self) -> list[Potential]:
        """The same entropy at scales S^(1/2), S^(1/4), …, easiest first, until log S is at least −5."""
        least = float(np.linalg.eigvalsh(self.log_scale)[0])
        shares = relaxed(np.asarray(least)) if least < 0 else []
        return [
            VonNeumannEntropy(self.order, log_scale=self.log_scale * (share / least), rate=self.rate)
            for share in shares
        ]

    def value(self, x: ArrayLike) -> FloatArray:
        """R(x), shape ``(...)``; finite on the boundary of the cone, too.

        Raises:
            DomainError: If X is not symmetric or has a negative eigenvalue.
        """
        matrices = self._symmetric(x, "x")
        values = self._eigenvalues(matrices, "x")[0]
        entropy = np.sum(values * np.log(np.where(values > 0, values, 1.0)) - values, axis=-1)
        return (entropy - np.sum(matrices * self.log_scale, axis=(-2, -1))) / self.rate

    def gradient(self, x: ArrayLike) -> FloatArray:
        """∇R(x) = (log X − log S)/r, shape ``(..., n)``.

        Raises:
            DomainError: If X is not symmetric, or not positive definite to rounding.
        """
        logarithms, vectors = self._logarithms(self._symmetric(x, "x"))
        found = (vectors * logarithms[..., None, :]) @ np.swapaxes(vectors, -1, -2)
        return as_vectors((found - self.log_scale) / self.rate)

    def inverse_gradient(self, z: ArrayLike) -> FloatArray:
        """exp(rZ + log S) with the symmetric part of Z, shape ``(..., n)``."""
        exponents, vectors = self._exponents(as_matrices(z, "z", (self.order, self.order)))
        return as_vectors(_exponential(exponents, vectors))

    def conjugate(self, z: ArrayLike) -> FloatArray:
        exponents, _ = self._exponents(as_matrices(z, "z", (self.order, self.order)))
        with np.errstate(over="ignore"):
            return np.sum(np.exp(exponents), axis=-1) / self.rate

    def metric(self, x: ArrayLike) -> FloatArray:
        """(∇²R(x))⁻¹ on symmetric matrices, zero on antisymmetric ones; shape ``(..., n, n)``.

        Raises:
            DomainError: If X is not symmetric, or not positive definite to rounding.
        """
        logarithms, vectors = self._logarithms(self._symmetric(x, "x"))
        flat = zip(logarithms.reshape(-1, self.order), vectors.reshape(-1, self.order, self.order), strict=True)
        found = np.array([self._derivative(*pair) for pair in flat])
        return found.reshape(*logarithms.shape[:-1], self.size, self.size)

    def divergence(self, x: ArrayLike, x2: ArrayLike) -> FloatArray:
        r"""The Bregman divergence :math:`\tfrac1r\operatorname{tr}(X\log X - X\log X_2 - X + X_2)`, shape ``(...)``.

        Computed as a sum of non-negative terms. X may lie on the boundary of the cone.

        Raises:
            DomainError: If a matrix is not symmetric, X has a negative eigenvalue, or X₂ is not positive definite to
                rounding.
        """
        first, second = self._symmetric(x, "x"), self._symmetric(x2, "x2")
        self._eigenvalues(first, "x")
        self._logarithms(second, "x2")
        return spectral_divergence(first, second, _relative_entropy) / self.rate

    def respond(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        exponents, vectors = self._exponents(z.reshape(self.order, self.order))
        return _exponential(exponents, vectors).ravel(), self._derivative(exponents, vectors)

    def _derivative(self, exponents: FloatArray, vectors: FloatArray) -> FloatArray:
        """The derivative of exp(rZ + log S) in Z by Daleckii and Krein, shape (n, n)."""
        with np.errstate(over="ignore", invalid="ignore"):
            top = np.maximum(exponents[:, None], exponents)
            slopes = self.rate * np.exp(top) * mean_slope(np.abs(exponents[:, None] - exponents))
            basis = np.kron(vectors, vectors)
            found = (basis * slopes.ravel()) @ basis.T
        turned = found.reshape(-1, self.order, self.order).swapaxes(1, 2).reshape(found.shape)
        return (found + turned) / 2  # of the symmetric part

    def _exponents(self, matrices: FloatArray) -> tuple[FloatArray, FloatArray]:
        symmetric = (matrices + np.swapaxes(matrices, -1, -2)) / 2
        argument = self.rate * symmetric + self.log_scale
        if not np.all(np.isfinite(argument)):  # LAPACK would not end
            return np.full(argument.shape[:-1], np.nan), np.broadcast_to(np.eye(self.order), argument.shape)
        values, vectors = np.linalg.eigh(argument)
        return values, vectors

    def _logarithms(self, matrices: FloatArray, name: str = "x") -> tuple[FloatArray, FloatArray]:
        values, vectors = self._eigenvalues(matrices, name)
        least = self.order * _EIGENVALUE_ROUNDING * values[..., -1:]
        if not np.all(values > least):
            raise DomainError(
                f"{name}: expected a positive definite matrix, got an eigenvalue of {np.min(values):.3g} beside "
                f"{np.max(values):.3g}, which is zero to rounding."
            )
        return np.log(values), vectors

    def _eigenvalues(self, matrices: FloatArray, name: str) -> tuple[FloatArray, FloatArray]:
        """Eigenvalues with rounding errors below zero set to zero, and eigenvectors."""
        values, vectors = np.linalg.eigh(matrices)
        slack = self.order * _EIGENVALUE_ROUNDING * np.max(np.abs(values), axis=-1, keepdims=True)
        if not np.all(values >= -slack):
            raise DomainError(
                f"{name}: expected a positive semidefinite matrix, got one with the eigenvalue {np.min(values):.3g}."
            )
        return np.maximum(values, 0.0), vectors

    def _symmetric(self, value: ArrayLike, name: str) -> FloatArray:
        matrices = as_matrices(value, name, (self.order, self.order))
        other = np.swapaxes(matrices, -1, -2)
        gap = np.linalg.norm(matrices - other, axis=(-2, -1))
        if np.any(gap > _ASYMMETRY * np.linalg.norm(matrices, axis=(-2, -1))):
            raise DomainError(f"{name}: expected a symmetric matrix, got ‖X − Xᵀ‖ = {np.max(gap):.3g}; R is infinite.")
        return (matrices + other) / 2

    def _square(self, value: ArrayLike, name: str) -> FloatArray:
        given = finite_array(value, name)
        if given.ndim == 0:
            if name == "scale" and given <= 0:
                raise DomainError(f"scale: expected a positive number, got {given}; give a tiny one as log_scale=.")
            return float(given) * np.eye(self.order)
        if given.shape != (self.order, self.order):
            raise InputError(f"{name}: expected a number or shape {(self.order, self.order)}, got {given.shape}.")
        if np.linalg.norm(given - given.T) > _ASYMMETRY * np.linalg.norm(given):
            gap = np.linalg.norm(given - given.T)
            raise InputError(f"{name}: expected a symmetric matrix, got ‖M − Mᵀ‖ = {gap:.3g}; pass (M + Mᵀ)/2.")
        return (given + given.T) / 2


def _exponential(exponents: FloatArray, vectors: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):
        found = (vectors * np.exp(exponents)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return (found + np.swapaxes(found, -1, -2)) / 2


def _relative_entropy(x: FloatArray, x2: FloatArray) -> FloatArray:
    """X log(x/x₂) − x + x₂ for x >= 0 and x₂ > 0, without cancellation."""
    x = np.maximum(x, 0.0)
    is_close = np.abs(x - x2) < 0.5 * x2
    change = np.where(is_close, np.log1p(np.where(is_close, (x - x2) / x2, 0.0)), np.log(np.where(x > 0, x, x2) / x2))
    return np.where(x > 0, x * exponential_excess(-change), x2)
