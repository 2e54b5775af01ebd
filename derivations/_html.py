"""The ledger as one page that can be read offline: formulas as MathML, the dependencies as a drawing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from latex2mathml.converter import convert
from markupsafe import Markup, escape

from implicit_bias.claims import Claim
from implicit_bias.verdict import Outcome, Verdict

TEMPLATE = "ledger.html.jinja"
NODE = (148, 30)  # width and height of a claim in the drawing
GAP = (52, 12)  # between columns and between rows


@dataclass(frozen=True)
class Node:
    """A claim in the drawing, with its upper left corner."""

    id: str
    outcome: str
    left: float
    top: float


@dataclass(frozen=True)
class Graph:
    """The drawing: claims in columns by depth, and a curve from each claim to those that use it."""

    nodes: tuple[Node, ...]
    curves: tuple[str, ...]
    width: float
    height: float


def page(claims: Mapping[str, Claim], verdicts: Mapping[str, Verdict]) -> str:
    """The whole page.

    Args:
        claims: Claims by id; what a claim uses has to be among them.
        verdicts: Their verdicts, by the same ids.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"mathml": mathml, "hypothesis": hypothesis, "number": lambda value: f"{value:.6g}"}
    found = [verdict.outcome for verdict in verdicts.values()]
    return environment.get_template(TEMPLATE).render(
        claims=list(claims.values()),
        verdicts=verdicts,
        modules={name: f"{claim.check.__module__.rpartition('.')[2]}.py" for name, claim in claims.items()},
        used_by={name: [c.id for c in claims.values() if name in c.uses] for name in claims},
        tally=[(outcome.value, found.count(outcome)) for outcome in Outcome if outcome in found],
        graph=layout(claims, verdicts),
        node_width=NODE[0],
        node_height=NODE[1],
    )


def mathml(latex: str, display: str = "block") -> Markup:
    r"""A formula as MathML; one that cannot be converted, or leads to anything else, is shown as it was written."""
    try:
        converted = convert(latex, display=display)
        # The converter copies \text{…} without escaping it, so its result is read again.
        harmless = all(map(_is_plain_mathml, ElementTree.fromstring(converted).iter()))  # noqa: S314
    except Exception:  # the converter documents no base class for its errors
        converted, harmless = "", False
    if not harmless:
        return Markup("<code>{}</code>").format(latex)
    # HTML knows the namespace by the tag; without its address the page names no other site at all.
    return Markup(converted.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "", 1))  # noqa: S704


def _is_plain_mathml(element: ElementTree.Element) -> bool:
    return bool(re.fullmatch(r"\{[^}]*MathML\}m[a-z]+", element.tag)) and not any(
        name.startswith("on") or "href" in name or name == "src" for name in element.attrib
    )


def hypothesis(text: str) -> Markup:
    """A hypothesis, which is either words or LaTeX: words have no backslash, but several letters in a row."""
    is_words = "\\" not in text and re.search(r"[A-Za-z]{3,}", text)
    return escape(text) if is_words else mathml(text, display="inline")


def layout(claims: Mapping[str, Claim], verdicts: Mapping[str, Verdict]) -> Graph:
    """Place every claim that uses another one or is used, one column to the right of all that it uses."""
    used = {name for claim in claims.values() for name in claim.uses}
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((depth_of(other) for other in claims[name].uses), default=-1)
        return depth[name]

    columns: list[list[str]] = []
    for name in (name for name in claims if claims[name].uses or name in used):
        columns += [[] for _ in range(depth_of(name) + 1 - len(columns))]
        columns[depth[name]].append(name)
    height = max((len(column) for column in columns), default=0) * (NODE[1] + GAP[1])
    place: dict[str, tuple[float, float]] = {}
    for k, column in enumerate(columns):
        # A claim stands at the mean height of those it uses, which keeps the curves short.
        column.sort(key=lambda name: sum(place[o][1] for o in claims[name].uses) / max(1, len(claims[name].uses)))
        pitch = height / len(column)
        for row, name in enumerate(column):
            place[name] = (k * (NODE[0] + GAP[0]), (row + 0.5) * pitch - NODE[1] / 2)
    nodes = (Node(name, verdicts[name].outcome.value, *corner) for name, corner in place.items())
    curves = (_curve(place[other], place[name]) for name in place for other in claims[name].uses)
    return Graph(tuple(nodes), tuple(curves), len(columns) * (NODE[0] + GAP[0]) - GAP[0], height)


def _curve(begin: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0, x1, y1 = begin[0] + NODE[0], begin[1] + NODE[1] / 2, end[0], end[1] + NODE[1] / 2
    bend = min(GAP[0], (x1 - x0) / 2)
    return f"M{x0:g},{y0:.1f} C{x0 + bend:g},{y0:.1f} {x1 - bend:g},{y1:.1f} {x1:g},{y1:.1f}"
