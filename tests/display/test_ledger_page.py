"""The page of the ledger: complete, self-contained and escaped, readable on a phone; its filter finds what is asked."""

import itertools
import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sympy as sp

import derivations
from implicit_bias import Claim, Correction, Ledger, Outcome, Paper, Statement, Verdict
from implicit_bias.claims import Equation, Violation, corrected, judge
from implicit_bias.display.ledger_page import GAP, NODE, formula, hypothesis, layout, sections

ROOT = derivations.RECORD.parents[1]
VOID = {"meta", "img", "input"}


class Outline(HTMLParser):
    """Ids and references of a page, ids of claims apart; fails where tags are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.claims, self.links = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self._note(attrs)
        if tag == "article":
            self.claims.append(dict(attrs)["id"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self._note(attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def _note(self, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found[name] for name in ("href", "src", "data", "srcset", "poster") if name in found]


x, y = sp.symbols("x y", real=True)
size, scale = sp.symbols("m0 a", positive=True)
IDENTITY = Equation((x + 1) ** 2, x**2 + 2 * x + 1, decided="Expanded")


def proved(evidence):
    return Verdict(Outcome.PROVED, evidence, identities=(IDENTITY,))


def open_question():
    return Verdict(Outcome.INCONCLUSIVE, "open")


def ledger_page(claims, verdicts):
    return judged(claims, verdicts).to_html(root="..")


def judged(claims, verdicts):
    return Ledger(claims.values(), verdicts, "2026-01-31", {"python": "3.11"})


@pytest.fixture(scope="module")
def claims():
    return derivations.ledger()


@pytest.fixture(scope="module")
def text(claims):
    """The page with made-up verdicts of every kind, which is quick; the statements are the real ones."""
    cases = [
        proved("simplifies to zero"),
        Verdict(Outcome.ARGUED, "by continuity", identities=(IDENTITY,)),
        Verdict(Outcome.SUPPORTED, "close", 1.25e-9, 1e-8),
        Verdict(Outcome.REFUTED, "far", 0.5, 1e-6, {"m0": 0.75}, Correction("x = 1", proved("so"))),
        open_question(),
    ]
    return ledger_page(claims, {name: cases[k % len(cases)] for k, name in enumerate(claims)})


def test_every_claim_has_an_entry_with_its_module(claims, text):
    outline = Outline(text)
    assert sorted(outline.claims) == sorted(claims)
    modules = {link.removeprefix("../derivations/") for link in outline.links if link.startswith("../derivations/")}
    assert modules == {claim.module.removeprefix("derivations.").replace(".", "/") + ".py" for claim in claims.values()}
    for module in modules:
        assert (derivations.RECORD.parent / module).exists()
    for part in (
        "Checked on 2026-01-31 with python 3.11.",
        "1.25e-09",
        "(tolerance 1e-08)",
        "m0 = 0.75",
        "What holds instead",
        "INCONCLUSIVE",
    ):
        assert part in text


def test_nothing_is_loaded_from_elsewhere(text):
    assert not re.search(r"https?:|url\(|@import|<script\s|<link|<iframe", text)
    assert all(link.startswith(("#", "../derivations/", "../figures/")) for link in Outline(text).links)


def test_the_committed_pages_are_those_of_the_saved_ledger_and_all_are_as_recorded(claims, tmp_path):
    saved = Ledger.load(derivations.SAVED)
    assert list(saved.values()) == list(claims.values())
    assert saved.outcomes() == derivations.recorded()
    written = {path.relative_to(tmp_path) for path in saved.save_pages(tmp_path / "ledger.html", root="..")}
    committed = derivations.SAVED.parent
    assert written == {Path("ledger.html"), *(p.relative_to(committed) for p in (committed / "ledger").iterdir())}
    for path in written:
        assert (committed / path).read_text("utf-8") == (tmp_path / path).read_text("utf-8"), path


def test_pages_of_papers_link_to_each_other(tmp_path):
    """What a claim uses from another paper leads to that paper's page, and the list leads to all of them."""
    claims = [Claim("one/a", "1 = 1", "here", check=open_question)]
    claims.append(Claim("two/b", "1 = 1", "here", uses=("one/a",), check=open_question))
    papers = [Paper("one", "First", "A"), Paper("two", "Second", "B", note="Read in part.")]
    ledger = Ledger(claims, dict.fromkeys(("one/a", "two/b"), open_question()), papers=papers)
    main, first, second = ledger.save_pages(tmp_path / "all.html")
    assert [path.relative_to(tmp_path).as_posix() for path in (main, first, second)] == [
        "all.html", "all/one.html", "all/two.html",
    ]  # fmt: skip
    links = Outline(main.read_text("utf-8")).links
    assert {"all/one.html", "all/two.html", "all/one.html#one/a", "all/two.html#two/b"} <= {*links}
    assert "one.html#one/a" in Outline(second.read_text("utf-8")).links
    assert "two.html#two/b" in Outline(first.read_text("utf-8")).links
    assert "../all.html" in Outline(first.read_text("utf-8")).links
    assert "Read in part." in second.read_text("utf-8")
    assert "two/b" not in Outline(first.read_text("utf-8")).ids


