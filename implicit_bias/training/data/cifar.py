"""CIFAR-10 and CIFAR-100 from the files of their binary versions, checked byte by byte; nothing is unpickled."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from implicit_bias.errors import InputError
from implicit_bias.training.data.images import ImageData, Images

PIXELS = 3 * 32 * 32
MANIFEST = "SHA256SUMS"


@dataclass(frozen=True)
class Layout:
    """The binary version of a data set, in records of label bytes, the last of which counts, and 3,072 pixels.

    Attributes:
        name: The name of the data set.
        archive: The published file, at ``https://www.cs.toronto.edu/~kriz/``.
        archive_md5: Its published checksum.
        folder: The folder in the archive.
        train: The MD5 of each file of training records in the archive, by its name.
        test: The MD5 of each file of test records in the archive, by its name.
        classes: The number of classes.
        label_bytes: The number of bytes before the pixels of a record.
        records: The numbers of records in each training file and in the test file.
    """

    name: str
    archive: str
    archive_md5: str
    folder: str
    train: Mapping[str, str]
    test: Mapping[str, str]
    classes: int
    label_bytes: int
    records: tuple[int, int]

    @property
    def record_bytes(self) -> int:
        """The number of bytes of a record."""
        return self.label_bytes + PIXELS


CIFAR10 = Layout(
    name="cifar10",
    archive="cifar-10-binary.tar.gz",
    archive_md5="c32a1d4ab5d03f1284b67883e8d87530",
    folder="cifar-10-batches-bin",
    train={
        "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
        "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
        "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
        "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
        "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    },
    test={"test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d"},
    classes=10,
    label_bytes=1,
    records=(10_000, 10_000),
)
CIFAR100 = Layout(
    name="cifar100",
    archive="cifar-100-binary.tar.gz",
    archive_md5="03b5dce01913d631647c71ecec9e9cb8",
    folder="cifar-100-binary",
    train={"train.bin": "6172c7755cfe09b2fe270c85cebc1b15"},
    test={"test.bin": "4499cfba6c016c1be1438163640a0898"},
    classes=100,
    label_bytes=2,
    records=(50_000, 10_000),
)


def cifar10(folder: str | Path) -> ImageData:
    """CIFAR-10: 50,000 images of 32 × 32 in colour to train on, 10,000 for tests, 10 classes.

    A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Args:
        folder: Holds the binary version: the downloaded ``cifar-10-binary.tar.gz`` (preferred, as its checksum is the
            published one), or ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``, or these in
            ``cifar-10-batches-bin``. Other files of the same format need a ``SHA256SUMS`` beside them, as ``sha256sum``
            writes it, and may have any number of records.

    Raises:
        InputError: If a file is missing, truncated, or does not match its checksum.
    """
    return _load(CIFAR10, Path(folder))


def cifar100(folder: str | Path) -> ImageData:
    """CIFAR-100: like CIFAR-10, with 100 classes (the fine labels).

    Args:
        folder: Holds ``cifar-100-binary.tar.gz``, or ``train.bin`` and ``test.bin``, or these in ``cifar-100-binary``;
            otherwise as in :func:`cifar10`.

    Raises:
        InputError: If a file is missing, truncated, or does not match its checksum.
    """
    return _load(CIFAR100, Path(folder))


def _load(layout: Layout, folder: Path) -> ImageData:
    files = {**layout.train, **layout.test}
    if not folder.is_dir():
        raise InputError(f"data folder: {folder} is no folder; {_download(layout)}")
    archive, inner = folder / layout.archive, folder / layout.folder
    place = folder if any((folder / name).is_file() for name in files) else inner
    if (place / MANIFEST).is_file():
        contents = _listed(layout, place)
    elif archive.is_file():
        contents = _unpacked(layout, archive)
    else:
        contents = _official(layout, place, files)
    train, test = (_images(layout, [(name, contents[name]) for name in part]) for part in (layout.train, layout.test))
    return ImageData(layout.name, train, test, layout.classes, augment=True)


def _listed(layout: Layout, place: Path) -> dict[str, bytes]:
    """The files by name, checked by the checksums in the manifest beside them."""
    manifest = place / MANIFEST
    lines = (line.split() for line in manifest.read_text("utf-8", errors="replace").splitlines())
    sums = {words[1].lstrip("*"): words[0].lower() for words in lines if len(words) == 2}
    contents = {}
    for name in (*layout.train, *layout.test):
        if name not in sums:
            raise InputError(f"{manifest}: lists no {name}; write it anew by sha256sum *.bin > {MANIFEST}.")
        contents[name] = content = _read(layout, place / name)
        if hashlib.sha256(content).hexdigest() != sums[name]:
            raise InputError(
                f"{place / name}: {len(content)} bytes that do not agree with {MANIFEST}, so it was truncated or "
                "changed; copy it again."
            )
    return contents


def _unpacked(layout: Layout, archive: Path) -> dict[str, bytes]:
    """The files by name, out of the published archive."""
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != layout.archive_md5:
        raise InputError(
            f"{archive}: expected the MD5 {layout.archive_md5}, got {found} for {archive.stat().st_size} bytes, so the "
            "download is truncated or another file; download it again."
        )
    with tarfile.open(archive) as tar:
        members = {name: tar.extractfile(f"{layout.folder}/{name}") for name in (*layout.train, *layout.test)}
        return {name: member.read() for name, member in members.items() if member is not None}


def _official(layout: Layout, place: Path, files: Mapping[str, str]) -> dict[str, bytes]:
    """The files by name, which have to be the official ones."""
    contents = {}
    for name, checksum in files.items():
        contents[name] = content = _read(layout, place / name)
        expected = layout.records[name in layout.test] * layout.record_bytes
        if len(content) != expected:
            raise InputError(
                f"{place / name}: expected {expected} bytes, got {len(content)}, so it is truncated or another file; "
                f"{_download(layout)}"
            )
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != checksum:
            raise InputError(
                f"{place / name}: is not the official file, by its MD5; {_download(layout)} If it is meant to be "
                f"another, write its checksum beside it: sha256sum *.bin > {MANIFEST}."
            )
    return contents


def _read(layout: Layout, path: Path) -> bytes:
    if not path.is_file():
        raise InputError(f"{path}: is missing; {_download(layout)}")
    return path.read_bytes()


def _images(layout: Layout, files: list[tuple[str, bytes]]) -> Images:
    """The images of all records of several files."""
    parts = []
    for name, content in files:
        rest = len(content) % layout.record_bytes
        if rest or not content:
            raise InputError(
                f"{name}: {len(content)} bytes are no whole number of records of {layout.record_bytes} bytes; "
                f"{_download(layout)}"
            )
        records = np.frombuffer(content, np.uint8).reshape(-1, layout.record_bytes)
        labels = records[:, layout.label_bytes - 1]
        if labels.max() >= layout.classes:
            raise InputError(
                f"{name}: record {int(np.argmax(labels >= layout.classes))} has the label {labels.max()}; expected 0 "
                f"to {layout.classes - 1}, so it is another format; {_download(layout)}"
            )
        parts.append(records)
    records = np.concatenate(parts)
    return Images(
        torch.from_numpy(np.ascontiguousarray(records[:, layout.label_bytes :]).reshape(-1, 3, 32, 32)),
        torch.from_numpy(records[:, layout.label_bytes - 1].astype(np.int64)),
    )


def _download(layout: Layout) -> str:
    return f"put https://www.cs.toronto.edu/~kriz/{layout.archive} (the binary version) into the folder."
