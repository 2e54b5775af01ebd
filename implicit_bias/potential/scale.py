"""Scales a > 0 that may underflow, for the potentials that have one."""

from __future__ import annotations

import math

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import ArrayLike, NDArray

from implicit_bias.errors import DomainError, InputError
from implicit_bias.potential.separable import SMALL, Array
from implicit_bias.validation import finite_array

_LARGEST_LOG_SCALE = 700.0
_EASY_LOG_SCALE = 5.0
_LARGE = 1e150  # its square, times any factor of a formula, is in the floating-point range


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
    if scale is not None and log_scale is None:
        a = _one_for_each(scale, "scale")
        if np.any(a <= 0):
            raise DomainError(f"scale: expected positive numbers, got {np.min(a)}; give a tiny one as log_scale=.")
        return a, np.log(a)
    if log_scale is not None and scale is None:
        log_a = _one_for_each(log_scale, "log_scale")
        if np.any(log_a > _LARGEST_LOG_SCALE):
            raise DomainError(f"log_scale: expected at most {_LARGEST_LOG_SCALE:g} (scale 1e304), got {np.max(log_a)}.")
        return np.exp(log_a), log_a
    raise InputError(f"{owner}: give exactly one of scale= and log_scale=.")


def _one_for_each(given: ArrayLike, name: str) -> NDArray[np.float64]:
    array = finite_array(given, name)
    if array.ndim > 1 or not array.size:
        raise InputError(
            f"{name}: expected a number or a one-dimensional array of one for each coordinate, got shape {array.shape}."
        )
    return array


def relaxed(log_scale: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return log a halved until it is within 5 of 0, the easiest first; every gap is twice the one before."""
    halvings = math.ceil(math.log2(max(1.0, float(np.max(-log_scale)) / _EASY_LOG_SCALE)))
    return [log_scale / 2.0**k for k in range(halvings, 0, -1)]


def headroom(x: Array, *others: Array) -> Array:
    """A power of two for each weight; the weight and its products, times this, stay in the floating-point range.

    It is below 1 for large weights, whose products overflow, above 1 for tiny ones, which have few digits, and 1 for
    all others.
    """
    xp = array_namespace(x)
    size = xp.abs(x)
    for other in others:
        size = xp.maximum(size, xp.abs(other))
    return xp.where(size > _LARGE, SMALL, xp.where(size < 1 / _LARGE, 1 / SMALL, xp.ones_like(size)))
