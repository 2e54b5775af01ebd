"""The papers: no claim is left out, verdicts are the recorded ones, and the run checks each claim once."""

import ast
import importlib
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import sympy as sp

import derivations
from implicit_bias import Claim, Correction, Ledger, Outcome, Paper, Statement, Verdict
from implicit_bias.claims import corrected, judge
from tests.campaigns.kept import unlike, unused

FOLDER = Path(derivations.__file__).parent


def module_name(path):
    """The name of the module in a file."""
    parts = path.relative_to(FOLDER.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FOLDER.rglob("*.py") if path.stem != "__main__"}


def defined(source):
    """How many claims a source defines: calls of ``Claim`` and of a method ``claim``, of whatever paper."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [getattr(function, "attr", None) or getattr(function, "id", None) for function in calls]
    return names.count("Claim") + names.count("claim")


def unregistered(name, source, content, ledger, papers):
    """Sentences on the claims and papers that a module defines and the ledger does not know."""
    known = Counter(claim.module for claim in ledger.values())[name]
    found = [f"{name} defines {defined(source)} claims, of which the ledger has {known}"]
    found = found if defined(source) != known else []
    for value in content.values():
        if isinstance(value, Claim) and ledger.get(value.id) is not value:
            found.append(f"{name}: the ledger has not {value.id}")
        if isinstance(value, Paper) and not any(paper is value for paper in papers):
            found.append(f"{name}: no package is the paper {value.key}")
    return found


def test_every_claim_of_every_module_is_in_the_ledger():
    """Here modules are found as files, independently of how the ledger finds them."""
    ledger, papers = derivations.ledger(), derivations.papers()
    left_out = [
        sentence
        for name, path in MODULES.items()
        for sentence in unregistered(name, path.read_text("utf-8"), vars(importlib.import_module(name)), ledger, papers)
    ]
    assert left_out == []
    assert {claim.module for claim in ledger.values()} <= MODULES.keys()
    assert len({paper.key for paper in papers}) == len(papers)
    assert sorted(ledger) == sorted(claim.id for paper in papers for claim in paper.claims)


def test_the_check_itself_sees_what_is_left_out():
    paper, ledger = Paper("k", "T", "A"), derivations.ledger()
    alone = Claim("alone", "s", "here", check=lambda: None)
    assert unregistered("m", "x = Claim('alone', 's', 'here')", {"x": alone}, ledger, []) == [
        "m defines 1 claims, of which the ledger has 0",
        "m: the ledger has not alone",
    ]
    assert unregistered("m", "@paper.claim('a')\ndef f(): ...", {"paper": paper}, ledger, []) == [
        "m defines 1 claims, of which the ledger has 0",
        "m: no package is the paper k",
    ]
    assert unregistered("m", "", {"paper": paper}, ledger, [paper]) == []


def test_every_paper_is_a_package_of_its_own_with_claims():
    packages = {claim.module.rpartition(".")[0]: claim.id.partition("/")[0] for claim in derivations.ledger().values()}
    assert {module: importlib.import_module(module).PAPER.key for module in packages} == packages
    assert {path.parent.name for path in FOLDER.glob("*/__init__.py")} == {name.split(".")[1] for name in packages}


def test_the_order_of_the_ledger_is_that_of_the_files(monkeypatch):
    """It does not depend on which module was imported first."""
    expected, shuffled = list(derivations.ledger()), [replace(paper) for paper in derivations.papers()]
    for paper, mixed in zip(derivations.papers(), shuffled, strict=True):
        mixed._claims.update(sorted(paper._claims.items(), key=lambda item: item[1].module, reverse=True))
    monkeypatch.setattr(derivations, "papers", lambda: shuffled)
    assert [claim.id for paper in shuffled for claim in paper.claims] != expected
    assert list(derivations.ledger()) == expected


@pytest.fixture(scope="module")
def checked():
    """The ledger with all verdicts."""
    return derivations.ledger().run()


def test_verdicts_are_the_recorded_ones(checked):
    assert checked.outcomes() == derivations.recorded()
    assert checked.differences(derivations.recorded()) == []


def test_no_check_runs_twice():
    """Every claim keeps its uses, and a check that counts takes the place of the one that computes."""
    calls, claims = [], derivations.ledger()
    half = sp.Rational(1, 2)
    proved = judge.prove("made up", (sp.cos(half) ** 2, 1 - sp.sin(half) ** 2))
    refuted = Verdict(Outcome.REFUTED, "made up", counterexample={"x": 0}, correction=Correction("s", proved))
    mended = {str(used) for claim in claims.values() for used in claim.uses if isinstance(used, corrected)}

    def counting(claim):
        def check(used):
            calls.append((claim.id, set(used)))
            return refuted if claim.id in mended else proved

        stated = isinstance(claim.statement, Statement)
        return replace(claim, check=(lambda statement, used: check(used)) if stated else check)

    Ledger(map(counting, claims.values())).run()
    assert dict(calls) == {name: set(claim.uses) for name, claim in claims.items()}
    assert len(calls) == len(claims)


def test_no_check_runs_that_of_another_claim():
    """A check gets the verdicts that the ledger found: no module calls a claim, its check or its verdict."""
    for name, path in MODULES.items():
        claims = {key for key, value in vars(importlib.import_module(name)).items() if isinstance(value, Claim)}
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                assert called not in claims | {"check", "verdict"}, f"{name}:{node.lineno} runs {called}"


def test_the_saved_verdicts_are_those_of_a_run(checked, saved):
    """They agree but for rounding, which moves residuals of correct formulas and last digits of others."""
    assert saved.keys() == checked.verdicts.keys(), "run python -m derivations --html"
    for name, verdict in checked.verdicts.items():
        assert verdict.counterexample == pytest.approx(saved[name].counterexample, rel=1e-6, abs=1e-9), name
        assert verdict.tolerance == saved[name].tolerance, name


def test_the_saved_ledger_says_what_a_run_does(checked):
    """Hypotheses, what each identity says and in which symbols, words, and which tolerance was asked for."""
    kept = Ledger.load(derivations.SAVED)
    differences = {
        name: unlike(claim, checked.verdicts[name], kept[name], kept.verdicts[name]) for name, claim in checked.items()
    }
    assert {name: found for name, found in differences.items() if found} == {}, "run python -m derivations --html"


def test_no_claim_holds_without_those_that_it_rests_on(checked):
    assert {name: found for name in checked if (found := unused(checked, name))} == {}


def test_every_tolerance_has_a_reason(checked):
    for name, verdict in checked.verdicts.items():
        # Exact counterexamples have no tolerance.
        assert (not verdict.tolerance) == (not verdict.tolerance_reason), name
        assert verdict.tolerance is None or verdict.residual is not None


SHOWN = (Outcome.PROVED, Outcome.ARGUED)


def test_what_is_shown_carries_its_identities(checked):
    for name, verdict in checked.verdicts.items():
        assert verdict.outcome not in SHOWN or verdict.identities, name
        assert all(identity.decided for identity in verdict.identities), name


def test_what_is_refuted_carries_exact_numbers_and_what_holds_instead(checked):
    """Numbers of trained networks are measured ones, and nothing else is proved instead."""
    for name, verdict in checked.verdicts.items():
        if verdict.outcome is Outcome.REFUTED and checked[name].observation:
            assert verdict.counterexample, name
        elif verdict.outcome is Outcome.REFUTED:
            assert verdict.violation is not None, name
            assert verdict.correction is not None, name
            assert verdict.correction.verdict.outcome in SHOWN, name


def test_no_claim_is_left_open_by_an_error(checked):
    for name, verdict in checked.verdicts.items():
        assert not verdict.traceback, f"{name}: {verdict.evidence}"


# Commands, indices, powers of an operator and the zero that something is compared with are no constants.
NAMES = re.compile(r"\\[a-zA-Z]+|_\{[^}]*\}|_\w|\^\w|\^\{-?1\}")


def test_formulas_with_constants_are_stated_as_formulas():
    """A statement in words alone holds no number that a check should read."""
    for name, claim in derivations.ledger().items():
        if not isinstance(claim.statement, Statement):
            assert not re.search(r"[1-9]", NAMES.sub("", claim.statement)), f"{name}: {claim.statement}"
