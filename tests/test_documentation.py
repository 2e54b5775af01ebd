"""The examples, commands, links and numbers of all pages hold, and so does the reference built from docstrings."""

import contextlib
import csv
import doctest
import inspect
import posixpath
import re
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import matplotlib as mpl
import pytest
import typer
import typer.core
from matplotlib import pyplot as plt
from typer.testing import CliRunner

import implicit_bias as ib
from derivations import ledger, papers, recorded
from derivations.__main__ import main as derivations
from experiments import registry
from experiments.__main__ import main as experiments
from experiments.benchmarks.__main__ import BENCHMARKS
from experiments.benchmarks.__main__ import main as benchmarks
from implicit_bias.cli import app
from implicit_bias.notebooks import NAMES
from tests import test_accessibility as accessibility

ROOT = Path(__file__).resolve().parent.parent
# The measured numbers that pages state. Neither make figures nor make bench writes here.
RECORDED = ROOT / "experiments" / "recorded" / "pages"
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
}


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", TEXTS[page], re.DOTALL)


def pages_with(language):
    return [page for page in TEXTS if blocks(page, language)]


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
    """Each block is in a language that a test in this file reads; ``tests/claims/test_changes.py`` reads a text."""
    languages = {
        "docs/judge.md": {"pycon", "sh", "text"},
        "docs/extending.md": {"python", "pycon"},
        "README.md": {"python", "sh", "bibtex"},
    }
    for page, text in TEXTS.items():
        begun = set(re.findall(r"^```(\w*)\n.*?^```$", text, re.MULTILINE | re.DOTALL))
        assert begun <= languages.get(page, {"pycon", "sh"}), page


def test_the_command_of_the_readme_derives():
    command = next(each for each in inline_commands("README.md") if each[:2] == ["implicit-bias", "derive"])
    done = CliRunner().invoke(app, command[1:])
    assert done.exit_code == 0
    assert "(m0**2 - w0**2)*exp(-4*A)/2" in done.output


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


def typer_command(function):
    program = typer.Typer(add_completion=False)
    program.command()(function)
    return typer.main.get_command(program)


def check_command(command, known_names=True):
    """Fail unless the program, its options and the names given to it exist; nothing is run."""
    match [word for word in command if word != "--help"]:
        case ["make", *targets]:
            rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
            assert {target for target in targets if "=" not in target} <= set(rules)
        case ["marimo", "edit", notebook]:
            assert Path(notebook).stem in NAMES
        case ["pip", "install", "-e", what]:
            extra = re.fullmatch(r"\.(?:\[(\w+)\])?", what)
            assert extra is not None
            assert extra[1] is None or extra[1] in pyproject()["project"]["optional-dependencies"]
        case ["implicit-bias", option] if option.startswith("--"):
            assert option in {name for each in typer.main.get_command(app).params for name in each.opts}
        case ["implicit-bias", name, *arguments]:
            program = typer.main.get_command(app)
            assert isinstance(program, typer.core.TyperGroup)
            program.commands[name].make_context(name, arguments)
        case ["python", "-m", "experiments", *arguments]:
            found = typer_command(experiments).make_context("experiments", arguments).params
            assert not known_names or set(found["names"] or ()) <= registry().keys()
        case ["python", "-m", "experiments.benchmarks", *arguments]:
            found = typer_command(benchmarks).make_context("benchmarks", arguments).params
            assert set(found["names"] or ()) <= BENCHMARKS.keys()
        case ["python", "-m", "derivations", *arguments]:
            found = typer_command(derivations).make_context("derivations", arguments).params
            assert not known_names or all(ledger().full_id(name) for name in found["ids"] or ())
        case ["python", "-m", "derivations.errata"]:
            assert (ROOT / "derivations" / "errata.py").exists()
        case ["python", "-m", "tests.explore.frame_rate"]:
            assert (ROOT / "tests" / "explore" / "frame_rate.py").exists()
        case ["dask", "scheduler", *arguments]:
            from distributed.cli.dask_scheduler import main

            main.make_context("scheduler", arguments)
        case ["dask", "worker", *arguments]:
            from distributed.cli.dask_worker import main

            main.make_context("worker", arguments)
        case _:
            pytest.fail(f"no check knows the command {shlex.join(command)}")


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.mark.parametrize("page", pages_with("sh"))
def test_commands_and_their_options_exist(page):
    for command in commands(page):
        check_command(command)


