"""A claim with its verdict, as a page shows it and a file keeps it between the check and the page."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from implicit_bias.claims import Claim
from implicit_bias.files import write_whole
from implicit_bias.verdict import Correction, Outcome, Verdict

PACKAGES = ("implicit-bias", "mpmath", "numpy", "scipy", "sympy", "torch")  # whose versions a verdict may depend on


@dataclass(frozen=True)
class Entry:
    """A claim that has been checked, with its verdict and its place.

    Attributes:
        id: Its name.
        statement: What is claimed, in LaTeX.
        source: Where it is claimed.
        verdict: What the check found.
        hypotheses: What it assumes, in LaTeX or words.
        uses: Ids of the claims it rests on.
        module: The file that checks it, as a path from the root of the repository.
        figure: A picture that shows it, likewise.
        observation: Whether it reports what the literature says, rather than what theory demands.
    """

    id: str
    statement: str
    source: str
    verdict: Verdict
    hypotheses: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    module: str | None = None
    figure: str | None = None
    observation: bool = False


@dataclass(frozen=True)
class Checked:
    """A saved ledger.

    Attributes:
        entries: The claims by id, each after those it uses.
        date: The day on which they were checked.
        versions: Versions of Python and of packages they were checked with.
    """

    entries: Mapping[str, Entry]
    date: str
    versions: Mapping[str, str]


def entry(claim: Claim, verdict: Verdict) -> Entry:
    """The entry of a claim that was checked."""
    module = claim.check.__module__.replace(".", "/") + ".py"
    words = claim.id, claim.statement, claim.source
    return Entry(*words, verdict, claim.hypotheses, claim.uses, module, claim.figure)


def save(path: Path, entries: Iterable[Entry]) -> None:
    """Write entries as JSON, with the day and the versions."""
    saved = {
        "date": date.today().isoformat(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "claims": {each.id: _described(each) for each in entries},
    }
    write_whole(path, json.dumps(saved, indent=1, ensure_ascii=False) + "\n")


def load(path: Path) -> Checked:
    """Read what :func:`save` wrote.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not a saved ledger.
    """
    saved = json.loads(path.read_text(encoding="utf-8"))
    entries: dict[str, Entry] = {}
    for name, described in field(saved, "claims", dict).items():
        entries[name] = read(name, described)
        if not entries.keys() > set(entries[name].uses):
            raise ValueError(f"{name!r} does not stand after all claims that it uses")
    versions = {name: str(number) for name, number in field(saved, "versions", dict).items()}
    return Checked(entries, field(saved, "date", str), versions)


def read(name: str, saved: object) -> Entry:
    """A claim as a saved ledger or an experiment's manifest describes it.

    Raises:
        ValueError: If something is missing or of another type.
    """
    return Entry(
        name,
        field(saved, "statement", str),
        field(saved, "source", str),
        _read_verdict(saved),
        tuple(map(str, field(saved, "hypotheses", list, []))),
        tuple(map(str, field(saved, "uses", list, []))),
        field(saved, "module", str, None),
        field(saved, "figure", str, None),
        field(saved, "observation", bool, False),
    )


def field(saved: object, name: str, kind: type, default: object = ...) -> Any:
    """A field of what was read from JSON; with a default it may be missing or null.

    Raises:
        ValueError: If it is missing or of another type.
    """
    if not isinstance(saved, dict) or (name not in saved and default is ...):
        raise ValueError(f"{name!r} is missing")
    value = saved.get(name)
    if value is None and default is not ...:
        return default
    if not isinstance(value, kind):
        raise ValueError(f"{name!r} is of type {type(value).__name__}")
    return value


def _described(entry: Entry) -> dict[str, object]:
    return {
        "statement": entry.statement,
        "source": entry.source,
        "hypotheses": list(entry.hypotheses),
        "uses": list(entry.uses),
        "module": entry.module,
        "figure": entry.figure,
        **_described_verdict(entry.verdict),
    }


def _described_verdict(verdict: Verdict) -> dict[str, object]:
    correction = verdict.correction
    return {
        "outcome": verdict.outcome.value,
        "evidence": verdict.evidence,
        "residual": _number(verdict.residual),
        "tolerance": _number(verdict.tolerance),
        "tolerance_reason": verdict.tolerance_reason,
        "counterexample": {name: _number(value) for name, value in verdict.counterexample.items()},
        "correction": correction and {"statement": correction.statement, **_described_verdict(correction.verdict)},
    }


def _read_verdict(saved: object) -> Verdict:
    correction, numbers = field(saved, "correction", dict, None), field(saved, "counterexample", dict, {})
    return Verdict(
        Outcome(field(saved, "outcome", str)),
        field(saved, "evidence", str),
        _number(field(saved, "residual", float | int, None)),
        _number(field(saved, "tolerance", float | int, None)),
        {name: _number(field(numbers, name, float | int)) for name in numbers},
        correction and Correction(field(correction, "statement", str), _read_verdict(correction)),
        field(saved, "tolerance_reason", str, ""),
    )


def _number(value: float | None) -> float | None:
    """A float where SymPy or NumPy gave a number of theirs."""
    return None if value is None else float(value)
