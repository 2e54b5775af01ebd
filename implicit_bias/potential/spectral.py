r"""What potentials of matrices share: vectors as matrices, and divergences from two eigenvalue decompositions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from implicit_bias.errors import InputError
from implicit_bias.validation import finite_array

FloatArray = NDArray[np.float64]


def as_matrices(value: ArrayLike, name: str, shape: tuple[int, int]) -> FloatArray:
    """Weights of shape (..., pq) as matrices of shape (..., p, q), filled row by row.

    Raises:
        InputError: If the last axis has another length.
    """
    array = finite_array(value, name)
    size = shape[0] * shape[1]
    if array.ndim == 0 or array.shape[-1] != size:
        raise InputError(
            f"{name}: expected shape (..., {size}), the entries of a matrix of shape {shape} row by row, got "
            f"{array.shape}."
        )
    return array.reshape(*array.shape[:-1], *shape)


def as_vectors(matrices: FloatArray) -> FloatArray:
    """The inverse of :func:`as_matrices`."""
    return matrices.reshape(*matrices.shape[:-2], -1)


def spectral_divergence(
    x: FloatArray, x2: FloatArray, terms: Callable[[FloatArray, FloatArray], FloatArray]
) -> FloatArray:
    r"""The divergence of :math:`\operatorname{tr}\varphi(X)` for symmetric matrices, shape (...).

    .. math:: \sum_{ij} \langle v_i, w_j\rangle^2\, d_\varphi(\lambda_i, \mu_j)

    over the eigenvalues λ, μ and the eigenvectors v, w of both matrices: a sum of terms that are not negative, so
    nothing cancels.

    Args:
        x: Symmetric matrices, shape (..., p, p).
        x2: Likewise.
        terms: The divergence of φ between arrays of numbers.
    """
    values, vectors = np.linalg.eigh(x)
    values2, vectors2 = np.linalg.eigh(x2)
    shares = (np.swapaxes(vectors, -1, -2) @ vectors2) ** 2
    return np.sum(shares * terms(values[..., :, None], values2[..., None, :]), axis=(-2, -1))


def conjugated(vectors: FloatArray, vectors2: FloatArray, middle: FloatArray) -> FloatArray:
    """The matrix (P ⊗ Q) M (P ⊗ Q)ᵀ for a map M of matrices in the bases P and Q, shape (pq, pq)."""
    basis = np.kron(vectors, vectors2)
    return basis @ middle @ basis.T


def mean_slope(change: FloatArray) -> FloatArray:
    """(1 − e^(−u))/u for u >= 0, which is 1 at 0."""
    return -np.expm1(-change) / np.where(change == 0, 1.0, change) + (change == 0)
