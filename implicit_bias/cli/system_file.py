"""Z and y from a file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from implicit_bias.errors import InputError


def read_system(path: Path) -> Mapping[str, np.ndarray]:
    """Arrays by name, ``Z`` and ``y`` among them.

    Args:
        path: An .npz archive, all arrays of which are returned, or a .csv file with a row for each equation. There y
            is the column of that name or, without a header, the last column.

    Raises:
        OSError: If the file cannot be read.
        InputError: If it does not hold these arrays, or holds anything but numbers; nothing is ever unpickled.
    """
    readers = {".npz": _from_npz, ".csv": _from_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: expected a file called .npz or .csv.")
    return reader(path)


def _from_npz(path: Path) -> Mapping[str, np.ndarray]:
    with path.open("rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise InputError("this is a single array, as np.save writes it")
            arrays = {name: archive[name] for name in archive.files}
        except Exception as error:  # a damaged archive raises a dozen kinds, MemoryError among them
            reason = str(error) or type(error).__name__
            raise InputError(
                f"{path}: expected an archive of plain arrays, as np.savez writes it ({reason})."
            ) from None
    missing = [name for name in ("Z", "y") if name not in arrays]
    if missing:
        raise InputError(
            f"{path}: has no array {' and no array '.join(missing)}; it has {', '.join(arrays) or 'none'}."
        )
    return arrays


def _from_csv(path: Path) -> Mapping[str, np.ndarray]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected text with numbers separated by commas ({error}).") from None
    target = -1
    if table and not any(map(_is_number, table[0])):
        header = [cell.strip() for cell in table.pop(0)]
        if header.count("y") != 1:
            raise InputError(f"{path}: expected a header with one column called y, got {', '.join(header)}.")
        if "" in header:
            raise InputError(
                f"{path}: column {header.index('') + 1} has no name; name it, or leave it out if it holds row numbers."
            )
        target = header.index("y")
    if not table:
        raise InputError(f"{path}: expected a row of numbers for each equation, got none.")
    for k, row in enumerate(table, start=1):
        if len(row) != len(table[0]):
            raise InputError(f"{path}: expected {len(table[0])} numbers in every row, got {len(row)} in row {k}.")
        wrong = [cell for cell in row if not _is_number(cell)]
        if wrong:
            raise InputError(f"{path}: expected numbers, got {wrong[0]!r} in row {k}.")
    numbers = np.array([[float(cell) for cell in row] for row in table])
    return {"Z": np.delete(numbers, target, axis=1), "y": numbers[:, target]}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
