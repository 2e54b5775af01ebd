"""What an experiment is: numbers are computed and saved first, then drawn and judged from what was saved."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from matplotlib.figure import Figure

from implicit_bias import Claim, Verdict, plotting

Data = dict[str, np.ndarray]
T = TypeVar("T")


class Track(Protocol):
    """Wraps an iterable to show its progress."""

    def __call__(self, steps: Iterable[T], description: str) -> Iterable[T]:
        """Yield the steps and show how many are done."""
        ...


def silent(steps: Iterable[T], description: str) -> Iterable[T]:
    """Show nothing."""
    return steps


@dataclass(frozen=True)
class Experiment:
    """A figure and the numbers behind it.

    Attributes:
        name: Its name on the command line and its folder under ``figures/``.
        title: One sentence for people.
        configuration: The settings by mode, which the manifest records: ``default``, ``quick``, and ``full`` where the
            default is smaller than it should be.
        compute: Settings and a progress wrapper to named arrays.
        draw: Named arrays to a figure; it sees nothing but the saved data.
        claims: Named arrays to claims that theory makes about them; anything but support is a failure.
        observations: Named arrays to statements of the literature, reported whatever comes out.
        table: Named arrays to a table in Markdown, written as ``README.md``; without it there is none.
    """

    name: str
    title: str
    configuration: Mapping[str, Mapping[str, object]]
    compute: Callable[[Mapping[str, object], Track], Data]
    draw: Callable[[Data], Figure]
    claims: Callable[[Data], list[Claim]] = lambda data: []
    observations: Callable[[Data], list[Claim]] = lambda data: []
    table: Callable[[Data], str] | None = None

    def run(self, folder: Path, mode: str = "default", track: Track = silent) -> dict[str, Verdict]:
        """Compute, save, draw and judge; the files land in ``folder / name``.

        Args:
            folder: Where the experiment's own folder is made.
            mode: ``default``, ``quick`` or ``full``.
            track: A progress wrapper, silent by default.

        Returns:
            The verdicts by claim id.
        """
        began = time.perf_counter()
        settings = dict(self.configuration.get(mode, self.configuration["default"]))
        target = folder / self.name
        target.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(target / "data.npz", **self.compute(settings, track))
        data = load(target)
        with plotting.style():
            figure = self.draw(data)
        plotting.save(figure, target)
        if self.table is not None:
            page = f"# {self.title}\n\n![{self.title}](figure.png)\n\n{self.table(data)}"
            (target / "README.md").write_text(page, encoding="utf-8")
        verdicts = {claim.id: claim.verdict() for claim in [*self.claims(data), *self.observations(data)]}
        manifest = {
            "experiment": self.name,
            "title": self.title,
            "mode": mode,
            "configuration": settings,
            "observations": [claim.id for claim in self.observations(data)],
            "verdicts": {
                name: {
                    "outcome": v.outcome.value,
                    "evidence": v.evidence,
                    "residual": v.residual,
                    "tolerance": v.tolerance,
                }
                for name, v in verdicts.items()
            },
            "data_sha256": hashlib.sha256((target / "data.npz").read_bytes()).hexdigest(),
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in ("implicit-bias", "numpy", "scipy", "sympy", "matplotlib")},
            "seconds": round(time.perf_counter() - began, 1),
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (target / "manifest.json").write_text(text, encoding="utf-8")
        return verdicts


def load(folder: Path) -> Data:
    """The saved arrays of an experiment; nothing that would need unpickling is accepted."""
    with np.load(folder / "data.npz", allow_pickle=False) as archive:
        return dict(archive)
