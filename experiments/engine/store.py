r"""Results of tasks in a folder, each stored once, under the key of its task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from implicit_bias.errors import InputError
from implicit_bias.files import remove_unfinished, write_whole

Data = dict[str, np.ndarray]


class StoreError(OSError):
    """A result cannot be written."""


def archive(data: Mapping[str, np.ndarray]) -> bytes:
    """Named arrays as the content of an npz file.

    Raises:
        InputError: If one holds Python objects, which would need pickling.
    """
    objects = [name for name, array in data.items() if np.asanyarray(array).dtype.hasobject]
    if objects:  # NumPy's own check, allow_pickle, came after the oldest release that this project takes
        raise InputError(f"{objects[0]}: object arrays cannot be stored.")
    content = BytesIO()
    arrays: dict[str, Any] = dict(data)  # arrays alone would be no value for savez's own keywords
    np.savez_compressed(content, **arrays)
    return content.getvalue()


@dataclass(frozen=True, eq=False)
class Result:
    """The result of a task.

    Attributes:
        data: Named arrays.
        seconds: How long it took.
    """

    data: Data
    seconds: float

    def packed(self) -> bytes:
        """The result as an npz archive, which numbers the arrays so that they may have any names.

        Raises:
            InputError: If it is anything but named arrays that need no pickling.
        """
        if not isinstance(self.data, dict) or not all(isinstance(name, str) for name in self.data):
            raise InputError(f"result of a task: expected arrays by name, got {self.data!r:.100}.")
        about = json.dumps({"names": list(self.data), "seconds": self.seconds})
        return archive({f"arr_{k}": array for k, array in enumerate(self.data.values())} | {"about": np.array(about)})

    @classmethod
    def unpacked(cls, content: bytes) -> Result:
        """The result from its archive; this never unpickles anything."""
        with np.load(BytesIO(content), allow_pickle=False) as archive:
            about = json.loads(archive["about"].item())
            data = {name: archive[f"arr_{k}"] for k, name in enumerate(about["names"])}
        return cls(data, about["seconds"])


@dataclass(frozen=True)
class Store:
    """A folder of results, ``KEY.npz``, made when it is first needed.

    Behind its archive a file ends with a SHA-256 digest of that and of its key, so it is what was written under this
    name or it counts as missing. Files appear at once, complete.

    Attributes:
        folder: Where the files are; several programs may use it at the same time.
    """

    folder: Path

    def load(self, key: str) -> Result | None:
        """The result stored under a key, if there is an undamaged one."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        packed, checksum = content[:-32], content[-32:]
        if _checksum(key, packed) != checksum:
            return None
        try:
            return Result.unpacked(packed)
        except Exception:  # this engine did not write it
            return None

    def save(self, key: str, packed: bytes) -> Result:
        """Store a packed result in place of any other under its key, and give it as it will be loaded.

        Raises:
            StoreError: If the folder is full or cannot be written to.
        """
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, packed + _checksum(key, packed))
        except OSError as error:
            raise StoreError(f"results cannot be stored in {self.folder} ({error.strerror}).") from error
        return Result.unpacked(packed)

    def remove_unfinished(self) -> None:
        """Remove what killed programs left, under keys that may never be asked for again."""
        for folder in self.folder.glob("??"):
            remove_unfinished(folder)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"


def _checksum(key: str, packed: bytes) -> bytes:
    return hashlib.sha256(key.encode() + packed).digest()
