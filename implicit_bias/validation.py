"""Checks of numerical input, and the types of arrays."""

from __future__ import annotations

import math
import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from implicit_bias.errors import InputError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]
BoolArray = NDArray[np.bool_]


def finite_array(value: ArrayLike, name: str, ndim: int | None = None, *, copy: bool = True) -> FloatArray:
    """Return ``value`` as a float64 array, or raise ``InputError`` with the argument's name.

    Args:
        value: Anything NumPy can turn into real numbers.
        name: The argument's name, for the message.
        ndim: The number of axes required, if any.
        copy: Whether to copy a float64 array, so that later changes of the original do no harm.

    Raises:
        InputError: If the value is not numeric and real, has another number of axes, or contains nan or inf.
    """
    kind = "a real number" if ndim == 0 else "an array of real numbers"
    if value is None:  # NumPy would make it nan
        raise InputError(f"{name}: expected {kind}, got None.")
    try:
        if np.ma.is_masked(value):
            raise InputError("masked entries; remove or fill them first")
        raw = np.asarray(value)
        if raw.dtype.kind not in "biufO" or np.iscomplexobj(raw):
            raise TypeError(f"of dtype {raw.dtype}")
        with np.errstate(over="ignore"):
            array = raw.astype(np.float64, copy=copy)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # RuntimeError: a tensor with gradient
        raise InputError(f"{name}: expected {kind}, got {type(value).__name__} ({error}).") from None
    if ndim is not None and array.ndim != ndim:
        wanted = "one number" if ndim == 0 else f"an array of {ndim} {'axis' if ndim == 1 else 'axes'}"
        raise InputError(f"{name}: expected {wanted}, got shape {array.shape}.")
    finite = np.isfinite(array)
    if not np.all(finite):
        bad = np.argwhere(~finite)
        where = tuple(int(i) for i in bad[0])
        if array.ndim == 0:
            raise InputError(f"{name}: expected a finite number, got {array}.")
        are = "entry is" if len(bad) == 1 else "entries are"
        raise InputError(
            f"{name}: {len(bad)} {are} nan or inf, the first at index {where} ({array[where]}). Remove or repair "
            f"{'it' if len(bad) == 1 else 'them'} first."
        )
    return array


def read_only(array: FloatArray) -> FloatArray:
    """A read-only view of an array."""
    view = array.view()
    view.flags.writeable = False
    return view


def whole_number(value: int, name: str) -> int:
    """Return ``value`` as an int, or raise ``InputError`` if it is not an integer; True and False are none."""
    try:
        if not isinstance(value, (bool, np.bool_)):
            return operator.index(value)
    except TypeError:
        pass
    raise InputError(f"{name}: expected an integer, got {value!r}.")


def seed_number(value: int) -> int:
    """Return a seed, which NumPy and torch both take, or raise ``InputError``."""
    if not 0 <= whole_number(value, "seed") < 2**63:
        raise InputError(f"seed: expected a number from 0 to 2**63 - 1, got {value}.")
    return whole_number(value, "seed")


def positive_number(value: float, name: str, zero_allowed: bool = False) -> float:
    """Return ``value`` as a float, or raise ``InputError`` if it is not a finite positive number."""
    if type(value) is float and 0 < value < math.inf:  # flows ask for a potential at thousands of decays
        return value
    number = float(finite_array(value, name, ndim=0))
    if number < 0 or (number == 0 and not zero_allowed):
        raise InputError(f"{name}: expected a {'non-negative' if zero_allowed else 'positive'} number, got {value}.")
    return number


def time_points(t: ArrayLike, name: str = "t") -> FloatArray:
    """Return times as an increasing array; a single number is an end time and stays a 0-d array."""
    times = finite_array(t, name)
    if times.ndim > 1 or times.size == 0:
        raise InputError(f"{name}: expected an end time or a list of times, got shape {times.shape}.")
    if np.min(times) < 0 or np.any(np.diff(np.atleast_1d(times)) <= 0):
        raise InputError(f"{name}: expected non-negative, strictly increasing flow times, got {t}.")
    if times.ndim == 0 and times == 0:
        raise InputError(f"{name}: expected a positive end time, got 0.")
    return times
