"""Random mini-batches, as weights of the observations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError
from implicit_bias.validation import FloatArray, IntArray, whole_number


def check_seeds(seed: ArrayLike) -> IntArray:
    """Return seeds as an array of shape () or (runs,), or raise ``InputError``."""
    seeds = np.asarray(seed)
    if seeds.dtype.kind not in "iu" or seeds.ndim > 1 or seeds.size == 0 or np.min(seeds) < 0:
        raise InputError(f"seed: expected a non-negative integer or one for each run, got {seed!r}.")
    return seeds


def mini_batches(d: int, size: int, seeds: IntArray, runs: int) -> Iterator[FloatArray]:
    r"""Yield the weights of d observations for each step, shape (runs, d): d/|B| in the batch B, 0 elsewhere.

    A loss is a sum with one term for each observation. With these weights, the mean over all observations becomes the
    mean over the batch. Every observation has weight 1 on average, so the gradient of the weighted loss estimates ∇f
    without bias. Each epoch uses every observation once, in random order. If ``size`` does not divide d, its last batch
    is smaller.

    Args:
        d: Number of observations.
        size: Observations in a batch, 1 to d.
        seeds: One seed for all runs, whose streams are its children; or shape (runs,), where each run uses the first
            child of its own seed, as it would alone.
        runs: Number of runs.

    Raises:
        InputError: If the size is not from 1 to d.
    """
    if not 1 <= whole_number(size, "batch_size") <= d:
        raise InputError(f"batch_size: expected 1 to d={d} observations, got {size}.")
    if seeds.ndim == 0:
        children = np.random.SeedSequence(int(seeds)).spawn(runs)
    else:
        children = [np.random.SeedSequence(int(seed)).spawn(1)[0] for seed in np.broadcast_to(seeds, runs)]
    return _weights([np.random.default_rng(child) for child in children], d, size)


def _weights(streams: list[np.random.Generator], d: int, size: int) -> Iterator[FloatArray]:
    while True:
        order = np.stack([stream.permutation(d) for stream in streams])
        for rows in np.split(order, range(size, d, size), axis=1):
            weights = np.zeros(order.shape)
            np.put_along_axis(weights, rows, d / rows.shape[1], axis=1)
            yield weights
