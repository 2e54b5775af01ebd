"""The numbers of the quick mode that the repository records, which other machines and later code must find again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from experiments.engine import Data
from experiments.engine.store import archive
from implicit_bias.files import write_whole

FOLDER = Path(__file__).parent
# Solvers that stop at relative tolerances around 1e-8 may do a step more or less where rounding differs.
RELATIVE_TOLERANCE = 1e-6
ROUNDING = 1e-9  # beside numbers of order one, anything this small, such as a residual, is rounding


def record(name: str, data: Data) -> None:
    """Make these the recorded numbers of an experiment."""
    write_whole(FOLDER / f"{name}.npz", archive(data))


def differences(name: str, data: Data, tolerances: Mapping[str, float]) -> list[str]:
    """A sentence for each array that differs from the recorded one.

    Args:
        name: The experiment.
        data: Its numbers.
        tolerances: How far an array may be off, absolutely, by its name; else 1e-9 and 1e-6 of its largest entry.
    """
    path = FOLDER / f"{name}.npz"
    if not path.exists():
        return [f"{name}: nothing is recorded; record it by python -m experiments {name} --quick --record."]
    with np.load(path, allow_pickle=False) as archive:
        expected = dict(archive)
    if expected.keys() != data.keys():
        return [f"{name}: expected the arrays {', '.join(expected)}, got {', '.join(data)}."]
    sentences = [_difference(expected[key], data[key], tolerances.get(key)) for key in expected]
    return [f"{name}, {key}: {text}" for key, text in zip(expected, sentences, strict=True) if text]


def _difference(expected: np.ndarray, found: np.ndarray, tolerance: float | None) -> str:
    if expected.shape != found.shape:
        return f"expected the shape {expected.shape}, got {found.shape}."
    if not (_is_real(expected) and _is_real(found)):
        same_kind = expected.dtype.kind == found.dtype.kind
        return "" if same_kind and np.array_equal(expected, found) else "the entries differ."
    expected, found = expected.astype(float), found.astype(float)
    same = (expected == found) | (np.isnan(expected) & np.isnan(found))
    if same.all():
        return ""
    if tolerance is None:
        largest = float(np.max(np.abs(expected[np.isfinite(expected)]), initial=0.0))
        tolerance = ROUNDING + RELATIVE_TOLERANCE * largest
    gap = float(np.max(np.abs(expected[~same] - found[~same])))
    return "" if gap <= tolerance else f"differs by {gap:.2g}, more than {tolerance:.2g}."


def _is_real(array: np.ndarray) -> bool:
    return array.dtype.kind in "fiub"
