"""``implicit-bias judge``."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from implicit_bias.cli.failing import BAD_INPUT, bad_input_fails, fail

if TYPE_CHECKING:
    from implicit_bias.claims import Ledger, Verdict

COMMAND = "implicit-bias judge"
LONGEST_CHECK = 1e6  # seconds; beyond it a timer may overflow
INDENT = 4  # columns, of what stands below the name of a claim
COLOURS = {
    "PROVED": "green",
    "ARGUED": "blue",
    "SUPPORTED": "cyan",
    "REFUTED": "red",
    "INCONCLUSIVE": "yellow",
    "NOT_APPLICABLE": "dim",
}


def judge(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE_OR_PACKAGE", help="A Python file with claims, a package's folder or its name."),
    ],
    html: Annotated[Path | None, typer.Option(help="Write the claims with their verdicts to this page.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write them to this file, for `implicit-bias verify`.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=LONGEST_CHECK, help="How long one check may take.")] = 120.0,
) -> None:
    """Judge the claims of a paper: your own, or somebody else's.

    The file is Python and is run. The page shows the figures of claims by
    their paths from the file's folder. Each check runs in a process of its own kind:
    one that hangs, crashes or returns no verdict is INCONCLUSIVE, and the rest
    goes on.

    Exits with 0 whatever the verdicts are, and with 2 if the file cannot be
    imported, holds no claim, or nothing can be written.

    For instance:

    implicit-bias judge my_paper.py --html page.html --json ledger.json
    """
    from implicit_bias.claims.isolated import SourceError, judge_source
    from implicit_bias.files import write_whole

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the process of the checks ends, too
    console, shown = Console(), Console(stderr=True)
    with bad_input_fails(COMMAND), shown.status("Reading the claims") as status:
        try:
            number = iter(range(1, 1_000_000))
            ledger = judge_source(
                source, seconds, lambda name, count: status.update(f"{next(number)} of {count}: {name}")
            )
            status.stop()
            if json is not None:
                ledger.save(json)
            if html is not None:
                write_whole(html, ledger.to_html(_root(source, html)))
        except SourceError as error:
            for note in getattr(error, "__notes__", ()):
                shown.print(note, highlight=False, markup=False, soft_wrap=True)
            fail(COMMAND, error, BAD_INPUT)
    show_verdicts(console, ledger, list(ledger))


def _root(source: str, page: Path) -> str | None:
    """The path from the page to the folder that holds the file or the package, with its figures."""
    path = Path(source).resolve()
    if not path.exists():  # the name of a module
        return None
    folder = path.parent
    while path.is_dir() and (folder / "__init__.py").exists():
        folder = folder.parent
    return Path(os.path.relpath(folder, page.resolve().parent)).as_posix()


def show_verdicts(console: Console, ledger: Ledger, names: list[str]) -> None:
    """Print claims with their verdicts, folded to the width of the terminal, formulas as text."""
    from implicit_bias.display.plain_text import plain_text

    for name in names:
        verdict, place = ledger.verdicts[name], ledger.place(name)
        heading = Text.assemble(_outcome(verdict), f"  {name}", (f", {place}" if place else "", "dim"))
        parts = [Text(plain_text(ledger[name].statement), "bold"), Text(verdict.evidence)]
        if verdict.counterexample:
            parts.append(Text(f"fails at {_numbers(verdict)}"))
        if verdict.correction is not None:
            correction = verdict.correction
            parts += [
                Text.assemble(
                    "holds instead: " if correction.is_shown else "proposed instead, but not shown: ",
                    (plain_text(correction.statement), "bold"),
                ),
                Text.assemble(_outcome(correction.verdict), "  ", correction.verdict.evidence),
            ]
        for part, indent in [(heading, 0), *((each, INDENT) for each in parts)]:
            for line in part.wrap(console, max(console.width - indent, INDENT)):
                line.rstrip()
                console.print(Text(" " * indent) + line)
        console.print()
    found = Counter(ledger.verdicts[name].outcome.value for name in names)
    counted = ", ".join(f"{found[name]} {name}" for name in COLOURS if found[name])
    console.print(f"{len(names)} {'claim' if len(names) == 1 else 'claims'}: {counted}", highlight=False)


def _outcome(verdict: Verdict) -> tuple[str, str]:
    name = verdict.outcome.value
    return name, COLOURS[name]


def _numbers(verdict: Verdict) -> str:
    """The numbers of the counterexample, exact where they are known so."""
    if verdict.violation is not None:
        return ", ".join(f"{name} = {number}" for name, number in verdict.violation.numbers.items()) or "any numbers"
    return ", ".join(f"{name} = {number:.6g}" for name, number in verdict.counterexample.items())
