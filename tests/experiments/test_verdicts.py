"""Verdicts of all experiments draw no conclusion from runs that failed or that were chosen for their results."""

import numpy as np
import pytest

from derivations import recorded
from experiments import registry
from experiments.__main__ import FIGURES
from experiments.experiment import load
from experiments.mask_in_the_mirror import figure1a
from experiments.mask_in_the_mirror.diagonal import theory
from experiments.ours import digit, transition
from implicit_bias import Outcome
from implicit_bias.claims import corrected

# Arrays that were asked for, not measured.
AXES = (
    "decay_strength",
    "dose",
    "doses",
    "flow_log10_scale",
    "log10_scale",
    "share",
    "share_log10_scale",
    "sparsity",
    "t",
    "times",
)


def verdicts(experiment, data):
    claims = [*experiment.claims(data), *experiment.observations(data)]
    return {claim.id.split("/", 1)[1]: claim.verdict().outcome for claim in claims}


@pytest.mark.parametrize("name", list(registry()))
def test_nan_supports_and_refutes_nothing(name):
    data = load(FIGURES / name)
    lost = {
        key: np.full_like(array, np.nan) if array.dtype.kind == "f" and key not in AXES else array
        for key, array in data.items()
    }
    assert set(verdicts(registry()[name], lost).values()) == {Outcome.INCONCLUSIVE}


@pytest.mark.parametrize("name", list(registry()))
def test_claims_use_those_of_the_ledger_and_refuted_ones_as_corrected(name):
    data = load(FIGURES / name)
    for claim in [*registry()[name].claims(data), *registry()[name].observations(data)]:
        for used in claim.uses:
            assert isinstance(used, corrected) == (recorded()[used] == "REFUTED"), (claim.id, used)


def test_runs_that_all_diverged_decide_nothing():
    data = load(FIGURES / "transition")
    data["run_diverged"] = np.full_like(data["run_diverged"], True)
    assert verdicts(transition.EXPERIMENT, data)["exponent"] is Outcome.INCONCLUSIVE


def test_one_strength_that_failed_hides_no_other():
    data = load(FIGURES / "figure1a")
    data["error"][0, 1:] = 99
    data["error"][:, 0] = np.nan
    assert verdicts(figure1a.EXPERIMENT, data)["closer"] is Outcome.REFUTED
    data["least_signed"][1, 0] = np.nan
    assert verdicts(figure1a.EXPERIMENT, data)["signs"] is Outcome.INCONCLUSIVE


def test_flows_that_end_elsewhere_do_not_support_their_limit():
    """The misfit tells whether a flow has ended, not its distance to the limit in question."""
    data = load(FIGURES / "digit")
    assert verdicts(digit.EXPERIMENT, data)["flow"] is Outcome.SUPPORTED
    data["flow_distance"][1:] = 0.1  # the first flow has no decay, so it ends there under any law of decay
    assert verdicts(digit.EXPERIMENT, data)["flow"] is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("order", "outcome"), [(1.0, "SUPPORTED"), (1.3, "SUPPORTED"), (0.5, "INCONCLUSIVE"), (4.0, "INCONCLUSIVE")]
)
def test_errors_of_first_order_are_told_from_others(order, outcome):
    """Noise would give an error like the square root of the step, and an exploding error has no order."""
    step = np.array([0.05, 0.1])
    assert theory.first_order(step**order, (4 * step) ** order, 4.0, "error").outcome is Outcome[outcome]


@pytest.mark.parametrize("coarse", [np.nan, np.inf, 1e9])
def test_a_long_step_that_failed_tells_no_order(coarse):
    assert theory.first_order(np.array([0.3]), np.array([coarse]), 4.0, "error").outcome is Outcome.INCONCLUSIVE
