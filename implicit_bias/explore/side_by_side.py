"""One potential for several weights that have a potential each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from implicit_bias.potential import SeparablePotential


class SideBySide(SeparablePotential):
    """The sum of potentials of single weights.

    Args:
        singles: The potentials, one for each weight.
    """

    def __init__(self, singles: Sequence[SeparablePotential]) -> None:
        self._singles = tuple(singles)

    def _each(self, name: str, *arrays: np.ndarray) -> np.ndarray:
        split = [[array[..., k] for array in arrays] for k in range(self.size)]
        parts = [getattr(single, name)(*own) for single, own in zip(self._singles, split, strict=True)]
        return np.stack(parts, axis=-1)

    @property
    def size(self) -> int:
        return len(self._singles)

    @property
    def domain(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = zip(*(single.domain for single in self._singles), strict=True)
        return np.array(low, dtype=float), np.array(high, dtype=float)

    @property
    def dual_domain(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = zip(*(single.dual_domain for single in self._singles), strict=True)
        return np.array(low, dtype=float), np.array(high, dtype=float)

    @property
    def minimizer(self) -> np.ndarray:
        return np.array([float(np.squeeze(single.minimizer)) for single in self._singles])

    def terms_at(self, x: np.ndarray) -> np.ndarray:
        return self._each("terms_at", x)

    def gradient_at(self, x: np.ndarray) -> np.ndarray:
        return self._each("gradient_at", x)

    def inverse_gradient_at(self, z: np.ndarray) -> np.ndarray:
        return self._each("inverse_gradient_at", z)

    def metric_at(self, x: np.ndarray) -> np.ndarray:
        return self._each("metric_at", x)

    def divergence_terms_at(self, x: np.ndarray, reference: np.ndarray) -> np.ndarray:
        return self._each("divergence_terms_at", *np.broadcast_arrays(x, reference))
