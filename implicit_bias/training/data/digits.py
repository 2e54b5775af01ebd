"""The small digits that scikit-learn ships."""

from __future__ import annotations

import numpy as np
import torch

from implicit_bias.errors import require
from implicit_bias.training.data.images import ImageData, every_fifth


def digits() -> ImageData:
    """Handwritten digits, 8 × 8 pixels of 17 grey levels: 1,442 to train on and 355 for tests by a fixed split.

    E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning Repository, 1998.
    """
    require("train", "sklearn")
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    train, test = every_fifth(
        torch.from_numpy(np.asarray(pixels).astype(np.uint8).reshape(-1, 1, 8, 8)),
        torch.from_numpy(np.asarray(labels).astype(np.int64)),
    )
    return ImageData("digits", train, test, classes=10)
