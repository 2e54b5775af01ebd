"""The distance by which numbers break an inequality."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def excess(*values: ArrayLike) -> float:
    """The largest of all entries and zero; nan if any is nan, which ``max(0.0, nan)`` would call zero.

    >>> excess([-1.0, 2.0], 0.5), excess(-1.0), excess(float("nan"), 1.0)
    (2.0, 0.0, nan)
    """
    return float(np.max([0.0, *(np.max(each) for each in values)]))
