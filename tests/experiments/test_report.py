"""The page of all figures is complete, needs nothing but its folder, and is written and escaped whatever that holds."""

import hashlib
import io
import json
import re
import shutil
from html import escape, unescape
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import derivations
from experiments import registry, report
from experiments.__main__ import FIGURES, main
from implicit_bias.claims.comparison import CHANCE
from implicit_bias.claims.verdict import Verdict

NAMES = ("atlas", "figure1c")
EVIL = "<script>alert('&')</script>"
VERDICT = {
    "outcome": "SUPPORTED",
    "statement": r"A < B \Rightarrow \text{less}",
    "source": "mask-in-the-mirror/eq-9",
    "uses": ["mask-in-the-mirror/eq-9"],
    "observation": False,
    "evidence": "Fifty of fifty.",
    "residual": 1.25e-9,
    "tolerance": 1e-8,
    "tolerance_reason": "rounding",
    "counterexample": {},
}


def manifest(name, **changes):
    """A manifest as experiments write it."""
    refuted = {**VERDICT, "outcome": "REFUTED", "observation": True, "counterexample": {"x0": 0.75}}
    return {
        "experiment": name,
        "title": f"Title of {name}",
        "caption": "What is drawn.",
        "expectation": "What one should see.",
        "mode": "default",
        "configuration": {"seed": 17, "scales": list(range(200))},
        "verdicts": {f"{name}/holds": VERDICT, f"{name}/fails": refuted},
        "data_sha256": "",
        "code": 64 * "0",
        "versions": {"python": "3.11.7"},
        "tasks": 12,
        "seconds": 7391.0,
        **changes,
    }


def save(folder, name, **changes):
    """Write an experiment's folder with small files."""
    target = folder / name
    target.mkdir(parents=True)
    np.savez(target / "data.npz", x=np.arange(3))
    digest = hashlib.sha256((target / "data.npz").read_bytes()).hexdigest()
    (target / "manifest.json").write_text(json.dumps(manifest(name, **{"data_sha256": digest, **changes})))
    Image.linear_gradient("L").convert("RGB").save(target / "figure.png")
    (target / "figure.svg").write_text("<svg/>")
    row = "| " + " | ".join(["a long cell"] * 20) + " |\n"
    rule = "| " + " | ".join(["---"] * 20) + " |\n"
    (target / "README.md").write_text(f"# T\n\n![T](figure.png)\n\nWide: {EVIL}\n\n## More\n\n{row}{rule}{row}")


