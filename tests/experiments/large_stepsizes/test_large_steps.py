"""Runs with large steps against loops written out, and the sharpness against automatic differentiation."""

import numpy as np
import pytest
import torch

from experiments.large_stepsizes import edge_of_stability, gain
from experiments.ours import runs
from implicit_bias import HyperbolicEntropy, Regression, bregman_projection

PROBLEM = {"d": 5, "n": 12, "sparsity": 2, "seed": 3}


@pytest.mark.parametrize("seed", range(5))
def test_sharpness_is_that_of_the_hessian(seed):
    problem, rng = Regression.sample(**PROBLEM), np.random.default_rng(seed)
    m, w = rng.standard_normal((2, problem.n))
    Z, y = torch.tensor(problem.Z), torch.tensor(problem.y)
    hessian = torch.autograd.functional.hessian(
        lambda theta: ((Z @ (theta[: problem.n] * theta[problem.n :]) - y) ** 2).sum() / (2 * problem.d),
        torch.tensor(np.concatenate([m, w])),
    )
    expected = float(torch.linalg.eigvalsh(hessian)[-1])
    assert edge_of_stability.sharpness(problem, m, w) == pytest.approx(expected, rel=1e-12)


def test_gains_are_those_of_a_loop_in_u_and_v():
    """X = (u² − v²)/2 from u = v = 0.1, by the factors that each step multiplies u and v by."""
    setting = {"d": 6, "n": 10, "support": 2, "size": 5.0, "seed": 1, "start": 0.1, "step": 0.01, "steps": 400}
    problem = gain.regression(*(setting[name] for name in ("d", "n", "support", "size", "seed")))
    u, v = np.full((2, problem.n), setting["start"])
    for _ in range(setting["steps"]):
        g = problem.Z.T @ (problem.Z @ (u**2 - v**2) / 2 - problem.y) / problem.d
        u, v = u * (1 - setting["step"] * g), v * (1 + setting["step"] * g)
    found = gain.gains("gd", **setting, seeds=1, strength=0.0, records=5)
    np.testing.assert_allclose(found["gain"], -np.log(np.abs(u * v) / setting["start"] ** 2), rtol=1e-9)
    assert found["mean_gain_on"][-1] == pytest.approx(found["gain"][:2].mean(), rel=1e-12)
    assert found["deviation"] < 10 * found["rounding"]


def test_gains_predicted_along_the_flow_are_those_of_small_steps():
    setting = {"d": 6, "n": 10, "support": 2, "size": 5.0, "seed": 1, "start": 0.1}
    errors = []
    for step, steps in ((0.02, 500), (0.01, 1000)):
        predicted = gain.predictions(**setting, step=step, steps=steps)["gd_predicted"]
        found = gain.gains("gd", **setting, step=step, steps=steps, seeds=1, strength=0.0, records=2)["gain"]
        errors.append(np.max(np.abs(predicted / found - 1)))
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.3)  # of a prediction that is right to first order


@pytest.mark.parametrize("name", ["gradient descent", "heavy ball 0.9", "Nesterov 0.9"])
def test_ends_are_those_of_a_loop_in_m_and_w(name):
    way, scale, coefficient, time = runs.TRAININGS[name], 0.1, 0.2, 40.0
    found = runs.trained(PROBLEM, scale, 0.0, 1.0, 1, name, coefficient, time)
    problem, beta, step = Regression.sample(**PROBLEM), way.momentum, float(found["step"])
    theta, memory = np.stack([np.full(problem.n, np.sqrt(2 * scale)), np.zeros(problem.n)]), 0.0
    for _ in range(int(found["steps"])):
        g = problem.Z.T @ (problem.Z @ (theta[0] * theta[1]) - problem.y) / problem.d
        slope = g * theta[::-1]
        memory = beta * memory + slope
        theta = theta - step * (slope + beta * memory if way.nesterov else memory)
    of_flow = bregman_projection(problem, HyperbolicEntropy(scale=scale)).x
    x = theta[0] * theta[1]
    assert found["from_flow"] == pytest.approx(np.linalg.norm(x - of_flow) / np.linalg.norm(of_flow), rel=1e-9)
    assert found["from_truth"] == pytest.approx(
        np.linalg.norm(x - problem.truth) / np.linalg.norm(problem.truth), rel=1e-12
    )


def test_coefficients_are_those_of_the_theory():
    """C = η(1 + β)/(1 − β)² for heavy ball and η(1 − β + 2β²)/(1 − β)² for Nesterov's variant."""
    assert runs.TRAININGS["gradient descent"].step(0.4) == 0.4
    assert runs.TRAININGS["heavy ball 0.9"].step(0.4) * 1.9 / 0.01 == pytest.approx(0.4)
    assert runs.TRAININGS["Nesterov 0.9"].step(0.4) * 1.72 / 0.01 == pytest.approx(0.4)
