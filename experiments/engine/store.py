r"""Results of tasks in a folder: each stored once, under a key that says what it is the result of."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

Data = dict[str, np.ndarray]
_SECONDS, _PREFIX = "seconds", "data."  # a prefix keeps names of arrays apart from it and from arguments of savez


@dataclass(frozen=True, eq=False)
class Result:
    """What a task computed.

    Attributes:
        data: Named arrays.
        seconds: How long it took.
    """

    data: Data
    seconds: float


@dataclass(frozen=True)
class Store:
    """A folder of results, ``KEY-CHECKSUM.npz``, made when it is first needed.

    The name of a file holds the SHA-256 digest of its bytes, so a file is what was written or it is not read: one that
    is damaged or cut short counts as missing and is removed. Files appear at once, complete (written elsewhere,
    flushed, renamed). Nothing in them is ever unpickled.

    Attributes:
        folder: Where the files are; several programs may use it at the same time.
    """

    folder: Path

    def load(self, key: str) -> Result | None:
        """The result stored under a key, if there is an undamaged one."""
        for path in sorted(self._shelf(key).glob(f"{key}-*.npz")):
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == path.stem.removeprefix(f"{key}-"):
                with np.load(BytesIO(content), allow_pickle=False) as archive:
                    data = {name.removeprefix(_PREFIX): archive[name] for name in archive.files if name != _SECONDS}
                    return Result(data, float(archive[_SECONDS]))
            path.unlink(missing_ok=True)
        return None

    def save(self, key: str, result: Result) -> None:
        """Store a result.

        Raises:
            ValueError: If it is not made of named arrays that can be stored without pickling.
        """
        buffer = BytesIO()
        arrays = {f"{_PREFIX}{name}": array for name, array in result.data.items()}
        np.savez_compressed(buffer, allow_pickle=False, **arrays, **{_SECONDS: np.array(result.seconds)})
        content = buffer.getvalue()
        shelf = self._shelf(key)
        shelf.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=shelf, suffix=".partial", delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(shelf / f"{key}-{hashlib.sha256(content).hexdigest()}.npz")

    def _shelf(self, key: str) -> Path:
        return self.folder / key[:2]
