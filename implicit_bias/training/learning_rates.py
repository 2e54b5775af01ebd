"""Learning rates over the epochs, as factors of the first learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable

LearningRate = Callable[[float], float]
"""The factor as a function of time in [0, 1): the fraction of all epochs that have ended."""


def constant(time: float) -> float:
    """Always 1."""
    return 1.0


def cosine(time: float) -> float:
    """Half a period of the cosine: I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, without restarts."""
    return (1 + math.cos(math.pi * time)) / 2


def step(time: float) -> float:
    """1 in the first half, then a tenth, and a hundredth in the last quarter."""
    return 1.0 if time < 0.5 else 0.1 if time < 0.75 else 0.01


LEARNING_RATES: dict[str, LearningRate] = {"cosine": cosine, "constant": constant, "step": step}
