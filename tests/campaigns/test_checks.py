"""A sample of the gutted checks of the ledger, and the campaign itself on a paper whose checks are known."""

import importlib
import sys
from dataclasses import replace

import pytest

import derivations
import implicit_bias as ib
from tests.campaigns import checks
from tests.campaigns.kept import unlike

TINY = """
from __future__ import annotations
from functools import cache
import sympy as sp
from implicit_bias import Paper, Statement, Verdict
from implicit_bias.claims import Equation, judge

PAPER = Paper("tiny", "T", "A")
x = sp.Symbol("x", positive=True)
TOLERANCE = 1e-9


@cache
def steps() -> tuple[Equation, ...]:
    return (
        Equation(sp.sinh(2 * x), 2 * sp.sinh(x) * sp.cosh(x), "twice"),
        Equation(sp.cosh(x) ** 2 - 1, sp.sinh(x) ** 2),
    )


@PAPER.claim("roots", statement=Statement("√x √(x + 1) = ", sp.sqrt(x**2 + x)), hypotheses=("x > 0", "x real"))
def roots(statement: Statement) -> Verdict:
    argued = judge.argue("So.", (x + x, 2 * x), *steps(), stated=(statement.formula, sp.sqrt(x) * sp.sqrt(x + 1)))
    return judge.agreed(argued, lambda: abs(statement.formula.subs(x, 3) - 2 * sp.sqrt(3)), TOLERANCE, "Rounding.")


@PAPER.claim("sum", statement=Statement("1 + 1 = ", sp.Integer(2)), uses=("roots",))
def total(statement: Statement, used) -> Verdict:
    if not is_shown(used["roots"]):
        return Verdict(judge.Outcome.INCONCLUSIVE, "Nothing to rest on.")
    return judge.from_residual(abs(float(statement.formula) - 2), 1e-9, "Counted.", tolerance_reason="Rounding.")


@PAPER.claim("half", statement=Statement("x/2 = ", x / 3))
def half(statement: Statement) -> Verdict:
    return judge.prove("No.", stated=Equation(statement.formula, x / 2, conditions=(x + 1,)))


def is_shown(verdict: Verdict) -> bool:
    return verdict.outcome in (judge.Outcome.ARGUED, judge.Outcome.PROVED)
"""

BRANCH = """

@PAPER.claim("branch", statement=Statement("x/2 = ", x / 3))
def branch(statement: Statement) -> Verdict:
    if statement.formula.subs(x, 3) == 1:
        return judge.prove("No.", stated=Equation(statement.formula, x / 2))
    return judge.argue("So.", *steps(), stated=(statement.formula, x / 2))
"""
FORGOTTEN = """

@PAPER.claim("forgotten", statement=Statement("1 + 1 = ", sp.Integer(2)))
def forgotten(statement: Statement) -> Verdict:
    twice = Equation(sp.sinh(2 * x), 2 * sp.sinh(x) * sp.cosh(x))
    judge.argue("Nobody looks.", twice, (sp.tan(x) * sp.cos(x), sp.sin(x)))
    off = 1e-12 + abs(float(statement.formula) - 2)
    return judge.from_residual(off, 1e-9, "Counted.", tolerance_reason="Rounding.")
"""


