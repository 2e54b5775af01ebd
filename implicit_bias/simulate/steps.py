"""The step sizes and the recorded steps of training in discrete steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError
from implicit_bias.validation import FloatArray, IntArray, finite_array


def step_sizes(step: ArrayLike, last: int) -> FloatArray:
    """Return step sizes η, shape () or (runs,); raise ``InputError`` unless they are positive and the end is finite."""
    eta = finite_array(step, "step")
    if eta.ndim > 1 or eta.size == 0 or np.min(eta) <= 0 or np.max(eta) > np.finfo(float).max / last:
        raise InputError(f"step: expected a positive number, or one for each run, with a finite end, got {step}.")
    return eta


def recorded_steps(record: ArrayLike, last: int) -> IntArray:
    """The numbers of the steps to record, in increasing order, including the last step."""
    marks = np.asarray(record)
    if marks.dtype.kind not in "iu" or marks.ndim > 1 or marks.size == 0:
        raise InputError(f"record: expected a number of records or a list of step numbers, got {record!r}.")
    if marks.ndim == 0:
        if marks < 2:
            raise InputError(f"record: expected at least 2 records, the start and the end, got {record}.")
        return np.unique(np.linspace(0, last, min(int(marks), last + 1)).round().astype(int))
    if np.min(marks) < 0 or np.max(marks) > last:
        raise InputError(f"record: expected step numbers from 0 to {last}, got {np.min(marks)} to {np.max(marks)}.")
    return np.union1d(marks.astype(int), last)
