"""Everything on one page: ``figures/index.html`` shows the figures beside it, the ledger and the benchmarks, offline.

The page is drawn from what was saved, so it takes seconds; the same files give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from PIL import Image

import derivations
from implicit_bias.claims import comparison
from implicit_bias.claims.claim import Claim
from implicit_bias.claims.ledger import Ledger
from implicit_bias.claims.verdict import Verdict, saved_field
from implicit_bias.display import ledger_page
from implicit_bias.display.ledger_page import Entry
from implicit_bias.files import write_whole

PAGE = "index.html"
LEDGER_PAGE = derivations.SAVED.with_suffix(".html")
FILES = ("data.npz", "README.md", "figure.svg", "figure.pdf", "manifest.json")  # the page links to those there are
# The page takes these from a manifest; another version of this project wrote one that lacks any of them.
MANIFEST = {
    "title": str,
    "caption": str,
    "expectation": str,
    "mode": str,
    "configuration": dict,
    "verdicts": dict,
    "data_sha256": str,
    "code": str,
    "versions": dict,
    "tasks": int,
    "seconds": float | int,
}
FLOATING = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]?\d+)(?!\w|\.\d)")  # a number as programs print it
# An index or an exponent in plain text: a letter, perhaps with its own exponent, and what follows _ or ^.
INDEX = re.compile(r"(?<![\w.])([A-Za-zα-ωΑ-Ω])_(?:([A-Za-z0-9α-ω∞])(?![A-Za-z0-9_])|\{([^{}]+)\})")
EXPONENT = re.compile(r"\^(?:\(([^()]*(?:\([^()]*\)[^()]*)*)\)|(-?[\w∞]+))")
MINUS = re.compile(r"(?<![\w.)])-(?=\d)")  # the sign of a number, and no hyphen
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
WIDE = '<div class="wide numbers">'  # scrolls on its own
T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """A picture beside the page, with the size in which it is shown: half of its pixels, for sharp screens."""

    address: str
    width: int
    height: int


@dataclass(frozen=True)
class Section:
    """An experiment as the page shows it, or the benchmarks.

    Attributes:
        name: Its folder.
        picture: The figure.
        table: What its README says beside the figure, as HTML.
        files: The files to link to, as paths from the page.
        manifest: Its manifest, with the fields of ``MANIFEST``; empty for benchmarks.
        entries: The claims with their verdicts.
        elsewhere: The files of other modes, by mode.
    """

    name: str
    picture: Picture
    table: Markup
    files: list[str]
    manifest: Mapping[str, object] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    elsewhere: Mapping[str, list[str]] = field(default_factory=dict)


def write(folder: Path, names: Iterable[str], ledger: Path = derivations.SAVED) -> Path:
    """Write the page of a folder.

    The page leaves out a figure that it cannot show, and says why.

    Args:
        folder: Where the experiments' folders are.
        names: The experiments.
        ledger: The file that ``python -m derivations --html`` saved.

    Returns:
        The file that was written.
    """
    missing: dict[str, str] = {}
    found = [_unless_missing(missing, name, lambda name=name: _experiment(folder, name)) for name in names]
    sections = [section for section in found if section is not None]
    benchmarks = _unless_missing(missing, "benchmarks", lambda: _benchmarks(folder))
    checked = _unless_missing(missing, "ledger", lambda: Ledger.load(ledger)) or Ledger([])
    derived = ledger_page.entries(checked)
    drawn = [entry for section in sections for entry in section.entries]
    environment = ledger_page.environment(Path(__file__).parent)
    environment.filters |= {"deviation": deviation, "is_test": is_test, "prose": prose, "spoken": spoken}
    page = environment.get_template("report.html.jinja").render(
        sections=sections,
        benchmarks=benchmarks,
        ledger=checked,
        is_as_recorded=checked.outcomes() == derivations.recorded(),
        missing=missing,
        ledger_page=Path(os.path.relpath(LEDGER_PAGE, folder)).as_posix(),
        ledger_pages=Path(os.path.relpath(LEDGER_PAGE.with_suffix(""), folder)).as_posix(),
        papers=ledger_page.sections(checked),
        duration=duration,
        derived=derived,
        drawn=drawn,
        **ledger_page.shown([*derived, *drawn]),
    )
    target = folder / PAGE
    write_whole(target, page)
    return target


def _unless_missing(missing: dict[str, str], name: str, read: Callable[[], T]) -> T | None:
    """The result of reading, or None and a note of the reason."""
    try:
        return read()
    except FileNotFoundError as error:
        missing[name] = f"there is no {Path(error.filename).name}"
    except (OSError, ValueError) as error:
        missing[name] = f"its files are not as this version writes them: {error}"
    return None


def _experiment(folder: Path, name: str) -> Section:
    target = folder / name
    saved = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    manifest = {key: saved_field(saved, key, kind) for key, kind in MANIFEST.items()}
    if hashlib.sha256((target / "data.npz").read_bytes()).hexdigest() != manifest["data_sha256"]:
        raise ValueError("data.npz is not what manifest.json describes")
    others = {path.parents[1].name: path.parent for path in sorted(folder.glob(f"*/{name}/manifest.json"))}
    return Section(
        name,
        _picture(folder, target / "figure.png"),
        _without_picture(target / "README.md") if (target / "README.md").exists() else Markup(),
        _links(folder, target, FILES),
        manifest,
        tuple(
            Entry(replace(Claim.read(claim, described), figure=f"figures/{name}/figure.png"), Verdict.read(described))
            for claim, described in manifest["verdicts"].items()
        ),
        {mode: _links(folder, path, ("figure.png", *FILES)) for mode, path in others.items() if mode != "quick"},
    )


def _benchmarks(folder: Path) -> Section:
    target = folder / "benchmarks"
    numbers = sorted(path.name for path in target.glob("*.csv"))
    return Section(
        target.name,
        _picture(folder, target / "figure.png"),
        _without_picture(target / "README.md"),
        _links(folder, target, (*FILES, *numbers)),
    )


def _links(folder: Path, target: Path, names: Iterable[str]) -> list[str]:
    return [(target / name).relative_to(folder).as_posix() for name in names if (target / name).exists()]


def _picture(folder: Path, path: Path) -> Picture:
    with Image.open(path) as image:
        return Picture(path.relative_to(folder).as_posix(), image.width // 2, image.height // 2)


def _without_picture(path: Path) -> Markup:
    """A README as HTML, without its title and its picture, which the page shows already; wide tables scroll."""
    text = re.sub(r"^(# |!\[).*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    html = reader.render(spoken(re.sub("^##", "###", text, flags=re.MULTILINE)))
    html = html.replace("<th></th>", "<td></td>")  # a corner of a table names nothing
    return Markup(html.replace("<table>", WIDE + "<table>").replace("</table>", "</table></div>"))  # noqa: S704


def spoken(text: str) -> str:
    """A text whose numbers read as a person writes them: 2.0e-02 as 0.020, 3e+08 as 3·10⁸, -1e-16 as −10⁻¹⁶."""

    def written(found: re.Match) -> str:
        digits, exponent = found.group(1), int(found.group(2))
        if float(digits) == 0:
            return "0"
        if -4 < exponent < 4:
            return f"{Decimal(found.group()):f}"
        power = "10" + str(exponent).translate(SUPERSCRIPTS)
        return power if digits == "1" else f"{digits}·{power}"

    return MINUS.sub("−", FLOATING.sub(written, text))


def prose(text: str) -> Markup:
    """A text whose indices and exponents are set as such: x_t, R_{a_t} and e^(-4A) with <sub> and <sup>."""
    typeset = INDEX.sub(r"\1<sub>\2\3</sub>", str(escape(text)))
    return Markup(EXPONENT.sub(r"<sup>\1\2</sup>", typeset))  # noqa: S704


def is_test(verdict: Verdict) -> bool:
    """Whether the verdict's number is a p-value, which is small where a difference shows."""
    return verdict.tolerance_reason.startswith(comparison.CHANCE)


def deviation(verdict: Verdict) -> str:
    """How far a check was off and how far it may be, or the p-value and its level, as a sentence or two.

    It is empty where no number says so.
    """
    if verdict.residual is None:
        return ""
    if is_test(verdict):
        bounds = verdict.tolerance_reason.replace("The", "the", 1)
        return f"{verdict.residual:.2g}; {verdict.tolerance:.2g} or less decides, which bounds {bounds}"
    off = f"{verdict.residual:.2g}" if verdict.residual > 0 else "none"
    if verdict.tolerance is None:
        return f"{off}."
    allowed = f"up to {verdict.tolerance:.2g} is allowed" if verdict.tolerance else "none is allowed"
    return f"{off}; {allowed}. {verdict.tolerance_reason}".strip()


def duration(seconds: float) -> str:
    """A time in words: 1.7 s, 5 min 12 s, 2 h 3 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
