r"""The spectral hypentropy: the potential of :math:`X = UV^\top` under commuting measurements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, known_options
from implicit_bias.potential.base import Potential
from implicit_bias.potential.hyperbolic_entropy import HyperbolicEntropy
from implicit_bias.potential.scale import relaxed
from implicit_bias.potential.spectral import (
    FloatArray,
    as_matrices,
    as_vectors,
    conjugated,
    mean_slope,
    spectral_divergence,
)
from implicit_bias.validation import finite_array, whole_number


@known_options
class SpectralHypentropy(Potential):
    r"""Hyperbolic entropy of the singular values σ of a matrix X of shape (p, q), with its entries as weights.

    .. math:: R_a(X) = \tfrac12 \sum_i \sigma_i \operatorname{arcsinh}\tfrac{\sigma_i}{a} - \sqrt{\sigma_i^2 + a^2},
        \qquad \nabla R_a(X) = \tfrac12 P \operatorname{arcsinh}(\Sigma/a)\, Q^\top, \qquad R_a^*(Z) = \tfrac a2 \sum_i
        \cosh 2\sigma_i(Z)

    for :math:`X = P\Sigma Q^\top` [Ghai2020]_. The factorization :math:`X = UV^\top` from
    :math:`U_0U_0^\top = uI`, :math:`V_0V_0^\top = vI`, :math:`U_0V_0^\top = 0` has :math:`a = \tfrac12(u + v)`, times
    :math:`e^{-4A}` under the decay :math:`\|U\|_F^2 + \|V\|_F^2`, if all :math:`A_i^\top A_j` and
    :math:`A_iA_j^\top` of the measurement matrices are symmetric. The minimizer is 0 and the domain the whole space.
    For a → 0 R tends to a multiple of the nuclear norm, for a → ∞ to one of the squared Frobenius norm.

    Args:
        shape: (p, q).
        scale: The scale a > 0. Give this or ``log_scale``.
        log_scale: log a, at most 700; a itself may underflow.

    Raises:
        InputError: If both or neither scale is given, or a shape does not fit.
        DomainError: If the scale is not positive, or log_scale exceeds 700.

    References:
        .. [Ghai2020] Ghai, Hazan, Singer, "Exponentiated gradient meets gradient descent", ALT 2020.

    >>> R = SpectralHypentropy((2, 2), scale=1.0)
    >>> R.gradient([0.0, 1.0, 0.0, 0.0]).round(4).tolist()  # ½ arcsinh 1
    [0.0, 0.4407, 0.0, 0.0]
    >>> float(R.conjugate([0.0, 0.5, 0.0, 0.0]).round(4))  # ½ (cosh 1 + 1)
    1.2715
    """

    def __init__(self, shape: Sequence[int], scale: float | None = None, *, log_scale: float | None = None) -> None:
        sizes = tuple(whole_number(size, "shape") for size in shape) if isinstance(shape, Sequence) else ()
        if len(sizes) != 2 or min(sizes) < 1:
            raise InputError(f"shape: expected two positive integers, got {shape!r}.")
        for name, value in (("scale", scale), ("log_scale", log_scale)):
            if value is not None and finite_array(value, name).ndim:
                raise InputError(f"{name}: expected one number for all singular values, got an array.")
        self.shape = sizes[0], sizes[1]
        self._term = HyperbolicEntropy(scale, log_scale=log_scale)
        self.log_scale = float(self._term.log_scale)

    def __repr__(self) -> str:
        return f"SpectralHypentropy(shape={self.shape}, log_scale={self.log_scale:g})"

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def minimizer(self) -> FloatArray:
        return np.zeros(self.size)

    def relaxations(self) -> list[Potential]:
        """The same entropy at scales a^(1/2), a^(1/4), …, easiest first, until log a is within 5 of 0."""
        easier = relaxed(np.asarray(self.log_scale))
        return [SpectralHypentropy(self.shape, log_scale=float(log_scale)) for log_scale in easier]

    def value(self, x: ArrayLike) -> FloatArray:
        values = np.linalg.svd(as_matrices(x, "x", self.shape), compute_uv=False)
        return np.sum(self._term.terms_at(values), axis=-1)

    def gradient(self, x: ArrayLike) -> FloatArray:
        left, values, right = np.linalg.svd(as_matrices(x, "x", self.shape), full_matrices=False)
        return as_vectors((left * self._term.gradient_at(values)[..., None, :]) @ right)

    def inverse_gradient(self, z: ArrayLike) -> FloatArray:
        left, values, right = np.linalg.svd(as_matrices(z, "z", self.shape), full_matrices=False)
        return as_vectors((left * self._term.inverse_gradient_at(values)[..., None, :]) @ right)

    def conjugate(self, z: ArrayLike) -> FloatArray:
        values = np.linalg.svd(as_matrices(z, "z", self.shape), compute_uv=False)
        return np.sum(self._term.conjugate_terms_at(values), axis=-1)

    def metric(self, x: ArrayLike) -> FloatArray:
        matrices = as_matrices(x, "x", self.shape)
        found = [self._derivative(*self._with_duals(matrix)) for matrix in matrices.reshape(-1, *self.shape)]
        return np.array(found).reshape(*matrices.shape[:-2], self.size, self.size)

    def divergence(self, x: ArrayLike, x2: ArrayLike) -> FloatArray:
        r"""The Bregman divergence, shape ``(...)``: a sum of non-negative terms over the eigenvalues ±σ of both."""
        lifted, lifted2 = (_lift(as_matrices(each, name, self.shape)) for each, name in ((x, "x"), (x2, "x2")))
        return spectral_divergence(lifted, lifted2, self._term.divergence_terms_at) / 2

    def respond(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        if not np.all(np.isfinite(z)):  # LAPACK would not end
            return np.full(self.size, np.nan), np.full((self.size, self.size), np.nan)
        left, values, right = np.linalg.svd(z.reshape(self.shape))
        k = len(values)
        x = (left[:, :k] * self._term.inverse_gradient_at(values)) @ right[:k]
        return x.ravel(), self._derivative(left, values, right)

    def _with_duals(self, matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        left, values, right = np.linalg.svd(matrix)
        return left, self._term.gradient_at(values), right

    def _derivative(self, left: FloatArray, duals: FloatArray, right: FloatArray) -> FloatArray:
        r"""The derivative of :math:`Z \mapsto P f(D) Q^\top`, f(d) = a sinh 2d, at :math:`Z = PDQ^\top`, shape (n, n).

        In the bases P and Q, the entries (i, j) and (j, i) of a change of Z are mixed: their sum is multiplied by the
        difference quotient (f(dᵢ) − f(dⱼ))/(dᵢ − dⱼ), their difference by (f(dᵢ) + f(dⱼ))/(dᵢ + dⱼ). Where a matrix is
        not square, the missing singular values count as zero.
        """
        p, q = self.shape
        most = max(p, q)
        padded = np.concatenate([duals, np.zeros(most - len(duals))])
        total, gap = padded[:, None] + padded, np.abs(padded[:, None] - padded)
        with np.errstate(over="ignore", invalid="ignore"):
            # f(d) = ½ exp(2d + log a) (1 − exp(−4d)), so the larger of both duals gives the size of both quotients.
            size = np.exp(2 * np.maximum(padded[:, None], padded) + self.log_scale)
            even = size * (1 + np.exp(-2 * total)) * mean_slope(2 * gap)
            odd = size * (1 + np.exp(-2 * gap)) * mean_slope(2 * total)
            index = np.arange(p * q).reshape(p, q)
            middle = np.diag(((even + odd) / 2)[:p, :q].ravel())
            k = min(p, q)
            i, j = np.nonzero(~np.eye(k, dtype=bool))
            middle[index[i, j], index[j, i]] = ((even - odd) / 2)[i, j]
            # On the diagonal a change is its own mirror image.
            each = np.arange(k)
            middle[index[each, each], index[each, each]] = even[each, each]
            found = conjugated(left, right.T, middle)
        return (found + found.T) / 2


def _lift(matrices: FloatArray) -> FloatArray:
    """The symmetric matrix ((0, X), (Xᵀ, 0)), whose eigenvalues are ±σ and zeros."""
    p, q = matrices.shape[-2:]
    found = np.zeros((*matrices.shape[:-2], p + q, p + q))
    found[..., :p, p:] = matrices
    found[..., p:, :p] = np.swapaxes(matrices, -1, -2)
    return found
