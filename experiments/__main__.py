"""Regenerate figures: ``python -m experiments [NAME ...] [--quick | --full | --data NAME] [--jobs N]``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from joblib import cpu_count
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from experiments import recorded, registry, report
from experiments.engine import OtherCodeError, Store, Sweep, Workers, connect, on_cluster, processes
from experiments.experiment import Experiment, load
from implicit_bias.cli.command import run
from implicit_bias.cli.failing import unwritten_files_fail
from implicit_bias.errors import InputError, did_you_mean

FIGURES = Path(__file__).resolve().parent.parent / "figures"
COMMAND = "python -m experiments"
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
        bool, typer.Option("--full", help="As large as they should be, written to figures/full: hours, for networks.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(help="Other images for networks: fashion-mnist, cifar10 or cifar100; on a GPU, for hours."),
    ] = None,
    data_folder: Annotated[str | None, typer.Option(help="Where the images of --data are.")] = None,
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
    bad input, a file that cannot be written or a folder that another run holds, with 130 when interrupted. What others
    report of networks is an observation: printed as it comes out.
    """
    # Workers that were idle or hold much memory are replaced by new ones, which is no reason to warn.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor", UserWarning)
    experiments = registry()
    mode = _mode(quick, full, data)
    if record and not quick:
        raise typer.BadParameter("--record needs --quick: those are the recorded numbers.")
    if only_report and (mode != "default" or names):
        raise typer.BadParameter("--report shows all figures as make figures draws them: leave the rest out.")
    chosen = _chosen(experiments, names or [], mode)
    changes = _changes(chosen, mode, data_folder, device)
    root = output or FIGURES
    folder = root if output or mode == "default" else FIGURES / mode
    with unwritten_files_fail(COMMAND):
        folder.mkdir(parents=True, exist_ok=True)
        if only_report:
            _write_report(folder, experiments)
            return
    try:
        client = connect(scheduler) if scheduler else None
    except InputError as error:
        raise typer.BadParameter(f"--scheduler: {error}") from None
    workers = on_cluster(client) if client else processes(jobs or cpu_count())
    try:
        with unwritten_files_fail(COMMAND), client or nullcontext(), _progress_bars() as progress:
            if changes:
                _check_place(workers if client else processes(1), data, data_folder, device)
            sweep = Sweep(Store(root / ".store"), workers, progress)
            sweep.store.remove_unfinished()
            good = [_run(each, folder, mode, sweep, changes, record) for each in chosen]
    except OtherCodeError as error:
        raise typer.BadParameter(str(error)) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted; the same command goes on from here.")
        raise typer.Exit(130) from None
    Console().print(f"computed     {sweep.computed} tasks; results of all others were stored", highlight=False)
    if mode == "default":
        with unwritten_files_fail(COMMAND):
            _write_report(folder, experiments)
    raise typer.Exit(0 if all(good) else 1)


def _mode(quick: bool, full: bool, data: str | None) -> str:
    """The mode that the options choose."""
    modes = ["quick"] * quick + ["full"] * full + ([] if data is None else [data])
    if len(modes) > 1:
        raise typer.BadParameter("--quick, --full and --data exclude each other.")
    return modes[0] if modes else "default"


def _chosen(experiments: Mapping[str, Experiment], names: Sequence[str], mode: str) -> list[Experiment]:
    """The named experiments, or all that know the mode."""
    known = [name for name, each in experiments.items() if mode in (*MODES, *each.configuration)]
    if not known:
        others = sorted({other for each in experiments.values() for other in each.configuration} - set(MODES))
        raise typer.BadParameter(f"--data: expected {' or '.join(others)}, got {mode}.")
    unknown = [name for name in names if name not in known]
    if unknown:
        where = "" if mode in MODES else f" with --data {mode}"
        hint = did_you_mean(unknown[0], known)
        raise typer.BadParameter(f"no experiment is called {unknown[0]}{hint}{where}; known: {', '.join(known)}.")
    return [experiments[name] for name in names or known]


def _changes(chosen: Iterable[Experiment], mode: str, data_folder: str | None, device: str | None) -> dict[str, str]:
    """The settings that the options change."""
    if mode.startswith("cifar") and data_folder is None:
        raise typer.BadParameter(
            f"--data {mode} needs --data-folder: the folder that holds the binary version of CIFAR."
        )
    if mode in MODES and data_folder is not None:
        raise typer.BadParameter(
            "--data-folder needs --data, fashion-mnist, cifar10 or cifar100: other images come with a package."
        )
    changes = {name: value for name, value in (("data_folder", data_folder), ("device", device)) if value is not None}
    unused = [name for name in changes if not any(hasattr(each.settings(mode), name) for each in chosen)]
    if unused:
        raise typer.BadParameter(f"--{unused[0].replace('_', '-')}: none of these experiments trains networks so.")
    return changes


def _check_place(workers: Workers, data: str | None, data_folder: str | None, device: str | None) -> None:
    """Refuse a folder or a device that no task could use; on a cluster ask one of its workers."""
    try:
        list(workers(_try_place, [(data, data_folder, device)]))
    except InputError as error:
        raise typer.BadParameter(str(error)) from None


def _try_place(data: str | None, data_folder: str | None, device: str | None) -> None:
    """Read the images and look for the device once."""
    from implicit_bias import training
    from implicit_bias.training.devices import checked_device

    if device is not None:
        checked_device(device, 1)
    if data is not None:
        training.load(data, data_folder)


def _write_report(folder: Path, names: Iterable[str]) -> None:
    page = report.write(folder, names)
    Console().print(f"wrote        {page}", highlight=False, soft_wrap=True)


def _run(
    experiment: Experiment, folder: Path, mode: str, sweep: Sweep, changes: Mapping[str, object], record: bool
) -> bool:
    """Run an experiment and print its verdicts; True if they and the numbers are as they should be."""
    console, settings = Console(), experiment.settings(mode)
    changes = {name: value for name, value in changes.items() if hasattr(settings, name)}
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
    """Bars with the time left, on standard error; a full one disappears."""
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
    run(main)
