"""Families of potentials: functions of the decay of a run from one start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import UnsupportedError
from implicit_bias.potential.base import Potential
from implicit_bias.potential.hyperbolic_entropy import HyperbolicEntropy

Family = Callable[[float], Potential]  # of one start: the potential as a function of the decay A


class Families(Protocol):
    """The potentials of all runs of a trajectory."""

    def __call__(self, run: int | None = None) -> Family:
        """The family of a run, from its start; None where a trajectory has no axis of runs."""
        ...


@runtime_checkable
class ReversibleFamilies(Families, Protocol):
    """The same for trajectories of parameters, which flows backwards lead from any point to a start."""

    def started(self, init: Mapping[str, np.ndarray]) -> Family:
        """The family of another start of one run."""
        ...

    def pulled_back(
        self, parameters: Mapping[str, np.ndarray], accumulated_gradient: np.ndarray, decay: float
    ) -> dict[str, np.ndarray]:
        """The start of one run from which flows of −L in ∇g and of the decay A lead to some parameters."""
        ...


@dataclass(frozen=True, eq=False)
class MaskFamily:
    r"""The potentials of x = m ⊙ w with h = m² + w², written down rather than derived.

    :math:`R_A` is the hyperbolic entropy with :math:`a = \tfrac12(m_0^2 - w_0^2)e^{-4A}` and
    :math:`b = \log\frac{m_0 + w_0}{m_0 - w_0}`. Records of training use it, so that they need not wait for SymPy.

    Attributes:
        m: m_0, shape (n,).
        w: w_0 with |w_0| < m_0, shape (n,).
    """

    m: np.ndarray
    w: np.ndarray

    def __call__(self, decay: ArrayLike) -> HyperbolicEntropy:
        """The potential at a decay A, a number or one for each weight."""
        # A product of m − w and m + w may underflow.
        low, high = np.log(self.m - self.w), np.log(self.m + self.w)
        return HyperbolicEntropy(log_scale=low + high - np.log(2) - 4 * np.asarray(decay), shift=high - low)


@dataclass(frozen=True, eq=False)
class NoFamily:
    """Stands for the family of a run that has none.

    Attributes:
        reason: Why it has none, in one sentence.
    """

    reason: str

    def __call__(self, run: int | None = None) -> Family:
        """Raise ``UnsupportedError``."""
        raise UnsupportedError(self.reason)

    def started(self, init: Mapping[str, np.ndarray]) -> Family:
        """Raise ``UnsupportedError``."""
        raise UnsupportedError(self.reason)

    def pulled_back(
        self, parameters: Mapping[str, np.ndarray], accumulated_gradient: np.ndarray, decay: float
    ) -> dict[str, np.ndarray]:
        """Raise ``UnsupportedError``."""
        raise UnsupportedError(self.reason)
