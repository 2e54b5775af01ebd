"""The examples and links of text pages hold, and their tables list what is in the code."""

import contextlib
import doctest
import inspect
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from typer.testing import CliRunner

import implicit_bias as ib
from derivations import ledger, papers, recorded
from implicit_bias.cli import app
from tests.documentation.pages import ROOT, TEXTS, blocks, commands, pages_with, prose


def table_rows(text):
    """The names that begin the rows of tables, each with the cells after the second."""
    for line in text.splitlines():
        if line.startswith("| `"):
            ids, _, *others = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            yield from ((name, others) for name in re.findall(r"`([\w.-]+)`", ids))


def test_the_readme_runs(tmp_path):
    """The Python blocks of the README run in their order, as a reader would run them, and print what they should."""
    code = "\n".join(["import matplotlib", "matplotlib.use('Agg')", *blocks("README.md", "python")])
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    scale, distance, bound = done.stdout.splitlines()
    assert (tmp_path / "potential.png").exists()
    assert scale == "(m0**2 - w0**2)*exp(-4*A)/2"
    assert float(distance) < 1e-12
    assert float(bound) < 1e-14
    assert (ROOT / "docs" / "pictures" / "potential.png").stat().st_size > 10_000


@pytest.mark.parametrize("page", pages_with("pycon"))
def test_the_examples_of_a_page_give_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    text = "\n".join(blocks(page, "pycon"))
    with mpl.rc_context(), contextlib.redirect_stderr(None):
        plt.close("all")  # Matplotlib 3.9 warns of figures that a change of the backend closes
        plt.switch_backend("Agg")
        runner.run(doctest.DocTestParser().get_doctest(text, {}, page, page, 0), clear_globs=True)
        plt.close("all")
    assert runner.summarize(verbose=False).failed == 0
    # These commands read files that the examples wrote.
    for command in commands(page):
        if command[:2] == ["implicit-bias", "limit"]:
            done = CliRunner().invoke(app, command[1:])
            assert done.exit_code == 0, f"{shlex.join(command)}: {done.output}"


@pytest.mark.parametrize(("page", "file"), [("docs/extending.md", "implicit_bias/claims/example_paper.py")])
def test_code_that_a_page_quotes_is_in_the_file(page, file):
    """The file has the quoted lines in their order; ``...`` stands for lines that are left out."""
    (quoted,) = blocks(page, "python")
    lines = iter((ROOT / file).read_text("utf-8").splitlines())
    assert [line for line in quoted.splitlines() if line.strip() != "..." and line not in lines] == []


def test_every_block_of_code_is_checked_somehow():
    """Each is in a language that a test in this folder reads; ``tests/claims/test_changes.py`` reads a text."""
    languages = {
        "docs/judge.md": {"pycon", "sh", "text"},
        "docs/extending.md": {"python", "pycon"},
        "README.md": {"python", "sh", "bibtex"},
    }
    for page, text in TEXTS.items():
        begun = set(re.findall(r"^```(\w*)\n.*?^```$", text, re.MULTILINE | re.DOTALL))
        assert begun <= languages.get(page, {"pycon", "sh"}), page


def anchors(page):
    """The anchors that GitHub gives the headings of a page, or those that a page of HTML has itself."""
    if page.endswith(".html"):
        return set(re.findall(r' id="([^"]+)"', (ROOT / page).read_text("utf-8")))
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        name = target.relative_to(ROOT).as_posix()
        assert target.exists(), f"{page} links to {link}"
        assert not anchor or anchor in anchors(name), f"{page} links to {link}, which has no such heading"


def test_every_guide_is_in_the_index():
    guides = {Path(page).name for page in TEXTS if page.startswith("docs/")} - {"README.md"}
    assert guides <= set(re.findall(r"\]\((\w[\w-]*\.md)\)", TEXTS["docs/README.md"]))


def claims_recorded():
    """The recorded outcomes of claims, without those of corrections."""
    return {name: outcome for name, outcome in recorded().items() if name in ledger()}


def test_the_guide_to_the_ledger_lists_every_paper_with_its_page():
    listed = re.findall(r"^\| `([\w-]+)` \| \[.+\]\((.+\.html)\).* \| (\d+) \|$", TEXTS["docs/ledger.md"], re.MULTILINE)
    counts = Counter(name.partition("/")[0] for name in claims_recorded())
    assert {key: int(count) for key, _, count in listed} == counts
    assert {key for key, _, _ in listed} == {paper.key for paper in papers()}
    for _, page, _ in listed:
        assert (ROOT / "docs" / page).is_file()


def in_the_code(*folders):
    return "\n".join(path.read_text("utf-8") for each in folders for path in sorted((ROOT / each).rglob("*.py")))


def test_what_the_guide_to_extending_names_is_in_the_repository():
    """Its files, and the words of its code: those of its examples are its own."""
    source = in_the_code("implicit_bias", "derivations", "experiments", "tests")
    folders = ("implicit_bias", "derivations", "experiments", "tests", "docs", "figures")
    files = [f"/{path.relative_to(ROOT).as_posix()}" for each in folders for path in (ROOT / each).rglob("*.*")]
    known = set(re.findall(r"\w+", source + "".join(blocks("docs/extending.md", "pycon"))))
    for span in re.findall(r"`([^`]+)`", prose("docs/extending.md")):
        if re.fullmatch(r"[\w./]+\.(py|pyi|json|md)", span):
            assert Path(span).stem in ("x", "test_x") or any(path.endswith(f"/{span}") for path in files), span
        else:
            assert set(re.findall(r"[A-Za-z_]\w{3,}", span)) <= known, span


def test_names_of_the_glossary_are_in_the_code():
    source = in_the_code("implicit_bias")
    rows = [line.split("|")[1] for line in TEXTS["docs/glossary.md"].splitlines() if line.startswith("| `")]
    for name in re.findall(r"`([\w.]+)`", "".join(rows)):
        assert re.search(rf"\b{name.split('.')[-1]}\b", source), name


def test_statuses_of_the_guide_are_those_of_the_code():
    assert [name for name, _ in table_rows(TEXTS["docs/limit.md"])] == [status.name for status in ib.Status]


def test_every_schedule_is_in_the_guide():
    names = {
        name
        for name, value in vars(ib.schedule).items()
        if inspect.isclass(value) and value.__module__ == ib.schedule.__name__
    }
    public = {name for name in names if not name.startswith("_")} - {"Schedule"}
    assert public == set(re.findall(r"`([A-Z][A-Za-z]+)\(", prose("docs/simulate.md")))


def test_outcomes_of_the_guide_are_those_of_the_code():
    stated = re.findall(r"^\| ([A-Z_]+) \|", TEXTS["docs/claims.md"], re.MULTILINE)
    assert stated == [outcome.value for outcome in ib.Outcome]
