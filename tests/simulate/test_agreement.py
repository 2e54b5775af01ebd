"""Three ways to one limit, which share no code: training of (m, w), the flow in the dual, and a convex program."""

import numpy as np
import pytest

import implicit_bias as ib
from implicit_bias.schedule import Constant, Geometric, SwitchOff

D, N = 40, 100
SCHEDULES = {
    "geometric": Geometric(0.2, tau=0.5),  # at the end e^(−80/0.5) of its total is left, that is nothing
    "switched off": SwitchOff(Constant(0.05), time=2.0),
}
# The slowest mode decays at a rate of about 2a·σ_min(Z)²/d, which is 0.35 or more here, and e^(−0.35 · 80) = 7e-13.
END = 80.0
TIMES = np.array([0.0, 0.1, 1.0, 2.0, 3.0, END])


@pytest.fixture(scope="module", params=[(s, k) for s in range(5) for k in SCHEDULES], ids=lambda p: f"{p[1]}-{p[0]}")
def trained(request):
    """A problem, its derivation, start and schedule, and its flows in the parameters and in the dual."""
    seed, name = request.param
    problem = ib.Regression.sample(D, N, sparsity=5, seed=seed)
    rng = np.random.default_rng(seed)
    x_init = rng.standard_normal(N) / N**0.25
    # m₀w₀ = x_init with m₀² − w₀² = 2, that is a₀ = 1.
    m = np.sqrt(1 + np.sqrt(1 + x_init**2))
    init = {"m": m, "w": x_init / m}
    mask, h, schedule = ib.Parameterization("m*w", ["m", "w"]), "m**2 + w**2", SCHEDULES[name]
    derivation = ib.derive(mask, h)
    theta = ib.gradient_flow(problem, mask.with_regularizer(h), init, TIMES, schedule=schedule)
    dual = ib.mirror_flow(problem, derivation, init, TIMES, schedule=schedule)
    return problem, derivation, init, schedule, theta, dual


def test_flows_agree_at_all_times(trained):
    *_, theta, dual = trained
    assert theta.status is dual.status is ib.Status.CONVERGED
    np.testing.assert_array_equal(theta.t, TIMES)
    np.testing.assert_array_equal(dual.t, TIMES)
    np.testing.assert_allclose(theta.x, dual.x, rtol=0, atol=1e-8)
    np.testing.assert_allclose(theta.dual, dual.dual, rtol=0, atol=1e-8)


def test_limit_is_the_bregman_projection(trained):
    problem, derivation, init, schedule, theta, dual = trained
    potential = derivation.at(init, schedule.total)
    projection = ib.bregman_projection(problem, potential)
    np.testing.assert_allclose(theta.x[-1], projection.x, rtol=0, atol=1e-8)
    np.testing.assert_allclose(dual.x[-1], projection.x, rtol=0, atol=1e-8)
    assert theta.loss[-1] < 1e-16
    # The dual variables of the flow are the multipliers of the program.
    np.testing.assert_allclose(theta.dual[-1], projection.dual, rtol=0, atol=1e-7)


def test_decay_is_the_integral_of_the_schedule(trained):
    _, _, _, schedule, theta, dual = trained
    np.testing.assert_array_equal(theta.decay, schedule.integral(TIMES))
    np.testing.assert_array_equal(dual.decay, theta.decay)
    assert theta.decay[-1] == pytest.approx(schedule.total, rel=1e-15)


def test_invariant_of_training(trained):
    """(m² − w²) e^(4A) keeps its initial value, 2."""
    *_, theta, _ = trained
    m, w = theta.parameters["m"], theta.parameters["w"]
    conserved = (m**2 - w**2) * np.exp(4 * theta.decay[:, None])
    np.testing.assert_allclose(conserved, 2.0, rtol=1e-9)
    np.testing.assert_allclose(m * w, theta.x, rtol=1e-15)


def test_mirror_identity_along_training(trained):
    """∇R_(a_t)(x_t) + L_t = 0, where algebra gives the potential and integration gives x and L."""
    problem, derivation, init, _, theta, _ = trained
    assert theta.accumulated_gradient.shape == (len(TIMES), N)
    np.testing.assert_allclose(theta.accumulated_gradient, theta.dual @ problem.Z, rtol=1e-15, atol=1e-13)
    for x, L, decay in zip(theta.x, theta.accumulated_gradient, theta.decay, strict=True):
        np.testing.assert_allclose(derivation.at(init, decay).gradient(x), -L, rtol=0, atol=1e-8)
