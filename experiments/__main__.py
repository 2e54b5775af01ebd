"""Regenerate figures: ``python -m experiments [NAME ...] [--quick | --full] [--jobs N]``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import Progress

from experiments import registry
from implicit_bias import Outcome, Verdict

FIGURES = Path(__file__).resolve().parent.parent / "figures"
GOOD = (Outcome.PROVED, Outcome.SUPPORTED)


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Experiments; all if none is given.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small versions, written to figures/quick.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="As large as they should be, written to figures/full; an hour or less.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Experiments to run at the same time.")] = 1,
    output: Annotated[Path | None, typer.Option(help="Folder for the results.", show_default="figures")] = None,
) -> None:
    """Compute, draw and check the figures.

    Exits with 1 if a check of the theory finds anything but support, with 2 on an unknown name. What others report of
    networks is an observation: printed as it comes out.
    """
    experiments = registry()
    unknown = [name for name in names or () if name not in experiments]
    if unknown:
        raise typer.BadParameter(f"no experiment is called {', '.join(unknown)}; known: {', '.join(experiments)}.")
    if quick and full:
        raise typer.BadParameter("--quick and --full exclude each other.")
    mode = "quick" if quick else "full" if full else "default"
    folder = output or (FIGURES if mode == "default" else FIGURES / mode)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"--output: {folder} cannot be made a folder ({error.strerror}).") from None
    console = Console()
    good = True
    for name, verdicts in _results(list(names or experiments), folder, mode, jobs):
        observations = json.loads((folder / name / "manifest.json").read_text(encoding="utf-8"))["observations"]
        for claim, verdict in verdicts.items():
            good &= verdict.outcome in GOOD or claim in observations
            line = f"{verdict.outcome.value:<12} {claim}: {verdict.evidence}"
            console.print(line, style="green" if verdict.outcome in GOOD else "red", highlight=False, soft_wrap=True)
        console.print(f"wrote        {folder / name}", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if good else 1)


def _results(names: list[str], folder: Path, mode: str, jobs: int) -> Iterator[tuple[str, dict[str, Verdict]]]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        if jobs == 1:
            experiments = registry()
            for name in names:
                yield (
                    name,
                    experiments[name].run(folder, mode, lambda steps, text: progress.track(steps, description=text)),
                )
        else:
            tasks = (delayed(_run)(name, folder, mode) for name in names)
            done = Parallel(n_jobs=jobs, return_as="generator")(tasks)
            yield from progress.track(zip(names, done, strict=True), total=len(names), description="Experiments")


def _run(name: str, folder: Path, mode: str) -> dict[str, Verdict]:
    return registry()[name].run(folder, mode)


if __name__ == "__main__":
    typer.run(main)
