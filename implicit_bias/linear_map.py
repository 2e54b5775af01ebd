r"""The design matrix as a linear map: dense, sparse, or known only by its products.

Solvers need four things from Z: :math:`Zx`, :math:`Z^T\nu`, the Gram matrix
:math:`Z \operatorname{diag}(r^2) Z^T`, and the sizes of its rows and columns, which tell rounding from signal. No
method copies a dense Z. A method that needs a scaled copy works on blocks of columns, which stay in the processor's
cache.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csc_array, sparray, spmatrix
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from implicit_bias.careful_sum import (
    SMALLEST,
    UNIT_ROUNDOFF,
    CarefulSum,
    exact_bits,
    leading,
    normalized,
    sum_error,
    two_sum,
)
from implicit_bias.errors import InputError
from implicit_bias.validation import FloatArray, IntArray, finite_array, read_only

Design = ArrayLike | sparray | spmatrix | LinearOperator

# At d = 100 a block of so many columns is 1.6 MB, which stays in the cache of one core.
_COLUMNS_PER_BLOCK = 2048
# Of a sparse Z with more rows we use only products: its dense Gram matrix would be large and slow to factor.
_MOST_GRAM_ROWS = 5000
_PROBES = 8
# Row scales up to 2 to this power are applied to every product. Larger ones are applied once, to a copy, because a
# product with the unscaled rows could leave the floating-point range.
_LARGEST_SCALE_EXPONENT = 100
# Exact products of larger or smaller numbers could leave the floating-point range.
_LARGEST_SPLIT_EXPONENT = 400
_MOST_SPLIT_ENTRIES = 2**27  # entries, zeros included, of a Z whose products are computed carefully: about a second


class LinearMap(ABC):
    """Z, shape (d, n), through its products with vectors.

    Attributes:
        matrix: Z as it was given.
        shape: (d, n).
    """

    matrix: Any
    shape: tuple[int, int]

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        d, n = matrix.shape
        self.shape = d, n

    @abstractmethod
    def apply(self, x: FloatArray) -> FloatArray:
        """Zx for x of shape (..., n); shape (..., d)."""

    @abstractmethod
    def adjoint(self, nu: FloatArray) -> FloatArray:
        """Zᵀν for ν of shape (..., d); shape (..., n)."""

    @abstractmethod
    def absolute_apply(self, x: FloatArray) -> FloatArray:
        """|Z|x for x >= 0 of shape (n,), or an upper bound; shape (d,)."""

    @abstractmethod
    def absolute_adjoint(self, nu: FloatArray) -> FloatArray:
        """|Z|ᵀν for ν >= 0 of shape (d,), or an upper bound; shape (n,)."""

    def careful_apply(self, x: FloatArray) -> CarefulSum:
        """Zx for x of shape (n,), with a bound on its rounding error."""
        size = self.absolute_apply(np.abs(x))
        error = sum_error(self.shape[1]) * size + self.shape[1] * SMALLEST
        return CarefulSum(self.apply(x), np.zeros(self.shape[0]), error)

    def careful_adjoint(self, nu: FloatArray) -> CarefulSum:
        """Zᵀν for ν of shape (d,), with a bound on its rounding error."""
        size = self.absolute_adjoint(np.abs(nu))
        error = sum_error(self.shape[0]) * size + self.shape[0] * SMALLEST
        return CarefulSum(self.adjoint(nu), np.zeros(self.shape[1]), error)

    @cached_property
    def row_sizes(self) -> FloatArray:
        """How large the entries of each row are, shape (d,): the largest magnitude, where the entries are known."""
        return self._row_sizes()

    @cached_property
    def column_sizes(self) -> FloatArray:
        """How large the entries of each column are, shape (n,): the largest magnitude, where the entries are known."""
        return self._column_sizes()

    @abstractmethod
    def _row_sizes(self) -> FloatArray: ...

    @abstractmethod
    def _column_sizes(self) -> FloatArray: ...

    def scaled_rows(self, exponents: IntArray) -> LinearMap:
        """The map with row k multiplied by 2 to the power ``exponents[k]``, which rounds nothing."""
        return RowScaledMap(self, np.ldexp(1.0, exponents))


class EntriesMap(LinearMap):
    """A map whose entries are known, which gives its rows, its columns and a Gram matrix.

    A map that is not of this class is inverted by conjugate gradients.
    """

    @abstractmethod
    def gram(self, root: FloatArray) -> FloatArray:
        """Z diag(r²) Zᵀ, shape (d, d); r has a wider range than the weights r²."""

    @abstractmethod
    def rows(self, chosen: IntArray) -> EntriesMap:
        """The map restricted to some rows."""

    @abstractmethod
    def triangle(self) -> FloatArray:
        """R, shape (d, d), of a QR decomposition of Zᵀ; RᵀR = ZZᵀ."""

    @abstractmethod
    def columns(self, chosen: IntArray) -> FloatArray:
        """Some columns as a dense array, shape (d, k)."""

    @abstractmethod
    def column_norms(self, row_scale: FloatArray) -> FloatArray:
        """The Euclidean norms of the columns of diag(row_scale) Z, shape (n,), rounded up where squares underflow."""

    def scaled_rows(self, exponents: IntArray) -> EntriesMap:
        return RowScaledEntriesMap(self, np.ldexp(1.0, exponents))


class _BlockwiseMap(EntriesMap):
    """A map whose columns can be read in blocks."""

    @abstractmethod
    def _blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """Dense blocks of columns with their indices; the caller must not change them."""

    def column_norms(self, row_scale: FloatArray) -> FloatArray:
        exponent = int(np.frexp(np.max(row_scale))[1])
        unit = np.ldexp(row_scale, -exponent)
        weight = unit * unit
        norms = np.sqrt(np.concatenate([weight @ np.square(block) for _, block in self._blocks()]))
        lost = 2.0**-536 * math.sqrt(len(unit)) * max(1.0, float(np.max(self.row_sizes)))  # by squares that underflow
        return np.ldexp(norms + lost, exponent)

    @property
    def _is_splittable(self) -> bool:
        """Whether splitting entries stays in the floating-point range, and Z has few enough of them."""
        is_mild = np.max(np.abs(np.frexp(self.row_sizes)[1])) <= _LARGEST_SPLIT_EXPONENT
        return bool(is_mild) and self.shape[0] * self.shape[1] <= _MOST_SPLIT_ENTRIES

    def careful_apply(self, x: FloatArray) -> CarefulSum:
        r"""Zx, shape (d,), nearly as if it had been summed in twice the precision.

        Z and x are split into their leading bits and a remainder. The leading bits are so few that every sum of their
        products is exact, and the products of the remainder are small. This is the first step of the scheme of
        [Ozaki2012]_ and runs at the speed of BLAS.

        References:
            .. [Ozaki2012] Ozaki, Ogita, Oishi, Rump, "Error-free transformations of matrix multiplication by using fast
               routines of matrix multiplication and its applications", Numerical Algorithms 59, 2012.
        """
        # A weight whose column is zero takes no part, but as the largest it would set the unit of all others.
        unit, exponent = normalized(np.where(self.column_sizes > 0, x, 0.0))
        rows = np.frexp(self.row_sizes)[1]
        if unit is None or not self._is_splittable:
            return super().careful_apply(x)
        high, low, error = np.zeros((3, self.shape[0]))
        for where, block in self._blocks():
            part, terms = unit[where], block.shape[1]
            bits = exact_bits(terms)
            z_top = leading(block, rows[:, None], bits)
            x_top = leading(part, 0, bits)
            rest = z_top @ (part - x_top) + (block - z_top) @ part
            high, lost = two_sum(high, z_top @ x_top)
            low += lost + rest
            step = float(np.sum(np.abs(part)))  # bounds the magnitudes of both products in the rest
            step += terms if step else 0
            error += sum_error(terms) * np.ldexp(step, rows - bits - 1)
            error += UNIT_ROUNDOFF * (np.abs(low) + np.abs(lost) + np.abs(rest))
        return CarefulSum(high, low, error).scaled(np.ldexp(1.0, exponent))

    def careful_adjoint(self, nu: FloatArray) -> CarefulSum:
        """Zᵀν, shape (n,), in the same way; scaling a row of Z by a power of two does not change the error."""
        rows = np.frexp(self.row_sizes)[1]
        unit, exponent = normalized(np.ldexp(nu, rows))
        if unit is None or not self._is_splittable:
            return super().careful_adjoint(nu)
        bits = exact_bits(len(nu))
        top = np.ldexp(leading(unit, 0, bits), -rows)
        plain = np.ldexp(unit, -rows)
        high, low = np.empty((2, self.shape[1]))
        for where, block in self._blocks():
            z_top = leading(block, rows[:, None], bits)
            high[where] = top @ z_top
            low[where] = (plain - top) @ z_top + plain @ (block - z_top)
        step = float(np.sum(np.abs(unit)))
        step += len(nu) if step else 0
        error = sum_error(len(nu)) * np.ldexp(step, -bits - 1) + UNIT_ROUNDOFF * np.abs(low)
        return CarefulSum(high, low, error).scaled(np.ldexp(1.0, exponent))

    def triangle(self) -> FloatArray:
        factor: Any = np.zeros((0, self.shape[0]))  # NumPy declares one type for all modes of qr
        for _, block in self._blocks():
            factor = np.linalg.qr(np.vstack([factor, block.T]), mode="r")
        missing = self.shape[0] - len(factor)
        return np.vstack([factor, np.zeros((missing, self.shape[0]))]) if missing else factor


class DenseMap(_BlockwiseMap):
    """A NumPy array of shape (d, n)."""

    matrix: FloatArray

    def apply(self, x: FloatArray) -> FloatArray:
        return x @ self.matrix.T

    def adjoint(self, nu: FloatArray) -> FloatArray:
        return nu @ self.matrix

    def absolute_apply(self, x: FloatArray) -> FloatArray:
        return sum((np.abs(block) @ x[where] for where, block in self._blocks()), np.zeros(self.shape[0]))

    def absolute_adjoint(self, nu: FloatArray) -> FloatArray:
        return np.concatenate([nu @ np.abs(block) for _, block in self._blocks()])

    def gram(self, root: FloatArray) -> FloatArray:
        if self.shape[1] <= _COLUMNS_PER_BLOCK:
            scaled = self.matrix * root
            return scaled @ scaled.T  # NumPy sees the symmetry and does half of the work
        total = np.zeros((self.shape[0], self.shape[0]))
        buffer = np.empty((self.shape[0], _COLUMNS_PER_BLOCK))
        for where, block in self._blocks():
            scaled = np.multiply(block, root[where], out=buffer[:, : block.shape[1]])
            total += scaled @ scaled.T
        return total

    def columns(self, chosen: IntArray) -> FloatArray:
        return self.matrix[:, chosen]

    def _row_sizes(self) -> FloatArray:
        return np.maximum(self.matrix.max(axis=1), -self.matrix.min(axis=1))

    def _column_sizes(self) -> FloatArray:
        return np.maximum(self.matrix.max(axis=0), -self.matrix.min(axis=0))

    def rows(self, chosen: IntArray) -> DenseMap:
        return DenseMap(self.matrix[chosen])

    def scaled_rows(self, exponents: IntArray) -> EntriesMap:
        if np.max(np.abs(exponents)) <= _LARGEST_SCALE_EXPONENT:
            return super().scaled_rows(exponents)
        return DenseMap(np.ldexp(self.matrix, exponents[:, None]))

    def _blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        for begin in range(0, self.shape[1], _COLUMNS_PER_BLOCK):
            where = slice(begin, begin + _COLUMNS_PER_BLOCK)
            yield where, self.matrix[:, where]


class SparseMap(_BlockwiseMap):
    """A sparse array of SciPy, kept by columns."""

    matrix: csc_array

    def __init__(self, matrix: csc_array) -> None:
        super().__init__(matrix)
        self._transposed = matrix.T  # by rows, without copying the entries

    def apply(self, x: FloatArray) -> FloatArray:
        return (self.matrix @ x.T).T

    def adjoint(self, nu: FloatArray) -> FloatArray:
        return (self._transposed @ nu.T).T

    def absolute_apply(self, x: FloatArray) -> FloatArray:
        return abs(self.matrix) @ x

    def absolute_adjoint(self, nu: FloatArray) -> FloatArray:
        return abs(self._transposed) @ nu

    def gram(self, root: FloatArray) -> FloatArray:
        scaled = self.matrix.copy()
        scaled.data *= np.repeat(root, np.diff(scaled.indptr))
        return (scaled @ scaled.T).toarray()

    def columns(self, chosen: IntArray) -> FloatArray:
        return self.matrix[:, chosen].toarray()

    def _row_sizes(self) -> FloatArray:
        return abs(self.matrix).max(axis=1).toarray().ravel()

    def _column_sizes(self) -> FloatArray:
        return abs(self.matrix).max(axis=0).toarray().ravel()

    def rows(self, chosen: IntArray) -> SparseMap:
        return SparseMap(csc_array(self.matrix.tocsr()[chosen]))

    def scaled_rows(self, exponents: IntArray) -> EntriesMap:
        if np.max(np.abs(exponents)) <= _LARGEST_SCALE_EXPONENT:
            return super().scaled_rows(exponents)
        scaled = self.matrix.copy()
        scaled.data = np.ldexp(scaled.data, exponents[scaled.indices])
        return SparseMap(scaled)

    def _blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        for begin in range(0, self.shape[1], _COLUMNS_PER_BLOCK):
            where = slice(begin, begin + _COLUMNS_PER_BLOCK)
            yield where, self.matrix[:, where].toarray()


class OperatorMap(LinearMap):
    """A ``LinearOperator`` of SciPy: products with Z and Zᵀ, and nothing else."""

    matrix: LinearOperator

    def apply(self, x: FloatArray) -> FloatArray:
        return (
            self.matrix.matvec(x)
            if x.ndim == 1
            else np.array([self.apply(row) for row in x]).reshape(-1, self.shape[0])
        )

    def adjoint(self, nu: FloatArray) -> FloatArray:
        return (
            self.matrix.rmatvec(nu)
            if nu.ndim == 1
            else np.array([self.adjoint(row) for row in nu]).reshape(-1, self.shape[1])
        )

    def absolute_apply(self, x: FloatArray) -> FloatArray:
        return np.full(self.shape[0], self._norm * float(np.linalg.norm(x)))

    def absolute_adjoint(self, nu: FloatArray) -> FloatArray:
        return np.full(self.shape[1], self._norm * float(np.linalg.norm(nu)))

    def _row_sizes(self) -> FloatArray:
        """The norm of each row over √n, from random signs: (Zξ)_k has the variance ‖z_k‖²."""
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (_PROBES, self.shape[1]))
        size = np.max(np.abs(self.apply(signs)), axis=0)
        return size / np.sqrt(self.shape[1])

    def _column_sizes(self) -> FloatArray:
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


class CombinedRowsMap(DenseMap):
    """Combinations of rows, computed in twice the precision: Z is a matrix of doubles plus a small tail.

    Plain products leave the tail out, since it is within the rounding of the entries. Careful products and error bounds
    include it.

    Args:
        matrix: The leading part, shape (d, n).
        tail: A correction to add to the matrix, shape (d, n).
        doubt: A bound on the error of matrix + tail, shape (d, n).
    """

    def __init__(self, matrix: FloatArray, tail: FloatArray, doubt: FloatArray) -> None:
        super().__init__(matrix)
        self.tail, self.doubt = tail, doubt

    def careful_apply(self, x: FloatArray) -> CarefulSum:
        found, size = super().careful_apply(x), np.abs(x)
        error = sum_error(len(x)) * (np.abs(self.tail) @ size) + 1.01 * (self.doubt @ size)
        low = found.low + self.tail @ x
        return CarefulSum(found.high, low, found.error + error + UNIT_ROUNDOFF * np.abs(low))

    def careful_adjoint(self, nu: FloatArray) -> CarefulSum:
        found, size = super().careful_adjoint(nu), np.abs(nu)
        error = sum_error(len(nu)) * (size @ np.abs(self.tail)) + 1.01 * (size @ self.doubt)
        low = found.low + nu @ self.tail
        return CarefulSum(found.high, low, found.error + error + UNIT_ROUNDOFF * np.abs(low))


class RowScaledMap(LinearMap):
    """diag(s) Z for another map Z and a scale s of its rows, shape (d,)."""

    def __init__(self, inner: LinearMap, scale: FloatArray) -> None:
        self.inner, self.scale, self.shape = inner, scale, inner.shape

    def apply(self, x: FloatArray) -> FloatArray:
        return self.scale * self.inner.apply(x)

    def adjoint(self, nu: FloatArray) -> FloatArray:
        return self.inner.adjoint(self.scale * nu)

    def absolute_apply(self, x: FloatArray) -> FloatArray:
        return self.scale * self.inner.absolute_apply(x)

    def absolute_adjoint(self, nu: FloatArray) -> FloatArray:
        return self.inner.absolute_adjoint(self.scale * nu)

    def careful_apply(self, x: FloatArray) -> CarefulSum:
        return self.inner.careful_apply(x).scaled(self.scale)

    def careful_adjoint(self, nu: FloatArray) -> CarefulSum:
        return self.inner.careful_adjoint(self.scale * nu)

    def _row_sizes(self) -> FloatArray:
        return self.scale * self.inner.row_sizes

    def _column_sizes(self) -> FloatArray:
        return self.inner.column_sizes


class RowScaledEntriesMap(RowScaledMap, EntriesMap):
    """diag(s) Z for a map Z whose entries are known."""

    inner: EntriesMap

    def gram(self, root: FloatArray) -> FloatArray:
        return self.inner.gram(root) * self.scale * self.scale[:, None]

    def columns(self, chosen: IntArray) -> FloatArray:
        return self.scale[:, None] * self.inner.columns(chosen)

    def column_norms(self, row_scale: FloatArray) -> FloatArray:
        return self.inner.column_norms(row_scale * self.scale)

    def rows(self, chosen: IntArray) -> RowScaledEntriesMap:
        return RowScaledEntriesMap(self.inner.rows(chosen), self.scale[chosen])

    def triangle(self) -> FloatArray:
        return self.inner.triangle() * self.scale


def operator(
    shape: tuple[int, int],
    product: Callable[[FloatArray], FloatArray],
    adjoint: Callable[[FloatArray], FloatArray] | None = None,
) -> LinearOperator:
    """A SciPy operator from its product with vectors, and from that of its transpose where a solver needs it."""
    # SciPy declares the arguments of the abstract class, not those that its constructor takes instead.
    return LinearOperator(shape, matvec=product, rmatvec=adjoint, dtype=float)  # pyright: ignore[reportCallIssue]


def linear_map(Z: Design | LinearMap) -> LinearMap:
    """Z as a linear map.

    Args:
        Z: An array, a sparse array or matrix of SciPy, or a ``scipy.sparse.linalg.LinearOperator``; shape (d, n).

    Raises:
        InputError: If Z is not a real matrix with at least one row and column, or holds nan or inf.
    """
    if isinstance(Z, LinearMap):
        return Z
    if isinstance(Z, LinearOperator):
        if Z.dtype is not None and np.issubdtype(Z.dtype, np.complexfloating):
            raise InputError(f"Z: expected a real linear operator, got dtype {Z.dtype}.")
        found: LinearMap = OperatorMap(Z)
    elif isinstance(Z, (sparray, spmatrix)):
        found = _sparse(Z)
    else:
        found = DenseMap(read_only(finite_array(Z, "Z", ndim=2, copy=False)))
    if 0 in found.shape:
        raise InputError(f"Z: expected at least one row and one column, got shape {found.shape}.")
    return found


def _sparse(Z: Any) -> LinearMap:  # SciPy's common classes of sparse arrays declare no attributes
    if Z.ndim != 2:
        raise InputError(f"Z: expected 2 axes, got shape {Z.shape}.")
    matrix = csc_array(Z)
    matrix.data = read_only(finite_array(matrix.data, "Z (its stored entries)", copy=False))
    return SparseMap(matrix) if Z.shape[0] <= _MOST_GRAM_ROWS else OperatorMap(aslinearoperator(matrix))