@pytest.fixture
def figures(tmp_path):
    """A folder with two experiments, one of them in another mode as well, and benchmarks."""
    for folder in (*NAMES, "full/figure1c", "quick/figure1c", "benchmarks"):
        save((tmp_path / folder).parent, (tmp_path / folder).name)
    (tmp_path / "benchmarks" / "flow.csv").write_text("a\n")
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The page of the figures in the repository as this code writes it, in a folder of links to them."""
    folder = tmp_path_factory.mktemp("whole")
    for each in FIGURES.iterdir():
        if each.is_dir() and not each.name.startswith("."):
            (folder / each.name).symlink_to(each)
    return report.write(folder, registry())


def written(folder, names=NAMES):
    return report.write(folder, names).read_text(encoding="utf-8")


def test_what_was_saved_is_on_the_page(figures):
    text = written(figures)
    expected = [
        "Title of atlas", "What is drawn.", "What one should see.", "1.3·10⁻⁹; up to 10⁻⁸ is allowed. rounding",
        "x0 = 0.75", "<dt>seed</dt><dd><code>17</code></dd>",
             "2 h 3 min, summed over 12 tasks", "python 3.11.7", "full/figure1c/figure.png",
        "atlas/data.npz", "flow.csv", "a long cell", 'class="badge REFUTED">1 REFUTED', ">1/1</b>",
    ]  # fmt: skip
    assert [part for part in expected if part not in text] == []
    assert "left out" not in text
    assert "quick/" not in text


def test_every_claim_of_the_ledger_is_on_the_page(figures):
    text = written(figures)
    for name in (*derivations.ledger(), *(f"{name}/{claim}" for name in NAMES for claim in ("holds", "fails"))):
        assert f'id="{name}"' in text


def test_two_pages_are_the_same_bytes(figures):
    assert written(figures) == written(figures)


def test_text_is_escaped(tmp_path):
    verdict = VERDICT | dict.fromkeys(("source", "statement", "evidence", "tolerance_reason"), EVIL)
    verdict |= {"uses": [EVIL], "outcome": "REFUTED", "counterexample": {EVIL: 1.0}}
    words = dict.fromkeys(("title", "caption", "expectation", "mode", "code"), EVIL)
    save(
        tmp_path, "atlas", **words, verdicts={EVIL: verdict}, configuration={f"{EVIL}seed": EVIL}, versions={EVIL: EVIL}
    )
    text = written(tmp_path)
    assert "left out: there is no manifest.json" in text  # of figure1c, which was not saved
    assert text.count("<script") == 2  # the page's own
    assert text.count(escape("<script>")) > 10


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda target: shutil.rmtree(target), "there is no manifest.json"),
        (lambda target: (target / "figure.png").unlink(), "there is no figure.png"),
        (lambda target: (target / "figure.png").write_bytes(b"no picture"), "cannot identify image file"),
        (lambda target: (target / "data.npz").write_bytes(b"other"), "data.npz is not what manifest.json describes"),
        (lambda target: (target / "manifest.json").write_text("{"), "Expecting property name"),
        (lambda target: (target / "manifest.json").write_text("[]"), "title"),
        (lambda target: change(target, caption=None), "caption"),
        (lambda target: change(target, seconds="long"), "seconds"),
        (lambda target: change(target, verdicts={"a": {"outcome": "SUPPORTED"}}), "statement"),
        (lambda target: change(target, verdicts={"a": VERDICT | {"outcome": "SURE"}}), "SURE"),
        (lambda target: change(target, verdicts={"a": VERDICT | {"residual": None}}), "residual"),
        (lambda target: change(target, verdicts={"a": VERDICT | {"counterexample": {"x": []}}}), "'x' is of type list"),
    ],
)
def test_a_spoiled_experiment_is_left_out_with_the_reason(figures, spoil, reason):
    spoil(figures / "atlas")
    text = written(figures)
    sentence = text.partition("<strong>atlas</strong> is left out: ")[2].partition("</p>")[0]
    assert reason in unescape(sentence)
    assert "python -m experiments atlas" in sentence
    assert "Title of atlas" not in text
    assert "Title of figure1c" in text


def change(target, **changes):
    path = target / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_without_a_ledger_or_benchmarks_the_page_says_so(figures):
    shutil.rmtree(figures / "benchmarks")
    text = report.write(figures, NAMES, ledger=figures / "none.json").read_text(encoding="utf-8")
    assert "<strong>ledger</strong> is left out: there is no none.json" in text
    assert "<strong>benchmarks</strong> is left out: there is no" in text
    assert 'id="atlas/holds"' in text


def test_a_ledger_that_is_not_the_recorded_one_is_marked(figures):
    marked = "not those that the repository records"
    assert marked not in written(figures)
    saved = json.loads(derivations.SAVED.read_text())
    saved["claims"]["mask-in-the-mirror/eq-9"]["outcome"] = "INCONCLUSIVE"
    (figures / "ledger.json").write_text(json.dumps(saved))
    assert marked in report.write(figures, NAMES, ledger=figures / "ledger.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "1.3e-09; up to 1e-08 is allowed. rounding"),
        (
            {"residual": -0.0, "tolerance_reason": "A sign is kept or not.", "tolerance": 0.0},
            "none; none is allowed. A sign is kept or not.",
        ),
        ({"residual": 0.0, "tolerance_reason": ""}, "none; up to 1e-08 is allowed."),
        (
            {"residual": 1.7e-8, "tolerance": 1 - 0.95, "tolerance_reason": f"{CHANCE}."},
            "1.7e-08; 0.05 or less decides, which bounds the chance of any wrong decision of this kind.",
        ),
        ({"outcome": "INCONCLUSIVE", "residual": 3.0, "tolerance": None, "tolerance_reason": ""}, "3."),
        ({"outcome": "INCONCLUSIVE", "residual": None, "tolerance": None, "tolerance_reason": ""}, ""),
    ],
)
def test_deviations_in_words(changes, sentence):
    assert report.deviation(Verdict.read(VERDICT | changes)) == sentence


def test_numbers_as_a_person_writes_them():
    assert report.spoken("at most 2.0e-02 and 8.6e-05; 1e-16, 1e0: t = 3e+08, 0.0e+00 or 0e+00") == (
        "at most 0.020 and 8.6·10⁻⁵; 10⁻¹⁶, 1: t = 3·10⁸, 0 or 0"
    )
    assert report.spoken("x1e-3, code abc1e5f") == "x1e-3, code abc1e5f"
    assert report.spoken("-0.79 ± 0.2, (-3), 2-3, well-known, -1e-9") == "−0.79 ± 0.2, (−3), 2-3, well-known, −10⁻⁹"
    assert report.spoken("at most 3e-06. Differ by 0e+00.") == "at most 3·10⁻⁶. Differ by 0."


def test_indices_and_exponents_are_typeset():
    written = "max |∇R(x_t) + L_t|, ½e^(−4A), a^(1 − ϱ), β = m_0², {R_{a_t} : Zx = y}, e^(f(t)), x_∞, 10^200"
    assert report.prose(written) == (
        "max |∇R(x<sub>t</sub>) + L<sub>t</sub>|, ½e<sup>−4A</sup>, a<sup>1 − ϱ</sup>, β = m<sub>0</sub>², "
        "{R<sub>a_t</sub> : Zx = y}, e<sup>f(t)</sup>, x<sub>∞</sub>, 10<sup>200</sup>"
    )
    assert report.prose("edge_of_stability, snake_case, a < b & c") == "edge_of_stability, snake_case, a &lt; b &amp; c"


def test_no_formula_is_left_as_typed(whole):
    """Neither in captions and expectations nor in what was found."""
    paragraphs = re.findall("<p>(.*?)</p>", whole.read_text(encoding="utf-8"), re.DOTALL)
    assert len(paragraphs) > 100
    assert [
        each for each in paragraphs if re.search(r"\^\(|\b[A-Za-z]_\w\b|e[+-]\d\d|[^\w.][-−]0(?![\w.])", each)
    ] == []


def test_the_number_of_a_test_is_called_a_p_value(whole):
    """It is small where a difference shows, so it is no deviation of which some is allowed."""
    saved = [json.loads(path.read_text()) for path in FIGURES.glob("*/manifest.json")]
    verdicts = [Verdict.read(each) for one in saved for each in one.get("verdicts", {}).values()]
    tests = [each for each in verdicts if "adjusted p" in each.evidence and each.residual is not None]
    assert len(tests) > 20
    assert all(map(report.is_test, tests))
    assert not report.is_test(Verdict.read(VERDICT))
    text = whole.read_text(encoding="utf-8")
    assert text.count("<dt>Adjusted p-value</dt>") == sum(map(report.is_test, verdicts))
    assert "0.05 is allowed" not in text.partition('<section id="figure2">')[2].partition("</section>")[0]


def test_own_questions_are_not_called_literature(whole):
    text = whole.read_text(encoding="utf-8")
    assert "Observations of the literature" not in text
    assert "<h3>Observations</h3>" in text


def test_nothing_is_said_twice(whole):
    """No caption, expectation or evidence stands twice on the page of the repository."""
    text = unescape(whole.read_text(encoding="utf-8"))
    for name in registry():
        path = FIGURES / name / "manifest.json"
        saved = json.loads(path.read_text()) if path.exists() else {"verdicts": {}}
        evidence = (verdict["evidence"] for verdict in saved["verdicts"].values())
        texts = [saved.get("caption"), saved.get("expectation"), *evidence]
        said = [unescape(report.prose(report.spoken(each))) for each in texts if each]
        assert [each for each in said if text.count(f"<p>{each}</p>") != 1] == []


def test_times_in_words():
    assert [report.duration(s) for s in (1.74, 60, 3599.6, 7391)] == ["1.7 s", "1 min 0 s", "1 h 0 min", "2 h 3 min"]


def test_the_command_writes_the_page_and_nothing_else(tmp_path):
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, ["--report", "--output", str(tmp_path)])
    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text(encoding="utf-8").count("left out") == len(registry()) + 1
    assert CliRunner().invoke(app, ["figure1c", "--report", "--output", str(tmp_path)]).exit_code == 2


def test_the_page_of_the_repository_is_below_a_megabyte_and_names_everything(whole):
    assert whole.stat().st_size < 1_000_000
    text = whole.read_text(encoding="utf-8")
    for name in registry():
        assert f'<section id="{name}">' in text or f"<strong>{name}</strong> is left out" in text
    assert [name for name in derivations.ledger() if f'<article id="{name}"' not in text] == []


@pytest.fixture(params=["small", "whole"])
def page(request, figures, whole):
    """The page of the small folder, or the one of the repository's figures."""
    return report.write(figures, (*NAMES, "missing")) if request.param == "small" else whole


