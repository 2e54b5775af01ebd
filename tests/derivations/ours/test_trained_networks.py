"""The exact identity of trained networks: the verdicts follow from what was measured, to many digits."""

from dataclasses import replace

import pytest
import sympy as sp

from derivations.ours import training
from implicit_bias import SGD, Outcome, Verdict
from implicit_bias.claims import judge

SMALL = 1e-8
OPEN = Verdict(Outcome.INCONCLUSIVE, "open")
HOLDS = judge.argue("assumed", (sp.sinh(sp.Symbol("x")) ** 2 + 1, sp.cosh(sp.Symbol("x")) ** 2))


def judged(claim, verdict=HOLDS, **changed):
    """The verdict of a claim, given one for all claims that it uses."""
    return claim.verdict(dict.fromkeys(claim.uses, verdict), **changed)


@pytest.fixture
def small(monkeypatch):
    """Two networks of each scale and decay, by one optimizer."""
    monkeypatch.setattr(training, "PROBLEMS", 2)
    monkeypatch.setattr(training, "SETTINGS", {"heavy ball": training.Setting(SGD(0.9), None, 0.05)})
    monkeypatch.setattr(training, "ENDS", {"beyond": training.ENDS["gradient descent beyond the critical step"]})


def test_runs_obey_the_identity_of_their_products(small):
    verdict = judged(training.training_identity)
    assert verdict.outcome is Outcome.SUPPORTED
    assert len(verdict.identities) == 1
    assert "18 networks" in verdict.evidence


def test_another_shift_of_the_potential_is_refuted(small):
    """B_k = β_k + L_k, by the identity alone."""
    claim = training.training_identity
    statement = next(
        mutant for change, mutant in claim.statement.mutants() if mutant.formulas[1] != claim.statement.formulas[1]
    )
    assert judged(claim, statement=statement).outcome is Outcome.REFUTED


@pytest.mark.parametrize("name", ["log_scale", "shift"])
def test_products_that_are_slightly_off_are_noticed(small, name, monkeypatch):
    right = training.trained

    def spoiled(setting):
        for run in right(setting):
            yield replace(run, products={**run.products, name: run.products[name] + SMALL})

    monkeypatch.setattr(training, "trained", spoiled)
    assert judged(training.training_identity).outcome is Outcome.INCONCLUSIVE


def test_a_run_ends_at_its_own_projection_and_not_at_that_of_the_flow(small, monkeypatch):
    verdict = judged(training.run_limit)
    assert verdict.outcome is Outcome.ARGUED
    own, of_flow = training.distances_to_ends(training.ENDS["beyond"])
    assert own < 1e-10
    assert of_flow > 0.01
    monkeypatch.setattr(training, "distances_to_ends", lambda setting: (of_flow, of_flow))
    assert judged(training.run_limit).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("claim", [training.training_identity, training.run_limit])
def test_nothing_follows_from_steps_that_are_open(claim):
    assert judged(claim, OPEN).outcome is Outcome.INCONCLUSIVE


@pytest.fixture(scope="module")
def layers():
    return training.network_identities()


def test_every_layer_of_a_network_obeys_to_rounding(layers, monkeypatch):
    monkeypatch.setattr(training, "network_identities", lambda: layers)
    verdict = judged(training.network_identity)
    assert verdict.outcome is Outcome.SUPPORTED
    assert "266,808 weights" in verdict.evidence
    assert "attention: attention.in_proj_weight" in layers
    assert max(each.flow_relative_residual for each in layers.values()) > 0.01
    spoiled = {
        name: replace(each, accumulated_gradient=each.accumulated_gradient * (1 + SMALL))
        for name, each in layers.items()
    }
    monkeypatch.setattr(training, "network_identities", lambda: spoiled)
    assert judged(training.network_identity).outcome is Outcome.INCONCLUSIVE
