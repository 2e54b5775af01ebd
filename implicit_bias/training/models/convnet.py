"""A small convolutional network."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from implicit_bias.errors import InputError


class ConvNet(nn.Module):
    """Two 3 × 3 convolutions of 16 and 32 channels, each followed by ReLU and 2 × 2 averages, and two linear layers.

    It has no batch normalization, so that a batch split over several devices gives what it gives on one.

    Args:
        shape: Channels, height and width of an image, at least 4 × 4.
        classes: The number of classes.

    Raises:
        InputError: If images are smaller than 4 × 4.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        if min(height, width) < 4:
            raise InputError(f"shape: expected images of at least 4 × 4 pixels, got {height} × {width}.")
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * (height // 4) * (width // 4), 64)
        self.fc2 = nn.Linear(64, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n, classes) of images (n, channels, height, width)."""
        # Averages, since the backward pass of max-pooling is not deterministic on a GPU.
        hidden = functional.avg_pool2d(torch.relu(self.conv1(images)), 2)
        hidden = functional.avg_pool2d(torch.relu(self.conv2(hidden)), 2)
        return self.fc2(torch.relu(self.fc1(hidden.flatten(1))))
