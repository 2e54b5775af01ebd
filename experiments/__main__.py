"""Regenerate figures: ``python -m experiments [NAME ...] [--quick | --full | --data NAME] [--jobs N]``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from joblib import cpu_count
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from experiments import recorded, registry, report
from experiments.engine import OtherCodeError, Store, StoreError, Sweep, connect, on_cluster, processes
from experiments.experiment import Experiment, load

FIGURES = Path(__file__).resolve().parent.parent / "figures"
MODES = ("default", "quick", "full")
GOOD = ("PROVED", "SUPPORTED")


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Experiments; all if none is given.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small versions, written to figures/quick, compared with recorded numbers.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="As large as they should be, written to figures/full; an hour or less.")
    ] = False,
    data: Annotated[
        str | None, typer.Option(help="Other images for networks: cifar10 or cifar100, at the preprint's sizes.")
    ] = None,
    data_folder: Annotated[str | None, typer.Option(help="Where the binary version of CIFAR is.")] = None,
    device: Annotated[str | None, typer.Option(help="For networks: cpu, cuda, cuda:1 or mps.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Tasks at the same time.", show_default="all cores")] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Run tasks on this Dask cluster.")] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for the results.", show_default="figures")] = None,
    only_report: Annotated[
        bool, typer.Option("--report", help="Compute nothing; write the page of all figures from what was saved.")
    ] = False,
    record: Annotated[bool, typer.Option("--record", help="Make the numbers of --quick the recorded ones.")] = False,
) -> None:
    """Compute, draw and check the figures.

    Results of tasks are kept in the folder .store beside the figures: an interrupted run goes on where it stopped, and
    what has not changed is not computed again.

    Exits with 1 if a check of the theory finds anything but support or numbers differ from the recorded ones, with 2 on
    bad input, with 130 when interrupted. What others report of networks is an observation: printed as it comes out.
    """
    # Workers that were idle or hold much memory are replaced by new ones, which is no reason to warn.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor", UserWarning)
    experiments = registry()
    modes = [mode for mode, chosen in (("quick", quick), ("full", full), (data, data is not None)) if chosen]
    if len(modes) > 1:
        raise typer.BadParameter("--quick, --full and --data exclude each other.")
    mode = modes[0] if modes else "default"
    known = [name for name, each in experiments.items() if mode in (*MODES, *each.configuration)]
    if not known:
        others = sorted({other for each in experiments.values() for other in each.configuration} - set(MODES))
        raise typer.BadParameter(f"--data: expected {' or '.join(others)}, got {data}.")
    unknown = [name for name in names or () if name not in known]
    if unknown:
        where = f" with --data {data}" if data else ""
        raise typer.BadParameter(f"no experiment is called {', '.join(unknown)}{where}; known: {', '.join(known)}.")
    if data and data_folder is None:
        raise typer.BadParameter(
            f"--data {data} needs --data-folder: the folder that holds the binary version of CIFAR."
        )
    if record and not quick:
        raise typer.BadParameter("--record needs --quick: those are the recorded numbers.")
    if only_report and (modes or names):
        raise typer.BadParameter("--report shows all figures as make figures draws them: leave the rest out.")
    root = output or FIGURES
    folder = root if output or mode == "default" else FIGURES / mode
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"--output: {folder} cannot be made a folder ({error.strerror}).") from None
    if only_report:
        _write_report(folder, experiments)
        return
    changes = {name: value for name, value in (("data_folder", data_folder), ("device", device)) if value is not None}
    chosen = [experiments[name] for name in names or known]
    unused = [name for name in changes if not any(name in each.settings(mode) for each in chosen)]
    if unused:
        raise typer.BadParameter(f"--{unused[0].replace('_', '-')}: none of these experiments trains networks so.")
    try:
        client = connect(scheduler) if scheduler else None
    except ValueError as error:
        raise typer.BadParameter(f"--scheduler: {error}") from None
    workers = on_cluster(client) if client else processes(jobs or cpu_count())
    try:
        with client or nullcontext(), _progress_bars() as progress:
            sweep = Sweep(Store(root / ".store"), workers, progress)
            good = [_run(each, folder, mode, sweep, changes, record) for each in chosen]
    except (StoreError, OtherCodeError) as error:
        raise typer.BadParameter(str(error)) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted; the same command goes on from here.")
        raise typer.Exit(130) from None
    Console().print(f"computed     {sweep.computed} tasks; results of all others were stored", highlight=False)
    if mode == "default":
        _write_report(folder, experiments)
    raise typer.Exit(0 if all(good) else 1)


def _write_report(folder: Path, names: Iterable[str]) -> None:
    page = report.write(folder, names)
    Console().print(f"wrote        {page}", highlight=False, soft_wrap=True)


def _run(
    experiment: Experiment, folder: Path, mode: str, sweep: Sweep, changes: Mapping[str, object], record: bool
) -> bool:
    """Run an experiment and print what it found; whether that is as it should be."""
    console, settings = Console(), experiment.settings(mode)
    changes = {name: value for name, value in changes.items() if name in settings}
    manifest = experiment.run(folder, mode, sweep, **changes)
    good = True
    for claim, verdict in manifest["verdicts"].items():
        holds = verdict["outcome"] in GOOD
        good &= holds or verdict["observation"]
        line = f"{verdict['outcome']:<12} {claim}: {verdict['evidence']}"
        console.print(line, style="green" if holds else "red", highlight=False, soft_wrap=True)
    data = load(folder / experiment.name)
    if record:
        recorded.record(experiment.name, data)
    elif mode == "quick":
        for sentence in recorded.differences(experiment.name, data, experiment.tolerances):
            good = False
            console.print(f"differs      {sentence}", style="red", highlight=False, soft_wrap=True)
    console.print(f"wrote        {folder / experiment.name}", highlight=False, soft_wrap=True)
    return good


@contextmanager
def _progress_bars() -> Iterator[Callable[[str, int], Callable[[], None]]]:
    """Bars with the time left, on standard error, which go when they are full."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as progress:

        def bar(text: str, total: int) -> Callable[[], None]:
            row = progress.add_task(text, total=total)

            def advance() -> None:
                progress.advance(row)
                if progress.tasks[row].finished:
                    progress.update(row, visible=False)

            return advance

        yield bar


if __name__ == "__main__":
    typer.run(main)
