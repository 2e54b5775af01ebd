"""Learning rates over the epochs, as factors of the first."""

from __future__ import annotations

import math
from collections.abc import Callable

LearningRate = Callable[[float], float]
"""The factor at a time in [0, 1), the part of all epochs that is done."""


def constant(time: float) -> float:
    """Always 1."""
    return 1.0


def cosine(time: float) -> float:
    """Half a period of the cosine: I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, without restarts."""
    return (1 + math.cos(math.pi * time)) / 2


def step(time: float) -> float:
    """1, then a tenth from the half on, a hundredth from three quarters on."""
    return 1.0 if time < 0.5 else 0.1 if time < 0.75 else 0.01


LEARNING_RATES: dict[str, LearningRate] = {"cosine": cosine, "constant": constant, "step": step}
