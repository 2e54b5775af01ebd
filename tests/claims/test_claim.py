"""Claims: what they need, how their checks run, and how they are kept."""

import json

import pytest
import sympy as sp
from sympy.abc import x

import implicit_bias as ib
from implicit_bias.claims import Equation, corrected
from implicit_bias.errors import InputError

IDENTITY = Equation((x + 1) ** 2, x**2 + 2 * x + 1, decided="expanded")
PROVED = ib.Verdict(ib.Outcome.PROVED, "algebra", identities=(IDENTITY,))
OPEN = ib.Verdict(ib.Outcome.INCONCLUSIVE, "open")


def test_a_claim_runs_its_check_when_asked():
    calls = []
    claim = ib.Claim("a", "s", "here", check=lambda: calls.append(1) or PROVED)
    assert calls == []
    assert claim.verdict() is PROVED
    assert calls == [1]


def test_a_check_is_given_the_verdicts_on_what_its_claim_uses():
    """If it has a parameter for them; a parameter with a default is its own."""
    claim = ib.Claim("a", "s", "here", uses=("b",), check=lambda used: used["b"])
    assert claim.verdict({"b": OPEN}) is OPEN
    with pytest.raises(InputError, match=r"Claim a: its check takes the verdicts on b; .*run\(\['a'\]\)"):
        claim.verdict()
    assert ib.Claim("a", "s", "here", uses=("b",), check=lambda found=PROVED: found).verdict() is PROVED
    assert ib.Claim("a", "s", "here", check=lambda used: OPEN if used else PROVED).verdict() is PROVED


def test_a_check_is_given_the_statement_that_holds_its_formula():
    statement = ib.Statement("x^2 = ", x**2)
    claim = ib.Claim("a", statement, "here", uses=("b",), check=lambda said, used: OPEN if used["b"] is OPEN else said)
    assert claim.verdict({"b": OPEN}) is OPEN
    with pytest.raises(InputError, match="verdicts on b"):
        claim.verdict()
    alone = ib.Claim("a", statement, "here", check=lambda said: PROVED if said.formula == x**2 else OPEN)
    assert alone.verdict() is PROVED
    assert alone.verdict(statement=ib.Statement("x^2 = ", x**3)) is OPEN
    assert ib.Claim.read("a", json.loads(json.dumps(alone.describe()))).statement == "x^2 = x^{2}"


@pytest.mark.parametrize("result", [None, True, ib.Outcome.PROVED, "PROVED"])
def test_a_check_returns_a_verdict(result):
    with pytest.raises(TypeError, match=f"Claim a: .*{type(result).__name__}.*Verdict"):
        ib.Claim("a", "s", "here", check=lambda: result).verdict()


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"id": ""}, "non-empty"),
        ({"id": "a/correction"}, "a/correction: ids that end with /correction"),
        ({"statement": ""}, "non-empty"),
        ({"check": None}, "Claim a: .*check="),
        ({"check": PROVED}, "Claim a: .*check="),
        ({"statement": ib.Statement("x = ", sp.Symbol("x"))}, "Claim a: .*def check\\(statement\\)"),
        ({"uses": ("b")}, "Claim a: .*uses="),
        ({"hypotheses": "f is convex"}, "Claim a: .*hypotheses="),
    ],
)
def test_incomplete_claims_are_refused(fields, part):
    complete = {"id": "a", "statement": "s", "source": "here", "check": lambda: PROVED}
    with pytest.raises(InputError, match=part):
        ib.Claim(**(complete | fields))


def test_the_module_is_that_of_the_check():
    assert ib.Claim("a", "s", "here", check=lambda: PROVED).module == __name__


def test_a_corrected_id_is_the_id():
    assert corrected("b") == "b"
    by_name: dict[str, int] = {corrected("b"): 1}
    assert by_name["b"] == 1
    assert repr(corrected("b")) == "corrected('b')"


def test_a_claim_is_read_as_it_was_described_but_for_its_check():
    claim = ib.Claim(
        "k/a",
        "s",
        "here",
        (r"\alpha = 0",),
        ("k/b", corrected("k/c")),
        "figures/a.png",
        observation=True,
        check=lambda: PROVED,
    )
    read = ib.Claim.read("k/a", json.loads(json.dumps(claim.describe())))
    assert read == claim
    assert [isinstance(name, corrected) for name in read.uses] == [False, True]
    with pytest.raises(InputError, match="k/a was read from a file"):
        read.verdict()


@pytest.mark.parametrize(
    ("saved", "part"),
    [
        (None, "'uses' is missing"),
        ({"source": "here"}, "'statement' is missing"),
        ({"statement": 1, "source": "here"}, "'statement' is of type int"),
        ({"statement": "s", "source": "here", "uses": "b"}, "'uses' is of type str"),
    ],
)
def test_what_is_no_claim_is_not_read(saved, part):
    with pytest.raises(InputError, match=part):
        ib.Claim.read("a", saved)
