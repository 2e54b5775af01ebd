"""The page of the ledger is complete, self-contained and escaped, and its links and its drawing are right."""

import io
import itertools
import re
from base64 import b64decode
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sympy as sp
from fontTools.ttLib import TTFont

import derivations
from implicit_bias import Claim, Correction, Ledger, Outcome, Paper, Verdict
from implicit_bias.claims import Equation, Violation, corrected
from implicit_bias.display.ledger_page import GAP, NODE, formula, hypothesis, layout

ROOT = derivations.RECORD.parents[1]
VOID = {"meta", "img", "input"}


class Outline(HTMLParser):
    """Ids, references and ids of claims of a page; fails where tags are not closed in order."""

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


x = sp.Symbol("x", real=True)
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
    """The page of the real statements with made-up verdicts of every kind, so that nothing has to be checked."""
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
        "1.25e-09; up to 1e-08 is allowed",
        "m0 = 0.75",
        "What holds instead",
        "INCONCLUSIVE",
    ):
        assert part in text


def test_nothing_is_loaded_from_elsewhere(text):
    assert not re.search(r"https?:|url\((?!data:)|@import|<script\s|<link|<iframe", text)
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
    """A claim links to claims of other papers that it uses or that use it, and the list links to every page."""
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
    assert text.count("<script") == 2  # the page's own
    assert "<script>alert" not in text
    assert "<u>" not in text
    assert Outline(text).claims == ["k/b", "a<b"]


@pytest.mark.parametrize(
    ("latex", "part"),
    [
        (r"\Big\{ x \Big\}", "<mi>x</mi>"),
        (r"\bigl\| x \bigr\|_2", "<mi>x</mi>"),
        (r"\arg\min_x f(x)", "argmin"),
        (r"\arg\max f", "argmax"),
    ],
)
def test_sized_delimiters_and_arguments_are_typeset(latex, part):
    found = formula(latex)
    assert "\\" not in found
    assert "<code>" not in found
    assert part in found


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


def test_bold_digits_and_letters_are_those_of_unicode():
    """Browsers look at no other mark of them."""
    assert '<mn mathvariant="bold">𝟏𝟎</mn>' in formula(r"\mathbf{10}")
    assert "𝐱" in formula(r"\mathbf{x}")
    assert "𝐙" in formula(r"\mathbf{Z}")


def test_the_font_of_formulas_has_a_table_for_mathematics_and_every_sign_of_the_ledger(text):
    """Its table sets radicals, primes and brackets where they belong; its capital letters are there in all kinds."""
    address = re.search(r"url\(data:font/woff;base64,([\w+/=]+)\)", text)[1]
    font = TTFont(io.BytesIO(b64decode(address)))
    assert {"MATH", "glyf"} <= set(font.keys())
    shown = "".join(re.sub(r"<[^>]+>", "", each) for each in re.findall(r"<math.*?</math>", text, re.DOTALL))
    missing = {sign for sign in unescape(shown) if not sign.isspace() and ord(sign) not in font.getBestCmap()}
    assert missing == set()


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
