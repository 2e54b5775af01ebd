"""The proved answer of a system, and the file that keeps such answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

DIGITS = 31  # proved digits of x*, relative to ‖x*‖
_KINDS = ("feasible", "infeasible", "outside")


@dataclass(frozen=True, eq=False)
class Truth:
    """The proved answer of a system.

    Attributes:
        kind: "feasible", "infeasible" (y outside the range of Z) or "outside" (no x in the potential's domain).
        condition: Largest over smallest non-zero singular value of the scaled rows: each row of Z times the power of
            two that brings its largest entry to [½, 1).
        distance: The smallest ‖Δy‖₂/‖y‖₂ (both scaled as the rows) with y + Δy in the range of Z; inf if a zero row
            has y ≠ 0, as such a row has no scale.
        high, low, exponent: x* = (high + low)·2^exponent, shape (n,) each; empty unless feasible.
    """

    kind: str
    condition: float
    distance: float = 0.0
    high: np.ndarray = field(default_factory=lambda: np.zeros(0))
    low: np.ndarray = field(default_factory=lambda: np.zeros(0))
    exponent: int = 0


def load(file: Path) -> dict[int, Truth]:
    """Truths by the digest of their system."""
    with np.load(file) as stored:
        values = {name: stored[name] for name in stored.files}
    ends = np.cumsum(values["size"])
    return {
        int(values["digest"][k]): Truth(
            _KINDS[values["kind"][k]],
            float(values["condition"][k]),
            float(values["distance"][k]),
            values["high"][ends[k] - values["size"][k] : ends[k]],
            values["low"][ends[k] - values["size"][k] : ends[k]],
            int(values["exponent"][k]),
        )
        for k in range(len(ends))
    }


def save(file: Path, truths: dict[int, Truth]) -> None:
    """Write truths by the digest of their system."""
    kept = list(truths.values())
    np.savez_compressed(
        file,
        allow_pickle=False,
        digest=np.array(list(truths), dtype=np.int64),
        kind=np.array([_KINDS.index(t.kind) for t in kept], dtype=np.uint8),
        condition=np.array([t.condition for t in kept]),
        distance=np.array([t.distance for t in kept]),
        exponent=np.array([t.exponent for t in kept]),
        size=np.array([len(t.high) for t in kept]),
        high=np.concatenate([t.high for t in kept]),
        low=np.concatenate([t.low for t in kept]),
    )
