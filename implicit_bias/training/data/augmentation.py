"""Random shifts and reflections of images, on the device that holds them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

PIXELS_OF_PADDING = 4


@dataclass(frozen=True, eq=False)
class Shifts:
    """For each of n images, where its crop begins after padding, and whether to mirror it.

    Attributes:
        corner: The first row and column of the crop, 0 to 8, shape (n, 2).
        mirrored: Booleans, shape (n,).
    """

    corner: torch.Tensor
    mirrored: torch.Tensor

    @classmethod
    def draw(cls, n: int, generator: torch.Generator, device: torch.device) -> Shifts:
        """Draw for n images."""
        corner = torch.randint(2 * PIXELS_OF_PADDING + 1, (n, 2), generator=generator)
        mirrored = torch.rand(n, generator=generator) < 0.5
        return cls(corner.to(device), mirrored.to(device))

    def apply(self, pixels: torch.Tensor, chosen: torch.Tensor | slice) -> torch.Tensor:
        """Shift and mirror a batch (k, channels, height, width) by the k rows ``chosen`` of the draws.

        Pixels from outside of an image are 0, which is black before normalization.
        """
        corner, mirrored = self.corner[chosen], self.mirrored[chosen]
        k, _, height, width = pixels.shape
        padded = functional.pad(pixels, (PIXELS_OF_PADDING,) * 4).permute(0, 2, 3, 1)
        steps = torch.arange(width, device=pixels.device)
        columns = torch.where(mirrored[:, None], steps.flip(0), steps) + corner[:, 1:]
        rows = torch.arange(height, device=pixels.device) + corner[:, :1]
        batch = torch.arange(k, device=pixels.device)[:, None, None]
        return padded[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
