"""The distance by which numbers break an inequality, and numbers that may be none."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def excess(*values: ArrayLike) -> float:
    """The largest of all entries and zero; nan if any is nan, which ``max(0.0, nan)`` would call zero.

    >>> excess([-1.0, 2.0], 0.5), excess(-1.0), excess(float("nan"), 1.0)
    (2.0, 0.0, nan)
    """
    return float(np.max([0.0, *(np.max(each) for each in values)]))


def chosen(values: np.ndarray, which: np.ndarray) -> np.ndarray:
    """The values that a mask chooses; one nan if it chooses none, so that a claim about them is left open.

    >>> chosen(np.array([1.0, 2.0]), np.array([False, True])), chosen(np.array([1.0]), np.array([False]))
    (array([2.]), array([nan]))
    """
    return values[which] if np.any(which) else np.array([np.nan])