def test_figures_of_claims_exist_and_are_shown(claims, text):
    links, figures = Outline(text).links, [claim.figure for claim in claims.values() if claim.figure]
    assert figures
    for figure in figures:
        assert (ROOT / figure).is_file()
        assert links.count(f"../{figure}") == 2 * figures.count(figure)  # shown, and a link to the picture alone


def test_a_tolerance_is_shown_with_its_reason():
    claim = Claim("a", "1 = 1", "here", check=open_question)
    verdict = Verdict(Outcome.SUPPORTED, "close", 1e-9, 1e-8, tolerance_reason="rounding")
    assert "rounding" in ledger_page(Ledger([claim]), {"a": verdict})
    assert "Why this tolerance" not in ledger_page(Ledger([claim]), {"a": open_question()})


def test_a_page_that_lies_anywhere_names_modules_and_links_to_none(claims):
    text = judged(claims, dict.fromkeys(claims, open_question())).to_html()
    assert all(link.startswith("#") for link in Outline(text).links)
    assert "<code>derivations.mask_in_the_mirror.commuting</code>" in text
    assert "<img" not in text


def test_what_is_used_as_corrected_says_so():
    claims = Ledger(
        [
            Claim("k/a", "1 = 2", "here", check=open_question),
            Claim("k/b", "1 = 1", "here", uses=(corrected("k/a"),), check=open_question),
        ]
    )
    text = ledger_page(claims, dict.fromkeys(claims, open_question()))
    assert '<dt>Uses</dt><dd><a href="#k/a">k/a</a> (as corrected)</dd>' in text
    assert '<dt>Used by</dt><dd><a href="#k/b">k/b</a></dd>' in text
    assert ">a</text><title>k/a</title>" in text


def test_links_inside_the_page_have_a_target(text):
    outline = Outline(text)
    assert {link[1:] for link in outline.links if link.startswith("#")} <= set(outline.ids)


def test_every_formula_of_the_ledger_is_typeset(claims, text):
    for claim in claims.values():
        for shown in (formula(claim.statement), *map(hypothesis, claim.hypotheses)):
            assert "\\" not in shown, f"{claim.id}: {shown}"
            assert "<code>" not in shown, f"{claim.id}: {shown}"
    assert text.count("<math") >= len(claims)


def test_text_is_escaped():
    evil = "<script>alert('&')</script>"
    claim = Claim("a<b", rf"\text{{{evil}}}", evil, (evil,), check=open_question)
    identity = Equation((x + 1) ** 2, x**2 + 2 * x + 1, evil, decided=evil)
    correction = Correction(rf"\unknown{{ {evil}", Verdict(Outcome.PROVED, evil, identities=(identity,)))
    verdict = Verdict(
        Outcome.REFUTED, evil, 1.0, 0.5, {evil: 1.0}, correction, identities=(identity,), traceback=evil,
        violation=Violation(sp.Symbol("<u>"), sp.Integer(1), {"<u>": 2}),
    )  # fmt: skip
    paper = Paper("k", evil, evil, evil, note=evil)
    other = Claim("k/b", "1 = 1", evil, check=open_question)
    text = Ledger([claim, other], {"a<b": verdict, "k/b": verdict}, evil, {evil: evil}, [paper]).to_html()
    assert text.count("<script") == 1  # the page's own
    assert "<script>alert" not in text
    assert "<u>" not in text
    assert Outline(text).claims == ["k/b", "a<b"]


