"""Measure and draw: ``python -m experiments.benchmarks [NAME ...] [--quick]``."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from experiments.benchmarks import (
    basis_pursuit,
    decaying_flow,
    ensemble,
    fast_step,
    flow,
    growth,
    large,
    limit,
    masked_step,
    picture,
    population,
    table,
)
from implicit_bias import plotting
from implicit_bias.cli.command import run
from implicit_bias.cli.failing import unwritten_files_fail
from implicit_bias.errors import did_you_mean
from implicit_bias.files import held, write_whole

BENCHMARKS = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (
        flow,
        decaying_flow,
        limit,
        basis_pursuit,
        large,
        growth,
        ensemble,
        masked_step,
        fast_step,
        population,
    )
}
FIGURES = Path(__file__).resolve().parents[2] / "figures"


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Benchmarks; all if none is given.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes, written to figures/quick/benchmarks.")] = False,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the results.", show_default="figures/benchmarks")
    ] = None,
) -> None:
    """Time the library beside other solvers and draw what was found.

    Exits with 2 on an unknown name, a file that cannot be written or a folder that another run holds. A missed aim is a
    result, not a failure.
    """
    unknown = [name for name in names or () if name not in BENCHMARKS]
    if unknown:
        hint = did_you_mean(unknown[0], BENCHMARKS)
        raise typer.BadParameter(f"no benchmark is called {unknown[0]}{hint}; known: {', '.join(BENCHMARKS)}.")
    folder = output or FIGURES / ("quick/benchmarks" if quick else "benchmarks")
    console = Console()
    with (
        unwritten_files_fail("python -m experiments.benchmarks"),
        held(folder / ".lock"),
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        for name in names or BENCHMARKS:
            BENCHMARKS[name].run(
                folder, "quick" if quick else "default", lambda steps, text: progress.track(steps, description=text)
            )
            for aim in _record(folder, name)["aims"]:
                line = f"{'reached' if aim['reached'] else 'missed':<8} {aim['text']}: {aim['measured']:.3g}"
                console.print(f"{line}, aim {aim['target']:g}", highlight=False, soft_wrap=True)
        report(folder)
    console.print(f"wrote    {folder}", highlight=False, soft_wrap=True)


def report(folder: Path) -> None:
    """Write the page, the picture and the manifest of all benchmarks that a folder holds numbers of."""
    records = {name: _record(folder, name) for name in BENCHMARKS if (folder / f"{name}.json").exists()}
    write_whole(folder / "README.md", table.page(records.values()))
    if records.keys() >= picture.NEEDED:
        with plotting.style():
            figure = picture.draw({name: record["rows"] for name, record in records.items()})
        plotting.save(figure, folder)
    manifest = {
        "command": "make bench",
        "benchmarks": {
            name: {key: record[key] for key in ("mode", "threads", "seconds", "configuration", "environment")}
            | {"json_sha256": hashlib.sha256((folder / f"{name}.json").read_bytes()).hexdigest()}
            for name, record in records.items()
        },
    }
    write_whole(folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def _record(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(main)
