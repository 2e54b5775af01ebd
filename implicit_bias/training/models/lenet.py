"""LeNet-300-100."""

from __future__ import annotations

import torch
from torch import nn


class LeNet(nn.Module):
    """Fully connected layers of 300, 100 and as many units as classes, with ReLU between them.

    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998.

    Args:
        shape: Channels, height and width of an image.
        classes: The number of classes.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.fc1 = nn.Linear(channels * height * width, 300)
        self.fc2 = nn.Linear(300, 100)
        self.fc3 = nn.Linear(100, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n, classes) of images (n, channels, height, width)."""
        hidden = torch.relu(self.fc1(images.flatten(1)))
        return self.fc3(torch.relu(self.fc2(hidden)))