@pytest.mark.parametrize("page", TEXTS)
def test_commands_in_the_text_exist(page):
    for command in inline_commands(page):
        check_command(command, known_names=False)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("make nothing", "nothing"),
        ("implicit-bias derive m*w --parameters m", "--parameters"),
        ("pip install -e .[x]", "'x'"),
        ("rm -r docs", "no check knows the command rm -r docs"),
    ],
)
def test_the_check_itself_sees_mistakes(command, message):
    with pytest.raises((Exception, pytest.fail.Exception), match=re.escape(message)):
        check_command(shlex.split(command))


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


def table_rows(text):
    """The names that begin the rows of tables, each with the cells after the second."""
    for line in text.splitlines():
        if line.startswith("| `"):
            ids, _, *others = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
            yield from ((name, others) for name in re.findall(r"`([\w.-]+)`", ids))


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


def test_names_of_the_glossary_are_in_the_code():
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "implicit_bias").rglob("*.py"))
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


def measured(name, **wanted):
    """One number of the recorded benchmarks."""
    column = wanted.pop("column")
    with (RECORDED / f"{name}.csv").open(encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items())]
    assert len(found) == 1, (name, wanted, found)
    return float(found[0][column])


def test_differences_of_the_results_are_those_of_the_table():
    """All of LeNet's, row by row, with what was decided; and the numbers in the sentences below them."""
    results = TEXTS["docs/results.md"]
    lenet = (RECORDED / "figure2.md").read_text("utf-8").split("## ")[1].splitlines()
    pairs = [line for line in lenet if line.startswith(("| difference", "| Mask −", "| PILoT −"))]
    assert len(pairs) == 11
    assert "\n".join([pairs[0], "| --- | --- | --- | --- |", *pairs[1:]]) in results
    in_turn = (RECORDED / "figure3.md").read_text("utf-8").split("## ")[1]
    for method in ("IMP", "LRR"):
        mean, half = re.search(rf"{method} with the mask − without: \+(\S+) ± (\S+)", in_turn).groups()
        assert f"{mean} ± {half}" in " ".join(results.split())
    onset = [line.split(" | ") for line in (RECORDED / "onset.md").read_text("utf-8").splitlines() if "±" in line]
    (first, *_, last), sentence = onset, " ".join(results.split())
    assert f"from {first[-2]} % at scale {first[3]} to {last[-2].split()[0]} % at {last[3]}." in sentence
    assert f"falls from {first[-3]} % to {last[-3]} %" in sentence
    assert f"grow from {float(first[-1].strip(' |')):.1g} % to {last[-1].strip(' |')} %" in sentence


