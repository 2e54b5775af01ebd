"""Papers: their claims' ids and sources, and how verdicts flow from one claim to another."""

import pytest
from sympy.abc import x

import implicit_bias as ib
from implicit_bias.claims import Equation, corrected
from implicit_bias.errors import InputError

IDENTITY = Equation((x + 1) ** 2, x**2 + 2 * x + 1, decided="expanded")
PROVED = ib.Verdict(ib.Outcome.PROVED, "algebra", identities=(IDENTITY,))
BETTER = ib.Verdict(ib.Outcome.PROVED, "better algebra", identities=(IDENTITY,))
REFUTED = ib.Verdict(ib.Outcome.REFUTED, "fails", counterexample={"x": 1.0}, correction=ib.Correction("better", BETTER))


@pytest.mark.parametrize(
    ("fields", "citation"),
    [
        ({"arxiv": "2408.09966", "version": 1, "year": 2024}, "arXiv:2408.09966v1"),
        ({"arxiv": "2408.09966"}, "arXiv:2408.09966"),
        ({"year": 2024}, 'A, "T", 2024'),
        ({}, 'A, "T"'),
        ({"authors": "", "year": 2024}, "T"),
    ],
)
def test_sources_begin_with_the_paper(fields, citation):
    paper = ib.Paper(**({"key": "k", "title": "T", "authors": "A"} | fields))

    @paper.claim("a", statement="s", source="Theorem 1")
    def at_a_place():
        return PROVED

    @paper.claim("b", statement="s")
    def somewhere():
        return PROVED

    assert paper.citation == citation
    assert (at_a_place.source, somewhere.source) == (f"{citation}, Theorem 1", citation)


def test_claims_are_kept_in_order_with_what_was_said_of_them():
    paper = ib.Paper("k", "T", "A")

    @paper.claim("b", statement="s", hypotheses=["x > 0"], uses=["a", "other/c"], figure="f.png")
    def second():
        return PROVED

    @paper.claim("a", statement="t")
    def first():
        return PROVED

    assert paper.claims == (second, first)
    assert second == ib.Claim(
        "k/b", "s", 'A, "T"', ("x > 0",), ("k/a", "other/c"), "f.png", __name__, check=lambda: PROVED
    )
    assert second.verdict() is PROVED
    assert ib.Paper("k", "T", "A") == paper  # the same work, whatever is known of it
    assert ib.Paper("k", "T", "A").claims == ()
    assert repr(paper) == "Paper(key='k', title='T', authors='A', arxiv=None, version=None, year=None)"


def test_a_check_reads_verdicts_by_the_ids_that_its_claim_uses():
    first, second, given = ib.Paper("one", "T", "A"), ib.Paper("two", "T", "A"), []

    @first.claim("wrong", statement="s")
    def wrong():
        return REFUTED

    @first.claim("right", statement="s", uses=(corrected("wrong"),))
    def right(used):
        return used["wrong"]

    @second.claim("both", statement="s", uses=("mine", "one/right", corrected("one/wrong")))
    def both(used):
        given.append(used)
        return used["mine"]

    @second.claim("mine", statement="s")
    def mine():
        return PROVED

    assert both.uses == ("two/mine", "one/right", "one/wrong")
    assert [isinstance(name, corrected) for name in both.uses] == [False, False, True]
    assert both.module == __name__
    checked = ib.Ledger([*first.claims, *second.claims]).run()
    assert given == [{"mine": PROVED, "one/right": BETTER, "one/wrong": BETTER}]
    assert checked.verdicts["one/right"] is BETTER


def define(paper, name="a", statement="s", **fields):
    paper.claim(name, statement=statement, **fields)(lambda: PROVED)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({}, "Paper k: two claims are called 'a'"),
        ({"name": "b/c"}, "without a slash, got 'b/c'"),
        ({"name": "b", "statement": ""}, "non-empty"),
        ({"name": "b", "uses": "a"}, "uses= to be a tuple"),
        ({"name": "b", "hypotheses": "a"}, "hypotheses= to be a tuple"),
    ],
)
def test_what_is_no_claim_is_refused_and_not_kept(fields, part):
    paper = ib.Paper("k", "T", "A")
    define(paper)
    with pytest.raises(InputError, match=part):
        define(paper, **fields)
    assert [claim.id for claim in paper.claims] == ["k/a"]


@pytest.mark.parametrize("key", ["", "a/b"])
def test_a_key_is_one_word(key):
    with pytest.raises(InputError, match="a key without a slash"):
        ib.Paper(key, "T", "A")
