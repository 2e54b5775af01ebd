"""The mirror identity in a network: the verdict follows from the measured order."""

import dataclasses

import pytest

from derivations import network_identity
from implicit_bias import Outcome


@pytest.fixture(scope="module")
def runs():
    return {steps: network_identity.identities(steps) for steps in network_identity.STEPS}


def test_every_layer_obeys_and_the_potential_of_the_start_alone_would_not(runs, monkeypatch):
    monkeypatch.setattr(network_identity, "identities", runs.get)
    verdict = network_identity.check()
    assert verdict.outcome is Outcome.SUPPORTED
    assert "266,200 weights" in verdict.evidence
    monkeypatch.setattr(network_identity, "STATED_ORDER", 2.0)
    assert network_identity.check().outcome is Outcome.INCONCLUSIVE


def test_half_of_the_accumulated_gradient_is_not_supported(runs, monkeypatch):
    spoiled = {
        steps: {
            name: dataclasses.replace(each, accumulated_gradient=each.accumulated_gradient / 2)
            for name, each in run.items()
        }
        for steps, run in runs.items()
    }
    monkeypatch.setattr(network_identity, "identities", spoiled.get)
    assert network_identity.check().outcome is Outcome.INCONCLUSIVE
