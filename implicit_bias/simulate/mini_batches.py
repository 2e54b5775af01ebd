"""Random mini-batches, as weights of the observations: the same ones for every library and device."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from implicit_bias.errors import InputError
from implicit_bias.validation import IntArray, whole_number


def check_seeds(seed: Any) -> IntArray:
    """Return seeds as an array of shape () or (runs,), or raise ``InputError``."""
    seeds = np.asarray(seed)
    if seeds.dtype.kind not in "iu" or seeds.ndim > 1 or seeds.size == 0 or np.min(seeds) < 0:
        raise InputError(f"seed: expected a non-negative integer or one for each run, got {seed!r}.")
    return seeds


class MiniBatches:
    r"""The mini-batches of all steps: each epoch takes every observation once, in random order.

    If ``size`` does not divide d, the last batch of an epoch is smaller. A batch is a function of its run's seed and
    the number of the step alone, so it can be drawn where it is used, for many steps at a time.

    Args:
        d: Number of observations.
        size: Observations in a batch, 1 to d.
        seeds: One seed for all runs, whose streams are its children; or shape (runs,), where each run uses the first
            child of its own seed, as it would alone.
        runs: Number of runs.

    Raises:
        InputError: If the size is not from 1 to d.
    """

    def __init__(self, d: int, size: int, seeds: IntArray, runs: int) -> None:
        if not 1 <= whole_number(size, "batch_size") <= d:
            raise InputError(f"batch_size: expected 1 to d={d} observations, got {size}.")
        self._d, self._size = d, size
        if seeds.ndim == 0:
            children = np.random.SeedSequence(int(seeds)).spawn(runs)
        else:
            children = [np.random.SeedSequence(int(seed)).spawn(1)[0] for seed in np.broadcast_to(seeds, runs)]
        self._streams = np.array([child.generate_state(1, np.uint64)[0] for child in children]).view(np.int64)

    def weights(self, steps: range, like: Any) -> Any:
        r"""The weights of the observations in each step, shape (steps, runs, d): d/|B| in the batch B, 0 elsewhere.

        A loss is a sum with one term for each observation. With these weights, the mean over all observations becomes
        the mean over the batch. Every observation has weight 1 on average, so the gradient of the weighted loss
        estimates ∇f without bias.

        Args:
            steps: Numbers of steps, one after the other.
            like: A real array, NumPy's or torch's, with the device and the precision of the weights.
        """
        xp, place = array_namespace(like), device(like)
        whole = {"dtype": xp.int64, "device": place}
        in_epoch = -(-self._d // self._size)
        first = steps.start // in_epoch
        epochs = xp.arange(first, (steps.stop - 1) // in_epoch + 1, **whole)
        observations = xp.arange(self._d, **whole)
        # Sorting random numbers gives a random order; two of 64 bits are all but never equal.
        numbers = _mixed(xp, xp.asarray(self._streams, **whole)[None, :] + _GOLDEN * epochs[:, None])
        numbers = _mixed(xp, numbers[..., None] + _GOLDEN * observations)
        batch_of = xp.argsort(xp.argsort(numbers, axis=-1), axis=-1) // self._size
        k = xp.arange(steps.start, steps.stop, **whole)
        epoch, number = k // in_epoch - first, k % in_epoch
        size = xp.where(number == in_epoch - 1, self._d - (in_epoch - 1) * self._size, self._size)
        weight = xp.full(size.shape, float(self._d), dtype=like.dtype, device=place) / xp.astype(size, like.dtype)
        chosen = xp.take(batch_of, epoch, axis=0) == number[:, None, None]
        return xp.where(chosen, weight[:, None, None], xp.zeros((), dtype=like.dtype, device=place))


_GOLDEN = -7046029254386353131  # 2⁶⁴/φ, odd, as a signed number of 64 bits


def _mixed(xp: Any, numbers: Any) -> Any:
    """Random bits from different numbers of 64 bits; products wrap around.

    Source: the output function of SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
        generators", OOPSLA 2014).
    """
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685)):
        numbers = (numbers ^ _shifted(xp, numbers, shift)) * factor
    return numbers ^ _shifted(xp, numbers, 31)


def _shifted(xp: Any, numbers: Any, bits: int) -> Any:
    """Shift to the right with zeros from the left, which the shift of signed numbers does not bring."""
    return (numbers >> bits) & ((1 << (64 - bits)) - 1)
