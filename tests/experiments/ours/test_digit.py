"""The digit: limits bracket the classical solutions, and claims notice wrong numbers."""

from dataclasses import replace

import numpy as np
import pytest

from experiments import registry
from experiments.engine import Store, Sweep
from experiments.ours.digit import compute as compute_digit
from implicit_bias import Outcome


@pytest.fixture(scope="module")
def digit(tmp_path_factory):
    quick = registry()["digit"].settings("quick")
    small = replace(quick, last_log10_time=4.0, flow_log10_scales=[0], projection_log10_scales=[2, -1, -4, -16, -32])
    return compute_digit(small, Sweep(Store(tmp_path_factory.mktemp("store"))))


def test_claims_hold(digit):
    verdicts = [claim.verdict() for claim in registry()["digit"].claims(digit)]
    assert {verdict.outcome for verdict in verdicts} == {Outcome.SUPPORTED}, verdicts


def test_networks_that_have_not_arrived_support_nothing(digit):
    none = digit | {"run_misfit": np.ones_like(digit["run_misfit"])}
    found = {c.id: c.verdict().outcome for c in registry()["digit"].claims(none)}
    assert found["digit/trained"] is Outcome.INCONCLUSIVE


def test_limits_bracket_the_classical_solutions(digit):
    truth = np.linalg.norm(digit["truth"])
    least = np.linalg.norm(digit["minimum_l2"] - digit["truth"]) / truth
    assert digit["limit_error"][0] == pytest.approx(least, rel=1e-3)
    assert digit["limit_error"][-1] < 1e-9


def test_claims_notice_a_wrong_limit(digit):
    spoiled = {
        **digit,
        "limit_error": digit["limit_error"] + 0.1,
        "flow_distance": digit["flow_distance"] + 0.1,
        "run_distance": digit["run_distance"] + 0.2,
    }
    outcomes = {c.id: c.verdict().outcome for c in registry()["digit"].claims(spoiled)}
    assert outcomes["digit/recovery"] is Outcome.INCONCLUSIVE
    assert outcomes["digit/flow"] is Outcome.INCONCLUSIVE
    assert outcomes["digit/trained"] is Outcome.INCONCLUSIVE
