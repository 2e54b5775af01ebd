"""The parts of a card: titles, rows, badges, formulas and pictures, with all text escaped."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from html import escape
from typing import NewType

from implicit_bias.claims.verdict import Outcome
from implicit_bias.display.mathml import mathml
from implicit_bias.status import Status

Html = NewType("Html", str)  # text that is escaped already

# White letters stay legible on these colours, in a light and in a dark notebook.
_TONES: dict[Enum, str] = {
    Outcome.PROVED: "#1a7f37",
    Outcome.ARGUED: "#5b4fc4",
    Outcome.SUPPORTED: "#0b6e8a",
    Outcome.REFUTED: "#c1272d",
    Outcome.INCONCLUSIVE: "#8a6100",
    Outcome.NOT_APPLICABLE: "#6e7781",
    Status.CONVERGED: "#1a7f37",
}
_FAILED = "#c1272d"
_CARD = "border:1px solid #88888866;border-radius:6px;padding:0.6em 0.9em;margin:0.2em 0;max-width:52em;overflow-x:auto"
_BADGE = "color:#ffffff;border-radius:1em;padding:0.1em 0.7em;font-size:0.8em;font-weight:600;white-space:nowrap"
# These override what notebooks do to tables: stripes, right alignment and small print.
_TABLE = "border-collapse:collapse;border:0;margin:0.3em 0;font-size:inherit;color:inherit"
_ROW = "background:none"
_CELL = "text-align:left;vertical-align:baseline;border:0;font-size:inherit;color:inherit"
_NAME = f"{_CELL};padding:0.2em 1.2em 0.2em 0;white-space:nowrap;opacity:0.8"
_VALUE = f"{_CELL};padding:0.2em 0;white-space:normal;max-width:36em"
_BESIDE = "display:flex;flex-wrap:wrap;gap:0.4em 1.6em;align-items:flex-start"


def text(value: object) -> Html:
    """Anything as escaped text."""
    return Html(escape(str(value)))


def formula(latex: str) -> Html:
    """A formula in a line of text, given in LaTeX."""
    return Html(mathml(latex))


def displayed(latex: str) -> Html:
    """A formula on its own line or in a row, at full size."""
    shown = mathml(rf"\displaystyle {latex}")
    return Html(shown if shown.startswith("<math") else mathml(latex))


def badge(result: Outcome | Status, label: str = "") -> Html:
    """An outcome or a status, or what is said of it, on its colour."""
    shown = escape(label or result.value)
    return Html(f'<span style="background:{_TONES.get(result, _FAILED)};{_BADGE}">{shown}</span>')


def joined(parts: Iterable[Html], separator: str = " ") -> Html:
    """Parts one after the other."""
    return Html(escape(separator).join(parts))


def rows(pairs: Iterable[tuple[Html, Html]]) -> Html:
    """A table of names and values."""
    body = "".join(
        f'<tr style="{_ROW}"><td style="{_NAME}">{name}</td><td style="{_VALUE}">{value}</td></tr>'
        for name, value in pairs
    )
    return Html(f'<table style="{_TABLE}">{body}</table>')


def beside(*parts: Html) -> Html:
    """Parts next to each other where there is room."""
    return Html(f'<div style="{_BESIDE}">{"".join(f"<div>{part}</div>" for part in parts)}</div>')


def line(part: Html) -> Html:
    """A part in a line of its own, with some air."""
    return Html(f'<div style="margin:0.6em 0">{part}</div>')


def folded(summary: Html, content: Html) -> Html:
    """Content that opens on a click on its summary."""
    return Html(f"<details><summary>{summary}</summary>{content}</details>")


def card(title: Html, *parts: Html) -> Html:
    """A titled frame around parts."""
    return Html(f'<div style="{_CARD}"><div><strong>{title}</strong></div>{"".join(parts)}</div>')