def test_numbers_of_benchmarks_are_the_recorded_ones():
    def flow(method, end):
        return measured("flow", column="ratio", n="100", end=end, method=method)

    results, simulate = (" ".join(TEXTS[page].split()) for page in ("docs/results.md", "docs/simulate.md"))
    assert round(1 / flow("diffrax Dopri8", "10.0")) == 5
    assert int(flow("diffrax Dopri8", "10000.0")) == 25
    assert flow("SciPy DOP853", "10.0") == pytest.approx(1, abs=0.2)
    assert flow("SciPy DOP853", "10000.0") > 100
    assert "five times faster than it up to t = 10 and 25 times slower" in results
    assert "five times faster up to t = 10, and 25 times slower" in simulate
    for method, stated in (("SciPy DOP853", "DOP853 takes 1.4 times"), ("SciPy LSODA", "LSODA on m and w 0.8 times")):
        ratio = measured("decaying_flow", column="ratio", n="100", end="500.0", method=method)
        assert f"{ratio:.1f} times" in stated
        assert stated in simulate
    clarabel = measured("limit", column="ratio", n="10000", method="CVXPY + Clarabel, dual")
    assert round(clarabel) == 265
    assert "some 265 times faster" in results
    ensembles = measured("ensemble", column="ratio", method="ensemble, one run after another")
    for text in (results, simulate):
        assert f"train {round(ensembles)} times faster than one after another" in text
    for model, stated in (("convnet", "1.05"), ("lenet", "1.2")):
        ratio = measured("masked_step", column="ratio", model=model, variant="masked")
        assert f"{ratio:.3g}" == stated
        assert stated in results
    for method in ("dense", "mask"):
        ratio = measured("population", column="ratio", method=method, variant="population")
        assert f" {ratio:.2f} of" in results


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "docs/build.py", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return Built(
        {
            path.relative_to(folder).as_posix(): path.read_text("utf-8")
            for path in folder.rglob("*.html")
            if not path.is_relative_to(folder / "repository" / "figures")  # these have tests of their own
        },
        folder,
    )


class Built(dict):
    """The pages of the site by their places, and its folder."""

    def __init__(self, pages, folder):
        super().__init__(pages)
        self.folder = folder


@pytest.mark.parametrize("page", ["limit.html", "implicit_bias.html"])
def test_axe_finds_nothing_serious_on_a_guide_and_the_reference(built, page, browser):
    with browser.new_context(viewport={"width": 1000, "height": 900}) as context:
        tab = context.new_page()
        tab.goto((built.folder / page).as_uri())
        assert accessibility.findings(tab) == []


def test_the_reference_holds_every_public_name(built):
    """The reference lists all public names, although they load lazily and are listed in a stub."""
    page = built["implicit_bias.html"]
    public = dir(ib)
    assert {"Parameterization", "derive", "masking"} <= set(public)
    packages = [name for name in public if inspect.ismodule(getattr(ib, name))]
    assert [name for name in public if name not in packages and f'id="{name}"' not in page] == []
    assert all(f'href="implicit_bias/{name}.html' in page for name in packages)
    for package in ("masking", "training"):
        page = built[f"implicit_bias/{package}.html"]
        exported = getattr(ib, package).__all__
        assert [name for name in exported if f'id="{name}"' not in page and not name.isupper()] == []


def test_formulas_of_the_reference_are_mathml(built):
    for page, html in built.items():
        assert not re.search(r":math:|\.\. math|FORMULA\d|<code>[^<]*\\[a-z]", html), page
    assert built["implicit_bias.html"].count("<math") > 50


def test_the_pages_ask_nothing_of_the_internet(built):
    for page, html in built.items():
        without_links = re.sub(r"<a\s[^>]*>", "", html)
        assert not re.search(r"(?:src|href)=\"?https?:|url\(\s*[\"']?https?:|@import|fetch\(", without_links), page


def test_links_between_built_pages_lead_somewhere(built):
    """The folder can go to any server: nothing on its pages leads out of it, and everything is there."""
    for page, html in built.items():
        html = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)  # pdoc's has links of its own
        for path, anchor in re.findall(r'<(?:a|img) [^>]*(?:href|src)="([^"#:]*)(?:#([^"]+))?"', html):
            target = posixpath.normpath((Path(page).parent / unquote(path)).as_posix()) if path else page
            assert not target.startswith(("..", "/")), (page, path)
            assert (built.folder / target).is_file(), (page, path)
            # pdoc also links to private bases, which the reference leaves out.
            if target.endswith(".html") and anchor and not anchor.startswith("_"):
                text = built[target] if target in built else (built.folder / target).read_text("utf-8")
                assert f'id="{unquote(anchor)}"' in text, (page, path, anchor)