@pytest.mark.parametrize("latex", [r"\Big\{ x \Big\}", r"\bigl\| x \bigr\|_2", r"\arg\min_x f(x)", r"\arg\max f"])
def test_sized_delimiters_and_arguments_are_typeset(latex):
    found = formula(latex)
    assert "\\" not in found
    assert "<code>" not in found
    assert "mi>x" in found or "argmax" in found


@pytest.mark.parametrize(
    "latex",
    [
        r"\left( x < 1",
        r"\text{<script>}",
        r"\text{<script></script>}",
        r"\text{<mi onclick='f()'>x</mi>}",
        r"\text{a < b}",
    ],
)
def test_a_formula_that_is_not_plain_mathml_is_shown_as_written(latex):
    assert formula(latex) == f"<code>{escape(latex)}</code>"


def test_signs_inside_a_formula_are_escaped():
    assert "&lt;" in formula("x < y")


def test_a_hypothesis_is_words_or_a_formula():
    assert hypothesis("y in the range of Z") == "y in the range of Z"
    assert "<math" in hypothesis("A = 0")
    assert "<math" in hypothesis(r"f \text{ convex}")


def test_the_drawing_goes_from_left_to_right(claims):
    verdicts = dict.fromkeys(claims, open_question())
    graph = layout(judged(claims, verdicts))
    place = {node.id: node for node in graph.nodes}
    for claim in claims.values():
        for used in claim.uses:
            assert place[used].left + NODE[0] + GAP[0] <= place[claim.id].left
    assert len(graph.curves) == sum(len(claim.uses) for claim in claims.values())
    corners = sorted((node.left, node.top) for node in graph.nodes)
    for (left, top), (next_left, next_top) in itertools.pairwise(corners):
        assert left < next_left or top + NODE[1] < next_top
    assert all(0 <= top <= graph.height - NODE[1] for _, top in corners)


def test_a_ledger_without_dependencies_has_an_empty_drawing():
    claims = Ledger([Claim("a", "1 = 1", "here", check=open_question)])
    assert layout(judged(claims, {"a": open_question()})).nodes == ()
    assert "<svg" not in ledger_page(claims, {"a": open_question()})


MIRROR = Paper("mirror", "Mirrors", "A. Author", "2601.00001", 2, 2026, "Section 4 could not be read.")
OURS = Paper("ours", "this project", "")


@MIRROR.claim("square", statement=Statement("(x + y)^2 = ", (x + y) ** 2), source="Theorem 2, first part")
def square(statement):
    third = Equation((x - 1) * (x + 1), x**2 - 1, says="The difference of squares.", conditions=(x - 1,))
    return judge.prove("Expanded.", third, stated=(statement.formula, x**2 + 2 * x * y + y**2))


@MIRROR.claim(
    "long", uses=("square",), source="Theorem 2; second part",
    statement=Statement(r"R(x) = ", sum(sp.asinh(k * x / scale) * x**k / (k + 1) for k in range(1, 14))),
)  # fmt: skip
def long(statement):
    slope = sp.diff(statement.formula, x)
    return judge.argue("By convexity.", (slope + (x + 1) ** 2, slope + x**2 + 2 * x + 1))


@MIRROR.claim("scale", statement=Statement("a = ", 2 * size), source="equation 5")
def wrong_scale(statement):
    right = judge.prove("By hyperbolic functions.", (size * sp.cosh(x) ** 2 - size * sp.sinh(x) ** 2, size))
    return judge.prove("So.", stated=(statement.formula, size), correction=Correction("a = m_0", right))


@MIRROR.claim("rests", statement="a > 0", source="Corollary of Theorem 2", uses=(corrected("scale"),))
def rests():
    return judge.from_residual(1e-9, 1e-8, "Measured.", tolerance_reason="rounding")


