"""An experiment computes and saves numbers first, and then draws and judges what it saved."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.engine import Data, Store, Sweep
from experiments.engine.code_version import code_version, package_versions
from experiments.engine.store import Result, archive
from implicit_bias import Claim, plotting
from implicit_bias.files import held, write_whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


@dataclass(frozen=True)
class Experiment(Generic[Settings]):
    """A figure and the numbers behind it.

    Attributes:
        name: Its name on the command line and its folder under ``figures/``.
        title: One sentence for people.
        caption: What the picture shows.
        expectation: What the theory or the literature says that one should see, and who says it.
        configuration: The settings by mode, each a frozen dataclass of numbers, texts, tuples and the like, which the
            manifest records: ``default``, ``quick``, and where they differ from it ``full`` and names of data.
        compute: Turns settings into named arrays; the sweep runs what takes long.
        draw: Turns named arrays into a figure; it sees nothing but the saved data.
        claims: What theory says about the arrays; anything but support is a failure.
        observations: What the literature says about them, reported whatever comes out.
        table: Turns named arrays into a table in Markdown, the folder's ``README.md``; without it there is none.
        tolerances: How far arrays may be from the recorded ones of the quick mode, absolutely, by name; see
            :func:`experiments.recorded.differences`.
    """

    name: str
    title: str
    caption: str
    expectation: str
    configuration: Mapping[str, Settings]
    compute: Callable[[Settings, Sweep], Data]
    draw: Callable[[Data], Figure]
    claims: Callable[[Data], list[Claim]] = lambda data: []
    observations: Callable[[Data], list[Claim]] = lambda data: []
    table: Callable[[Data], str] | None = None
    tolerances: Mapping[str, float] = field(default_factory=dict)

    def settings(self, mode: str) -> Settings:
        """The configuration of a mode; the default one where the experiment knows no other."""
        return self.configuration.get(mode, self.configuration["default"])

    def run(self, folder: Path, mode: str = "default", sweep: Sweep | None = None, **changes: object) -> dict:
        """Compute, save, draw and judge; the files land in ``folder / name``.

        If this store holds a run of the same settings by the same code, and its files are still as it wrote them, they
        stay as they are.

        Args:
            folder: Where the experiment's own folder is made.
            mode: ``default``, ``quick``, ``full`` or a name of data.
            sweep: The store and the workers; by default a store in the folder, and this process.
            changes: Settings in place of those of the mode, by field.

        Returns:
            The manifest: what was computed from what, and the verdicts by claim id.

        Raises:
            FolderInUseError: If another run makes the same files.
            OSError: If one cannot be written; what was there before stays.
        """
        sweep = Sweep(Store(folder / ".store")) if sweep is None else sweep
        settings = replace(self.settings(mode), **changes)
        target = folder / self.name
        code = self._code()
        texts = (self.name, self.title, self.caption, self.expectation)
        key = hashlib.sha256(json.dumps([texts, mode, asdict(settings), code], sort_keys=True).encode()).hexdigest()[
            :32
        ]
        with held(target / ".lock"):
            written = sweep.store.load(key)
            if written is None or not _is_untouched(target, written.data):
                sweep.used.clear()
                self._write(target, settings, sweep, {"mode": mode, "code": code})
                sweep.store.save(key, Result(_digests(target), 0.0).packed())
        return json.loads((target / "manifest.json").read_text(encoding="utf-8"))

    def _code(self) -> str:
        """A digest of all code that computes, draws and judges."""
        steps = (self.compute, self.draw, self.claims, self.observations, *([self.table] if self.table else []))
        versions = [code_version(module) for module in sorted({step.__module__ for step in steps})]
        return hashlib.sha256("".join(versions).encode()).hexdigest()

    def _write(self, target: Path, settings: Settings, sweep: Sweep, about: Mapping[str, str]) -> None:
        write_whole(target / "data.npz", archive(self.compute(settings, sweep)))
        data = load(target)
        with plotting.style():
            figure = self.draw(data)
        plotting.save(figure, target)
        plt.close(figure)  # pyplot keeps it otherwise
        if self.table is not None:
            page = f"# {self.title}\n\n![{self.title}](figure.png)\n\n{self.table(data)}"
            write_whole(target / "README.md", page)
        manifest = {
            "experiment": self.name,
            "title": self.title,
            "caption": self.caption,
            "expectation": self.expectation,
            "mode": about["mode"],
            "configuration": asdict(settings),
            "verdicts": {
                claim.id: {**claim.describe(), **claim.verdict().describe()}
                for claim in (
                    *self.claims(data),
                    *(replace(each, observation=True) for each in self.observations(data)),
                )
            },
            "data_sha256": hashlib.sha256((target / "data.npz").read_bytes()).hexdigest(),
            "code": about["code"],
            "versions": {"python": platform.python_version()} | package_versions(self.compute.__module__),
            "tasks": len(sweep.used),
            "seconds": round(sum(sweep.used.values()), 1),
        }
        write_whole(target / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def load(folder: Path) -> Data:
    """The saved arrays of an experiment; it refuses a file that would need unpickling."""
    with np.load(folder / "data.npz", allow_pickle=False) as archive:
        return dict(archive)


def _digests(folder: Path) -> Data:
    """SHA-256 digests of the files in a folder, but for hidden ones, such as locks."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    return {
        "file": np.array([file.name for file in files]),
        "sha256": np.array([hashlib.sha256(file.read_bytes()).hexdigest() for file in files]),
    }


def _is_untouched(folder: Path, written: Data) -> bool:
    """Whether the files that were written are all there, as they were."""
    if not folder.is_dir():
        return False
    present = dict(zip(*_digests(folder).values(), strict=True))
    return all(present.get(name) == digest for name, digest in zip(*written.values(), strict=True))
