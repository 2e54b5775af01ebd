"""The verdicts follow from what is stated: a changed statement gets another verdict."""

import random
import tomllib
from pathlib import Path

import pytest
import sympy as sp

import derivations
from derivations.mask_in_the_mirror.potential import potential_with
from derivations.mask_in_the_mirror.setting import START, WEIGHT, accumulated, decay, u0, v0, x
from implicit_bias import Outcome, Statement

TRUE = tomllib.loads((Path(__file__).parents[1] / "campaigns" / "true_mutants.toml").read_text("utf-8"))
HELD = (Outcome.PROVED, Outcome.ARGUED, Outcome.SUPPORTED)
MODULES = ("commuting", "lipschitz", "potential", "scale", "solution")
CHANGES = 4  # tried of each statement here; the campaign tries them all

SCALE = u0 * v0 * sp.exp(-4 * decay)  # as derived
HALF = sp.Rational(1, 2)
a = sp.Symbol("a", positive=True)
ROOT = sp.sqrt(x**2 + 4 * u0**2 * v0**2)


def judged_here():
    """The claims of the preprint, and ours on the mask, whose statements hold formulas."""
    for name, claim in derivations.ledger().items():
        package, _, module = claim.module.rpartition(".")
        is_of_the_mask = package.endswith("mask_in_the_mirror") and module in MODULES
        if (is_of_the_mask or claim.module == "derivations.ours.mask") and isinstance(claim.statement, Statement):
            yield name


@pytest.mark.parametrize("name", list(judged_here()))
def test_a_changed_statement_does_not_hold(name):
    claim = derivations.ledger()[name]
    if claim.verdict().outcome not in HELD:
        return  # what is refuted needs no change to fail
    changes = [each for each in claim.statement.mutants() if each[0] not in TRUE.get(name, {})]
    for change, mutant in random.Random(name).sample(changes, min(CHANGES, len(changes))):  # noqa: S311
        assert claim.verdict(statement=mutant).outcome not in HELD, f"{change}: {mutant}"


@pytest.mark.parametrize(
    ("name", "right", "outcome"),
    [
        ("thm-2.1", [potential_with(HALF, u0 * v0)], Outcome.PROVED),
        ("thm-3.1", [potential_with(HALF, SCALE)], Outcome.PROVED),
        ("inverse-hessian", [sp.sqrt(4 * x**2 + 4 * u0**2 * v0**2)], Outcome.PROVED),
        ("minimum-position", [2 * START * sp.exp(-4 * decay) / 2], Outcome.ARGUED),
        ("lem-a.1", [WEIGHT * sp.cosh(x) ** 2 - WEIGHT * sp.sinh(x) ** 2], Outcome.PROVED),
        (
            "lem-a.1-hyperbolic",
            [START * sp.cosh(2 * accumulated) - (u0**2 + v0**2) * sp.sinh(2 * accumulated) / 2],
            Outcome.PROVED,
        ),
        ("lem-a.2", [SCALE], Outcome.PROVED),
    ],
)
def test_the_right_formula_holds_where_another_is_printed(name, right, outcome):
    claim = derivations.ledger()[f"mask-in-the-mirror/{name}"]
    assert claim.verdict().outcome is Outcome.REFUTED
    assert claim.verdict(statement=Statement(*right)).outcome is outcome


@pytest.mark.parametrize(
    ("name", "place", "right"),
    [
        ("r-minimal-at-start", 0, (u0 - v0) * (u0 + v0)),
        ("minimum-of-thm-3.1", 0, (u0 - v0) * (u0 + v0) * sp.exp(-2 * decay)),
        ("lipschitz-of-eq-2", 0, 1 / (2 * (u0 + v0) ** 2 - 2 * (u0 - v0) ** 2)),
        ("rem-2.1-lipschitz", 0, 1 / a),
        ("small-scale", 1, sp.log(1 / a) * sp.Abs(x) / 2),
        ("thm-2.1-thm-3.1", 0, (x * sp.log((x + ROOT) / (2 * u0 * v0)) - ROOT) / 2),
        ("inverse-hessian-of-eq-2", 0, 2 * sp.sqrt(4 * x**2 + 16 * u0**2 * v0**2)),
        ("rem-2.1-entropy", 1, (x * sp.log((x + sp.sqrt(x**2 + a**2)) / a) - sp.sqrt(x**2 + a**2)) / 4),
        ("lem-a.2-proof", 1, u0 * v0 * (sp.cosh(4 * decay) - sp.sinh(4 * decay)) * 2),
    ],
)
def test_a_printed_statement_is_refuted_for_its_constant_alone(name, place, right):
    claim = derivations.ledger()[f"mask-in-the-mirror/{name}"]
    assert claim.verdict().outcome is Outcome.REFUTED
    formulas = list(claim.statement.formulas)
    formulas[place] = right
    assert claim.verdict(statement=Statement(*formulas)).outcome in HELD
