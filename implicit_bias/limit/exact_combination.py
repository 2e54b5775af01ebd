r"""Rows that cancel with non-negative weights exactly, in the arithmetic of whole numbers.

Doubles are rationals, so a combination that a linear program has found nearly can be solved for exactly. The rows with
the largest weights that are independent take the others on: their weights are the only solution of a square system,
which we find modulo powers of a prime [Dixon1982]_. The result is then checked in whole numbers, in every column, so
that no step before the check has to be trusted.

References:
    .. [Dixon1982] Dixon, "Exact solution of linear equations using p-adic expansions", Numerische Mathematik 40, 1982.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from implicit_bias.limit.dependency import random_prime
from implicit_bias.validation import FloatArray, IntArray

_LARGEST_SHIFT = 2100  # between the sizes of weights that may be chosen; smaller ones count as zero
_MOST_PRODUCTS = 4e7  # of long integers, which take a few seconds
_MOST_STEPS = 1e9  # of the elimination modulo a prime
_FIRST_DIGITS = 8
_ABOVE_ALL_EXPONENTS = 2**20  # that of zero


def cancelling(rows: FloatArray, shares: FloatArray) -> list[Fraction] | None:
    """Weights λ >= 0 with Σλ_i = 1 and Σ λ_i rows_i = 0 exactly; None if none are found near the given ones.

    Args:
        rows: Shape (k, n), finite, none of them zero.
        shares: Positive, shape (k,): how much each row takes part in a combination that nearly cancels, after a power
            of two has brought its largest entry to between a half and one.
    """
    if rows.size * len(rows) > _MOST_STEPS:
        return None
    order = np.argsort(-shares, kind="stable")
    numbers, exponents = _whole_numbers(rows[order])
    prime = random_prime(np.random.default_rng())
    basis, columns, inverse = _basis(numbers, prime)
    others = np.setdiff1d(np.arange(len(order)), basis)
    if not len(others):
        return None
    chosen = np.array([1], dtype=object)
    if len(others) > 1:
        # In units in which the rows are whole numbers.
        mantissa, exponent = np.frexp(shares[order][others])
        size = np.frexp(np.max(np.abs(rows), axis=1))[1][order][others]
        exponent = exponent - size - exponents[others]
        shift = np.maximum(exponent - max(np.min(exponent), np.max(exponent) - _LARGEST_SHIFT), -60).tolist()
        whole = np.ldexp(mantissa, 53).astype(np.int64).tolist()
        chosen = np.array([value << 60 + each >> 60 for value, each in zip(whole, shift, strict=True)], dtype=object)
    right, block = -(chosen @ numbers[others][:, columns]), numbers[basis][:, columns].T
    digits = _enough_digits(block, right, prime)
    if digits * len(basis) ** 2 > _MOST_PRODUCTS:
        return None
    solved = _solved(block, right, inverse, prime, digits)
    if solved is None:
        return None
    top, denominator = solved
    found = np.zeros(len(order), dtype=object)
    found[basis], found[others] = top, chosen * denominator
    if min(found) < 0 or any(found @ numbers):
        return None
    weighted = [int(each) * Fraction(2) ** int(e) for each, e in zip(found, exponents, strict=True)]
    total, result = sum(weighted), [Fraction(0)] * len(order)
    for where, each in zip(order, weighted, strict=True):
        result[where] = each / total
    return result


def _whole_numbers(rows: FloatArray) -> tuple[np.ndarray, IntArray]:
    """Integers of Python that are the rows times powers of two, one for each row and column, and those of the rows."""
    fraction, exponent = np.frexp(rows)
    mantissa, exponent = np.ldexp(fraction, 53).astype(np.int64), exponent.astype(np.int64) - 53
    twos = np.where(mantissa == 0, 0, np.log2(np.maximum(mantissa & -mantissa, 1)).astype(np.int64))
    mantissa, exponent = mantissa >> twos, np.where(mantissa == 0, _ABOVE_ALL_EXPONENTS, exponent + twos)
    of_rows = np.min(exponent, axis=1)
    exponent = exponent - of_rows[:, None]
    exponent = np.where(mantissa == 0, 0, exponent - np.min(exponent, axis=0))
    pairs = zip(mantissa.ravel().tolist(), exponent.ravel().tolist(), strict=True)
    numbers = np.empty(mantissa.size, dtype=object)
    numbers[:] = [value << shift for value, shift in pairs]
    return numbers.reshape(rows.shape), -of_rows


def _basis(numbers: np.ndarray, p: int) -> tuple[IntArray, IntArray, IntArray]:
    """The first rows that are independent modulo p, as many columns, and the inverse of the transposed block."""
    k = len(numbers)
    left = (numbers % p).astype(np.int64)
    made = np.eye(k, dtype=np.int64)  # left = made @ numbers modulo p
    basis: list[int] = []
    columns: list[int] = []
    for row in range(k):
        for other, column in zip(basis, columns, strict=True):
            factor = p - int(left[row, column])
            left[row] = (left[row] + factor * left[other]) % p
            made[row] = (made[row] + factor * made[other]) % p
        pivots = np.flatnonzero(left[row])
        if not len(pivots):
            continue
        column = int(pivots[0])
        scale = pow(int(left[row, column]), -1, p)
        left[row], made[row] = left[row] * scale % p, made[row] * scale % p
        for other in basis:
            factor = p - int(left[other, column])
            left[other] = (left[other] + factor * left[row]) % p
            made[other] = (made[other] + factor * made[row]) % p
        basis.append(row)
        columns.append(column)
    chosen = np.array(basis, dtype=int)
    return chosen, np.array(columns, dtype=int), made[np.ix_(chosen, chosen)].T


def _enough_digits(block: np.ndarray, right: np.ndarray, p: int) -> int:
    """How many digits to the base p determine the solution of a system, by Hadamard's bound on determinants."""
    bits = sum(_bits(column) for column in block.T) + _bits(right)
    return 2 + 2 * bits // (p.bit_length() - 1)


