"""Sums and products in nearly twice the precision of doubles, each with a proven bound on its error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from implicit_bias.validation import FloatArray, IntArray

UNIT_ROUNDOFF = 2.0**-53
SMALLEST = 2.0**-1074


def sum_error(terms: int) -> float:
    r"""Bound the rounding error of a sum of k products, in any order, relative to the sum of their magnitudes.

    The bound is :math:`\gamma_k = ku/(1 - ku)` with the unit roundoff u [Higham2002]_.

    References:
        .. [Higham2002] Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., SIAM 2002, section 3.1.
    """
    return 1.01 * (terms + 2) * UNIT_ROUNDOFF


@dataclass(frozen=True, eq=False)
class CarefulSum:
    """A vector known more accurately than double precision can hold it.

    Attributes:
        high: The leading part of the vector.
        low: A correction to add to ``high``, of the same shape.
        error: A proven bound on the error of high + low, of the same shape.
    """

    high: FloatArray
    low: FloatArray
    error: FloatArray

    def scaled(self, factor: FloatArray) -> CarefulSum:
        """The vector times powers of two; the error grows where digits underflow."""
        doubt = np.where((factor < 1) & (self.high != 0), 3 * SMALLEST, 0.0)
        return CarefulSum(factor * self.high, factor * self.low, factor * self.error + doubt)


def two_sum(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The rounded sum of a and b, and its exact rounding error."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


def two_product(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The rounded product of a and b, and its exact rounding error, for factors of size 1e-140 to 1e140 or zero."""
    product = a * b
    (a_top, a_rest), (b_top, b_rest) = _halves(a), _halves(b)
    return product, a_rest * b_rest - (((product - a_top * b_top) - a_rest * b_top) - a_top * b_rest)


def _halves(value: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split a double into two numbers of 26 bits each."""
    spread = 134217729.0 * value  # 2²⁷ + 1
    top = spread - (spread - value)
    return top, value - top


def exact_bits(terms: int) -> int:
    """How many bits two factors may have if a sum of so many of their products is to be exact."""
    return (53 - math.ceil(math.log2(max(terms, 2)))) // 2


def leading(values: FloatArray, exponent: IntArray | int, bits: int) -> FloatArray:
    """Round values of magnitude below 2 to the power ``exponent`` to so many bits below that power."""
    large = np.ldexp(1.5, np.add(exponent, 52 - bits))
    return (values + large) - large


def normalized(vector: FloatArray) -> tuple[FloatArray | None, int]:
    """The vector divided by a power of two, so that no entry exceeds 1, and the exponent; None if it is not finite."""
    size = float(np.max(np.abs(vector), initial=0.0))
    if not np.isfinite(size):
        return None, 0
    exponent = int(np.frexp(size)[1])
    return np.ldexp(vector, -exponent), exponent
