"""The ledger as one page that can be read offline: formulas as MathML, the dependencies as a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from derivations._entry import Checked, Entry
from implicit_bias.display.mathml import mathml, words_or_mathml
from implicit_bias.verdict import Outcome

TEMPLATES = Path(__file__).parent
NODE = (148, 30)  # width and height of a claim in the drawing
GAP = (52, 12)  # between columns and between rows


@dataclass(frozen=True)
class Node:
    """A claim in the drawing, with its upper left corner."""

    id: str
    outcome: str
    left: float
    top: float
    width: float = NODE[0]
    height: float = NODE[1]


@dataclass(frozen=True)
class Graph:
    """The drawing: claims in columns by depth, and a curve from each claim to those that use it."""

    nodes: tuple[Node, ...]
    curves: tuple[str, ...]
    width: float
    height: float


def page(checked: Checked) -> str:
    """The whole page."""
    template = environment().get_template("ledger.html.jinja")
    return template.render(checked=checked, graph=layout(checked.entries), **claims(checked.entries))


def environment(*folders: Path) -> Environment:
    """Templates of some folders and of this package; text is escaped, and a name that is not defined is an error."""
    environment = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "formula": formula,
        "hypothesis": hypothesis,
        "number": lambda value: f"{value:.6g}",
        "versions": lambda versions: ", ".join(f"{name} {number}" for name, number in versions.items()),
    }
    return environment


def claims(entries: Mapping[str, Entry]) -> dict[str, object]:
    """Claims as the templates show them."""
    used_by: dict[str, list[str]] = {name: [] for name in entries}
    for entry in entries.values():
        for name in entry.uses:
            used_by.setdefault(name, []).append(entry.id)
    return {
        "entries": list(entries.values()),
        "known": set(entries),
        "used_by": used_by,
        "tally": tally(entries.values()),
    }


def tally(entries: Iterable[Entry]) -> list[tuple[str, int]]:
    """How often each outcome was found, where it was."""
    found = [entry.verdict.outcome for entry in entries]
    return [(outcome.value, found.count(outcome)) for outcome in Outcome if outcome in found]


def formula(latex: str) -> Markup:
    """A formula on its own line as MathML, or as it was written."""
    return Markup(mathml(latex, display="block"))  # noqa: S704


def hypothesis(text: str) -> Markup:
    """A hypothesis: words, or a formula in a line of text."""
    return Markup(words_or_mathml(text))  # noqa: S704


def layout(entries: Mapping[str, Entry]) -> Graph:
    """Place every claim that uses another one or is used, one column to the right of all that it uses."""
    uses = {name: entry.uses for name, entry in entries.items()}
    used = {other for others in uses.values() for other in others}
    depth: dict[str, int] = {}
    for name in entries:  # each after what it uses
        depth[name] = 1 + max((depth[other] for other in uses[name]), default=-1)
    columns: list[list[str]] = []
    for name in (name for name in entries if uses[name] or name in used):
        columns += [[] for _ in range(depth[name] + 1 - len(columns))]
        columns[depth[name]].append(name)
    height = max((len(column) for column in columns), default=0) * (NODE[1] + GAP[1])
    place: dict[str, tuple[float, float]] = {}
    for k, column in enumerate(columns):
        # A claim stands at the mean height of those it uses, which keeps the curves short.
        column.sort(key=lambda name: sum(place[o][1] for o in uses[name]) / max(1, len(uses[name])))
        pitch = height / len(column)
        for row, name in enumerate(column):
            place[name] = (k * (NODE[0] + GAP[0]), (row + 0.5) * pitch - NODE[1] / 2)
    nodes = (Node(name, entries[name].verdict.outcome.value, *corner) for name, corner in place.items())
    curves = (_curve(place[other], place[name]) for name in place for other in uses[name])
    return Graph(tuple(nodes), tuple(curves), len(columns) * (NODE[0] + GAP[0]) - GAP[0], height)


def _curve(begin: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0, x1, y1 = begin[0] + NODE[0], begin[1] + NODE[1] / 2, end[0], end[1] + NODE[1] / 2
    bend = min(GAP[0], (x1 - x0) / 2)
    return f"M{x0:g},{y0:.1f} C{x0 + bend:g},{y0:.1f} {x1 - bend:g},{y1:.1f} {x1:g},{y1:.1f}"
