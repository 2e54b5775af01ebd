"""The ledger as one page, paper by paper, that can be read offline: formulas are MathML, dependencies a drawing."""

# ruff: noqa: E402 - the check for Jinja comes before its import

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from implicit_bias.claims.claim import Claim, corrected
from implicit_bias.claims.ledger import Ledger
from implicit_bias.claims.paper import Paper
from implicit_bias.claims.verdict import Outcome, Verdict
from implicit_bias.display import equation
from implicit_bias.display.mathml import mathml, typeface, words_or_mathml
from implicit_bias.errors import require

require("judge", "jinja2")

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).with_name("templates")
NODE = (148, 30)  # width and height of a claim in the drawing
GAP = (52, 12)  # between columns and between rows
COROLLARY = "corollary of"  # begins the place of a claim that is printed nowhere, but follows from one that is


@dataclass(frozen=True)
class Entry:
    """A claim with its verdict, as the templates show it."""

    claim: Claim
    verdict: Verdict


@dataclass(frozen=True)
class Section:
    """The claims of a paper.

    Attributes:
        key: The key that begins their ids; empty for claims without a paper.
        paper: The paper, where the ledger knows it.
        entries: The claims with their verdicts, in the order of the ledger.
    """

    key: str
    paper: Paper | None
    entries: tuple[Entry, ...]

    @property
    def title(self) -> str:
        """The title of the paper, or its key where nothing else is known."""
        return self.paper.title if self.paper else self.key or "Claims without a paper"

    @property
    def printed(self) -> tuple[Entry, ...]:
        """The claims that the paper prints; a work without authors, such as this project, prints none."""
        return tuple(entry for entry in self.entries if self._place(entry.claim))

    @property
    def places(self) -> int:
        """How many places of the paper the claims judge, each counted once."""
        return len({self._place(entry.claim) for entry in self.printed})

    def source(self, claim: Claim) -> str:
        """Where a claim is printed, without the citation of the paper, which stands above."""
        return self.paper.place(claim) if self.paper else claim.source

    def _place(self, claim: Claim) -> str:
        """The printed place, up to the first comma or semicolon; empty if the claim is printed nowhere."""
        source = self.source(claim)
        if source.lower().startswith(COROLLARY) or (self.paper and not self.paper.authors):
            return ""
        return re.split("[,;]", source)[0] if self.paper else source


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


def page(ledger: Ledger, root: str | None) -> str:
    """All claims on one page; ``root`` is the path from it to the repository of modules and figures, if any."""
    return _rendered(ledger, sections(ledger), layout(ledger), root=root)


def page_of(ledger: Ledger, key: str, root: str | None, whole: str) -> str:
    """The page of one paper, beside those of the others; ``whole`` is the path from it to their list."""
    chosen = [section for section in sections(ledger) if section.key == key]
    own = {entry.claim.id for section in chosen for entry in section.entries}
    return _rendered(ledger, chosen, layout(ledger, own), root=root, whole=whole)


def contents(ledger: Ledger, pages: str) -> str:
    """All claims in a line each, with links to the pages of their papers; ``pages`` is the path to these."""
    return _rendered(ledger, sections(ledger), Graph((), (), 0.0, 0.0), pages=pages)


def _rendered(
    ledger: Ledger, chosen: list[Section], graph: Graph, *, root: str | None = None, whole: str = "", pages: str = ""
) -> str:
    own = [entry for section in chosen for entry in section.entries]
    known = {entry.claim.id for entry in own}
    variables = {**shown(entries(ledger)), "entries": own, "known": known}
    template = environment().get_template(
        "ledger.html.jinja", globals={"elsewhere": set(ledger) - known if whole else set()}
    )
    return template.render(
        ledger=ledger, root=root, graph=graph, sections=chosen, whole=whole, pages=pages, **variables
    )


