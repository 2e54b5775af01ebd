"""Batches of a data set that lies on the device, normalized and shared among processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from implicit_bias.training.data.augmentation import Shifts
from implicit_bias.training.data.images import ImageData, Images
from implicit_bias.training.determinism import AUGMENTATION, ORDER, generator

IMAGES_PER_EVALUATION_BATCH = 1000


@dataclass(frozen=True, eq=False)
class Batch:
    """This process's share of a batch.

    Attributes:
        images: Normalized, shape (k, channels, height, width).
        labels: Shape (k,).
        counted: Whether it counts. Where a batch has fewer images than there are processes, some hold an image only to
            keep in step with the others.
        size: The number of images in the shares of all processes together.
    """

    images: torch.Tensor
    labels: torch.Tensor
    counted: bool
    size: int


class Batches:
    """The images of a data set on a device, in an order that seed and epoch determine.

    Args:
        data: The data set.
        device: Where to keep and augment it.
        dtype: Type of the normalized images.
        rank: The number of this process.
        processes: The number of processes that share every batch.
        memory_format: The order of the axes of images in memory.
    """

    def __init__(
        self,
        data: ImageData,
        device: torch.device,
        dtype: torch.dtype,
        rank: int = 0,
        processes: int = 1,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.data = data
        self.train = Images(data.train.pixels.to(device), data.train.labels.to(device))
        self.test = Images(data.test.pixels.to(device), data.test.labels.to(device))
        self.dtype, self.rank, self.processes, self._format = dtype, rank, processes, memory_format
        self._mean = data.mean()[:, None, None].to(device, dtype)
        self._factor = (1 / data.deviation())[:, None, None].to(device, dtype)

    def epoch(self, seed: int, epoch: int, size: int) -> Iterator[Batch]:
        """All training images once, in batches of ``size``; the last may be smaller."""
        n, device = len(self.train), self.train.labels.device
        order = torch.randperm(n, generator=generator(seed, epoch, ORDER)).to(device)
        shifts = Shifts.draw(n, generator(seed, epoch, AUGMENTATION), device) if self.data.augment else None
        for begin in range(0, n, size):
            end = min(begin + size, n)
            share, counted = self._share(begin, end)
            chosen = order[share]
            pixels = self.train.pixels[chosen]
            if shifts is not None:
                pixels = shifts.apply(pixels, share)
            yield Batch(self._normalized(pixels), self.train.labels[chosen], counted, end - begin)

    def evaluation(self) -> Iterator[Batch]:
        """This process's part of the test images."""
        for begin in range(0, len(self.test), IMAGES_PER_EVALUATION_BATCH):
            end = min(begin + IMAGES_PER_EVALUATION_BATCH, len(self.test))
            share, counted = self._share(begin, end)
            yield Batch(self._normalized(self.test.pixels[share]), self.test.labels[share], counted, end - begin)

    def _share(self, begin: int, end: int) -> tuple[slice, bool]:
        """This process's slice of images begin to end, and whether it counts; with too few images it does not."""
        first, last = (begin + (end - begin) * r // self.processes for r in (self.rank, self.rank + 1))
        return (slice(first, last), True) if first < last else (slice(begin, begin + 1), False)

    def _normalized(self, pixels: torch.Tensor) -> torch.Tensor:
        return (pixels.to(self.dtype) - self._mean).mul_(self._factor).contiguous(memory_format=self._format)
