r"""The design matrix as a linear map: dense, sparse, or known only by its products.

Solvers need four things of Z: :math:`Zx`, :math:`Z^T\nu`, the Gram matrix :math:`Z \operatorname{diag}(r^2) Z^T`, and
sizes that tell rounding from signal. No method copies a dense Z: what needs a scaled copy works on blocks of columns,
which also stay in the processor's cache.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from scipy.sparse import csc_array, issparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from implicit_bias.validation import finite_array

# Columns of one block: at d = 100, a block of doubles is 1.6 MB, which stays in the cache of one core.
_BLOCK = 2048
# A sparse Z with more rows is treated by its products alone, as a dense Gram matrix would be large and slow to factor.
_MOST_GRAM_ROWS = 5000
_PROBES = 8
# Rows whose sizes are powers of two within this exponent are scaled in passing, others in a copy, where nothing of
# theirs can leave the floating-point range on the way.
_MILD_EXPONENT = 100


class LinearMap(ABC):
    """Z of shape (d, n) by what it does to vectors.

    Attributes:
        matrix: Z as it was given.
        shape: (d, n).
        has_gram: Whether :meth:`gram` is available; a map without it is inverted by conjugate gradients.
    """

    has_gram = True

    def __init__(self, matrix: np.ndarray | csc_array | LinearOperator) -> None:
        self.matrix = matrix
        self.shape: tuple[int, int] = tuple(matrix.shape)

    @abstractmethod
    def apply(self, x: np.ndarray) -> np.ndarray:
        """Zx for x of shape (..., n); shape (..., d)."""

    @abstractmethod
    def adjoint(self, nu: np.ndarray) -> np.ndarray:
        """Zᵀν for ν of shape (..., d); shape (..., n)."""

    @abstractmethod
    def absolute_apply(self, x: np.ndarray) -> np.ndarray:
        """|Z|x for x >= 0, or an upper bound; shape (d,)."""

    @abstractmethod
    def absolute_adjoint(self, nu: np.ndarray) -> np.ndarray:
        """|Z|ᵀν for ν >= 0, or an upper bound; shape (n,)."""

    def gram(self, root: np.ndarray) -> np.ndarray:
        """Z diag(r²) Zᵀ, shape (d, d); the root r of the weights has the wider range."""
        raise NotImplementedError

    @cached_property
    def row_sizes(self) -> np.ndarray:
        """A size of each row's entries, shape (d,): the largest in magnitude, where entries are known."""
        return self._row_sizes()

    @cached_property
    def column_sizes(self) -> np.ndarray:
        """A size of each column's entries, shape (n,): the largest in magnitude, where entries are known."""
        return self._column_sizes()

    @abstractmethod
    def _row_sizes(self) -> np.ndarray: ...

    @abstractmethod
    def _column_sizes(self) -> np.ndarray: ...

    def rows(self, chosen: np.ndarray) -> LinearMap:
        """The map restricted to some rows."""
        raise NotImplementedError

    def scaled_rows(self, exponents: np.ndarray) -> LinearMap:
        """The map with row k multiplied by 2 to the power of ``exponents[k]``, which rounds nothing."""
        return RowScaledMap(self, np.ldexp(1.0, exponents))

    def triangle(self) -> np.ndarray:
        """R, shape (d, d), of a QR decomposition of Zᵀ: the singular values and left singular vectors of Z."""
        raise NotImplementedError


