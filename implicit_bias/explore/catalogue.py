"""Parameterizations to choose from, and initial values to begin with."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

from implicit_bias.errors import DomainError
from implicit_bias.symbolic.derivation import Derivation

# Read from decimals, since a digit times a power of ten is not always the nearest number.
SCALES = (*(float(f"{digit}e{power}") for power in range(-12, 4) for digit in (1, 2, 5)), 1e4)
DECAYS = (*(k / 20 for k in range(61)), *(k / 4 for k in range(13, 41)), *(float(k) for k in range(15, 101, 5)))
SECONDS_FOR_A_START = 1.0
STEPS = tuple(float(f"{digit}e{power}") for power in range(-3, 1) for digit in (1, 2, 5))


@dataclass(frozen=True)
class Entry:
    """A parameterization with numbers that show what it does.

    Attributes:
        title: Its name.
        formula: g.
        regularizer: h, or empty.
        init: Initial values by parameter, in units of the scale.
        scale: The scale γ that multiplies them.
        decay: A.
    """

    title: str
    formula: str
    regularizer: str = ""
    init: dict[str, float] = field(default_factory=dict)
    scale: float = 1.0
    decay: float = 0.0


CATALOGUE = (
    Entry("mask with weight decay", "m*w", "m**2 + w**2", {"m": 1.0, "w": 0.0}, decay=0.5),
    Entry("mask", "m*w", "", {"m": 1.0, "w": 0.0}),
    Entry("difference of squares", "u**2 - v**2", "", {"u": 1.0, "v": 1.0}, 0.2),
    Entry("difference of fourth powers", "u**4 - v**4", "", {"u": 1.0, "v": 1.0}, 0.5),
    Entry("square", "u**2", "", {"u": 1.0}, 0.2),
    Entry("three layers", "a*b*c", "", {"a": 1.0, "b": 1.0, "c": 1.0}, 0.2),
    Entry("difference of logarithms", "log(u) - log(v)", "", {"u": 1.0, "v": 1.0}),
    Entry("no overparameterization", "u", "", {"u": 0.0}),
    Entry("hyperbolic sine", "sinh(u)", "", {"u": 0.0}),
    Entry("bounded weights", "atan(u)", "", {"u": 0.0}),
    Entry("positive weights", "exp(u)", "", {"u": -2.0}),
    Entry("sigmoid mask", "sigmoid(m)*w", "", {"m": 0.0, "w": 0.0}),
)


def usual_start(derivation: Derivation) -> dict[str, float]:
    """Initial values from which a typed formula can be trained: the first simple ones that the derivation accepts.

    All of them are 1 if none is found in :data:`SECONDS_FOR_A_START`.
    """
    return _first_accepted(derivation, time.thread_time() + SECONDS_FOR_A_START) or dict.fromkeys(
        derivation.parameterization.params, 1.0
    )


def _first_accepted(derivation: Derivation, end: float) -> dict[str, float] | None:
    names = derivation.parameterization.params
    first = [1.0] + [0.0] * (len(names) - 1)
    steps = [1.0 / (k + 1) for k in range(len(names))]
    for values in (*dict.fromkeys([(0.0,) * len(names), tuple(first), (1.0,) * len(names), tuple(steps)]),
                   *itertools.product((0.5, -1.0, 2.0), repeat=len(names))):  # fmt: skip
        if time.thread_time() > end:
            break
        init = dict(zip(names, values, strict=True))
        try:
            derivation.at(init)
        except DomainError:
            continue
        return init
    return None