@MIRROR.claim("step", statement=Statement("1 - m_0 \\le ", sp.Rational(1, 2)), source="equation 6")
def step(statement):
    numbers = {"m0": sp.Rational(5, 2)}
    return judge.refute("Too large.", Violation(sp.Abs(1 - size), statement.formula, numbers, ">"), speed=2.5)


@MIRROR.claim("breaks", statement="1 = 2", source="equation 6")
def breaks():
    raise ZeroDivisionError("a <b> & c")


@OURS.claim("nothing", statement=r"\text{nothing}", source="here", uses=("mirror/long",))
def nothing():
    return Verdict(Outcome.NOT_APPLICABLE, "No case.")


@pytest.fixture(scope="module")
def checked():
    """All six outcomes, a traceback and a long formula."""
    ledger = Ledger([*MIRROR.claims, *OURS.claims, Claim("alone", "1 = 1", "notes", check=open_question)])
    ledger = Ledger(ledger.values(), papers=[MIRROR, OURS]).run()
    assert {verdict.outcome for verdict in ledger.verdicts.values()} == {*Outcome}
    return ledger


def part(page, name):
    """What the page says on a claim, as text in which formulas lose their spaces."""
    found = page.partition(f'<article id="{name}">')[2].partition("</article>")[0]
    return " ".join(re.sub(r"</?m[a-z]+[^>]*>", "", found).split())


def test_an_identity_is_shown_with_its_domain_and_how_it_was_decided(checked):
    text = part(checked.to_html(), "mirror/square")
    assert "2 identities, checked by machine" in text
    assert "SymPy simplified the difference of both sides to zero." in text
    assert "The difference of squares." in text
    assert re.search(r"x, ?y&isin;|x,y∈ℝ", text)
    assert "x−1&gt;0" in text.replace(" ", "")
    assert "1 identity, checked" in part(checked.to_html(), "mirror/long")
    assert "<dt>Argument</dt><dd>By convexity.</dd>" in part(checked.to_html(), "mirror/long")


def test_a_counterexample_is_shown_in_exact_numbers_with_both_sides(checked):
    text = part(checked.to_html(), "mirror/step")
    assert "m0=5/2" in text.replace(" ", "")
    assert re.search(r"1/?2", text.partition("Sides there")[2].partition("&gt;")[2])
    assert "<code>speed = 2.5</code>" in text
    assert "<code>m0" not in text
    wrong = part(checked.to_html(), "mirror/scale")
    assert "What holds instead" in wrong
    assert "≠" in wrong
    assert wrong.count("checked by machine") == 1  # of the correction


def test_a_traceback_is_folded_and_escaped(checked):
    text = part(checked.to_html(), "mirror/breaks")
    assert "<summary>Traceback</summary>" in text
    assert "ZeroDivisionError: a &lt;b&gt; &amp; c" in text
    assert "Traceback" not in part(checked.to_html(), "mirror/square")


def test_claims_are_grouped_by_paper_and_counted_by_printed_place(checked):
    found = sections(checked)
    assert [section.title for section in found] == ["Mirrors", "this project", "Claims without a paper"]
    # Theorem 2, equation 5, equation 6; the corollary and the project's own claims are printed nowhere.
    assert [(len(section.printed), section.places) for section in found] == [(5, 3), (0, 0), (1, 1)]
    text = " ".join(checked.to_html().split())
    assert "A. Author, 2026. arXiv:2601.00001v2. 5 claims on 3 printed places, and 1 claim that is printed" in text
    assert "Section 4 could not be read." in text
    assert "Claims on printed places: 6, on 4 places." in text
    assert "wrote the checks: 2." in text


def test_a_page_of_one_paper_has_its_title_once(checked):
    text = Ledger([claim for claim in checked.values() if claim.id.startswith("mirror/")], checked.verdicts,
                  papers=checked.papers).to_html()  # fmt: skip
    assert "<h1>Mirrors</h1>" in text
    assert "<h2>" not in text


def test_papers_that_a_ledger_does_not_know_are_shown_by_key(checked):
    found = sections(Ledger(checked.values(), checked.verdicts))
    assert {section.title for section in found} == {"mirror", "ours", "Claims without a paper"}


