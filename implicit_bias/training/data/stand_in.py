"""Generated files in the format of CIFAR's binary versions, for tests and first trials."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from implicit_bias.errors import InputError, known_options
from implicit_bias.files import write_whole
from implicit_bias.training.data.cifar import CIFAR10, CIFAR100, MANIFEST, Layout
from implicit_bias.validation import seed_number, whole_number


@known_options
def write_stand_in(folder: str | Path, name: str = "cifar10", records: int = 200, seed: int = 0) -> Path:
    """Write files that :func:`~implicit_bias.training.data.load` reads as CIFAR, with classes that can be learned.

    Every class has one smooth pattern of colours; an image is the pattern of its class, moved a little, with noise.

    Args:
        folder: The folder to write to; it is made if it is missing.
        name: ``"cifar10"`` or ``"cifar100"``.
        records: The number of records in each file, at least one.
        seed: Equal seeds give equal bytes, with the same release of NumPy.

    Returns:
        The folder.

    Raises:
        InputError: If the name is another one, there are no records, or the folder holds other files of these names.
    """
    layouts = {layout.name: layout for layout in (CIFAR10, CIFAR100)}
    if name not in layouts:
        raise InputError(f"name: expected {' or '.join(layouts)}, got {name!r}.")
    if whole_number(records, "records") < 1:
        raise InputError(f"records: expected at least 1, got {records}.")
    layout, folder = layouts[name], Path(folder)
    files = (*layout.train, *layout.test)
    present = [file for file in (*files, layout.archive, layout.folder) if (folder / file).exists()]
    if present and not (folder / MANIFEST).is_file():
        raise InputError(f"folder: {folder} holds {present[0]}, which was not generated; name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed_number(seed))
    patterns = random.standard_normal((layout.classes, 3, 4, 4)).repeat(8, axis=2).repeat(8, axis=3)
    sums = []
    for file in files:
        content = _records(layout, patterns, records, random)
        write_whole(folder / file, content)
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {file}\n")
    write_whole(folder / MANIFEST, "".join(sums))
    return folder


def _records(layout: Layout, patterns: np.ndarray, records: int, random: np.random.Generator) -> bytes:
    labels = random.permutation(np.arange(records) % layout.classes)
    pixels = np.empty((records, 3, 32, 32))
    for k, label in enumerate(labels):
        pixels[k] = np.roll(patterns[label], random.integers(-3, 4, 2), axis=(1, 2))
    pixels = 128 + 40 * pixels + 25 * random.standard_normal(pixels.shape)
    heads = np.zeros((records, layout.label_bytes), np.uint8)
    heads[:, -1] = labels
    if layout.label_bytes == 2:
        heads[:, 0] = labels // 5  # coarse labels: 20 groups of 5
    return np.hstack([heads, pixels.clip(0, 255).astype(np.uint8).reshape(records, -1)]).tobytes()