@pytest.fixture
def tiny(request, tmp_path, monkeypatch):
    """The ledger of a paper, all of whose checks compare something, and of what a test adds to it."""
    source = TINY + getattr(request, "param", "")
    (tmp_path / "derivations_tiny").mkdir()
    (tmp_path / "derivations_tiny" / "claims.py").write_text(source, "utf-8")
    (tmp_path / "derivations_tiny" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    paper = importlib.import_module("derivations_tiny.claims").PAPER
    yield ib.Ledger(paper.claims, papers=[paper]).run()
    for name in ("derivations_tiny.claims", "derivations_tiny"):
        del sys.modules[name]


def test_every_change_of_checks_that_compare_is_noticed(tiny):
    found = checks.run(tiny, tiny, ["tiny"])
    assert found.pop("not noticed") == []
    assert found == {
        "claims": 3,
        "changes possible": 17,
        "changes tried": 17,
        "not as kept": 10,
        "another verdict": 2,
        "holds without claims that it rests on": 2,
        "a false statement holds": 1,
        "takes a step that is evident": 1,
        "refuted by the same numbers": 1,
        "listed in vain": [],
    }


def test_what_is_gutted_is_not_noticed_by_a_ledger_that_keeps_nothing_of_it(tiny, monkeypatch):
    """Identities that the statement does not enter are noticed by what is kept of the verdict alone."""
    monkeypatch.setattr(checks, "unlike", lambda *_: [])
    found = checks.run(tiny, tiny, ["tiny"])
    assert found["another verdict"] > 0
    assert found["a false statement holds"] > 0
    assert found["holds without claims that it rests on"] > 0
    assert found["unnoticed"] == len(found["not noticed"]) > 0
    assert "tiny/roots: hypothesis 1" in found["not noticed"]


@pytest.mark.parametrize("tiny", [BRANCH], indirect=True)
def test_a_refuted_check_that_lets_a_false_statement_pass_is_noticed(tiny):
    """Its own refutation stays what it is; other statements of the claim are no longer compared with anything."""
    campaign = checks.Campaign(tiny, tiny)
    (change,) = [
        each
        for each in checks.changes(sys.modules["derivations_tiny.claims"])
        if each.function.__name__ == "branch" and each.text.endswith("→ *steps())")
    ]
    assert campaign.way(change) == "a false statement holds"


@pytest.mark.parametrize("tiny", [FORGOTTEN], indirect=True)
def test_a_step_whose_verdict_is_forgotten_is_not_evident(tiny):
    found = checks.run(tiny, tiny, ["tiny"])
    assert len([each for each in found["not noticed"] if "forgotten" in each]) >= 2
    assert found["takes a step that is evident"] == 1  # of another check


def test_a_change_is_undone(tiny):
    (claim, *_) = tiny.values()
    before = claim.verdict()
    checks.run(tiny, tiny, ["tiny"])
    assert claim.verdict() == before


def test_an_intact_check_is_as_kept(tiny):
    assert {checks.noticed(tiny, tiny, name, ()) for name in tiny} == {""}
    verdicts = {**tiny.verdicts, "tiny/roots": replace(tiny.verdicts["tiny/roots"], evidence="Otherwise.")}
    kept = ib.Ledger(tiny.values(), verdicts, papers=tiny.papers)
    assert checks.noticed(tiny, kept, "tiny/roots", ()) == "not as kept"
    with pytest.raises(RuntimeError, match="without any change, of tiny/roots: not as kept"):
        checks.run(tiny, kept, ["tiny"])


def test_what_is_kept_of_a_verdict_is_no_number_that_rounding_moves(tiny):
    claim, verdict = tiny["tiny/sum"], tiny.verdicts["tiny/sum"]
    measured = [replace(verdict, evidence=f"Off by {text}.", residual=1e-12) for text in ("1.2e-13", "−4", "1,203.5")]
    assert {len(unlike(claim, each, claim, measured[0])) for each in measured} == {0}
    assert unlike(claim, replace(measured[0], tolerance=1e-3), claim, measured[0]) == ["tolerance"]
    assert unlike(replace(claim, hypotheses=("x",)), verdict, claim, verdict) == ["hypotheses"]


def test_a_sample_of_the_ledger():
    found = checks.run(derivations.ledger(), ib.Ledger.load(derivations.SAVED), ["spred"], sample=6, seed=1)
    assert (found["changes tried"], found["not noticed"]) == (6, [])


def test_listed_changes_are_changes_with_a_reason():
    """An entry whose function or change is gone excuses nothing."""
    for place, listed in checks.known().items():
        possible = {
            change.text
            for change in checks.changes(importlib.import_module(place.rpartition(".")[0]))
            if change.place == place
        }
        assert listed.keys() <= possible, place
        assert all(reason.endswith(".") for reason in listed.values()), place
