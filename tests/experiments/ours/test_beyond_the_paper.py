"""Experiments beyond the paper: claims hold and notice spoiled numbers, and runs repeat to the byte."""

import numpy as np
import pytest

from experiments import registry
from experiments.experiment import load
from experiments.ours.atlas import ENTRIES
from implicit_bias import Outcome
from implicit_bias.explore.catalogue import CATALOGUE

NAMES = ("errata", "dose", "transition", "atlas", "runs", "gain", "edge_of_stability", "margins")


@pytest.fixture(scope="module", params=NAMES)
def quick(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    return request.param, folder, registry()[request.param].run(folder, "quick")["verdicts"]


def test_claims_hold_and_two_runs_write_the_same_bytes(quick, tmp_path):
    name, folder, verdicts = quick
    observed = {claim.id for claim in registry()[name].observations(load(folder / name))}
    assert {v["outcome"] for key, v in verdicts.items() if key not in observed} == {"SUPPORTED"}, verdicts
    registry()[name].run(tmp_path, "quick")
    for file in ("data.npz", "figure.svg", "figure.png"):
        assert (tmp_path / name / file).read_bytes() == (folder / name / file).read_bytes()
        assert (folder / name / file).stat().st_size < 1_000_000


def test_the_atlas_holds_what_the_explorer_offers():
    assert {entry.formula for entry in CATALOGUE} <= {name.split(",")[0] for name in ENTRIES}


SPOILED = {
    "errata": {f"{key}_derived": 1.1 for key in ("plain", "decay", "minimum", "rate")} | {"rate_derived": 0.5},
    "dose": {"limit": 0.9, "scale": 1.1},
    "transition": {"to_minimum_l2": 1e9, "l1": 1.1, "run_own_distance": 1e6, "run_distance": 1e3, "run_exponent": 1.2},
    "runs": {"from_own": 1e3, "mean_from_flow": 0.1, "mean_from_prediction": np.linspace(1, 5, 21)},
    "gain": {"gd_deviation": 1e6, "sgd_gain": 0.1, "gd_predicted": 1.2},
    "edge_of_stability": {"critical": 1.01, "sharpness": 1.1, "from_own": 1e6, "is_predicted": 0, "beta_gain": -1.0},
    "atlas": {"metric_error": 1e9, "exponent": 1.2, "excess": -1.0},
    "margins": {"best": 1.06, "log10_t": np.linspace(1, 2, 41)} | {"margin/Adam": np.array([1.2, 1.2, 0.9])},
}
NOTICED = {
    "errata": 2,
    "dose": 2,
    "transition": 5,
    "atlas": 3,
    "runs": 3,
    "gain": 3,
    "edge_of_stability": 5,
    "margins": 4,
}


def test_claims_notice_spoiled_numbers(quick):
    name, folder, _ = quick
    data = load(folder / name)
    spoiled = data | {key: data[key] * factor for key, factor in SPOILED[name].items()}
    failed = [c.id for c in registry()[name].claims(spoiled) if c.verdict().outcome is not Outcome.SUPPORTED]
    assert len(failed) >= NOTICED[name], failed


def test_errata_are_refuted_with_a_counterexample():
    data = load(registry_folder() / "errata")
    verdicts = [claim.verdict() for claim in registry()["errata"].observations(data)]
    assert {verdict.outcome for verdict in verdicts} == {Outcome.REFUTED}
    for verdict in verdicts:
        assert np.isfinite(list(verdict.counterexample.values())).all()


def registry_folder():
    from experiments.__main__ import FIGURES

    return FIGURES
