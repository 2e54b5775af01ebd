"""Labelled images in memory, the form of every data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from implicit_bias.errors import InputError, known_options
from implicit_bias.validation import positive_number, seed_number, whole_number


@known_options
@dataclass(frozen=True, eq=False)
class Images:
    """Images with labels.

    Attributes:
        pixels: Shape (n, channels, height, width): bytes as in the files, or floating-point numbers.
        labels: Shape (n,), int64, counted from 0.

    Raises:
        InputError: If a shape or a type does not fit, there are no images, or pixels are nan or inf.
    """

    pixels: torch.Tensor
    labels: torch.Tensor

    def __post_init__(self) -> None:
        pixels, labels = self.pixels, self.labels
        for name, value in (("pixels", pixels), ("labels", labels)):
            if not isinstance(value, torch.Tensor):
                raise InputError(f"{name}: expected a torch.Tensor, got {type(value).__name__}.")
        if pixels.ndim != 4 or 0 in pixels.shape:
            raise InputError(f"pixels: expected shape (n, channels, height, width), got {tuple(pixels.shape)}.")
        if labels.dtype != torch.int64 or labels.shape != pixels.shape[:1]:
            raise InputError(
                f"labels: expected {len(pixels)} of int64, got shape {tuple(labels.shape)} of {labels.dtype}."
            )
        if pixels.dtype != torch.uint8 and not pixels.is_floating_point():
            raise InputError(f"pixels: expected bytes (uint8) or floating-point numbers, got {pixels.dtype}.")
        if pixels.is_floating_point():
            bad = torch.nonzero(~torch.isfinite(pixels).flatten(1).all(1)).flatten()
            if len(bad):
                raise InputError(
                    f"pixels: {len(bad)} of {len(pixels)} images hold nan or inf, the first is image {int(bad[0])}; "
                    "remove or repair them first."
                )

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.pixels.shape[1:]))
        return f"Images(n={len(self)}, {shape}, {str(self.pixels.dtype).removeprefix('torch.')})"

    def take(self, indices: torch.Tensor) -> Images:
        """The images with the given indices, in that order."""
        return Images(self.pixels[indices], self.labels[indices])


@known_options
@dataclass(frozen=True, eq=False)
class ImageData:
    """A data set: images to train on, and images to test on.

    Pixels stay as they came; training normalizes them batch by batch, by the :meth:`mean` and the :meth:`deviation` of
    the training images.

    Attributes:
        name: Its name in reports and checkpoints.
        train: Images to train on.
        test: Images to test on.
        classes: The number of classes.
        augment: Whether training shifts images by up to four pixels and mirrors them, as is usual for CIFAR.

    Raises:
        InputError: If training and test images differ in shape or type, or a label is not below ``classes``.
    """

    name: str
    train: Images
    test: Images
    classes: int
    augment: bool = False

    def __repr__(self) -> str:
        return f"ImageData({self.name!r}, train={self.train}, test={self.test}, classes={self.classes})"

    def __post_init__(self) -> None:
        for part, images in (("train", self.train), ("test", self.test)):
            if not isinstance(images, Images):
                raise InputError(f"{part}: expected training.Images, got {type(images).__name__}.")
        one, other = self.train.pixels, self.test.pixels
        if one.shape[1:] != other.shape[1:] or one.dtype != other.dtype:
            raise InputError(
                f"test: expected images of shape {tuple(one.shape[1:])} of {one.dtype} as in train, "
                f"got {tuple(other.shape[1:])} of {other.dtype}."
            )
        for part, images in (("train", self.train), ("test", self.test)):
            low, high = (int(bound) for bound in torch.aminmax(images.labels))
            if low < 0 or high >= whole_number(self.classes, "classes"):
                raise InputError(f"{part}: labels run from {low} to {high}; expected 0 to {self.classes - 1}.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.train.pixels.shape[1:]
        return channels, height, width

    def mean(self) -> torch.Tensor:
        """The mean of the training pixels in each channel, float64 of shape (channels,)."""
        return self._moments[0]

    def deviation(self) -> torch.Tensor:
        """The standard deviation of the training pixels in each channel, or 1 where all are equal; as :meth:`mean`."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[torch.Tensor, torch.Tensor]:
        mean, deviation = [], []
        for channel in self.train.pixels.unbind(1):
            if channel.dtype == torch.uint8:
                # Counts of the 256 values are exact, so the moments do not depend on an order of summation.
                counts = torch.from_numpy(np.bincount(channel.flatten().cpu().numpy(), minlength=256)).double()
                values = torch.arange(256, dtype=torch.float64)
            else:
                values = channel.flatten().double().cpu()
                counts = torch.ones_like(values)
            center = (counts * values).sum() / counts.sum()
            spread = ((counts * (values - center) ** 2).sum() / counts.sum()).sqrt()
            mean.append(center)
            deviation.append(torch.where(spread > 0, spread, 1.0))
        return torch.stack(mean), torch.stack(deviation)

    def untested(self) -> ImageData:
        """The data with a single test image, for a training whose tests nobody reads: they take time in every epoch."""
        return replace(self, test=self.test.take(torch.arange(1)))

    def split(self, fraction: float, seed: int = 0) -> ImageData:
        """Hold out a part of the training images of every class, in place of the test images.

        Settings that are tuned on the result have not seen the test images.

        Args:
            fraction: The part to hold out, in (0, 1), rounded to a whole number of images in each class.
            seed: The seed of the choice.

        Raises:
            InputError: If the fraction leaves one of the parts empty.

        >>> pixels, labels = torch.arange(10.0).reshape(10, 1, 1, 1), torch.tensor([0, 1] * 5)
        >>> data = ImageData("numbers", Images(pixels, labels), Images(pixels, labels), classes=2)
        >>> held_out = data.split(0.2).test
        >>> sorted(held_out.labels.tolist())
        [0, 1]
        """
        share = positive_number(fraction, "fraction")
        random = np.random.default_rng(seed_number(seed))
        labels = self.train.labels.cpu().numpy()
        held_out = np.zeros(len(labels), bool)
        for label in range(self.classes):
            members = np.flatnonzero(labels == label)
            held_out[random.permutation(members)[: round(share * len(members))]] = True
        if held_out.all() or not held_out.any():
            raise InputError(f"fraction: {fraction} of {len(labels)} training images leaves a part empty; change it.")
        kept, validation = (torch.from_numpy(np.flatnonzero(part)) for part in (~held_out, held_out))
        return replace(
            self, name=f"{self.name} (validation)", train=self.train.take(kept), test=self.train.take(validation)
        )

    def digest(self) -> str:
        """SHA-256 of all pixels and labels, by which a checkpoint recognizes its data."""
        total = hashlib.sha256()
        for images in (self.train, self.test):
            for tensor in (images.pixels, images.labels):
                total.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
                total.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return total.hexdigest()


def check_data(data: ImageData) -> None:
    """Raise ``InputError`` for what is no data set."""
    if not isinstance(data, ImageData):
        raise InputError(f"data: expected an ImageData, such as training.load('digits'), got {type(data).__name__}.")


def every_fifth(pixels: torch.Tensor, labels: torch.Tensor) -> tuple[Images, Images]:
    """Training and test images by a fixed rule: of each class, in the file's order, every fifth is a test image."""
    rank = torch.zeros_like(labels)
    for label in labels.unique():
        members = labels == label
        rank[members] = torch.arange(int(members.sum()))
    images, is_test = Images(pixels, labels), rank % 5 == 4
    return images.take(torch.nonzero(~is_test).flatten()), images.take(torch.nonzero(is_test).flatten())
