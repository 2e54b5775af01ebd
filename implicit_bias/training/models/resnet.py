"""Residual networks for images of CIFAR's size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3 × 3 convolutions with batch normalization, and a shortcut around both.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        stride: The stride of the first convolution.
        projection: Whether the shortcut, where shapes differ, is a 1 × 1 convolution with normalization (option B of
            the source). Otherwise it takes every ``stride``-th pixel and adds channels of zeros (option A), without
            parameters.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, projection: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs
        self.projection: nn.Module | None = None
        if projection and (stride > 1 or self.added):
            self.projection = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of shape (n, outputs, ⌈height / stride⌉, ⌈width / stride⌉)."""
        hidden = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(hidden)) + self._shortcut(x))

    def _shortcut(self, x: torch.Tensor) -> torch.Tensor:
        if self.projection is not None:
            return self.projection(x)
        if self.stride > 1 or self.added:
            before = self.added // 2
            x = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.added - before))
        return x


class ResNet(nn.Module):
    """K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, for small images.

    A 3 × 3 convolution, stages of :class:`Block` of which all but the first halve the image, the mean over pixels,
    and a linear layer.

    Args:
        shape: Channels, height and width of an image.
        classes: The number of classes.
        widths: Channels of each stage.
        blocks: Blocks in each stage.
        projection: The kind of shortcut; see :class:`Block`.
    """

    def __init__(
        self, shape: tuple[int, int, int], classes: int, widths: Sequence[int], blocks: int, projection: bool
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(shape[0], widths[0], 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        layers, inputs = [], widths[0]
        for stage, outputs in enumerate(widths):
            for block in range(blocks):
                layers.append(Block(inputs, outputs, 2 if stage and not block else 1, projection))
                inputs = outputs
        self.blocks = nn.Sequential(*layers)
        self.fc = nn.Linear(inputs, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of shape (n, classes) of images (n, channels, height, width)."""
        hidden = self.blocks(torch.relu(self.norm(self.conv(images))))
        return self.fc(hidden.mean(dim=(2, 3)))


def resnet20(shape: tuple[int, int, int], classes: int) -> ResNet:
    """The network of 20 layers for CIFAR-10: 3 blocks each of 16, 32 and 64 channels, shortcuts without parameters."""
    return ResNet(shape, classes, widths=(16, 32, 64), blocks=3, projection=False)


def resnet18(shape: tuple[int, int, int], classes: int) -> ResNet:
    """The network of 18 layers for small images: 2 blocks each of 64, 128, 256 and 512 channels, with projections."""
    return ResNet(shape, classes, widths=(64, 128, 256, 512), blocks=2, projection=True)
