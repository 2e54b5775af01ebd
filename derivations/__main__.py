"""Print the ledger: ``python -m derivations [ID ...]``; ``--html`` also saves it, as JSON, pages and in docs."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from derivations import RECORD, SAVED, ledger, recorded
from implicit_bias.cli.command import run
from implicit_bias.cli.failing import BAD_INPUT, FAILED, fail, unwritten_files_fail
from implicit_bias.cli.judge import show_verdicts
from implicit_bias.errors import InputError, MissingPackageError, require
from implicit_bias.files import write_whole

COMMAND = "python -m derivations"
PAGE = SAVED.with_suffix(".html")


def main(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Claims to check, in full or by their short ids; all if none is given."),
    ] = None,
    record: Annotated[bool, typer.Option(help="Store the outcomes found as the recorded ones.")] = False,
    html: Annotated[
        bool,
        typer.Option(
            "--html",
            help="Write all claims to figures/ledger.html, a page for each paper, .json, and docs/errata.md.",
        ),
    ] = False,
) -> None:
    """Check the ledger's claims and compare the verdicts with the recorded ones.

    Exits with 1 if a verdict differs from the recorded one or a check is broken, with 2 on an unknown id, a missing
    package or a file that cannot be written. With a broken check nothing is recorded.
    """
    if html and ids:
        raise typer.BadParameter("--html shows the whole ledger: leave the claims out.")
    console = Console()
    try:
        if html:
            require("judge", "jinja2")
        claims = ledger()
        try:
            names = [claims.full_id(name) for name in ids or claims]
        except InputError as error:
            raise typer.BadParameter(str(error)) from None
        with Progress(console=Console(stderr=True), transient=True) as progress:
            checked = claims.run(names, progress=lambda names: progress.track(names, description="Checking claims"))
    except MissingPackageError as error:
        fail(COMMAND, error, BAD_INPUT)
    show_verdicts(console, checked, names)
    if html:
        from derivations import errata  # needs Jinja

        with unwritten_files_fail(COMMAND):
            checked.save(SAVED)
            checked.save_pages(PAGE, root="..")
            errata.update()
        console.print(f"Written to {PAGE}, {SAVED.name} and {errata.ERRATA.name}.")
    if record and checked.broken:
        console.print("Nothing was recorded, as a check is broken.")
    elif record:
        with unwritten_files_fail(COMMAND):
            write_whole(RECORD, json.dumps({**(recorded() if ids else {}), **checked.outcomes()}, indent=2) + "\n")
        return
    differences = checked.differences(recorded())
    for sentence in differences:
        console.print(f"[red]differs[/red] {sentence}", highlight=False)
    raise typer.Exit(FAILED if differences or checked.broken else 0)


if __name__ == "__main__":
    run(main)