class TestInABrowser:
    @pytest.fixture(autouse=True)
    def opened(self, browser, page):
        self.address, self.requests, self.errors, self.folder = page.as_uri(), [], [], page.parent
        with browser.new_context() as context:
            self.tab = context.new_page()
            self.tab.on("request", lambda request: self.requests.append(request.url))
            self.tab.on("console", lambda message: self.errors.append(message.text))
            self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
            yield

    def open(self, width=1100, scheme="light"):
        self.tab.set_viewport_size({"width": width, "height": 800})
        self.tab.emulate_media(color_scheme=scheme)
        self.tab.goto(self.address)

    def test_it_needs_nothing_but_its_folder(self):
        self.open()
        # Pictures load as they are scrolled to.
        images = "[...document.querySelectorAll('a img')]"
        self.tab.evaluate(f"Promise.all({images}.map(i => {{ i.loading = 'eager'; return i.decode(); }}))")
        pictures = self.tab.evaluate(f"{images}.map(i => [i.complete, i.naturalWidth, i.width, i.alt])")
        assert len(pictures) >= 2
        for is_complete, pixels, width, text in pictures:
            assert is_complete
            assert pixels >= (2 * width if width > 200 else width) > 0  # sharp on a screen with two pixels per unit
            assert text
        assert len(set(self.requests)) == 1 + len(pictures) / 2  # a thumbnail is the picture, made small
        assert all(url.startswith(self.folder.as_uri() + "/") for url in self.requests)
        assert self.errors == []

    def test_every_link_leads_somewhere(self):
        self.open()
        links = self.tab.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
        ids = self.tab.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(set(ids)) == len(ids)
        assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
        files = {link for link in links if not link.startswith("#")}
        assert files
        paths = {urlsplit(link).path for link in files}  # a name behind the hash is a claim on the ledger's page
        assert not any(urlsplit(link).scheme for link in files)
        assert [path for path in paths if not (self.folder / unquote(path)).exists()] == []

    @pytest.mark.parametrize("width", [360, 768, 1400])
    def test_only_boxes_of_wide_things_scroll_sideways(self, width):
        self.open(width)
        assert self.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        self.tab.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        assert self.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if width == 360:
            boxes = "[...document.querySelectorAll('.wide')].map(e => e.scrollWidth > e.clientWidth)"
            assert any(self.tab.evaluate(boxes))

    def test_the_first_column_of_a_table_stays_in_view(self):
        self.open(390)
        self.tab.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        moved = """() => {
          const box = [...document.querySelectorAll('.numbers')].find(e => e.scrollWidth > e.clientWidth + 100);
          const [first, second] = box.querySelectorAll('td');
          const lefts = () => [first, second].map(e => Math.round(e.getBoundingClientRect().left));
          const before = lefts(); box.scrollLeft = 80; const after = lefts();
          return [after[0] - before[0], after[1] - before[1]];
        }"""
        assert self.tab.evaluate(moved) == [0, -80]

    @pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
    def test_the_first_screen_shows_every_figure(self, width, height):
        self.tab.set_viewport_size({"width": width, "height": height})
        self.tab.goto(self.address)
        bottoms = self.tab.evaluate(
            "[...document.querySelectorAll('.thumbnails img')].map(i => i.getBoundingClientRect().top)"
        )
        assert len(bottoms) >= 3
        assert max(bottoms) < height
        screens = self.tab.evaluate("document.documentElement.scrollHeight / innerHeight")
        load = "Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.src && i.decode(); }))"
        self.tab.evaluate(load)
        assert self.tab.evaluate("document.documentElement.scrollHeight / innerHeight") == screens  # nothing moves
        assert screens < (15 if width == 1280 else 25)  # of two dozen figures

    def test_opened_tables_have_the_whole_width(self):
        self.open(1280)
        self.tab.evaluate("document.querySelectorAll('.below details').forEach(e => { e.open = true; })")
        widths = "[...document.querySelectorAll('.below .numbers, .below dl')].map(e => e.clientWidth)"
        main = self.tab.evaluate("document.querySelector('main').clientWidth")
        found = self.tab.evaluate(widths)
        assert found
        assert min(found) > 0.95 * main

    def test_a_table_that_goes_on_to_the_right_says_so_by_a_shadow(self):
        self.open(390)
        look = "getComputedStyle(document.querySelector('.numbers')).backgroundAttachment"
        assert {"local", "scroll"} <= set(self.tab.evaluate(look).split(", "))

    def test_contents_stay_in_view(self):
        for width in (390, 1280):
            self.open(width)
            self.tab.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
            assert self.tab.evaluate("document.querySelector('.contents').getBoundingClientRect().top") == 0

    def test_a_picture_keeps_its_colours_on_a_dark_page(self):
        shots = []
        for scheme in ("light", "dark"):
            self.open(scheme=scheme)
            self.tab.evaluate("document.querySelectorAll('.picture img')[1].scrollIntoView()")
            self.tab.evaluate("document.querySelectorAll('.picture img')[1].decode()")
            shot = Image.open(io.BytesIO(self.tab.locator(".picture img").nth(1).screenshot())).convert("RGB")
            shots.append(np.asarray(shot)[4:-4, 4:-4])  # at its edges the page shines through parts of pixels
        np.testing.assert_array_equal(*shots)

    def test_a_picture_can_be_enlarged(self):
        self.open(1280)
        self.tab.locator(".picture").first.click()
        assert self.tab.evaluate("document.querySelector('dialog').open")
        self.tab.evaluate("document.querySelector('dialog img').decode()")
        widths = "['dialog img', '.picture img'].map(which => document.querySelector(which).width)"
        large, small = self.tab.evaluate(widths)
        assert large >= small > 0
        self.tab.keyboard.press("Escape")
        assert not self.tab.evaluate("document.querySelector('dialog').open")

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_text_stands_out_from_what_is_behind_it(self, scheme):
        self.open(scheme=scheme)
        self.tab.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        assert self.tab.evaluate(WEAKEST_CONTRAST) >= 4.5


# WCAG's contrast of every element that holds text itself, against the nearest background that is not transparent.
WEAKEST_CONTRAST = """() => {
  const luminance = colour => {
    const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3)
      .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const contrasts = [...document.querySelectorAll("body *")]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.getClientRects().length)
    .map(e => {
      const style = getComputedStyle(e), box = e.previousElementSibling;
      const pair = e.tagName === "text" ? [style.fill, getComputedStyle(box).fill] : [style.color, behind(e)];
      const [dark, light] = pair.map(luminance).sort((a, b) => a - b);
      return (light + 0.05) / (dark + 0.05);
    });
  return Math.min(...contrasts);
}"""