def _bits(column: np.ndarray) -> int:
    """A bound on the binary logarithm of the length of a vector."""
    return math.isqrt(sum(int(value) ** 2 for value in column)).bit_length()


def _solved(
    matrix: np.ndarray, right: np.ndarray, inverse: IntArray, p: int, most: int
) -> tuple[list[int], int] | None:
    """Numerators and one denominator of the w with matrix @ w = right, or None if so many digits are too few."""
    left, power, found = right.copy(), 1, np.zeros(len(right), dtype=object)
    attempt = _FIRST_DIGITS
    for count in range(1, most + 1):
        residue = (left % p).astype(np.int64)
        digit = np.sum(inverse * residue % p, axis=1) % p
        whole = digit.astype(object)
        found, power = found + whole * power, power * p
        left = (left - matrix @ whole) // p
        if count in (attempt, most):
            attempt *= 2
            result = _as_fractions(found, power)
            if result is not None and not any(matrix @ np.array(result[0], dtype=object) - right * result[1]):
                return result
    return None


def _as_fractions(values: np.ndarray, modulus: int) -> tuple[list[int], int] | None:
    """Numerators and one positive denominator, all small, that agree with values modulo a number."""
    limit, denominator, tops = math.isqrt(modulus // 2), 1, []
    for value in values:
        # What the denominators so far leave: most entries share the same one.
        before, now, old, new = modulus, int(value) * denominator % modulus, 0, 1
        while abs(now) > limit:
            quotient = before // now
            before, now, old, new = now, before - quotient * now, new, old - quotient * new
        if abs(new * denominator) > limit or new == 0:
            return None
        if new < 0:
            now, new = -now, -new
        tops = [top * new for top in tops]
        tops.append(now)
        denominator *= new
    return tops, denominator
