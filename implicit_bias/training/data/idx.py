"""MNIST and Fashion-MNIST from their IDX files, compressed or not, checked byte by byte."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from implicit_bias.errors import InputError
from implicit_bias.training.data.images import ImageData, Images

MANIFEST = "SHA256SUMS"
CLASSES = 10
_IMAGES, _LABELS = 0x803, 0x801  # bytes in three axes, and in one
_LARGEST = 2**28  # bytes of a file that a manifest vouches for


@dataclass(frozen=True)
class IdxLayout:
    """A data set in four IDX files.

    Attributes:
        name: The name of the data set.
        md5: The MD5 of each file without compression, by its name: training images and labels, test images and labels.
        usual_folder: Where a package of a distribution installs them, or None.
        advice: Where the files come from.
    """

    name: str
    md5: Mapping[str, str]
    usual_folder: Path | None
    advice: str


FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
MNIST = IdxLayout(
    name="mnist",
    md5=dict(
        zip(
            FILES,
            (
                "6bbc9ace898e44ae57da46a324031adb",
                "a25bea736e30d166cdddb491f175f624",
                "2646ac647ad5339dbf082846283269ea",
                "27ae3e4e09519cfbb04c329615203637",
            ),
            strict=True,
        )
    ),
    usual_folder=None,
    advice=f"put the four files {', '.join(FILES)}, with or without .gz, into the folder.",
)
FASHION_MNIST = IdxLayout(
    name="fashion-mnist",
    md5=dict(
        zip(
            FILES,
            (
                "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "9018921c3c673c538a1fc5bad174d6f9",
                "8181f5470baa50b63fa0f6fddb340f0a",
                "15d484375f8d13e6eb1aabb0c3f46965",
            ),
            strict=True,
        )
    ),
    usual_folder=Path("/usr/share/datasets/fashion-mnist"),
    advice="install Debian's package dataset-fashion-mnist, or put the four files of "
    "https://github.com/zalandoresearch/fashion-mnist (data/fashion) into a folder and name it.",
)


def whole_mnist(folder: str | Path) -> ImageData:
    """MNIST: 60,000 handwritten digits of 28 × 28 pixels to train on, 10,000 for tests.

    Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".

    Args:
        folder: Holds the four files ``train-images-idx3-ubyte``, …, with or without ``.gz``. Other files of the same
            format need a ``SHA256SUMS`` beside them, as ``sha256sum`` writes it, and may have any number of images.

    Raises:
        InputError: If a file is missing, damaged, or does not match its checksum.
    """
    return _load(MNIST, Path(folder))


def fashion_mnist(folder: str | Path | None = None) -> ImageData:
    """Fashion-MNIST: 60,000 images of clothes, 28 × 28 pixels, to train on, 10,000 for tests, 10 classes.

    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset", 2017.

    Args:
        folder: As for :func:`whole_mnist`; without it, the folder of Debian's package ``dataset-fashion-mnist``.

    Raises:
        InputError: If a file is missing, damaged, or does not match its checksum.
    """
    return _load(FASHION_MNIST, FASHION_MNIST.usual_folder if folder is None else Path(folder))


def _load(layout: IdxLayout, folder: Path | None) -> ImageData:
    if folder is None or not folder.is_dir():
        raise InputError(f"data folder: {folder} is no folder; {layout.advice}")
    contents = [_checked(layout, folder, name) for name in FILES]
    parts = [_images(folder / FILES[k], contents[k], folder / FILES[k + 1], contents[k + 1], layout) for k in (0, 2)]
    return ImageData(layout.name, *parts, classes=CLASSES)


def _checked(layout: IdxLayout, folder: Path, name: str) -> bytes:
    """The bytes of a file without compression, after comparing them with their checksum."""
    plain, packed = folder / name, folder / f"{name}.gz"
    path = plain if plain.is_file() else packed
    if not path.is_file():
        raise InputError(f"{plain}: is missing, with and without .gz; {layout.advice}")
    stored = path.read_bytes()
    manifest = folder / MANIFEST
    if manifest.is_file():
        lines = (line.split() for line in manifest.read_text("utf-8", errors="replace").splitlines())
        sums = {words[1].lstrip("*"): words[0].lower() for words in lines if len(words) == 2}
        if path.name not in sums:
            raise InputError(f"{manifest}: lists no {path.name}; write it anew by sha256sum *-ubyte* > {MANIFEST}.")
        if hashlib.sha256(stored).hexdigest() != sums[path.name]:
            raise InputError(
                f"{path}: {len(stored)} bytes that do not agree with {MANIFEST}, so it was truncated or changed; copy "
                "it again."
            )
    content = _unpacked(path, stored) if path == packed else stored
    if not manifest.is_file() and hashlib.md5(content, usedforsecurity=False).hexdigest() != layout.md5[name]:
        raise InputError(
            f"{path}: is not the official file, by the MD5 of its content; {layout.advice} If it is meant to be "
            f"another, write its checksum beside it: sha256sum *-ubyte* > {MANIFEST}."
        )
    return content


def _unpacked(path: Path, stored: bytes) -> bytes:
    try:
        with gzip.open(path) as file:
            content = file.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: cannot be unpacked ({error}), so it is truncated or damaged; copy it again."
        ) from None
    if len(content) > _LARGEST:
        raise InputError(
            f"{path}: {len(stored)} bytes unpack to more than {_LARGEST}, so it is no file of images; name another."
        )
    return content


def _images(images: Path, pixels: bytes, labels: Path, answers: bytes, layout: IdxLayout) -> Images:
    shape = _shape(images, pixels, _IMAGES, 3)
    (count,) = _shape(labels, answers, _LABELS, 1)
    if count != shape[0]:
        raise InputError(f"{labels}: {count} labels for {shape[0]} images; {layout.advice}")
    found = np.frombuffer(answers, np.uint8, offset=8)
    if found.max() >= CLASSES:
        k = int(np.argmax(found >= CLASSES))
        raise InputError(f"{labels}: label {k} is {found[k]}; expected 0 to {CLASSES - 1}; {layout.advice}")
    values = np.frombuffer(pixels, np.uint8, offset=16).reshape(shape[0], 1, *shape[1:])
    return Images(torch.from_numpy(values.copy()), torch.from_numpy(found.astype(np.int64)))


def _shape(path: Path, content: bytes, kind: int, axes: int) -> tuple[int, ...]:
    """The shape in the header of a file, which is a number for its kind and one for each axis."""
    header = np.frombuffer(content[: 4 * (axes + 1)], ">u4") if len(content) >= 4 * (axes + 1) else np.zeros(1, int)
    shape = tuple(map(int, header[1:]))
    size = len(content) - 4 * (axes + 1)
    if header[0] != kind or 0 in shape or int(np.prod(shape, dtype=object)) != size:
        raise InputError(
            f"{path}: expected an IDX file of bytes in {axes} axes, got {len(content)} bytes that begin with "
            f"{content[:4].hex() or 'nothing'}; copy it again."
        )
    return shape
