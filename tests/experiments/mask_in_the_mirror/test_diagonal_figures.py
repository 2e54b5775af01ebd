"""Figures 1a, 1b, 4 and 5: claims hold and can fail, runs repeat to the byte and agree with a loop written out."""

import numpy as np
import pytest

from experiments import registry
from experiments.engine import Store, Sweep
from experiments.experiment import load
from experiments.mask_in_the_mirror.diagonal import setting
from experiments.mask_in_the_mirror.diagonal.training import trained
from implicit_bias import Outcome, Regression, schedule

NAMES = ("figure1a", "figure1b", "figure4", "figure5")


def run(folder):
    """The folder with all figures, and the number of tasks that each of them computed."""
    sweep = Sweep(Store(folder / ".store"))
    computed = {}
    for name in NAMES:
        before = sweep.computed
        registry()[name].run(folder, "quick", sweep)
        computed[name] = sweep.computed - before
    return folder, computed


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return run(tmp_path_factory.mktemp("figures"))[0]


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """The same runs with a store of their own."""
    return run(tmp_path_factory.mktemp("again"))


@pytest.mark.parametrize("name", NAMES)
def test_claims_hold(runs, name):
    verdicts = [claim.verdict() for claim in registry()[name].claims(load(runs / name))]
    assert {verdict.outcome for verdict in verdicts} == {Outcome.SUPPORTED}, verdicts


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_write_the_same_bytes(runs, again, name):
    for file in ("data.npz", "figure.svg", "figure.png"):
        assert (again[0] / name / file).read_bytes() == (runs / name / file).read_bytes()


@pytest.mark.parametrize(
    ("name", "array", "claim"),
    [
        ("figure1a", "flow_distance", "figure1a/flow-mask"),
        ("figure1a", "flow_distance", "figure1a/flow-spred"),
        ("figure1b", "flow_distance", "figure1b/flow"),
        ("figure1b", "gap", "figure1b/potential"),
        ("figure5", "gap", "figure5/potential"),
    ],
)
def test_an_error_that_does_not_fall_with_the_step_is_noticed(runs, name, array, claim):
    data = load(runs / name)
    data[array] = data[f"coarse_{array}"]
    found = next(c for c in registry()[name].claims(data) if c.id == claim)
    assert found.verdict().outcome is Outcome.INCONCLUSIVE


def test_a_changed_sign_is_noticed(runs):
    data = load(runs / "figure1a")
    data["least_signed"][1, 0, 0] = -1e-9
    assert registry()["figure1a"].claims(data)[-1].verdict().outcome is Outcome.REFUTED


GOLDEN = 0x9E3779B97F4A7C15


def splitmix64(number):
    """The random bits that SplitMix64 makes of a number, in whole numbers of any size."""
    z = number % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def as_signed(number):
    return number - 2**64 if number >= 2**63 else number


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("kind", ["mask", "l1-mask", "l1", "spred"])
def test_training_is_the_loop_written_out(kind, batch_size):
    problem = Regression.sample(4, 7, 2, seed=3)
    weights = setting.initial_weights(7, seed=0, count=2)
    strength, eta, steps = schedule.Harmonic(0.3, 0.2), 0.01, 60
    random = {"batch_size": batch_size, "batch_seeds": [11, 12]} if batch_size else {}
    found = trained(
        kind, {"d": 4, "n": 7, "sparsity": 2, "seed": 3}, {"n": 7, "seed": 0, "count": 2}, [("harmonic", [0.3, 0.2])],
        eta, [steps], **random,
    )["x"][0, 1, 0]  # fmt: skip
    theta = {name: value[1].copy() for name, value in setting.start(kind, weights).items()}
    # The second run draws an order of the observations for each epoch from the first child of its seed.
    stream = int(np.random.SeedSequence(12).spawn(1)[0].generate_state(1, np.uint64)[0])
    order = np.arange(4)
    for k in range(steps):
        x = theta["x"] if kind == "l1" else theta["m"] * theta["w"]
        if batch_size and k % 2 == 0:
            epoch = splitmix64(stream + GOLDEN * (k // 2))
            order = np.argsort([as_signed(splitmix64(epoch + GOLDEN * i)) for i in range(4)])
        rows = order[2 * (k % 2) :][:2] if batch_size else order
        slope = problem.Z[rows].T @ (problem.Z[rows] @ x - problem.y[rows]) / len(rows)
        alpha = float(strength(k * eta))
        if kind == "l1":
            theta["x"] = x - eta * (slope + alpha * np.sign(x))
            continue
        m, w = theta["m"], theta["w"]
        pull_m, pull_w = (np.sign(m), 0) if kind == "l1-mask" else (2 * m, 2 * w)
        theta = {"m": m - eta * (slope * w + alpha * pull_m), "w": w - eta * (slope * m + alpha * pull_w)}
    x = theta["x"] if kind == "l1" else theta["m"] * theta["w"]
    np.testing.assert_allclose(found, x, rtol=1e-11, atol=1e-13)


def test_decaying_schedules_spend_the_same_decay():
    plans = setting.plans(setting.Settings())
    spent = [
        float(setting.schedule_of(plans[name]).integral(1000.0)) for name in ("harmonic", "quadratic", "geometric")
    ]
    np.testing.assert_allclose(spent, 8.0, rtol=1e-9)


def test_figure4_reuses_what_figure1b_computed(again):
    folder, computed = again
    assert computed["figure1b"] > 0
    assert computed["figure4"] == 0
    figure1b, figure4 = load(folder / "figure1b"), load(folder / "figure4")
    np.testing.assert_array_equal(figure4["error"], figure1b["error"])


def test_flows_that_end_elsewhere_are_noticed(runs):
    data = load(runs / "figure4")
    for array, claim in (("flow_to_limit", "figure4/limit"), ("flow_spread", "figure4/start-forgotten")):
        spoiled = data | {array: data[array] + 0.1}
        found = next(c for c in registry()["figure4"].claims(spoiled) if c.id == claim)
        assert found.verdict().outcome is Outcome.INCONCLUSIVE
