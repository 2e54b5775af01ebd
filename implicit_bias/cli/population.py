"""``implicit-bias train`` with several seeds, strengths or starts: many networks side by side, and their means."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from implicit_bias.cli.training_bar import TrainingBar
from implicit_bias.errors import InputError
from implicit_bias.files import write_whole

if TYPE_CHECKING:
    from torch import nn

    from implicit_bias.training import ImageData, Method

PRUNED = (0.9, 0.95, 0.98, 0.99)
"""The sparsities whose accuracies are reported."""


def train_many(
    build: Callable[[int], nn.Module],
    images: ImageData,
    method: Callable[..., Method],
    strengths: Sequence[float],
    seeds: Sequence[int],
    starts: Sequence[Mapping[str, float]],
    what: str,
    output: Path,
    console: Console,
    **training_options: Any,
) -> None:
    """Train a network for every strength, start and seed, write the tables of all, and print their means."""
    from implicit_bias import training

    checkpoints = output / "checkpoints"
    if any(checkpoints.glob("*.safetensors")) and not training_options["resume"]:
        raise InputError(f"--output: {output} holds runs already; add --resume to continue them, or name another.")
    with TrainingBar(console) as bar:
        found = training.train_population(
            build,
            images,
            method,
            strengths,
            seeds,
            starts,
            checkpoints=output / "checkpoints",
            progress=bar,
            **training_options,
        )
    names = [{"strength": member.strength, **member.start, "seed": member.seed} for member in found.members]
    write_table(
        output / "members.csv",
        [
            {"seed": member.seed, "first_strength": member.strength, **member.start, **asdict(record)}
            for member in found.members
            for record in member.result.history
        ],
    )
    accuracy = found.one_shot([0.0, *PRUNED])
    write_table(
        output / "pruned.csv",
        [
            {**name, "sparsity": sparsity, "accuracy": value}
            for name, row in zip(names, accuracy.tolist(), strict=True)
            for sparsity, value in zip((0.0, *PRUNED), row, strict=True)
        ],
    )
    table = Table(box=None, padding=(0, 1, 0, 0))
    for heading in ("strength", *starts[0], "runs", "unpruned", *(f"{s:.0%} pruned" for s in PRUNED)):
        table.add_column(heading, no_wrap=True)
    for strength, start in product(strengths, starts):
        rows = accuracy[[each.strength == strength and each.start == start for each in found.members]]
        whole = rows[~(rows != rows).any(axis=1)]
        table.add_row(
            f"{strength:g}",
            *(f"{value:g}" for value in start.values()),
            f"{len(whole)}/{len(rows)}",
            *(_mean(column) for column in whole.T),
        )
    over = f"seed {seeds[0]}: test accuracy in %"
    if len(seeds) > 1:
        over = (
            f"seeds {seeds[0]} to {seeds[-1]}: test accuracy in %, its mean over seeds and below it Student's 95 % "
            "interval for that, cut off at 0 and 100 as no mean lies beyond"
        )
    Console().print(
        f"{what}, {found.epochs} epochs, {over}; unpruned, and with so many of the weights in matrices and kernels set "
        "to 0, the smallest.",
        highlight=False,
    )
    Console().print(table)
    for name, member in zip(names, found.members, strict=True):
        if member.failure is not None:
            console.print(
                ", ".join(f"{k} {v:g}" for k, v in name.items()) + f": {member.failure}",
                highlight=False,
            )
    Console().print(
        f"{len(found.members)} networks in {found.seconds:.1f} s; wrote {output}",
        soft_wrap=True,
        highlight=False,
    )


def _mean(values: Any) -> str:
    """The mean of fractions in per cent; below it, of several, the part from 0 to 100 of Student's 95 % interval.

    That part holds the true mean whenever the interval does.
    """
    if not len(values):
        return "–"
    mean = values.mean()
    if len(values) == 1:
        return f"{100 * mean:.2f}"
    from scipy import stats

    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{100 * mean:.2f}\n{100 * max(mean - half, 0):.1f}–{100 * min(mean + half, 1):.1f}"


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows with the same keys as a CSV file."""
    from implicit_bias.training import EpochRecord

    table = StringIO()
    names = list(rows[0]) if rows else list(EpochRecord.__annotations__)
    writer = csv.DictWriter(table, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, table.getvalue())
