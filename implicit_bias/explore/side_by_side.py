"""Weights that have a potential each, as one potential."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from implicit_bias.potential import Potential


class SideBySide(Potential):
    """The sum of potentials of single weights.

    Args:
        singles: The potentials, one for each weight.
    """

    def __init__(self, singles: Sequence[Potential]) -> None:
        self._singles = tuple(singles)

    def _each(self, name: str, *arrays: np.ndarray) -> np.ndarray:
        split = [[array[..., k] for array in arrays] for k in range(self.size)]
        parts = [getattr(single, name)(*own) for single, own in zip(self._singles, split, strict=True)]
        return np.stack(parts, axis=-1)

    @property
    def size(self) -> int:  # noqa: D102
        return len(self._singles)

    @property
    def domain(self) -> tuple[np.ndarray, np.ndarray]:  # noqa: D102
        low, high = zip(*(single.domain for single in self._singles), strict=True)
        return np.array(low, dtype=float), np.array(high, dtype=float)

    @property
    def dual_domain(self) -> tuple[np.ndarray, np.ndarray]:  # noqa: D102
        low, high = zip(*(single.dual_domain for single in self._singles), strict=True)
        return np.array(low, dtype=float), np.array(high, dtype=float)

    @property
    def minimizer(self) -> np.ndarray:  # noqa: D102
        return np.array([float(np.squeeze(single.minimizer)) for single in self._singles])

    def _terms(self, x: np.ndarray) -> np.ndarray:
        return self._each("_terms", x)

    def _gradient(self, x: np.ndarray) -> np.ndarray:
        return self._each("_gradient", x)

    def _inverse_gradient(self, z: np.ndarray) -> np.ndarray:
        return self._each("_inverse_gradient", z)

    def _metric(self, x: np.ndarray) -> np.ndarray:
        return self._each("_metric", x)

    def _divergence_terms(self, x: np.ndarray, reference: np.ndarray) -> np.ndarray:
        return self._each("_divergence_terms", *np.broadcast_arrays(x, reference))