def test_what_the_report_and_the_ledger_link_to_comes_along(built):
    pages = [*built.folder.glob("repository/figures/*.html"), *built.folder.glob("repository/figures/ledger/*.html")]
    assert len(pages) > len(papers())
    for page in pages:
        text = page.read_text("utf-8")
        for path in re.findall(r'(?:href|src)="([^"#:]+)(?:#[^"]*)?"', text):
            assert (page.parent / unquote(path)).is_file(), (page.name, path)
        up = "../" * (len(page.relative_to(built.folder).parts) - 1)
        assert f'<a href="{up}index.html">← Guides, gallery and search</a>' in text  # and the way back


def test_the_gallery_shows_every_figure(built):
    page = built["gallery.html"]
    pictures = re.findall(r'<img[^>]* src="repository/figures/(\w+)/figure.png"[^>]* alt="([^"]+)"', page)
    assert [name for name, _ in pictures] == sorted(registry())
    assert all(len(text) > 60 for _, text in pictures)
    report = (built.folder / "repository" / "figures" / "index.html").read_text("utf-8")
    for name in registry():
        assert f'id="{name}"' in report
        assert f"<code>python -m experiments {name}</code>" in page


def test_notebooks_are_pages_with_their_pictures_and_answers(built):
    for notebook in NAMES:
        page = built[f"notebooks/{notebook}.html"]
        assert f'href="notebooks/{notebook}.html"' in built["index.html"]
        assert "<summary>Answer</summary>" in page
        assert "<summary>Code of this picture</summary>" in page
        images = re.findall(r"<img [^>]*>", page)
        assert images
        assert all(re.search(r'alt="[^"]{8,}"', image) for image in images)
        prose = re.sub(r"<img [^>]*>|<(pre|code|math|style)\b.*?</\1>", "", page, flags=re.DOTALL)
        assert not re.search(r"FORMULA\d|\$[^<]*\$|\\\\frac", prose), notebook


