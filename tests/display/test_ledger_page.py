"""The page of the ledger: complete, self-contained and escaped; its drawing leads from left to right."""

import itertools
import re
from html import escape
from html.parser import HTMLParser

import pytest

import derivations
from implicit_bias import Claim, Correction, Ledger, Outcome, Verdict
from implicit_bias.claims import corrected
from implicit_bias.display.ledger_page import GAP, NODE, formula, hypothesis, layout

ROOT = derivations.RECORD.parents[1]
VOID = {"meta", "img"}


class Outline(HTMLParser):
    """Ids and references of a page; fails where tags are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self._note(attrs)
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
    proved = Verdict(Outcome.PROVED, "simplifies to zero")
    cases = [
        proved,
        Verdict(Outcome.SUPPORTED, "close", 1.25e-9, 1e-8),
        Verdict(Outcome.REFUTED, "far", 0.5, 1e-6, {"m0": 0.75}, Correction("x = 1", proved)),
        open_question(),
    ]
    return ledger_page(claims, {name: cases[k % len(cases)] for k, name in enumerate(claims)})


def test_every_claim_has_an_entry_with_its_module(claims, text):
    outline = Outline(text)
    assert outline.ids == list(claims)
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
    assert not re.search(r"https?:|url\(|@import|<script|<link|<iframe", text)
    assert all(link.startswith(("#", "../derivations/", "../figures/")) for link in Outline(text).links)


def test_the_committed_page_is_that_of_the_saved_ledger_and_both_are_as_recorded(claims):
    saved = Ledger.load(derivations.SAVED)
    assert list(saved.values()) == list(claims.values())
    assert saved.outcomes() == derivations.recorded()
    assert derivations.SAVED.with_suffix(".html").read_text(encoding="utf-8") == saved.to_html(root="..")


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
    proved = Verdict(Outcome.PROVED, evil)
    verdict = Verdict(Outcome.REFUTED, evil, 1.0, 0.5, {evil: 1.0}, Correction(rf"\unknown{{ {evil}", proved))
    text = ledger_page(Ledger([claim]), {"a<b": verdict})
    assert "<script" not in text
    assert Outline(text).ids == ["a<b"]


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
