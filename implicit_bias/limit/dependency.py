"""Decide in modular arithmetic whether rows depend on other rows exactly.

Floating-point numbers are rationals. If a row is a rational combination of others, it is also a combination modulo
almost every prime. If it is not, it is a combination only modulo the primes that divide a certain determinant: at most
some hundreds of the 5e7 primes with 31 bits. Three random primes are all wrong with a probability of about 1e-15, which
is less than that of a fault in memory.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.linalg import qr

from implicit_bias.validation import FloatArray, IntArray

_PRIMES = 3
_MANTISSA_BITS = 53


def depends_exactly(rows: FloatArray, others: FloatArray) -> bool:
    """Whether each of some rows is a rational combination of others.

    Args:
        rows: Shape (k, m), finite.
        others: Shape (r, m), linearly independent even without their last column.
    """
    r = len(others)
    size = np.max(np.abs(others[:, :-1]), axis=1, keepdims=True)
    pivots = pivoted_triangle(others[:, :-1] / size)[1][:r]
    generator = np.random.default_rng()
    return all(_depends_modulo(random_prime(generator), rows, others, pivots) for _ in range(_PRIMES))


def pivoted_triangle(columns: FloatArray) -> tuple[FloatArray, IntArray]:
    """The triangle R and the order of columns of a QR decomposition with column pivoting."""
    factors: tuple[Any, ...] = qr(columns, mode="r", pivoting=True, check_finite=False)
    return factors[0], factors[1]


def _depends_modulo(p: int, rows: FloatArray, others: FloatArray, pivots: IntArray) -> bool:
    """Whether rows are combinations of others modulo p; False if the others' pivot columns are singular modulo p."""
    basis, remaining = _residues(others, p), _residues(rows, p)
    # Gauss-Jordan elimination turns the pivot columns of the basis into unit vectors, and those of the rows into zeros.
    free = list(range(len(basis)))
    for column in pivots:
        pivot = next((k for k in free if basis[k, column]), None)
        if pivot is None:
            return False
        free.remove(pivot)
        basis[pivot] = basis[pivot] * pow(int(basis[pivot, column]), -1, p) % p
        for block in (basis, remaining):
            factors = block[:, column].copy()
            if block is basis:
                factors[pivot] = 0
            block += (p - factors)[:, None] * basis[pivot] % p
            block %= p
    return not np.any(remaining)


def _residues(values: FloatArray, p: int) -> IntArray:
    """Doubles modulo p, as 64-bit integers: each double is a mantissa times a power of two."""
    fraction, exponent = np.frexp(values)
    mantissa = np.ldexp(fraction, _MANTISSA_BITS).astype(np.int64) % p
    exponents, where = np.unique(exponent - _MANTISSA_BITS, return_inverse=True)
    powers = np.array([pow(2, int(e), p) for e in exponents], dtype=np.int64)
    return mantissa * powers[where].reshape(values.shape) % p


def random_prime(generator: np.random.Generator) -> int:
    """A prime between 2³⁰ and 2³¹, so that products of residues fit 63 bits."""
    while True:
        candidate = int(generator.integers(2**29, 2**30)) * 2 + 1
        if all(candidate % k for k in range(3, math.isqrt(candidate) + 1, 2)):
            return candidate