@pytest.fixture(scope="module")
def site(built, browser):
    """The site read from disk, by a browser without a network."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.failures = []
    page.on("pageerror", lambda error: page.failures.append(str(error)))
    page.on("requestfailed", lambda request: page.failures.append(request.url))
    page.folder = built.folder.as_uri()
    yield page
    context.close()


@pytest.mark.parametrize("guide", ["runs", "solvers"])
def test_what_one_copies_from_a_guide_runs(site, guide, tmp_path):
    """Selecting a session takes neither the prompts nor the answers along."""
    site.goto(f"{site.folder}/{guide}.html")
    copied = site.locator("pre:has(.shown)").evaluate_all(
        "all => all.map(each => { getSelection().selectAllChildren(each); return getSelection().toString(); })"
    )
    assert len(copied) == len(blocks(f"docs/{guide}.md", "pycon"))
    code = "\n".join(copied)
    assert ">>>" not in code
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "ib.descent" in code


class TestSearch:
    """It needs no server and no network."""

    def found(self, site, words):
        site.keyboard.press("Escape")
        site.keyboard.press("/")
        site.keyboard.type(words)
        return site.locator("#found a").evaluate_all("all => all.map(a => [a.textContent, a.getAttribute('href')])")

    @pytest.mark.parametrize(
        ("words", "first"),
        [
            ("critical_step", "Reference: ib.critical_step"),
            ("which solver", "Guide: Simulate training, Which solver"),
            ("powerpropagation schwarz", "Guide: Glossary, Methods"),
            ("mask-in-the-mirror/thm-3.1", "Ledger: mask-in-the-mirror/thm-3.1"),
            ("choose a solver", "Guide: Choose a solver"),
            ("momentum mini-batches", "Notebook: Where does my run end?, Momentum and mini-batches"),
            ("lemma a.2", "Errata: Mask in the Mirror: Implicit Sparsification"),
        ],
    )
    def test_it_finds_guides_names_and_claims(self, site, words, first):
        site.goto(f"{site.folder}/notebooks/l2_to_l1.html")
        found = self.found(site, words)
        assert first in [text for text, _ in found][:3]
        assert site.inner_text("#told").endswith(" found")
        link = next(link for text, link in found if text == first)
        place, _, anchor = link.removeprefix("../").partition("#")
        site.click(f'#found a[href="{link}"]')
        assert site.url == f"{site.folder}/{place}#{anchor}"
        site.locator(f'[id="{unquote(anchor)}"]').wait_for(state="attached")
        assert site.failures == []

    @pytest.mark.parametrize("words", ["limit", "momentum", "verdict", "mask"])
    def test_pages_that_explain_come_before_those_that_list(self, site, words):
        site.goto(f"{site.folder}/index.html")
        found = self.found(site, words)
        kinds = [text.partition(":")[0] for text, _ in found]
        assert set(kinds) <= {"Guide", "Reference", "Notebook", "Figure", "Errata", "Ledger"}
        explains = [kind in {"Guide", "Reference", "Notebook"} for kind in kinds]
        assert explains == sorted(explains, reverse=True)
        assert len(set(map(tuple, found))) == len({text for text, _ in found}) == len(found)

    def test_what_a_package_exports_again_is_found_once(self, site):
        site.goto(f"{site.folder}/index.html")
        named = [text for text, _ in self.found(site, "verdict") if text.endswith(".Verdict")]
        assert named == ["Reference: ib.Verdict"]

    def test_arrows_walk_through_it_and_escape_ends_it(self, site):
        site.goto(f"{site.folder}/index.html")
        self.found(site, "limit")
        site.keyboard.press("ArrowDown")
        assert site.evaluate("document.activeElement.closest('#found') !== null")
        site.keyboard.press("ArrowUp")
        assert site.evaluate("document.activeElement.id") == "find"
        assert self.found(site, "no such words") == []
        assert site.inner_text("#told") == "0 found"
        assert site.inner_text("#found").startswith("Nothing found for")
        site.keyboard.press("Escape")
        assert site.locator("#found").is_hidden()

    @pytest.mark.parametrize("page", ["index", "gallery", "notebooks/ten_minutes"])
    def test_text_stands_out_in_the_dark(self, site, page):
        site.emulate_media(color_scheme="dark")
        site.goto(f"{site.folder}/{page}.html")
        look = (
            "({color, backgroundColor}) => [color, backgroundColor].map(c => c.match(/\\d+/g).slice(0, 3).map(Number))"
        )
        text, ground = site.evaluate(f"({look})(getComputedStyle(document.body))")
        assert min(text) - max(ground) > 180
        site.emulate_media(color_scheme="light")


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_screen_without_a_hint(built, site, width):
    assert accessibility.too_wide(site, [built.folder / page for page in built], width) == {}
    site.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("page", ["errata", "implicit_bias", "notebooks/ten_minutes"])
def test_formulas_are_set_in_the_font_that_comes_along(site, page):
    site.goto(f"{site.folder}/{page}.html")
    site.evaluate("document.fonts.ready")
    assert site.evaluate("[...document.fonts].map(f => [f.family, f.status])") == [["Mathematics", "loaded"]]
    assert site.evaluate("getComputedStyle(document.querySelector('math')).fontFamily").startswith("Mathematics,")


def test_doctests_of_the_reference_are_as_they_were_written(built):
    text = re.sub(r"<[^>]+>", "", built["implicit_bias.html"])
    assert "2*sqrt(x**2 + (m0**2 - w0**2)**2*exp(-8*A)/4)" in text
    assert "\\*" not in text


def test_guides_and_reference_link_to_each_other(built):
    for page in TEXTS:
        if page.startswith("docs/") and not page.endswith("README.md"):
            assert f"{Path(page).stem}.html" in built
    assert 'href="derive.html"' in built["index.html"]
    assert 'href="implicit_bias.html"' in built["index.html"]
    assert 'href="index.html"' in built["implicit_bias.html"]
    assert 'href="../index.html"' in built["implicit_bias/masking.html"]