def environment(*folders: Path) -> Environment:
    """Templates from some folders and from this package; text is escaped, and an undefined name is an error."""
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
        "math": lambda latex: Markup(mathml(latex)),  # noqa: S704
        "identity": equation.identity_latex,
        "domain": equation.domain_latex,
        "violation": equation.violation_latex,
        "numbers": equation.numbers_latex,
        "once": equation.once,
        "page": lambda name: f"{name.rpartition('/')[0]}.html#{name}",
        "file": lambda module: module.replace(".", "/") + ".py",
        "number": lambda value: f"{value or 0.0:.6g}",  # without the sign of -0.0
        "versions": lambda versions: ", ".join(f"{name} {number}" for name, number in versions.items()),
    }
    environment.globals |= {"elsewhere": (), "typeface": Markup(typeface())}  # noqa: S704
    environment.tests["corrected"] = lambda name: isinstance(name, corrected)
    return environment


def entries(ledger: Ledger) -> list[Entry]:
    """The claims of a ledger that has all verdicts."""
    return [Entry(claim, ledger.verdicts[name]) for name, claim in ledger.items()]


def sections(ledger: Ledger) -> list[Section]:
    """The claims by paper: the papers that the ledger knows, in their order, and then further keys."""
    by_key: dict[str, list[Entry]] = {paper.key: [] for paper in ledger.papers}
    for entry in entries(ledger):
        by_key.setdefault(entry.claim.id.rpartition("/")[0], []).append(entry)
    papers = {paper.key: paper for paper in ledger.papers}
    return [Section(key, papers.get(key), tuple(found)) for key, found in by_key.items() if found]


def shown(entries: Iterable[Entry]) -> dict[str, object]:
    """The variables with which the templates show claims."""
    by_id = {entry.claim.id: entry for entry in entries}
    used_by: dict[str, list[str]] = {name: [] for name in by_id}
    for entry in by_id.values():
        for name in entry.claim.uses:
            used_by.setdefault(name, []).append(entry.claim.id)
    return {
        "entries": list(by_id.values()),
        "known": set(by_id),
        "used_by": used_by,
        "tally": tally,
    }


def tally(entries: Iterable[Entry]) -> list[tuple[Verdict, int]]:
    """A verdict of each label, and how often that was found, in the order of outcomes."""
    by_label: dict[str, list[Verdict]] = {}
    for entry in entries:
        by_label.setdefault(entry.verdict.label, []).append(entry.verdict)
    order = list(Outcome)
    found = sorted(by_label.values(), key=lambda each: (order.index(each[0].outcome), each[0].label))
    return [(each[0], len(each)) for each in found]


def formula(latex: str) -> Markup:
    """A formula on its own line as MathML, or as it was written."""
    return Markup(mathml(latex, display="block"))  # noqa: S704


def hypothesis(text: str) -> Markup:
    """A hypothesis: words, or a formula in a line of text."""
    return Markup(words_or_mathml(text))  # noqa: S704


def layout(ledger: Ledger, names: Collection[str] | None = None) -> Graph:
    """Place every claim that uses another one or is used, to the right of everything that it uses.

    Args:
        ledger: The claims.
        names: Those to place, by default all; of these only the uses among each other count.
    """
    chosen = [name for name in ledger if names is None or name in names]
    uses = {name: [other for other in ledger[name].uses if other in chosen] for name in chosen}
    used = {other for others in uses.values() for other in others}
    depth: dict[str, int] = {}
    for name in chosen:  # each after what it uses
        depth[name] = 1 + max((depth[other] for other in uses[name]), default=-1)
    columns: list[list[str]] = []
    for name in (name for name in chosen if uses[name] or name in used):
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
    nodes = (Node(name, ledger.verdicts[name].outcome.value, *corner) for name, corner in place.items())
    curves = (_curve(place[other], place[name]) for name in place for other in uses[name])
    return Graph(tuple(nodes), tuple(curves), len(columns) * (NODE[0] + GAP[0]) - GAP[0], height)


def _curve(begin: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0, x1, y1 = begin[0] + NODE[0], begin[1] + NODE[1] / 2, end[0], end[1] + NODE[1] / 2
    bend = min(GAP[0], (x1 - x0) / 2)
    return f"M{x0:g},{y0:.1f} C{x0 + bend:g},{y0:.1f} {x1 - bend:g},{y1:.1f} {x1:g},{y1:.1f}"
