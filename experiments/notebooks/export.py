"""Run the notebooks and write each here as a Jupyter notebook with outputs, for reading on the web.

``python experiments/notebooks/export.py [NAME ...]``. The cells come from marimo's own export; the outputs are those of
one run, reduced to what every viewer shows: text, PNG with its alternative text, and HTML. Text with computed numbers
becomes Markdown cells, a slider a sentence that names its value, an answer to an exercise a text that unfolds; code
that is folded in marimo is folded here, too. The same outputs give the same bytes.
"""

from __future__ import annotations

import ast
import base64
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import marimo as mo
import matplotlib as mpl
import nbformat
from matplotlib import pyplot as plt

from implicit_bias.files import write_whole
from implicit_bias.notebooks import FOLDER as SOURCES
from implicit_bias.notebooks import NAMES
from implicit_bias.plotting import Picture

FOLDER = Path(__file__).resolve().parent  # of the exports
_FOLD = re.compile(r"^/// details \| (.+?)\n(.*?)\n///\s*\Z", re.DOTALL)  # as marimo writes what unfolds


def execute(name: str) -> tuple[nbformat.NotebookNode, Mapping[str, Any]]:
    """Run a notebook: the Jupyter notebook, and all that its cells define."""
    path = SOURCES / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"notebook_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python module.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    outputs, defs = module.app.run()
    document = nbformat.reads(_cells(path), as_version=4)
    names = {id(value): key for key, value in defs.items()}
    document.metadata["marimo"].pop("marimo_version", None)  # a new version alone is no change
    for number, (cell, output) in enumerate(zip(document.cells, outputs, strict=True)):
        cell.id = f"cell-{number}"
        if cell.cell_type == "code":
            if cell.metadata.get("jupyter", {}).get("source_hidden"):
                cell.metadata.tags = ["hide-input"]  # Jupyter Book's name for it
            _fill(cell, output, names)
    plt.close("all")
    nbformat.validate(document)
    return document, defs


def write(name: str) -> Path:
    """Run a notebook and write its export."""
    document, _ = execute(name)
    path = FOLDER / f"{name}.ipynb"
    write_whole(path, nbformat.writes(document, indent=1) + "\n")
    return path


def _cells(path: Path) -> str:
    command = [sys.executable, "-m", "marimo", "export", "ipynb", str(path), "--sort", "top-down"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603


def _fill(cell: nbformat.NotebookNode, output: object, names: Mapping[int, str]) -> None:
    """Give a code cell its output; one that holds only text becomes that text."""
    if output is None:
        return
    if isinstance(output, mo.ui.slider):
        value = f"`{names[id(output)]}.value` = {output.value:g}"
        text = f"*In the live notebook a slider stands here and moves what follows; this page was made with {value}.*"
        bundle = {"text/markdown": text}
    else:
        bundle = _bundle(output)
    text = bundle.get("text/markdown", "").strip()
    answer = _FOLD.match(text)
    if answer is not None:
        _become_text(cell, _unfolding(answer[1], answer[2], cell.source))
    elif text and _is_text(cell.source):
        _become_text(cell, text)
    else:
        metadata = {}
        if isinstance(output, Picture):
            metadata = {"image/png": {"width": output.width, "alt": output.text}}
        cell.outputs = [nbformat.v4.new_output("display_data", data=bundle, metadata=metadata)]


def _become_text(cell: nbformat.NotebookNode, text: str) -> None:
    cell.cell_type, cell.source = "markdown", text
    for key in ("outputs", "execution_count"):
        cell.pop(key)
    for key in ("jupyter", "tags"):
        cell.metadata.pop(key, None)


def _unfolding(title: str, text: str, source: str) -> str:
    """An answer as every viewer folds it: the code that found it, without the call that shows it, and its text."""
    *found, shown = ast.parse(source).body
    code = "\n".join(source.splitlines()[: shown.lineno - 1]).strip() if found else ""
    parts = [f"```python\n{code}\n```"] if code else []
    return "\n\n".join([f"<details>\n<summary>{title}</summary>", *parts, text.strip(), "</details>"])


def _is_text(source: str) -> bool:
    """Whether a cell is a single mo.md(…)."""
    body = ast.parse(source).body
    if len(body) != 1 or not isinstance(body[0], ast.Expr) or not isinstance(body[0].value, ast.Call):
        return False
    return ast.unparse(body[0].value.func) == "mo.md"


def _bundle(output: Any) -> dict[str, str]:
    """The forms of a result that a viewer can show, by MIME type."""
    if isinstance(output, Picture):
        return {"image/png": base64.b64encode(output.png()).decode("ascii"), "text/plain": output.text}
    if hasattr(output, "_repr_markdown_"):
        return {"text/markdown": output._repr_markdown_()}
    if isinstance(output, mo.Html):
        return {"text/html": output.text, "text/plain": "HTML"}
    if hasattr(output, "_repr_html_"):
        return {"text/html": output._repr_html_(), "text/plain": repr(output)}
    return {"text/plain": repr(output)}


def main(names: list[str]) -> None:
    """Write the named notebooks, or all."""
    mpl.use("Agg")
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise SystemExit(f"No notebook is called {', '.join(unknown)}; there are {', '.join(NAMES)}.")
    for name in names or NAMES:
        began = time.perf_counter()
        try:
            path = write(name)
        except OSError as error:
            raise SystemExit(f"{name}: {error}") from None
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB in {time.perf_counter() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