def test_a_saved_ledger_looks_like_the_one_that_was_saved(checked, tmp_path):
    checked.save(tmp_path / "ledger.json")
    assert Ledger.load(tmp_path / "ledger.json").to_html(root="..") == checked.to_html(root="..")


@pytest.fixture(scope="module")
def page_file(checked, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "ledger.html"
    path.write_text(checked.to_html(), encoding="utf-8")
    return path


class TestInABrowser:
    @pytest.fixture(autouse=True)
    def opened(self, browser, page_file):
        errors = []
        with browser.new_context(viewport={"width": 1100, "height": 800}) as context:
            self.tab = context.new_page()
            self.tab.on("pageerror", lambda error: errors.append(str(error)))
            self.tab.goto(page_file.as_uri())
            yield
        assert errors == []

    def names(self):
        visible = "[...document.querySelectorAll('details.claim')].filter(e => e.checkVisibility())"
        return self.tab.evaluate(f"{visible}.map(e => e.querySelector('article').id)")

    def test_the_filter_takes_words_papers_and_verdicts_together(self):
        everything = self.names()
        assert len(everything) == 8
        self.tab.get_by_label("Words").fill("equation")
        assert self.names() == ["mirror/scale", "mirror/step", "mirror/breaks"]
        self.tab.get_by_label("REFUTED", exact=True).check()
        assert self.names() == ["mirror/scale", "mirror/step"]
        assert "2 of 8 claims" in self.tab.inner_text("output")
        self.tab.get_by_label("Words").fill("equation large")
        assert self.names() == ["mirror/step"]
        self.tab.get_by_label("Words").fill("")
        self.tab.get_by_label("NOT_APPLICABLE", exact=True).check()
        assert self.names() == ["mirror/scale", "mirror/step", "ours/nothing"]
        self.tab.get_by_role("combobox").select_option("this project")
        assert self.names() == ["ours/nothing"]
        self.tab.get_by_role("button", name="Show all").click()
        self.tab.wait_for_function("document.querySelector('output').textContent.startsWith('8 of 8')")
        assert self.names() == everything

    def test_the_keyboard_reaches_the_filter_and_opens_a_claim(self):
        self.tab.get_by_label("Words").focus()
        self.tab.keyboard.type("difference squares")
        self.tab.keyboard.press("Tab")
        self.tab.keyboard.type("Mirrors")
        assert self.names() == ["mirror/square"]
        self.tab.locator("details.claim:not([hidden]) > summary").focus()
        self.tab.keyboard.press("Enter")
        assert self.tab.get_by_text("Expanded.").is_visible()

    def test_a_link_shows_a_claim_that_was_filtered_out(self):
        self.tab.get_by_label("Words").fill("square")
        self.tab.locator("svg a", has_text="nothing").click()
        self.tab.wait_for_function("document.querySelector('[id=\"ours/nothing\"]').checkVisibility()")

    def test_all_visible_claims_open_and_close(self):
        self.tab.get_by_role("button", name="Open them").click()
        assert self.tab.locator("details.claim[open]").count() == 8
        self.tab.get_by_role("button", name="Close them").click()
        assert self.tab.locator("details.claim[open]").count() == 0

    def test_on_a_phone_only_boxes_of_wide_things_scroll_sideways(self):
        self.tab.set_viewport_size({"width": 390, "height": 844})
        for state in ("false", "true"):
            self.tab.evaluate(f"document.querySelectorAll('details').forEach(e => {{ e.open = {state}; }})")
            assert self.tab.evaluate("document.documentElement.scrollWidth") <= 390
        wide = "[...document.querySelectorAll('.formula, .graph')].filter(e => e.scrollWidth > e.clientWidth)"
        assert self.tab.evaluate(f"{wide}.length") >= 3
        overflow = f"[...new Set({wide}.map(e => getComputedStyle(e).overflowX))]"
        assert self.tab.evaluate(overflow) == ["auto"]

    def test_without_scripts_everything_is_there(self, browser, page_file):
        with browser.new_context(java_script_enabled=False) as context:
            tab = context.new_page()
            tab.goto(f"{page_file.as_uri()}#mirror/square")
            assert tab.locator("details.claim").count() == tab.locator("details.claim:visible").count() == 8
            assert not tab.locator("form").is_visible()
