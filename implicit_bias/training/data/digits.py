"""The small digits that scikit-learn ships."""

from __future__ import annotations

import torch

from implicit_bias.errors import require
from implicit_bias.training.data.images import ImageData, every_fifth


def digits() -> ImageData:
    """Handwritten digits, 8 × 8 of 17 grey levels: 1,442 to train on and 355 for tests by a fixed split.

    E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning Repository, 1998.
    """
    require("train", "sklearn")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    train, test = every_fifth(
        torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1), torch.from_numpy(bunch.target).to(torch.int64)
    )
    return ImageData("digits", train, test, classes=10)
