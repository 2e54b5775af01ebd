"""Print the ledger: ``python -m derivations [ID ...]``; with ``--html`` also save it, as JSON and as a page."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from derivations import RECORD, SAVED, _entry, ledger, recorded
from derivations.mask import PREPRINT
from implicit_bias.claims import outcomes
from implicit_bias.cli.failing import unwritten_files_fail
from implicit_bias.files import write_whole
from implicit_bias.verdict import Outcome, Verdict

COMMAND = "python -m derivations"
PAGE = SAVED.with_suffix(".html")
COLOURS = {
    Outcome.PROVED: "green",
    Outcome.SUPPORTED: "cyan",
    Outcome.REFUTED: "red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.NOT_APPLICABLE: "dim",
}


def main(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Claims to check; all if none is given.")
    ] = None,
    record: Annotated[bool, typer.Option(help="Store the outcomes found as the recorded ones.")] = False,
    html: Annotated[
        bool, typer.Option("--html", help="Write all claims to figures/ledger.html and .json, too.")
    ] = False,
) -> None:
    """Check the ledger's claims and compare the verdicts with the recorded ones.

    Exits with 1 if a verdict differs from the recorded one, with 2 on an unknown id or a file that cannot be written.
    """
    claims, console = ledger(), Console()
    if html and ids:
        raise typer.BadParameter("--html shows the whole ledger: leave the claims out.")
    unknown = [name for name in ids or () if name not in claims]
    if unknown:
        raise typer.BadParameter(f"no claim is called {', '.join(unknown)}; known: {', '.join(claims)}.")
    names = list(ids or claims)
    verdicts: dict[str, Verdict] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for name in progress.track(names, description="Checking claims"):
            verdicts[name] = claims[name].verdict()
    console.print(_table(names, {name: claims[name].source for name in names}, verdicts))
    if ids:
        for name in names:
            _details(console, claims[name].statement, verdicts[name])
    if html:
        # The page needs two packages that checking claims does not.
        from derivations._html import page

        with unwritten_files_fail(COMMAND):
            _entry.save(SAVED, (_entry.entry(claim, verdicts[name]) for name, claim in claims.items()))
            write_whole(PAGE, page(_entry.load(SAVED)))
        console.print(f"Written to {PAGE} and {SAVED.name}.")
    if record:
        with unwritten_files_fail(COMMAND):
            write_whole(RECORD, json.dumps({**recorded(), **outcomes(verdicts)}, indent=2) + "\n")
        return
    differences = claims.differences(verdicts, recorded())
    for sentence in differences:
        console.print(f"[red]differs[/red] {sentence}")
    raise typer.Exit(1 if differences else 0)


def _table(names: list[str], sources: dict[str, str], verdicts: dict[str, Verdict]) -> Table:
    table = Table(title=f"Ledger of claims (source: {PREPRINT}, unless another is named)", show_lines=True)
    for heading in ("claim", "source", "verdict", "evidence"):
        table.add_column(heading, no_wrap=heading in ("claim", "verdict"))
    for name in names:
        verdict, label, evidence = verdicts[name], _label(verdicts[name].outcome), verdicts[name].evidence
        if verdict.correction is not None:
            label += f"\ncorrected: {_label(verdict.correction.verdict.outcome)}"
            evidence += f" Corrected: {verdict.correction.verdict.evidence}"
        table.add_row(name, sources[name].removeprefix(f"{PREPRINT}, "), label, evidence)
    return table


def _details(console: Console, statement: str, verdict: Verdict) -> None:
    console.print(f"\nstatement   {statement}", highlight=False, markup=False, soft_wrap=True)
    if verdict.counterexample:
        numbers = ", ".join(f"{key}={value:.12g}" for key, value in verdict.counterexample.items())
        console.print(f"fails at    {numbers}", highlight=False, markup=False, soft_wrap=True)
    if verdict.correction is not None:
        console.print(f"corrected   {verdict.correction.statement}", highlight=False, markup=False, soft_wrap=True)


def _label(outcome: Outcome) -> str:
    return f"[{COLOURS[outcome]}]{outcome.value}[/]"


if __name__ == "__main__":
    typer.run(main)
