"""Figures 1a and 1b: claims hold and can fail, runs repeat to the byte, and a loop written out agrees."""

import numpy as np
import pytest

from experiments import _diagonal as diagonal
from experiments import registry
from experiments.experiment import load
from implicit_bias import Outcome, Regression, schedule

NAMES = ("figure1a", "figure1b")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    for name in NAMES:
        registry()[name].run(folder, "quick")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_claims_hold(runs, name):
    for claim in registry()[name].claims(load(runs / name)):
        assert claim.verdict().outcome is Outcome.SUPPORTED, claim.verdict()


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_write_the_same_bytes(runs, tmp_path, name):
    registry()[name].run(tmp_path, "quick")
    for file in ("data.npz", "figure.svg", "figure.png"):
        assert (tmp_path / name / file).read_bytes() == (runs / name / file).read_bytes()


@pytest.mark.parametrize(
    ("name", "array", "claim"),
    [
        ("figure1a", "flow_distance", "figure1a/flow-mask"),
        ("figure1a", "flow_distance", "figure1a/flow-spred"),
        ("figure1b", "flow_distance", "figure1b/flow"),
        ("figure1b", "gap", "figure1b/potential"),
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


@pytest.mark.parametrize("kind", ["mask", "l1-mask", "l1", "spred"])
def test_training_is_the_loop_written_out(kind):
    problem = Regression.sample(4, 7, 2, seed=3)
    weights = np.random.default_rng(0).standard_normal((2, 7))
    strength, eta, steps = schedule.Harmonic(0.3, 0.2), 0.01, 60
    trained = diagonal.train(kind, problem, weights, [strength], eta, np.array([steps]))[0, 1, 0]
    theta = {name: value[1].copy() for name, value in diagonal.start(kind, weights).items()}
    for k in range(steps):
        x = theta["x"] if kind == "l1" else theta["m"] * theta["w"]
        slope = problem.Z.T @ (problem.Z @ x - problem.y) / problem.d
        alpha = float(strength(k * eta))
        if kind == "l1":
            theta["x"] = x - eta * (slope + alpha * np.sign(x))
            continue
        m, w = theta["m"], theta["w"]
        pull_m, pull_w = (np.sign(m), 0) if kind == "l1-mask" else (2 * m, 2 * w)
        theta = {"m": m - eta * (slope * w + alpha * pull_m), "w": w - eta * (slope * m + alpha * pull_w)}
    x = theta["x"] if kind == "l1" else theta["m"] * theta["w"]
    np.testing.assert_allclose(trained, x, rtol=1e-11, atol=1e-13)


def test_decaying_schedules_spend_the_same_decay():
    plan = diagonal.schedules(diagonal.SETTINGS)
    spent = [float(plan[name].integral(1000.0)) for name in ("harmonic", "quadratic", "geometric")]
    np.testing.assert_allclose(spent, 8.0, rtol=1e-9)
