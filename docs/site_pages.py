"""The guides, notebooks, figures and ledger as one folder of pages that can be put on any server, or read from disk.

A page may link to whatever is in the repository. What it links to comes along: Markdown and notebooks as pages,
anything else as it is, under ``repository/``.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable
from html import escape, unescape
from pathlib import Path
from urllib.parse import unquote

import nbformat
from jinja2 import Environment
from markdown_it import MarkdownIt
from markupsafe import Markup
from PIL import Image

from implicit_bias import Ledger
from implicit_bias.display.ledger_page import TEMPLATES
from implicit_bias.display.mathml import mathml, typeface
from implicit_bias.files import write_whole

ROOT = Path(__file__).resolve().parents[1]
LONGEST_TEXT = 1500  # letters of a section that the search looks into
LONGEST_INLINE = 30  # letters of LaTeX that fit into a line on a phone
MANY_COLUMNS = 5
MANY_SECTIONS = 4
FIRST_PAGES = {"README.md": "index.html", "docs/README.md": "guides.html"}
_MARKDOWN = MarkdownIt("commonmark").enable("table")
_GITHUB_FORMULA = re.compile(r"\$<code>(.*?)</code>\$")  # as GitHub writes formulas in tables
_FORMULA = re.compile(r"(?<![\\\w])(\$\$.+?\$\$|\$[^\s$](?:[^$\n]*?[^\s$\\])?\$(?!\d))", re.DOTALL)
_CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_SESSION = re.compile(r'(<code class="language-pycon">)(.*?)(</code>)', re.DOTALL)
_LINK = re.compile(r'(href|src)="([^"]+)"')
_HEADING = re.compile(r"<(h[1-4])>(.+?)</h\d>", re.DOTALL)


class Site:
    """Writes pages, and whatever they link to.

    Args:
        folder: Where the site goes.
        templates: Where ``guide.html.jinja2`` is.
    """

    def __init__(self, folder: Path, templates: Environment) -> None:
        self.folder = folder
        self._template = templates.get_template("guide.html.jinja2")
        self._places: dict[str, str] = {}  # of files of the repository, by their paths there
        self._waiting: list[tuple[str, Callable[[str, str], None]]] = []
        self._index: list[tuple[str, str, str, str, str]] = []  # kind, page, heading, address and text of every section

    def take(self, name: str) -> str:
        """Where in the site a file of the repository is; it comes along, if it has not yet."""
        if name not in self._places:
            place, write = self._place(name)
            self._places[name] = place
            self._waiting.append((name, write))
            while self._waiting:
                source, write = self._waiting.pop()
                write(source, self._places[source])
        return self._places[name]

    def page(self, place: str, title: str, html: str) -> None:
        """Write a page, and let the search find its sections."""
        html = _HEADING.sub(lambda m: f'<{m[1]} id="{anchor(m[2])}">{m[2]}</{m[1]}>', html)
        parts = re.split(r'<h[1-4] id="([^"]*)">(.+?)</h\d>', html, flags=re.DOTALL)
        kind = _kind(place)
        for name, heading, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True) if kind else ():
            self.find(kind, title, _plain(heading), f"{place}#{name}", _plain(text))
        up = "../" * place.count("/")
        content = Markup(reachable(html if kind in ("", "Figure") else _with_contents(html)))  # noqa: S704 - our own pages
        self._write(place, self._template.render(title=title, content=content, up=up))

    def find(self, kind: str, page: str, heading: str, address: str, text: str) -> None:
        """Let the search find a section; ``kind`` is one of those that find.js puts in order."""
        self._index.append((kind, page, heading, address, " ".join(text.split())[:LONGEST_TEXT]))

    def write_shared(self) -> None:
        """Write what all pages load: the font of formulas, and the search with the sections that it looks into."""
        sections = json.dumps(self._index, ensure_ascii=False, separators=(",", ":"))
        self._write("sections.js", f"const SECTIONS = {sections};\n")
        self._write("pages.css", f"{typeface()}\n{(TEMPLATES / 'wide.css').read_text('utf-8')}")
        self._write("wide.js", (TEMPLATES / "wide.js").read_text("utf-8"))
        self._write("find.js", (Path(__file__).parent / "templates" / "find.js").read_text("utf-8"))

    def gallery(self, names: list[str]) -> None:
        """Write the page of all figures, with their captions."""
        parts = []
        for name in names:
            about = json.loads((ROOT / "figures" / name / "manifest.json").read_text("utf-8"))
            width, height = Image.open(ROOT / "figures" / name / "figure.png").size
            tall = ' class="tall"' if height > width else ""
            picture, report = (self.take(f"figures/{each}") for each in (f"{name}/figure.png", "index.html"))
            title, caption = (escape(about[key]) for key in ("title", "caption"))
            parts.append(
                f'<figure><h2>{title}</h2><a href="{picture}"><img{tall} src="{picture}" width="{width}" '
                f'height="{height}" alt="{title}. {caption}" loading="lazy"></a><figcaption><p>{caption}</p>'
                f'<p><a href="{report}#{name}">Numbers and verdicts</a> · '
                f"<code>python -m experiments {name}</code></p></figcaption></figure>"
            )
        intro = (
            "<p>Every figure comes from one command, with the numbers behind it and verdicts on what theory says.</p>"
        )
        grid = f'<div class="gallery">{"".join(parts)}</div>'
        self.page("gallery.html", "Gallery", f"<h1>Gallery</h1>{intro}{grid}")

    def ledger(self, saved: Path) -> None:
        """Let the search find every claim of the ledger."""
        for claim in Ledger.load(saved).values():
            key = claim.id.partition("/")[0]
            place = self.take(f"figures/ledger/{key}.html")
            self.find("Ledger", "", claim.id, f"{place}#{claim.id}", f"{claim.source} {claim.statement}")

    def _place(self, name: str) -> tuple[str, Callable[[str, str], None]]:
        path = ROOT / name
        if path.is_dir():
            raise FileNotFoundError(f"A page links to the folder {name}; name a file in it.")
        if name in FIRST_PAGES:
            return FIRST_PAGES[name], self._markdown
        if path.suffix == ".md":
            stem = name.removesuffix(".md").removesuffix("README") + ("index" if path.stem == "README" else "")
            guide = stem.removeprefix("docs/")
            return (f"{guide}.html" if name.startswith("docs/") else f"repository/{stem}.html"), self._markdown
        if path.suffix == ".ipynb":
            return f"notebooks/{path.stem}.html", self._notebook
        return f"repository/{name}", self._copy

    def _write(self, place: str, content: str | bytes) -> None:
        (self.folder / place).parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / place, content)

    def _copy(self, name: str, place: str) -> None:
        """Copy a file; a page is copied with what it links to, and gets a link back to the site."""
        content = (ROOT / name).read_bytes()
        if not name.endswith(".html"):
            self._write(place, content)
            return
        html = content.decode("utf-8")
        back = f'<p><a href="{"../" * place.count("/")}index.html">← Guides, gallery and search</a></p>'
        self._write(place, re.sub(r"<main[^>]*>", lambda found: found[0] + back, html, count=1))
        for _, link in _LINK.findall(html):  # its links stay as they are, so their targets have to be where they lead
            path = unquote(unescape(link)).partition("#")[0]
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            if path and ":" not in path and not (self.folder / "repository" / target).exists():
                self._copy(target, f"repository/{target}")

    def _markdown(self, name: str, place: str) -> None:
        text = (ROOT / name).read_text(encoding="utf-8")
        html = _GITHUB_FORMULA.sub(lambda m: formula(unescape(m[1])), _MARKDOWN.render(text))
        html = _SESSION.sub(lambda m: m[1] + "".join(map(_line, m[2].splitlines(keepends=True))) + m[3], html)
        title = re.findall(r"^# (.+)", text, re.MULTILINE)[0]
        self.page(place, title, self._linked(html, name, place))

    def _notebook(self, name: str, place: str) -> None:
        cells = nbformat.read(ROOT / name, as_version=4).cells
        html = "".join(f"<section>{self._linked(_cell(cell), name, place)}</section>" for cell in cells)
        title = re.sub(
            r"\$(.*?)\$", lambda m: m[1].replace("_", ""), cells[0].source.splitlines()[0].removeprefix("# ")
        )
        self.page(place, title, html)

    def _linked(self, html: str, name: str, place: str) -> str:
        """The page with links that lead where the files of the repository are in the site."""

        def leads(found: re.Match[str]) -> str:
            link = unescape(found[2])
            path, mark, heading = unquote(link).partition("#")
            if not path or re.match(r"\w+:", link):
                return found[0]
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            there = posixpath.relpath(self.take(target), posixpath.dirname(place) or ".")
            return f'{found[1]}="{escape(there + mark + heading)}"'

        return _LINK.sub(leads, html)


def _kind(place: str) -> str:
    """The kind of a page, such as Guide, which a result of the search begins with; empty if it is not searched."""
    if place in FIRST_PAGES.values():  # they list pages that the search finds themselves
        return ""
    if place.startswith("repository/"):
        return "Figure" if place.startswith("repository/figures/") else ""
    if place == "gallery.html":
        return "Figure"
    return "Notebook" if place.startswith("notebooks/") else "Errata" if place == "errata.html" else "Guide"


def _with_contents(html: str) -> str:
    """A page with a line of links to its sections below its title, if there are many."""
    sections = re.findall(r'<h2 id="([^"]*)">(.+?)</h2>', html, re.DOTALL)
    if len(sections) < MANY_SECTIONS:
        return html
    links = " ".join(f'<a href="#{name}">{re.sub(r"<[^>]+>", "", heading)}</a>' for name, heading in sections)
    return html.replace("</h1>", f'</h1><nav class="sections" aria-label="On this page">{links}</nav>', 1)


def formula(latex: str, display: str = "inline") -> str:
    """A formula as MathML, in a box of its own where it may be wider than a phone."""
    if display == "block":
        return f'<span class="formula">{mathml(latex, display)}</span>'
    return f'<span class="part">{mathml(latex)}</span>' if len(latex) > LONGEST_INLINE else mathml(latex)


def reachable(html: str) -> str:
    """A page on which wide tables scroll by themselves, and every link says where it leads."""
    html = re.sub(r"<table>.*?</table>", _boxed, html, flags=re.DOTALL)
    return html.replace('<a class="headerlink"', '<a class="headerlink" aria-label="Link to this entry"')


def anchor(heading: str) -> str:
    """The name by which links find a heading, as on GitHub."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"<[^>]+>", "", heading).lower()).replace(" ", "-")


