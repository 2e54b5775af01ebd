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

from implicit_bias.cli.failing import BAD_INPUT, FAILED, bad_input_fails, fail

if TYPE_CHECKING:
    from implicit_bias.claims import Ledger, Verdict

COMMAND = "implicit-bias judge"
LONGEST_CHECK = 1e6  # seconds; beyond it a timer may overflow
INDENT = 4  # columns, of what stands below the name of a claim
SHOWN_CHANGES = 3  # of those that a check does not notice; the page and the file have them all
COLOURS = {
    "PROVED": "green",
    "ARGUED": "blue",
    "SUPPORTED": "cyan",
    "REFUTED": "red",
    "INCONCLUSIVE": "yellow",
    "NOT_APPLICABLE": "dim",
    "BROKEN": "bold red",
}


def judge(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE_OR_PACKAGE", help="A Python file with claims, a package's folder or its name."),
    ],
    html: Annotated[Path | None, typer.Option(help="Write the claims with their verdicts to this page.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write them to this file, for `implicit-bias verify`.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=LONGEST_CHECK, help="How long one check may take.")] = 120.0,
    mutants: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0,
            max=LONGEST_CHECK,
            help="How long a check that passes is tried with small changes of its statement; 0 for not at all.",
        ),
    ] = 30.0,
) -> None:
    """Judge the claims of a paper: your own, or somebody else's.

    The file is Python and is run. The page shows the figures of claims by
    their paths from the file's folder. Each check runs in a process of its
    own kind: one that takes too long or crashes is INCONCLUSIVE, and the rest
    goes on. One that raises an error or returns no verdict is BROKEN, and
    you are told the line.

    A check that passes is then given small changes of its statement, nearly
    all of which are wrong. If it passes again, a question mark says so.

    Exits with 1 if a check is broken, and else with 0, whatever the verdicts
    are; with 2 if the file cannot be imported, holds no claim, or nothing can
    be written.

    For instance:

    implicit-bias judge my_paper.py --html page.html --json ledger.json
    """
    from implicit_bias.claims.isolated import SourceError, judge_source
    from implicit_bias.files import write_whole

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the process of the checks ends, too
    console, shown = Console(), Console(stderr=True)
    with bad_input_fails(COMMAND), shown.status("Reading the claims") as status:
        try:
            ledger = judge_source(source, seconds, status.update, changing=mutants)
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
    raise typer.Exit(FAILED if ledger.broken else 0)


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
        parts = [Text(plain_text(ledger[name].statement), "bold"), Text(verdict.evidence), *_warnings(verdict)]
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
            for line in _folded(console, part, max(console.width - indent, INDENT)):
                console.print(Text(" " * indent) + line)
        console.print()
    for sentence in _counted({name: ledger.verdicts[name] for name in names}):
        for line in _folded(console, Text(sentence), console.width):
            console.print(line)


def _folded(console: Console, text: Text, width: int) -> list[Text]:
    """Lines of at most so many characters; an accent counts as one, as some terminals give it a column of its own."""
    for narrower in range(width, 0, -1):
        lines = list(text.wrap(console, narrower))
        for line in lines:
            line.rstrip()
        if max(map(len, lines), default=0) <= width:
            return lines
    return [text]


def _warnings(verdict: Verdict) -> list[Text]:
    """The changes of the statement of which the check says the same, some of them as an example."""
    from implicit_bias.display.plain_text import plain_text

    changes = verdict.changes
    if changes is None or (changes.is_seen and not changes.undecided):
        return []
    found = [Text(verdict.said_of_changes, "yellow")]
    found += [
        Text(f"{change}: {plain_text(statement)}", "yellow") for change, statement in changes.passed[:SHOWN_CHANGES]
    ]
    left = len(changes.passed) - SHOWN_CHANGES
    return [*found, *([Text(f"and {left} more", "yellow")] if left > 0 else [])]


def _counted(verdicts: dict[str, Verdict]) -> list[str]:
    """How many claims have which outcome, and what a question mark and BROKEN mean, where there are any."""
    found = Counter(verdict.label for verdict in verdicts.values())
    labels = [each for name in COLOURS for each in (name, f"{name}?") if found[each]]
    number = f"{len(verdicts)} {'claim' if len(verdicts) == 1 else 'claims'}"
    said = [f"{number}: {', '.join(f'{found[each]} {each}' for each in labels)}"]
    if any(verdict.is_doubtful for verdict in verdicts.values()):
        said.append("?: the check says the same of a changed statement.")
    if found["BROKEN"]:
        said.append("BROKEN: the check itself has a fault, so nothing was found out; mend the line that is named.")
    tried = {name: verdict.changes for name, verdict in verdicts.items() if verdict.decides}
    untried = [name for name, changes in tried.items() if changes is None]
    if untried and len(untried) < len(tried):
        said.append(f"Without a formula that could be changed: {', '.join(untried)}.")
    return said


def _outcome(verdict: Verdict) -> tuple[str, str]:
    return verdict.label, "yellow" if verdict.is_doubtful else COLOURS[verdict.label]


def _numbers(verdict: Verdict) -> str:
    """The numbers of the counterexample, exact where they are known so."""
    if verdict.violation is not None:
        return ", ".join(f"{name} = {number}" for name, number in verdict.violation.numbers.items()) or "any numbers"
    return ", ".join(f"{name} = {number:.6g}" for name, number in verdict.counterexample.items())
