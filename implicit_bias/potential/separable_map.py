"""The functions of one coordinate from which a potential is computed, and the check of where its flow can start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import DomainError


@dataclass(frozen=True)
class SeparableMap:
    """g of one coordinate as functions of θ, shape (p, n), and the curve along which training moves θ.

    The curve is dθ/ds = sgn(∇g)|∇g|^(q − 1), for q = 2 the flow of ∇g.

    Attributes:
        output: g(θ), shape (n,).
        gradient: ∇g(θ), shape (p, n).
        bend: ∇²g·dθ/ds, shape (p, n): the change of ∇g along the curve; for q = 2 the acceleration.
        levels: Functions of θ that are zero where the curve ends although θ and ∇g may be finite, shape (k, n):
            where g is not real beyond, where the curve cannot go on, or where several go on.
        approach: Σ|d log level/ds| along the curve, shape (n,): the speed at which it gets there.
        exponent: q ≥ 1.
        hessian: ∇²g(θ), shape (p, p, n), or None where g has kinks.
    """

    output: Callable[[np.ndarray], np.ndarray]
    gradient: Callable[[np.ndarray], np.ndarray]
    bend: Callable[[np.ndarray], np.ndarray]
    levels: Callable[[np.ndarray], np.ndarray]
    approach: Callable[[np.ndarray], np.ndarray]
    exponent: float = 2.0
    hessian: Callable[[np.ndarray], np.ndarray] | None = None

    def curve(self, gradient: np.ndarray) -> np.ndarray:
        """dθ/ds, shape (p, ...), for ∇g at a point of the curve; its product with ∇g is dx/ds = Σ|∇g|^q."""
        return gradient if self.exponent == 2 else steepest(gradient, self.exponent)


def steepest(gradient: np.ndarray, exponent: float) -> np.ndarray:
    """sgn(G)|G|^(q − 1), elementwise: the direction of steepest descent for a gradient G."""
    return np.sign(gradient) * np.abs(gradient) ** (exponent - 1)


class SeparableParameterization(Protocol):
    """The part of :class:`implicit_bias.Parameterization` that a numerical potential needs."""

    def separable_map(self) -> SeparableMap:
        """Return g and its derivatives as functions."""
        ...

    def start(self, init: Mapping[str, ArrayLike]) -> np.ndarray:
        """Return the initial values as an array of shape (p,) or (p, n)."""
        ...


def check_start(function: SeparableMap, start: np.ndarray, names: Sequence[str]) -> None:
    """Raise ``DomainError`` if no flow can start somewhere: g is not real there, or its gradient vanishes.

    A gradient also vanishes if it is within the rounding of the start: as that of sin(u) at the number next to π/2.

    Args:
        function: g and its derivatives.
        start: Initial values, shape (p,) or (p, n).
        names: The parameters, for the message.
    """
    with np.errstate(all="ignore"):
        gradient = function.gradient(start)
        steepest = np.max(np.abs(gradient), axis=0)
        rounding = np.zeros_like(gradient)
        for k, spacing in enumerate(np.spacing(np.abs(start))):
            neighbor = start.copy()
            neighbor[k] += spacing
            rounding += np.abs(function.gradient(neighbor) - gradient) / 2
        is_real = ~np.isnan(function.output(start)) & ~np.isnan(steepest)
    refuse_start(~is_real, start, names, "g or its gradient is no finite real number there")
    vanishes = (steepest == 0) | np.all(np.abs(gradient) <= rounding, axis=0)
    refuse_start(vanishes, start, names, "∇g vanishes there: a saddle that training never leaves")


def refuse_start(bad: np.ndarray, start: np.ndarray, names: Sequence[str], why: str) -> None:
    """Raise ``DomainError`` if any of the n coordinates is bad, for initial values of shape (p,) or (p, n)."""
    if np.any(bad):
        k = int(np.flatnonzero(bad)[0])
        values = start.reshape(len(start), -1)[:, k]
        got = ", ".join(f"{name}0 = {value:g}" for name, value in zip(names, values, strict=True))
        raise DomainError(f"init: {got} at coordinate {k} ({np.sum(bad)} such) cannot be used: {why}.")
