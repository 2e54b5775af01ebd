"""The papers: no claim is left out, verdicts are the recorded ones, and the run checks each claim once."""

import ast
import importlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import derivations
from implicit_bias import Claim, Correction, Ledger, Outcome, Paper, Verdict
from implicit_bias.claims import corrected

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
    """What a module defines without the ledger knowing it."""
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
    """Modules are found as files, however the ledger finds them."""
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
    """Whichever module was imported first."""
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
    """Each claim with its uses and a check that counts, in place of the one that computes."""
    calls, claims = [], derivations.ledger()
    proved = Verdict(Outcome.PROVED, "made up")
    refuted = Verdict(Outcome.REFUTED, "made up", counterexample={"x": 0}, correction=Correction("s", proved))
    mended = {str(used) for claim in claims.values() for used in claim.uses if isinstance(used, corrected)}

    def counting(claim):
        verdict = refuted if claim.id in mended else proved
        return replace(claim, check=lambda used: calls.append((claim.id, set(used))) or verdict)

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
    """Up to what rounding moves: residuals of correct formulas, and the last digits of others."""
    assert saved.keys() == checked.verdicts.keys(), "run python -m derivations --html"
    for name, verdict in checked.verdicts.items():
        assert verdict.counterexample == pytest.approx(saved[name].counterexample, rel=1e-6, abs=1e-9), name
        assert verdict.tolerance == saved[name].tolerance, name


def test_every_tolerance_has_a_reason(checked):
    for name, verdict in checked.verdicts.items():
        assert (verdict.tolerance is None) == (not verdict.tolerance_reason), name
        assert verdict.tolerance is None or verdict.residual is not None


def test_no_claim_is_left_open(checked):
    """Whatever is refuted has a correction that is proved."""
    decided = {Outcome.PROVED, Outcome.SUPPORTED, Outcome.REFUTED}
    for name, verdict in checked.verdicts.items():
        assert verdict.outcome in decided, name
        if verdict.outcome is Outcome.REFUTED:
            assert verdict.correction is not None, name
            assert verdict.correction.verdict.outcome is Outcome.PROVED, name