def _boxed(table: re.Match[str]) -> str:
    """A table in a box that scrolls; of one with numbers in many columns the first stays in view."""
    cells = re.findall(r"<td>([^<]*)", table[0])
    columns, numbers = table[0].count("<th>"), sum(bool(re.match(r"[-−–]?\d|–$", cell)) for cell in cells)
    is_of_numbers = columns >= MANY_COLUMNS and 2 * numbers > len(cells)
    return f'<div class="wide{" numbers" if is_of_numbers else ""}">{table[0]}</div>'


def _line(line: str) -> str:
    """A line of a Python session; its prompt, or all of it if Python answered it, stays behind when one copies."""
    prompt = next((each for each in ("&gt;&gt;&gt; ", "... ", "...\n") if line.startswith(each)), line).rstrip("\n")
    return f'<span class="shown">{prompt}</span>{line.removeprefix(prompt)}'


def _plain(html: str) -> str:
    """Text without its tags, and of formulas what they were written as."""
    without = re.sub(r'<img[^>]*\balt="([^"]*)"[^>]*>', r"\1", re.sub(r"<annotation.*?</annotation>", "", html))
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", without)).split())


def _cell(cell: nbformat.NotebookNode) -> str:
    """A cell of a notebook, with its outputs; code that is folded there is folded here."""
    if cell.cell_type == "markdown":
        return _text(cell.source)
    code = f'<pre><code class="language-python">{escape(cell.source)}</code></pre>'
    if cell.metadata.get("jupyter", {}).get("source_hidden"):
        code = f"<details><summary>Code of this picture</summary>{code}</details>"
    return code + "".join(_output(output) for output in cell.outputs)


def _output(output: nbformat.NotebookNode) -> str:
    data = output.data
    if "image/png" in data:
        about = output.metadata["image/png"]
        source = f"data:image/png;base64,{data['image/png'].strip()}"
        return f'<img alt="{escape(about["alt"])}" width="{about["width"]}" src="{source}">'
    if "text/html" in data:
        return data["text/html"]
    return _text(data["text/markdown"]) if "text/markdown" in data else f"<pre>{escape(data['text/plain'])}</pre>"


def _text(source: str) -> str:
    """Markdown with formulas in dollars, which become MathML."""
    formulas: list[str] = []

    def taken_out(found: re.Match[str]) -> str:
        kind = "block" if found[0].startswith("$$") else "inline"
        formulas.append(formula(found[0].strip("$"), kind))
        return f"FORMULA{len(formulas) - 1}X"

    parts = _CODE.split(source)
    parts[::2] = [_FORMULA.sub(taken_out, part) for part in parts[::2]]
    html = _MARKDOWN.render("".join(parts))
    return re.sub(r"FORMULA(\d+)X", lambda m: formulas[int(m[1])], html)
