r"""Certificates that no x separates labels: by Farkas' lemma, rows :math:`y_iz_i` that cancel with positive weights."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array

from implicit_bias.careful_sum import UNIT_ROUNDOFF
from implicit_bias.limit.margin_programs import largest_in_box
from implicit_bias.validation import FloatArray

INSEPARABLE = (
    "No x separates the labels: with the weights in result.certificate, rows y_i z_i cancel, up to rounding. Check the "
    "labels, or add features."
)
_ZERO_MULTIPLIER = 1e-9  # relative to the largest: the linear program does not tell smaller multipliers from zero
_ROUNDINGS = 8


def inseparable(labelled: csc_array) -> FloatArray | None:
    """Weights that prove that no x separates the labels, or None.

    Args:
        labelled: The rows y_i z_i, shape (d, n).

    Returns:
        p >= 0 with Σp = 1, shape (d,), for which every entry of Σ p_i y_i z_i is zero within the rounding of its own
        terms.
    """
    sizes = abs(labelled).max(axis=1).toarray().ravel()
    if not np.all(sizes > 0):  # a row of zeros cancels by itself
        return np.where(np.arange(len(sizes)) == np.argmin(sizes), 1.0, 0.0)
    found = largest_in_box(labelled)
    return None if found is None else certified(labelled, found.multipliers)


def certified(labelled: csc_array, weights: FloatArray) -> FloatArray | None:
    """Weights near these that prove that no x separates the labels, checked in every column, or None."""
    largest = float(np.max(weights, initial=0.0))
    if not 0 < largest < np.inf:
        return None
    support = np.flatnonzero(weights > _ZERO_MULTIPLIER * largest)
    rows = labelled.tocsr()[support].toarray()
    # The weights are as accurate as the linear program. The null vector of these rows is accurate to rounding.
    sizes = np.max(np.abs(rows), axis=1, keepdims=True)
    null = np.linalg.svd((rows / np.where(sizes > 0, sizes, 1.0)).T)[2][-1] / np.where(sizes > 0, sizes, 1.0)[:, 0]
    for candidate in (weights[support], null * np.sign(np.sum(null))):
        share = candidate / np.sum(candidate)
        rounding = _ROUNDINGS * (len(support) + 1) * UNIT_ROUNDOFF * (np.abs(share) @ np.abs(rows))
        if np.all(share >= 0) and np.all(np.abs(share @ rows) <= rounding):
            certificate = np.zeros(len(weights))
            certificate[support] = share
            return certificate
    return None
