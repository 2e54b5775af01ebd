"""The text pages, README and guides, and how to read them."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
}


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", TEXTS[page], re.DOTALL)


def pages_with(language):
    return [page for page in TEXTS if blocks(page, language)]


def prose(page):
    """A page without its blocks of code."""
    return re.sub(r"```.*?```", "", TEXTS[page], flags=re.DOTALL)


def commands(page):
    lines = "".join(blocks(page, "sh")).splitlines()
    return [command for line in lines if (command := shlex.split(line, comments=True))]


def inline_commands(page):
    spans = re.findall(r"`([^`]+)`", prose(page))
    programs = ("make ", "marimo ", "pip install ", "implicit-bias ", "python -m ")
    return [shlex.split(span.replace("\n", " ")) for span in spans if span.startswith(programs)]
