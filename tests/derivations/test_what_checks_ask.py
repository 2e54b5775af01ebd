"""A check does not hold once what it computes, or what it derives, is not as it says."""

import importlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import sympy as sp

import derivations
from derivations.kernel_and_rich.scales import FAR
from derivations.mask_in_the_mirror.setting import derived
from implicit_bias import Ledger, Outcome, Parameterization, Statement
from tests.campaigns import statements

UNPROVED = SimpleNamespace(proved=False, potential=sp.Integer(1), scale=sp.Integer(1))


@pytest.fixture(scope="module")
def ledger():
    """All claims with the verdicts that are kept."""
    return Ledger(derivations.ledger().values(), Ledger.load(derivations.SAVED).verdicts)


def outcome(ledger, name, **given):
    return ledger[name].verdict(statements.used(ledger, name), **given).outcome


@pytest.mark.parametrize(
    ("name", "module", "patched", "instead"),
    [
        ("saddle-to-saddle/algorithm", "saddle_to_saddle.path", "_deviation", lambda *_: 1e-5),  # falls no more
        ("ours/origin-of-constants", "ours.parameterizations", "derive", lambda *_, **__: UNPROVED),
    ],
)
def test_a_check_is_open_where_its_numbers_or_its_derivation_do_not_fit(
    name, module, patched, instead, ledger, monkeypatch
):
    monkeypatch.setattr(importlib.import_module(f"derivations.{module}"), patched, instead)
    assert outcome(ledger, name) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("name", ["lem-a.1", "thm-2.1", "inverse-hessian", "minimum-position"])
def test_nothing_is_said_of_the_mask_by_a_derivation_that_is_not_proved(name, ledger, monkeypatch):
    found = derived()
    formulas = {each: getattr(found, each) for each in ("potential", "scale", "metric", "inverse_mirror_map")}
    for module in ("setting", "judging"):
        mask = importlib.import_module(f"derivations.mask_in_the_mirror.{module}")
        monkeypatch.setattr(mask, "derived", lambda: SimpleNamespace(proved=False, **formulas))
    assert outcome(ledger, f"mask-in-the-mirror/{name}") is Outcome.INCONCLUSIVE


def test_three_layers_are_open_if_other_polynomials_commute(ledger, monkeypatch):
    monkeypatch.setattr(Parameterization, "commuting_regularizers", lambda *_: [])
    assert outcome(ledger, "ours/three-layers") is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("name", "module", "patched", "instead"),
    [
        ("saddle-to-saddle/algorithm", "saddle_to_saddle.path", "_deviation", lambda large, *_: 4e3 / large),
        ("saddle-to-saddle/minimum-norm", "saddle_to_saddle.path", "linprog", lambda c, **_: SimpleNamespace(x=0 * c)),
        (
            "mirror-flow-separable/direction",
            "mirror_flow_separable.direction",
            "linprog",
            lambda c, **_: SimpleNamespace(x=np.eye(len(c))[2]),
        ),
    ],
)
def test_numbers_that_are_far_off_refute(name, module, patched, instead, ledger, monkeypatch):
    monkeypatch.setattr(importlib.import_module(f"derivations.{module}"), patched, instead)
    assert outcome(ledger, name) is Outcome.REFUTED


def test_another_share_of_monotone_paths_is_refuted(ledger):
    half = Statement("p = ", sp.Rational(1, 2))
    assert outcome(ledger, "dln-lasso-path/sec-2.2", statement=half) is Outcome.REFUTED


def test_the_right_expansion_holds_where_another_is_printed(ledger):
    assert outcome(ledger, "kernel-and-rich/eq-7-expansion", statement=Statement("q(z) = ", FAR)) is Outcome.ARGUED


def moved(by):
    """A solver whose results are off by a number."""
    return lambda solve: lambda *given, **named: solve(*given, **named) + by


def with_another_gain(train):
    def trained(*given, **named):
        run = train(*given, **named)
        return replace(run, gain=run.gain + 1e-4)

    return trained


@pytest.mark.parametrize(
    ("name", "module", "patched", "spoiled"),
    [
        ("large-stepsizes/limit", "large_stepsizes.ends", "projected", moved(1e-5)),
        ("large-stepsizes/gain-on-the-support", "large_stepsizes.ends", "train", with_another_gain),
        ("momentum-flow/solution", "momentum_flow.flow", "projected", moved(1e-4)),
        ("ours/run-limit", "ours.training", "distances_to_ends", lambda _: lambda setting: (1e-6, 0.1)),
        ("step-size-bias/larger-step-richer", "step_size_bias.stability", "FITTED", lambda _: 0.0),
        ("stochastic-flow/gain-of-a-weight", "stochastic_flow.noise", "MISSED", lambda least: 100 * least),
    ],
)
def test_a_check_is_open_where_what_it_measures_is_off(name, module, patched, spoiled, ledger, monkeypatch):
    place = importlib.import_module(f"derivations.{module}")
    monkeypatch.setattr(place, patched, spoiled(getattr(place, patched)))
    assert outcome(ledger, name) is Outcome.INCONCLUSIVE


def test_a_run_that_has_not_ended_is_at_no_edge(ledger, monkeypatch):
    ends = importlib.import_module("derivations.large_stepsizes.ends")
    monkeypatch.setattr(ends, "EDGE_STEPS", 100)
    monkeypatch.setattr(ends, "EDGE_TOLERANCE", 10.0)
    assert outcome(ledger, "large-stepsizes/edge-of-stability") is Outcome.INCONCLUSIVE