class _BlockwiseMap(LinearMap):
    """A map whose columns can be read, some at a time."""

    @abstractmethod
    def _blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Dense blocks of columns, which the caller must not change."""

    def triangle(self) -> np.ndarray:
        factor = np.zeros((0, self.shape[0]))
        for _, block in self._blocks():
            factor = np.linalg.qr(np.vstack([factor, block.T]), mode="r")
        missing = self.shape[0] - len(factor)
        return np.vstack([factor, np.zeros((missing, self.shape[0]))]) if missing else factor


class DenseMap(_BlockwiseMap):
    """A NumPy array of shape (d, n)."""

    def apply(self, x: np.ndarray) -> np.ndarray:
        return x @ self.matrix.T

    def adjoint(self, nu: np.ndarray) -> np.ndarray:
        return nu @ self.matrix

    def absolute_apply(self, x: np.ndarray) -> np.ndarray:
        return sum((np.abs(block) @ x[where] for where, block in self._blocks()), np.zeros(self.shape[0]))

    def absolute_adjoint(self, nu: np.ndarray) -> np.ndarray:
        return np.concatenate([nu @ np.abs(block) for _, block in self._blocks()])

    def gram(self, root: np.ndarray) -> np.ndarray:
        if self.shape[1] <= _BLOCK:
            scaled = self.matrix * root
            return scaled @ scaled.T  # NumPy sees the symmetry and does half of the work
        total = np.zeros((self.shape[0], self.shape[0]))
        buffer = np.empty((self.shape[0], _BLOCK))
        for where, block in self._blocks():
            scaled = np.multiply(block, root[where], out=buffer[:, : block.shape[1]])
            total += scaled @ scaled.T
        return total

    def _row_sizes(self) -> np.ndarray:
        return np.maximum(self.matrix.max(axis=1), -self.matrix.min(axis=1))

    def _column_sizes(self) -> np.ndarray:
        return np.maximum(self.matrix.max(axis=0), -self.matrix.min(axis=0))

    def rows(self, chosen: np.ndarray) -> DenseMap:
        return DenseMap(self.matrix[chosen])

    def scaled_rows(self, exponents: np.ndarray) -> LinearMap:
        if np.max(np.abs(exponents)) <= _MILD_EXPONENT:
            return super().scaled_rows(exponents)
        return DenseMap(np.ldexp(self.matrix, exponents[:, None]))

    def _blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        for begin in range(0, self.shape[1], _BLOCK):
            where = slice(begin, begin + _BLOCK)
            yield where, self.matrix[:, where]


class SparseMap(_BlockwiseMap):
    """A sparse array of SciPy, kept by columns."""

    def __init__(self, matrix: csc_array) -> None:
        super().__init__(matrix)
        self._transposed = matrix.T  # by rows, without copying the entries

    def apply(self, x: np.ndarray) -> np.ndarray:
        return (self.matrix @ x.T).T

    def adjoint(self, nu: np.ndarray) -> np.ndarray:
        return (self._transposed @ nu.T).T

    def absolute_apply(self, x: np.ndarray) -> np.ndarray:
        return abs(self.matrix) @ x

    def absolute_adjoint(self, nu: np.ndarray) -> np.ndarray:
        return abs(self._transposed) @ nu

    def gram(self, root: np.ndarray) -> np.ndarray:
        scaled = self.matrix.copy()
        scaled.data *= np.repeat(root, np.diff(scaled.indptr))
        return (scaled @ scaled.T).toarray()

    def _row_sizes(self) -> np.ndarray:
        return abs(self.matrix).max(axis=1).toarray().ravel()

    def _column_sizes(self) -> np.ndarray:
        return abs(self.matrix).max(axis=0).toarray().ravel()

    def rows(self, chosen: np.ndarray) -> SparseMap:
        return SparseMap(csc_array(self.matrix.tocsr()[chosen]))

    def scaled_rows(self, exponents: np.ndarray) -> LinearMap:
        if np.max(np.abs(exponents)) <= _MILD_EXPONENT:
            return super().scaled_rows(exponents)
        scaled = self.matrix.copy()
        scaled.data = np.ldexp(scaled.data, exponents[scaled.indices])
        return SparseMap(scaled)

    def _blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        for begin in range(0, self.shape[1], _BLOCK):
            where = slice(begin, begin + _BLOCK)
            yield where, self.matrix[:, where].toarray()


class OperatorMap(LinearMap):
    """A ``LinearOperator`` of SciPy: products with Z and Zᵀ, and nothing else."""

    has_gram = False

    def apply(self, x: np.ndarray) -> np.ndarray:
        return self.matrix.matvec(x) if x.ndim == 1 else np.stack([self.apply(row) for row in x])

    def adjoint(self, nu: np.ndarray) -> np.ndarray:
        return self.matrix.rmatvec(nu) if nu.ndim == 1 else np.stack([self.adjoint(row) for row in nu])

    def absolute_apply(self, x: np.ndarray) -> np.ndarray:
        return np.full(self.shape[0], self._norm * np.linalg.norm(x))

    def absolute_adjoint(self, nu: np.ndarray) -> np.ndarray:
        return np.full(self.shape[1], self._norm * np.linalg.norm(nu))

    def _row_sizes(self) -> np.ndarray:
        """The norm of each row over √n, from random signs: (Zξ)_k has the variance ‖z_k‖²."""
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (_PROBES, self.shape[1]))
        size = np.max(np.abs(self.apply(signs)), axis=0)
        return size / np.sqrt(self.shape[1])

    def _column_sizes(self) -> np.ndarray:
        return np.ones(self.shape[1])

    @cached_property
    def _norm(self) -> float:
        """An estimate of the largest singular value, by a few power iterations from a fixed random start."""
        nu = np.random.default_rng(0).standard_normal(self.shape[0])
        size = 0.0
        for _ in range(10):
            size = float(np.linalg.norm(nu))
            if not 0 < size < np.inf:
                return size
            nu = self.apply(self.adjoint(nu / size))
        return float(np.sqrt(np.linalg.norm(nu)))


class RowScaledMap(LinearMap):
    """Another map with its rows multiplied by numbers: Z ↦ diag(s) Z."""

    def __init__(self, inner: LinearMap, scale: np.ndarray) -> None:
        self.inner, self.scale = inner, scale
        self.has_gram, self.shape = inner.has_gram, inner.shape

    def apply(self, x: np.ndarray) -> np.ndarray:
        return self.scale * self.inner.apply(x)

    def adjoint(self, nu: np.ndarray) -> np.ndarray:
        return self.inner.adjoint(self.scale * nu)

    def absolute_apply(self, x: np.ndarray) -> np.ndarray:
        return self.scale * self.inner.absolute_apply(x)

    def absolute_adjoint(self, nu: np.ndarray) -> np.ndarray:
        return self.inner.absolute_adjoint(self.scale * nu)

    def gram(self, root: np.ndarray) -> np.ndarray:
        return self.inner.gram(root) * self.scale * self.scale[:, None]

    def _row_sizes(self) -> np.ndarray:
        return self.scale * self.inner.row_sizes

    def _column_sizes(self) -> np.ndarray:
        return self.inner.column_sizes

    def rows(self, chosen: np.ndarray) -> RowScaledMap:
        return RowScaledMap(self.inner.rows(chosen), self.scale[chosen])

    def triangle(self) -> np.ndarray:
        return self.inner.triangle() * self.scale


def linear_map(Z: object, *, copy: bool = False) -> LinearMap:
    """Z as a linear map.

    Args:
        Z: An array, a sparse array or matrix of SciPy, or a ``scipy.sparse.linalg.LinearOperator``; shape (d, n).
        copy: Whether to copy entries, so that later changes of Z do no harm.

    Raises:
        ValueError: If Z is not a real matrix with at least one row and column, or holds nan or inf.
    """
    if isinstance(Z, LinearMap):
        return Z
    if isinstance(Z, LinearOperator):
        if Z.dtype is not None and np.issubdtype(Z.dtype, np.complexfloating):
            raise ValueError(f"Z: expected a real linear operator, got dtype {Z.dtype}.")
        found: LinearMap = OperatorMap(Z)
    elif issparse(Z):
        if Z.ndim != 2:
            raise ValueError(f"Z: expected 2 axes, got shape {Z.shape}.")
        matrix = csc_array(Z, copy=copy)
        matrix.data = finite_array(matrix.data, "Z (its stored entries)", copy=copy)
        found = SparseMap(matrix) if Z.shape[0] <= _MOST_GRAM_ROWS else OperatorMap(aslinearoperator(matrix))
    else:
        found = DenseMap(finite_array(Z, "Z", ndim=2, copy=copy))
    if 0 in found.shape:
        raise ValueError(f"Z: expected at least one row and one column, got shape {found.shape}.")
    return found
