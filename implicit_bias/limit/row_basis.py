"""Replace a system by independent conditions: combine nearly dependent rows, and leave dependent ones out.

Nearly dependent rows carry their information in a small difference, which rounding must not destroy. So if a row adds
little to the others, we subtract its combination of them in twice the precision and scale the difference to unit size.
This is repeated until no row nearly depends on others. The new rows pose the same problem, and their entries have no
more than the usual rounding of doubles.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.sparse.linalg import lsqr

from implicit_bias.careful_sum import UNIT_ROUNDOFF, two_product, two_sum
from implicit_bias.limit.dependency import depends_exactly, pivoted_triangle
from implicit_bias.linear_map import CombinedRowsMap, EntriesMap, LinearMap, operator
from implicit_bias.norm import norm
from implicit_bias.validation import FloatArray, IntArray

# Rows of unit length are plainly independent if their smallest singular value, squared, is larger than this.
_SMALLEST_INDEPENDENT_SQUARE = 1e-6
_SMALLEST_INDEPENDENT_PIVOT = 1e-2  # the same for the diagonal of a pivoted triangle
_MOST_PASSES = 100
_COEFFICIENT_BITS = 40
_SMALLEST_FACTOR = 1e-140  # of an error-free product
# A row counts as dependent if subtracting others leaves no more than so many roundings of its entries.
_ROUNDINGS = 2
_CONTRADICTION = 1e-9  # a larger part of y outside the range of Z, relative to y, is not due to rounding
_MOST_ENTRIES = 2**26  # of rows that are combined: half a gigabyte
_RANK_TOLERANCE = 1e-10  # relative size of pivots, for systems with more entries


@dataclass(frozen=True, eq=False)
class RowBasis:
    """Independent conditions Z̃x = ỹ that replace a system Zx = y.

    Attributes:
        linear: Z̃, shape (r, n).
        y: The leading part of ỹ, shape (r,).
        y_tail: A correction to add to ``y``, shape (r,).
        y_doubt: A bound on the error of y + y_tail, shape (r,).
        kept: The indices of the rows that the conditions replace.
        dropped: The indices of the rows that depend on those within rounding.
        combination: T, shape (r, d), with Z̃ ≈ TZ; None if Z̃ = Z.
        certificate: A ν with Zᵀν = 0 within the rounding of each entry and yᵀν ≠ 0, if there is one.
        is_consistent: Whether y agrees with the dependencies of the rows up to rounding.
        is_exact: Whether Z̃x = ỹ and Zx = y have the same solutions if all doubles are taken as exact.
        smallest: A lower bound on the squared smallest singular value of Z̃ with its rows scaled to unit length; 0 if
            none is known.
        lengths: The lengths of the rows of Z̃, shape (r,).
        factor: The Cholesky factor of Z̃Z̃ᵀ with rows scaled to unit length, if ``smallest`` is positive.
    """

    linear: LinearMap
    y: FloatArray
    y_tail: FloatArray
    y_doubt: FloatArray
    kept: IntArray
    dropped: IntArray
    combination: FloatArray | None
    is_exact: bool
    smallest: float
    is_consistent: bool
    certificate: FloatArray | None = None
    lengths: FloatArray = field(default_factory=lambda: np.zeros(0))
    factor: tuple[FloatArray, bool] | None = None

    def least_change(self, residual: FloatArray) -> FloatArray:
        """The shortest c with Z̃c = residual up to rounding, shape (n,)."""
        return self.linear.adjoint(cho_solve(self.factor, residual / self.lengths, check_finite=False) / self.lengths)


def row_basis(linear: LinearMap, y: FloatArray) -> RowBasis:
    """The independent conditions of Zx = y, or a certificate that there is no solution.

    Args:
        linear: Z, with rows scaled so that the largest entry of each is about 1, unless the row is zero.
        y: Right-hand side, shape (d,).
    """
    d, n = linear.shape
    everything = np.arange(d)
    if not isinstance(linear, EntriesMap):
        return _basis(linear, y, everything, everything[:0], is_exact=False)
    plain = _basis(linear, y, everything, everything[:0], is_exact=True)
    if plain.smallest > _SMALLEST_INDEPENDENT_SQUARE:
        return plain
    if d * n > _MOST_ENTRIES:
        return _roughly(linear, y)
    return _separated(linear, y)


def _basis(
    linear: LinearMap,
    y: FloatArray,
    kept: IntArray,
    dropped: IntArray,
    *,
    is_exact: bool,
    combination: FloatArray | None = None,
    y_tail: FloatArray | None = None,
    y_doubt: FloatArray | None = None,
    is_consistent: bool = True,
) -> RowBasis:
    """The conditions, with a bound on their smallest singular value."""
    r, n = linear.shape
    zero = np.zeros(r)
    smallest, lengths, factor = 0.0, np.ones(r), None
    if isinstance(linear, EntriesMap) and r:
        squares = linear.gram(np.ones(n))
        lengths = np.sqrt(np.diag(squares))
        if np.all(lengths > 0) and np.all(np.isfinite(lengths)):
            unit = squares / (lengths[:, None] * lengths)
            rounding = 2 * r * (n + 10 * r) * UNIT_ROUNDOFF  # of the Gram matrix, and of its eigenvalues
            smallest = float(np.linalg.eigvalsh(unit)[0]) - rounding
            if smallest > 0 and isinstance(linear, CombinedRowsMap):
                off = norm((np.abs(linear.tail) + linear.doubt) / lengths[:, None])
                smallest = max(np.sqrt(smallest) - 1.01 * off, 0.0) ** 2
            if smallest > 0:
                factor = cho_factor(unit, lower=True, check_finite=False)
    return RowBasis(
        linear=linear,
        y=y,
        y_tail=zero if y_tail is None else y_tail,
        y_doubt=zero if y_doubt is None else y_doubt,
        kept=kept,
        dropped=dropped,
        combination=combination,
        is_exact=is_exact,
        is_consistent=is_consistent,
        smallest=max(smallest, 0.0),
        lengths=lengths,
        factor=factor,
    )


class _Rows:
    """The rows [Z | y] while we combine them.

    Attributes:
        high: The leading parts of the entries, shape (d, n + 1).
        low: Corrections to add to ``high``, of the same shape.
        size: The sums of magnitudes from which the entries were computed, of the same shape; rounding is relative to
            them.
        combination: T, shape (d, d): the rows are about T [Z | y].
        passes: The number of passes so far.
    """

    def __init__(self, Z: FloatArray, y: FloatArray) -> None:
        d = len(y)
        self.high = np.column_stack([Z, y])
        self.low = np.zeros_like(self.high)
        self.size = np.abs(self.high)
        self.combination = np.eye(d)
        self.passes = 0

    def scale(self, row: int) -> None:
        """Scale a row by a power of two, so that its largest entry in Z is about 1."""
        exponent = -int(np.frexp(np.max(np.abs(self.high[row, :-1])))[1])
        for values in (self.high, self.low, self.size, self.combination):
            values[row] = np.ldexp(values[row], exponent)

    def subtract(self, rows: IntArray, coefficients: FloatArray, others: IntArray) -> None:
        """Subtract combinations of other rows from some rows, with coefficients of shape (len(rows), len(others))."""
        high, low, size = self.high[rows], self.low[rows], self.size[rows]
        for k, other in enumerate(others):
            factor = coefficients[:, k, None]
            product, lost = two_product(factor, self.high[other])
            high, rest = two_sum(high, -product)
            low = low + (rest - lost - factor * self.low[other])
            size = size + np.abs(factor) * self.size[other]
        self.high[rows], self.low[rows] = two_sum(high, low)
        self.size[rows] = size
        self.combination[rows] -= coefficients @ self.combination[others]

    def depends(self, row: int) -> bool:
        """Whether every entry of a row in Z is within the rounding of the entries it was computed from."""
        terms = np.count_nonzero(self.combination[row])
        return bool(np.all(np.abs(self.high[row, :-1]) <= _ROUNDINGS * terms * UNIT_ROUNDOFF * self.size[row, :-1]))

    def contradicts(self, row: int) -> bool:
        """Whether the entry of a row in y is far larger than rounding."""
        return bool(abs(self.high[row, -1]) > _CONTRADICTION * self.size[row, -1])


def _separated(linear: EntriesMap, y: FloatArray) -> RowBasis:
    """The conditions, in which each nearly dependent row is replaced by what it adds to the others."""
    d, n = linear.shape
    Z = linear.columns(np.arange(n))
    rows = _Rows(Z, y)
    active, dropped, contradictory = list(range(d)), [], []
    touched = np.zeros(d, dtype=bool)
    for _ in range(_MOST_PASSES):
        for row in list(active):
            if rows.depends(row):
                active.remove(row)
                dropped.append(row)
                if rows.contradicts(row):
                    contradictory.append(row)
            else:
                rows.scale(row)
        if not active:
            break
        unit = rows.high[active, :-1]
        lengths = np.linalg.norm(unit, axis=1)
        triangle, order = pivoted_triangle((unit / lengths[:, None]).T)
        plain = int(np.sum(np.abs(np.diag(triangle)) > _SMALLEST_INDEPENDENT_PIVOT))
        if plain == len(active):
            break
        chosen = np.array(active)[order]
        leading, trailing = chosen[:plain], chosen[plain:]
        shares = solve_triangular(triangle[:plain, :plain], triangle[:plain, plain:], check_finite=False).T
        shares *= lengths[order[plain:], None] / lengths[order[:plain]]
        rows.subtract(trailing, _without_noise(shares), leading)  # the next pass subtracts what this rounding leaves
        rows.passes += 1
        touched[trailing] = True
    for row in contradictory:
        certificate = _certified(linear, y, rows.combination[row])
        if certificate is not None:
            return _with_certificate(linear, y, certificate)
    kept, dropped = np.array(sorted(active), dtype=int), np.array(sorted(dropped), dtype=int)
    # Each pass adds up to d terms to an entry, and rounds the low part of each.
    doubt = np.where(touched[:, None], 4 * (d + 2) * rows.passes * UNIT_ROUNDOFF**2 * rows.size, 0.0)[kept]
    combined = (
        CombinedRowsMap(rows.high[kept, :-1], rows.low[kept, :-1], doubt[:, :-1]) if np.any(touched[kept]) else None
    )
    everything = np.column_stack([Z, y])
    is_exact = not np.any(touched) or not np.any((everything != 0) & (np.abs(everything) < _SMALLEST_FACTOR))
    is_exact &= not len(dropped) or (len(kept) > 0 and depends_exactly(everything[dropped], everything[kept]))
    if not len(kept):
        is_exact = not np.any(y)
    return _basis(
        combined or linear.rows(kept),
        rows.high[kept, -1],
        kept,
        dropped,
        is_exact=is_exact,
        combination=rows.combination[kept],
        y_tail=rows.low[kept, -1],
        y_doubt=doubt[:, -1],
        is_consistent=not contradictory,
    )


def _roughly(linear: EntriesMap, y: FloatArray) -> RowBasis:
    """The conditions of a system whose rows are too large to be combined: nearly dependent rows are left out."""
    d = linear.shape[0]
    triangle = linear.triangle()
    lengths = np.linalg.norm(triangle, axis=0)
    unit = triangle / np.where(lengths > 0, lengths, 1.0)
    pivoted, order = pivoted_triangle(unit)
    rank = int(np.sum(np.abs(np.diag(pivoted)) > _RANK_TOLERANCE))
    kept, dropped = np.sort(order[:rank]), np.sort(order[rank:])
    for row in dropped:
        combination = np.zeros(d)
        combination[row] = 1.0
        combination[kept] = _without_noise(-np.linalg.lstsq(triangle[:, kept], triangle[:, row], rcond=None)[0])
        certificate = _certified(linear, y, combination)
        if certificate is not None:
            return _with_certificate(linear, y, certificate)
    return _basis(
        linear.rows(kept), y[kept], kept, dropped, is_exact=False, combination=np.eye(d)[kept] if len(dropped) else None
    )


def _without_noise(coefficients: NDArray[np.floating]) -> FloatArray:
    """Round coefficients to 40 bits after the point, so that simple numbers become exact."""
    return np.ldexp(np.round(np.ldexp(coefficients, _COEFFICIENT_BITS)), -_COEFFICIENT_BITS).astype(float, copy=False)


def _with_certificate(linear: LinearMap, y: FloatArray, certificate: FloatArray) -> RowBasis:
    zero, none = np.zeros(len(y)), np.arange(0)
    return RowBasis(linear, y, zero, zero, np.arange(len(y)), none, None, True, 0.0, False, certificate)


def _certified(linear: LinearMap, y: FloatArray, nu: FloatArray) -> FloatArray | None:
    r"""Return ν, scaled to unit length, if it proves that Zx = y has no solution, and None if it does not.

    The proof is checked in every column: :math:`z_j^T\nu` must vanish within the rounding of its own terms, and yᵀν
    must not.
    """
    nu = nu / norm(nu)
    terms = np.count_nonzero(nu)
    found = linear.careful_adjoint(nu)
    rounding = _ROUNDINGS * (terms + 1) * UNIT_ROUNDOFF * linear.absolute_adjoint(np.abs(nu))
    vanishes = np.abs(found.high + found.low) <= rounding + found.error
    contradicts = abs(float(y @ nu)) > _CONTRADICTION * float(np.abs(y) @ np.abs(nu))
    return nu if bool(np.all(vanishes)) and contradicts else None


def contradiction(linear: LinearMap, y: FloatArray) -> FloatArray | None:
    """A ν of unit length that proves Zx = y unsolvable, if least squares finds one, for a Z known by its products."""
    # In exact arithmetic 2d steps are enough; rounding makes more necessary.
    both = operator(linear.shape, linear.apply, linear.adjoint)
    x = lsqr(both, y, atol=0, btol=1e-14, conlim=0, iter_lim=20 * linear.shape[0])[0]
    rest = y - linear.apply(x)
    if norm(rest) <= _CONTRADICTION * norm(y):
        return None
    certificate = rest / norm(rest)
    # We do not know the entries, so we estimate the size of each column from random signs.
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (8, linear.shape[0]))
    columns = np.max(np.abs(linear.adjoint(signs)), axis=0)
    vanishes = np.all(np.abs(linear.adjoint(certificate)) <= 1e-13 * columns)
    return certificate if vanishes else None
