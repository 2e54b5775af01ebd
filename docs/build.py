r"""Build the site: guides, notebooks, figures, ledger and reference as pages, ``python docs/build.py [FOLDER]``.

The folder can be read from disk, or put on any server as it is. Formulas become MathML here, at
build time, so that the pages ask nothing of the internet.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import warnings
from pathlib import Path

from pdoc import doc, render
from site_pages import Site, formula, reachable

import derivations
import implicit_bias
from experiments import registry
from implicit_bias import Status, claims
from implicit_bias.files import write_whole

GUIDES = Path(__file__).resolve().parent
ROOT = GUIDES.parent
FOLDER = ROOT / "build" / "docs"
MODULES = (
    "implicit_bias",
    "implicit_bias.schedule",
    "implicit_bias.masking",
    "implicit_bias.training",
    "implicit_bias.claims",
    "implicit_bias.claims.judge",
    "implicit_bias.plotting",
    "experiments.experiment",
    "experiments.engine",
)
# A code span, an emphasized word, or an asterisk that Markdown must leave alone.
_ASTERISK = re.compile(r"(``?[^`]+``?|(?<![\w*‖])\*\w[^*\n]*\w\*(?![\w*‖]))|\*")
_TOKEN = re.compile(r"FORMULA(\d+)(BLOCK|INLINE)")


class Formulas:
    """Takes formulas out of docstrings before Markdown can touch them, and puts them into the pages as MathML."""

    def __init__(self) -> None:
        self._latex: list[str] = []

    def taken_out(self, docstring: str) -> str:
        """The docstring as Markdown, with a token for each formula."""
        text = re.sub(
            r"^( *)\.\. math:: *(.+(?:\n\1 +\S.*)*)", lambda m: f"{m[1]}{self._token(m[2], 'BLOCK')}\n", docstring,
            flags=re.MULTILINE,
        )  # fmt: skip
        text = re.sub(r":math:`([^`]+)`", lambda m: self._token(m[1], "INLINE"), text)
        text = re.sub(r"\.\. (\[\w+\])|(\[[A-Za-z]+\d{4}\])_", lambda m: m[1] or m[2], text)
        text = re.sub(r":(\w+):`~([\w.]+)`", r":\1:`\2`", text)
        # Not in doctests, which end at an empty line.
        parts = re.split(r"^( *>>> (?:.+\n?)+)", text, flags=re.MULTILINE)
        parts[::2] = [_ASTERISK.sub(lambda m: m[1] or r"\*", part) for part in parts[::2]]
        return "".join(parts)

    def take_out(self, documented: doc.Doc) -> None:
        """Do so in all docstrings of a module."""
        documented.docstring = self.taken_out(documented.docstring)
        if isinstance(documented, doc.Namespace):
            for member in documented.members.values():
                if not isinstance(member, doc.Module):
                    self.take_out(member)

    def put_back_as_text(self, script: str) -> str:
        """The search index with its formulas as LaTeX."""
        return _TOKEN.sub(lambda m: json.dumps(self._latex[int(m[1])])[1:-1], script)

    def put_back(self, page: str) -> str:
        """The page with its formulas."""
        return _TOKEN.sub(lambda m: formula(self._latex[int(m[1])], m[2].lower()), page)

    def _token(self, latex: str, kind: str) -> str:
        self._latex.append(" ".join(latex.split()))
        return f"FORMULA{len(self._latex) - 1}{kind}"


def reference(site: Site) -> None:
    """Write a page for each module, and let the site's search find their names."""
    folder = site.folder
    # pdoc looks into a package's namespace, which has no lazily loaded name until it is used.
    for package in (implicit_bias, claims):
        vars(package).update({name: getattr(package, name) for name in package.__all__})
    imported = {name: importlib.import_module(name) for name in MODULES}
    _name_array_types()
    modules = {name: doc.Module(module) for name, module in imported.items()}
    for status in Status:
        documented = modules["implicit_bias"].get(f"Status.{status.name}")
        if documented is not None:
            documented.docstring = status.advice
    formulas = Formulas()
    for module in modules.values():
        formulas.take_out(module)
    seen = set()  # what a package exports again is found where it stands first
    for name, module in modules.items():
        page = folder / f"{name.replace('.', '/')}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_whole(page, reachable(formulas.put_back(render.html_module(module, modules))))
        for member in module.members.values():
            if not member.name.startswith("_") and member.docstring and id(member.obj) not in seen:
                seen.add(id(member.obj))
                first = formulas.put_back_as_text(member.docstring.partition("\n\n")[0])
                address = f"{name.replace('.', '/')}.html#{member.qualname}"
                site.find("Reference", "", f"{name}.{member.qualname}".replace("implicit_bias.", "ib."), address, first)
    write_whole(folder / "search.js", formulas.put_back_as_text(render.search_index(modules)))


def _name_array_types() -> None:
    """Let signatures say ArrayLike and NDArray, in place of the long unions that these names stand for."""
    short = {name: type(name, (), {"__module__": "numpy.typing"}) for name in ("ArrayLike", "NDArray")}
    short["NDArray"].__class_getitem__ = classmethod(lambda cls, item: cls)
    short["FloatArray"] = short["NDArray"]
    for name, module in list(sys.modules.items()):
        if name.startswith(("implicit_bias.", "experiments.")):
            vars(module).update({key: value for key, value in short.items() if key in vars(module)})


def guides(site: Site) -> None:
    """Write the start and the guides, with all that they link to, the gallery, and what the search looks into."""
    site.take("README.md")
    for guide in sorted(GUIDES.glob("*.md")):
        site.take(f"docs/{guide.name}")
    site.gallery(sorted(registry()))
    site.ledger(derivations.SAVED)
    site.write_shared()


def main(folder: Path) -> None:
    """Build everything."""
    # pdoc warns of members that classes get only when they are created.
    warnings.filterwarnings("ignore", message="Cannot determine where")
    # On Python 3.13 it finds the wrong lines for classes of torch that name another module than their own.
    warnings.filterwarnings("ignore", message="Error parsing source code", module="pdoc")
    try:
        render.configure(
            docformat="google", include_undocumented=False, show_source=False, template_directory=GUIDES / "templates"
        )
        site = Site(folder, render.env)
        reference(site)
        guides(site)
    except OSError as error:
        raise SystemExit(f"docs/build.py: {error}") from None
    print(f"wrote {folder / 'index.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else FOLDER).resolve())
