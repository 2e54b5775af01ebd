"""The page shows what a check found on each claim, as text and in a browser, where its filter finds what is asked."""

import re

import pytest
import sympy as sp

from implicit_bias import Claim, Correction, Ledger, Outcome, Paper, Statement, Verdict
from implicit_bias.claims import Equation, Violation, corrected, judge
from implicit_bias.display.ledger_page import sections

x, y = sp.symbols("x y", real=True)
size, scale = sp.symbols("m0 a", positive=True)
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


def open_question():
    return Verdict(Outcome.INCONCLUSIVE, "open")


@pytest.fixture(scope="module")
def checked():
    """A checked ledger with every outcome, a traceback and a long formula."""
    ledger = Ledger([*MIRROR.claims, *OURS.claims, Claim("alone", "1 = 1", "notes", check=open_question)])
    ledger = Ledger(ledger.values(), papers=[MIRROR, OURS]).run()
    assert {verdict.outcome for verdict in ledger.verdicts.values()} == {*Outcome}
    return ledger


def part(page, name):
    """The entry of a claim on the page, without the tags of its formulas."""
    found = page.partition(f'<article id="{name}">')[2].partition("</article>")[0]
    return " ".join(re.sub(r"</?m[a-z]+[^>]*>", "", found).split())


def test_an_identity_is_shown_with_its_domain_and_how_it_was_decided(checked):
    text = part(checked.to_html(), "mirror/square")
    assert "2 identities, checked by machine" in text
    assert "The difference was simplified to 0." in text
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
    assert "6 claims on 4 printed places, and 2 that are printed nowhere, added by those who wrote the checks." in text


def test_a_page_of_one_paper_has_its_title_once(checked):
    claims = [claim for claim in checked.values() if claim.id.startswith("mirror/")]
    text = Ledger(claims, checked.verdicts, papers=checked.papers).to_html()
    assert "<h1>Mirrors</h1>" in text
    notes = Paper("notes", "my notes", "")
    claim = notes.claim("one", statement="1", source="here")(lambda: Verdict(Outcome.NOT_APPLICABLE, "No case."))
    assert "<h1>My notes</h1>" in Ledger([claim], papers=[notes]).run().to_html()
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
        assert "ours/nothing" not in self.names()
        self.tab.locator("svg a", has_text="nothing").click()
        self.tab.wait_for_function("document.querySelector('[id=\"ours/nothing\"]').checkVisibility()")
        assert "ours/nothing" in self.names()

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
        # Of an open claim the head scrolls, which the keyboard reaches, and not the formula in it.
        box = "(e.matches('summary > .formula') ? e.parentElement : e)"
        overflow = f"[...new Set({wide}.map(e => getComputedStyle({box}).overflowX))]"
        assert self.tab.evaluate(overflow) == ["auto"]

    def test_without_scripts_everything_is_there(self, browser, page_file):
        with browser.new_context(java_script_enabled=False) as context:
            tab = context.new_page()
            tab.goto(f"{page_file.as_uri()}#mirror/square")
            assert tab.locator("details.claim").count() == tab.locator("details.claim:visible").count() == 8
            assert not tab.locator("form").is_visible()
