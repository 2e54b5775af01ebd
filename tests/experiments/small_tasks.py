"""Tasks for tests of sweeps that need nothing of ours, so that workers start soon."""

import os
import time
from pathlib import Path

import numpy as np


def random_walk(seed, steps=50):
    values = np.random.default_rng(seed).normal(size=(steps, steps))
    # A view in Fortran's order, whose sums round differently from those of a copy.
    return {"walk": values.cumsum(axis=0).T, "sum": values.sum()}


def slow(seed, seconds, log):
    """Leaves a mark in a file when it ends."""
    time.sleep(seconds)
    result = random_walk(seed)
    with Path(log).open("a") as file:
        file.write(f"{seed}\n")
    return result


def process(seed, seconds=0.0):
    time.sleep(seconds)
    return {"pid": np.array(os.getpid())}
