r"""Certificates that no x separates labels: by Farkas' lemma, rows :math:`y_iz_i` that cancel with positive weights."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array

from implicit_bias.limit.exact_combination import cancelling
from implicit_bias.limit.margin_programs import largest_in_box
from implicit_bias.validation import FloatArray

INSEPARABLE = (
    "No x separates the labels: with the weights in result.certificate, rows y_i z_i cancel. Check the labels, or add "
    "features."
)
# The linear program does not tell multipliers below this share of the largest from zero; we try without them first.
_ZERO_MULTIPLIERS = (1e-9, 0.0)


def inseparable(labelled: csc_array) -> FloatArray | None:
    """Weights that prove that no x separates the labels, or None.

    Args:
        labelled: The rows y_i z_i, shape (d, n).

    Returns:
        p >= 0 with Σp = 1, shape (d,): the doubles nearest to weights with which the rows cancel exactly.
    """
    sizes = _row_sizes(labelled)
    if not np.all(sizes > 0):  # a row of zeros cancels by itself
        return np.where(np.arange(len(sizes)) == np.argmin(sizes), 1.0, 0.0)
    found = largest_in_box(_moderate(labelled, sizes))
    return None if found is None else _proved(labelled, found.multipliers)


def certified(labelled: csc_array, weights: FloatArray) -> FloatArray | None:
    """Weights near these that prove that no x separates the labels, checked in whole numbers, or None."""
    sizes = _row_sizes(labelled)
    if not np.all(sizes > 0):
        return inseparable(labelled)
    exponents = np.frexp(sizes)[1]
    return _proved(labelled, np.ldexp(weights, exponents - np.max(exponents)))


def _row_sizes(labelled: csc_array) -> FloatArray:
    return abs(labelled).max(axis=1).toarray().ravel()


def _moderate(labelled: csc_array, sizes: FloatArray) -> csc_array:
    """The rows with rows and columns scaled by powers of two, which does not change what separates them."""
    scaled = csc_array(labelled)
    scaled.data = np.ldexp(scaled.data, -np.frexp(sizes)[1][scaled.indices])
    of_columns = np.frexp(abs(scaled).max(axis=0).toarray().ravel())[1]
    scaled.data = np.ldexp(scaled.data, -np.repeat(of_columns, np.diff(scaled.indptr)))
    return scaled


def _proved(labelled: csc_array, shares: FloatArray) -> FloatArray | None:
    """Weights of rows, found near their shares for rows of unit size, with which the rows cancel exactly, or None."""
    largest, before = float(np.max(shares, initial=0.0)), 0
    if not 0 < largest < np.inf:
        return None
    shares = shares / largest
    for least in _ZERO_MULTIPLIERS:
        support = np.flatnonzero(shares > least)
        if len(support) == before:
            break
        before = len(support)
        found = cancelling(labelled.tocsr()[support].toarray(), shares[support])
        if found is not None:
            certificate = np.zeros(len(shares))
            certificate[support] = [float(each) for each in found]
            return certificate
    return None
