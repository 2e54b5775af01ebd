"""Scales that may underflow: what the potentials with a scale a > 0 share."""

from __future__ import annotations

import math

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike, NDArray

from implicit_bias.errors import DomainError, InputError
from implicit_bias.potential.separable import SMALL, Array
from implicit_bias.validation import finite_array

_LARGEST_LOG = 700.0
_EASY_LOG = 5.0
_LARGE = 1e150  # times itself, and times any factor of a formula, it is in the floating-point range


def scale_and_logarithm(
    owner: str, scale: ArrayLike | None, log_scale: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a and log a, a number or one per coordinate, of which exactly one was given.

    Args:
        owner: The name of the potential, for the message.
        scale: a > 0.
        log_scale: log a <= 700; a itself is 0 where it underflows.

    Raises:
        InputError: If both or neither is given, or one is not finite or has two axes or more.
        DomainError: If a is not positive, or log a exceeds 700.
    """
    if (scale is None) == (log_scale is None):
        raise InputError(f"{owner}: give exactly one of scale= and log_scale=.")
    name = "scale" if log_scale is None else "log_scale"
    given = finite_array(scale if log_scale is None else log_scale, name)
    if given.ndim > 1 or not given.size:
        raise InputError(
            f"{name}: expected a number or a one-dimensional array of one for each coordinate, got shape {given.shape}."
        )
    if log_scale is None:
        if np.any(given <= 0):
            raise DomainError(f"scale: expected positive numbers, got {np.min(given)}; a tiny one is log_scale=.")
        return given, np.log(given)
    if np.any(given > _LARGEST_LOG):
        raise DomainError(f"log_scale: expected at most {_LARGEST_LOG:g} (scale 1e304), got {np.max(given)}.")
    return np.exp(given), given


def relaxed(log_scale: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Log a halved until it is within 5 of 0, the easiest first; every gap is twice the one before."""
    halvings = math.ceil(math.log2(max(1.0, float(np.max(-log_scale)) / _EASY_LOG)))
    return [log_scale / 2.0**k for k in range(halvings, 0, -1)]


def headroom(x: Array, *others: Array) -> Array:
    """A power of two for each weight, times which it and what is computed from it stay in the floating-point range.

    It is below 1 for large weights, where products overflow, above 1 for tiny ones, whose last digits are few, and 1
    for all others.
    """
    xp = array_namespace(x)
    size = xp.abs(x)
    for other in others:
        size = xp.maximum(size, xp.abs(other))
    return xp.where(size > _LARGE, SMALL, xp.where(size < 1 / _LARGE, 1 / SMALL, xp.ones_like(size)))
