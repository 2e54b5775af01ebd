"""Writes the parts of docs/errata.md and docs/ledger.md that come from the ledger: ``python -m derivations.errata``.

``python -m derivations --html`` writes it, too, after it has saved the ledger.
"""

from __future__ import annotations

import re
from pathlib import Path

from derivations import SAVED
from implicit_bias import Ledger, Outcome
from implicit_bias.claims import Verdict
from implicit_bias.display.equation import numbers_latex
from implicit_bias.display.ledger_page import Entry, Section, sections
from implicit_bias.errors import InputError
from implicit_bias.files import write_whole

ERRATA = Path(__file__).resolve().parents[1] / "docs" / "errata.md"
GUIDE = ERRATA.with_name("ledger.md")
BEGIN, END = "<!-- written by python -m derivations.errata -->", "<!-- end of errata -->"
LONGEST_FORMULA = 240  # letters of LaTeX that one reads in a list


def update() -> None:
    """Write the parts of both pages anew.

    Raises:
        InputError: If one of the marks is missing, or the file is not a saved ledger.
        OSError: If a file cannot be read or written.
    """
    ledger = Ledger.load(SAVED)
    for path, part in ((ERRATA, errata(ledger)), (GUIDE, contents(ledger))):
        write_whole(path, replaced(path.read_text(encoding="utf-8"), part))


def replaced(text: str, part: str) -> str:
    """A text with another part between the two marks.

    Raises:
        InputError: If the text lacks one of the marks.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"Expected the lines {BEGIN!r} and {END!r} with what is written between them.")
    return f"{before}{begin}\n{part}{end}{after}"


def errata(ledger: Ledger) -> str:
    """The refuted statements of each paper, and then how many claims of each have which verdict."""
    shown = sections(ledger)
    outcomes = [outcome for outcome in Outcome if any(outcome in _found(section.entries) for section in shown)]
    rows = [["claims of", "printed places", "claims", *(outcome.value for outcome in outcomes)]]
    for section in shown:
        found = _found(section.entries)
        counts = (section.places, len(found), *map(found.count, outcomes))
        rows.append([section.title, *(str(count or "–") for count in counts)])
    counted, parts = _table(rows), []
    for section in shown:
        refuted = [
            entry
            for entry in section.printed
            if entry.verdict.outcome is Outcome.REFUTED and not entry.claim.observation
        ]
        if refuted:
            paper = section.paper
            cited = f"{paper.authors} ({paper.citation})\n\n" if paper and paper.arxiv else ""
            parts.append(f"## {section.title}\n\n{cited}{''.join(_erratum(section, entry) for entry in refuted)}")
    parts.append(f"## How many claims have which verdict\n\n{counted}")
    return "\n" + "\n".join(parts) + "\n"


def contents(ledger: Ledger) -> str:
    """A table of the papers, with the key that begins the ids of their claims and the page with their evidence."""
    rows = [["key", "work", "claims"]]
    for section in sections(ledger):
        paper = section.paper
        cited = f", {paper.authors}" + (f", {paper.year}" if paper.year else "") if paper and paper.authors else ""
        page = f"[{section.title}](../figures/ledger/{section.key}.html)"
        rows.append([f"`{section.key}`", f"{page}{cited}", str(len(section.entries))])
    return "\n" + _table(rows) + "\n"


def _found(entries: tuple[Entry, ...]) -> list[Outcome]:
    return [entry.verdict.outcome for entry in entries]


def _erratum(section: Section, entry: Entry) -> str:
    """The entry of a refuted claim: the printed formula, the right one, and numbers at which the printed one fails."""
    correction = entry.verdict.correction
    place = re.split("[,;]", section.source(entry.claim))[0]
    address = f"../figures/ledger/{section.key}.html#{entry.claim.id}"
    instead = "not known" if correction is None or not correction.is_shown else _formula(correction.statement, address)
    return (
        f"- **[{place}]({address})**\n  - printed: {_formula(entry.claim.statement, address)}\n"
        f"  - holds instead: {instead}\n  - fails at {_numbers(entry.verdict)}\n"
    )


def _formula(latex: str, address: str) -> str:
    """A formula as GitHub shows it, or where it is shown."""
    return f"[in the ledger]({address})" if len(latex) > LONGEST_FORMULA else f"$`{' '.join(latex.split())}`$"


def _numbers(verdict: Verdict) -> str:
    if verdict.violation is not None:
        return ", ".join(f"$`{each}`$" for each in numbers_latex(verdict.violation))
    return ", ".join(f"{name} = {number:.4g}" for name, number in verdict.counterexample.items()) or "any numbers"


def _table(rows: list[list[str]]) -> str:
    heading, *others = rows
    lines = [heading, ["---"] * len(heading), *([cell.replace("|", r"\|") for cell in line] for line in others)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    update()
