"""A Euclidean norm that does not overflow or underflow."""

from __future__ import annotations

import numpy as np

from implicit_bias.validation import FloatArray


def norm(vector: FloatArray) -> float:
    """‖vector‖₂, even where its square would leave the floating-point range."""
    size = float(np.max(np.abs(vector), initial=0.0))
    return size * float(np.linalg.norm(vector / size)) if 0 < size < np.inf else size
