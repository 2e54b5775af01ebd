"""Where training in steps ends, predicted without running it, against runs and against integrals by other code."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

import implicit_bias as ib
from implicit_bias.schedule import Geometric, Harmonic, Pulse

MASK = ib.Parameterization("m*w", regularizer="m**2 + w**2")
PROBLEM = ib.Regression.sample(6, 9, 2, seed=3)
INIT = {"m": np.linspace(0.8, 1.2, 9), "w": np.linspace(-0.3, 0.5, 9)}
OPTIMIZERS = [ib.SGD(), ib.SGD(0.5), ib.SGD(0.5, nesterov=True)]
STEPS = (0.01, 0.005)


def distance(first, second):
    return float(np.linalg.norm(first - second))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", [None, Geometric(0.1, tau=0.5)])
def test_the_error_is_of_second_order_in_the_step(optimizer, schedule):
    errors, of_flow = [], []
    for step in STEPS:
        eta = step * (1 - optimizer.momentum)
        found = ib.training_limit(PROBLEM, MASK, INIT, step=eta, optimizer=optimizer, schedule=schedule)
        assert found.status is ib.Status.CONVERGED
        steps = int(130 / step)
        run = ib.descent(PROBLEM, MASK, INIT, eta, steps, optimizer=optimizer, schedule=schedule, record=2)
        assert run.loss[-1] < 1e-18
        errors.append(distance(found.x, run.x[-1]))
        of_flow.append(distance(found.flow.x, run.x[-1]))
        np.testing.assert_allclose(found.gain, run.gain(), rtol=0, atol=60 * step**2)
        np.testing.assert_allclose(found.shift, run.shift(), rtol=0, atol=60 * step**2)
    order = np.log2(np.divide(errors[:-1], errors[1:]))
    assert order[-1] == pytest.approx(2, abs=0.1)
    assert errors[-1] < of_flow[-1] / 5
    assert distance(run.flow_limit().x, found.flow.x) < (1e-9 if schedule is None else 0.1)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_gain_is_that_of_integrals_along_the_flow(optimizer):
    """For the mask: −c∫(g² + 4α²) dt and −4c∫αg dt along the flow itself, by SciPy's integrator and quadrature."""
    schedule, beta, eta = Geometric(0.3, tau=0.5), optimizer.momentum, 1e-4
    n, Z, y = PROBLEM.n, PROBLEM.Z, PROBLEM.y

    def alpha(t):
        return float(schedule(t * (1 - beta)))

    def gradient(x):
        return Z.T @ (Z @ x - y) / len(y)

    def velocity(t, state):
        m, w = state[:n], state[n:]
        g = gradient(m * w)
        return np.concatenate([-w * g - 2 * alpha(t) * m, -m * g - 2 * alpha(t) * w])

    start = np.concatenate([INIT["m"], INIT["w"]])
    path = solve_ivp(velocity, (0, 400), start, "DOP853", rtol=1e-10, atol=1e-12, dense_output=True).sol

    def slope(t, k):
        state = path(t)
        return gradient(state[:n] * state[n:])[k]

    second = 1 - beta + 2 * beta**2 if optimizer.nesterov else 1 + beta
    c = eta * second / (1 - beta) ** 2
    found = ib.training_limit(PROBLEM, MASK, INIT, step=eta, optimizer=optimizer, schedule=schedule)
    for k in (0, 4):
        edges = [0, 0.5, 2, 8, 30, 400]
        pieces = list(itertools.pairwise(edges))
        gain = c * sum(quad(lambda t, k=k: slope(t, k) ** 2 + 4 * alpha(t) ** 2, *each)[0] for each in pieces)
        shift = -4 * c * sum(quad(lambda t, k=k: alpha(t) * slope(t, k), *each)[0] for each in pieces)
        assert found.gain[k] == pytest.approx(gain, rel=2e-3)
        assert found.shift[k] == pytest.approx(shift, rel=2e-3)


def test_a_strength_that_jumps_adds_up_as_its_steps_do():
    """The steps that fall into a pulse are a whole number, so their decay is O(step) off the integral."""
    schedule, step = Pulse(start=0.215, length=0.5, dose=0.1), 0.01
    found = ib.training_limit(PROBLEM, MASK, INIT, step=step, schedule=schedule)
    run = ib.descent(PROBLEM, MASK, INIT, step, 13_000, schedule=schedule, record=2)
    assert distance(found.x, run.x[-1]) < distance(found.flow.x, run.x[-1]) / 5
    np.testing.assert_allclose(found.gain, run.gain(), rtol=0, atol=60 * step**2)


@pytest.mark.parametrize("size", [1, 4])
def test_mini_batches_move_the_end_by_their_variance(size):
    """On average over seeds, up to a relative error of the order of the step."""
    errors = []
    for step, steps in ((0.02, 5_000), (0.005, 20_000)):
        found = ib.training_limit(PROBLEM, MASK, INIT, step=step, batch_size=size)
        ends = ib.descent(PROBLEM, MASK, INIT, step, steps, batch_size=size, seed=np.arange(40), record=2)
        mean = np.mean([ends.gain(run=run) for run in range(40)], axis=0)
        full = ib.training_limit(PROBLEM, MASK, INIT, step=step)
        errors.append(abs(np.sum(mean) / np.sum(found.gain) - 1))
        assert found.gain.sum() > 1.2 * full.gain.sum()
    assert errors[1] < 0.07
    assert errors[1] < 0.5 * errors[0]


def test_other_parameterizations_have_second_order_too():
    cubes = ib.Parameterization("u**3 - v**3", regularizer="u**3 + v**3")
    init = {"u": 0.9, "v": np.linspace(0.7, 1.0, 9)}
    forms = ib.Parameterization(["a*b", "(a**2 + b**2)/2"], regularizer="a**2 + b**2")
    line = ib.Regression([[1.0, 2.0]], [2.0])
    for problem, parameterization, start, schedule in (
        (PROBLEM, cubes, init, Geometric(0.05, tau=0.5)),
        (line, forms, {"a": 1.0, "b": 0.2}, Geometric(0.05, tau=0.5)),
    ):
        errors = []
        for step in (0.004, 0.002):
            found = ib.training_limit(problem, parameterization, start, step=step, schedule=schedule)
            run = ib.descent(problem, parameterization, start, step, int(60 / step), schedule=schedule, record=2)
            assert run.loss[-1] < 1e-14
            errors.append(distance(found.x, run.x[-1]))
            assert errors[-1] < distance(found.flow.x, run.x[-1]) / 5
        assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_beyond_the_critical_step_nothing_is_predicted(optimizer):
    """There the linearized steps around the flow's limit grow; a little below they shrink."""
    flow = ib.training_limit(PROBLEM, MASK, INIT, step=1e-3, optimizer=optimizer)
    critical = flow.critical_step
    assert critical == pytest.approx(ib.critical_step(PROBLEM, flow.flow_potential, optimizer=optimizer))
    beyond = ib.training_limit(PROBLEM, MASK, INIT, step=1.01 * critical, optimizer=optimizer)
    assert beyond.status is ib.Status.UNSTABLE
    assert np.all(np.isnan(beyond.x))
    assert np.all(np.isnan(beyond.gain))
    assert beyond.potential is None
    # The factors of the flow's end, from which steps run away or back.
    at = flow.flow_potential
    x, log_scale = flow.flow.x, at.log_scale
    size = np.sqrt(2 * np.hypot(x, np.exp(log_scale)))
    m = np.sqrt((size**2 + 2 * np.exp(log_scale)) / 2)
    w = x / m
    push = 1e-9 * np.random.default_rng(0).normal(size=9)
    for factor, grows in ((0.97, False), (1.03, True)):
        run = ib.descent(
            PROBLEM, MASK, {"m": m + push, "w": w}, factor * critical, 3000, optimizer=optimizer, record=2, throw=False
        )
        moved = distance(run.x[-1], run.x[0])
        assert (not moved < 1e-4) == grows


def test_the_prediction_of_no_decay_and_small_steps_is_the_flow():
    found = ib.training_limit(PROBLEM, MASK, INIT, step=1e-9)
    np.testing.assert_allclose(found.x, found.flow.x, atol=1e-8)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"step": -1.0}, ib.InputError, "step: expected a positive number"),
        ({"step": [0.1, 0.2]}, ib.InputError, "step: expected one number"),
        ({"batch_size": 7}, ib.InputError, "batch_size: expected 1 to d=6"),
        ({"schedule": Harmonic(0.1, tau=1.0)}, ib.UnsupportedError, "never ends"),
        ({"optimizer": "adam"}, ib.InputError, r"expected an ib.SGD"),
    ],
)
def test_bad_input(options, kind, message):
    with pytest.raises(kind, match=message):
        ib.training_limit(PROBLEM, MASK, INIT, **({"step": 0.1} | options))


def test_batches_of_coupled_weights_are_not_covered():
    forms = ib.Parameterization(["a*b", "(a**2 + b**2)/2"])
    line = ib.Regression([[1.0, 2.0]], [2.0])
    two = ib.Regression([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]], [1.0, 2.0])
    assert ib.training_limit(line, forms, {"a": 1.0, "b": 0.2}, step=0.01, batch_size=1).status is ib.Status.CONVERGED
    three = ib.Parameterization(["a**2/2", "b**2/2", "c**2/2 + a**2/2"])
    with pytest.raises(ib.UnsupportedError, match="coupled"):
        ib.training_limit(two, three, {"a": 1.0, "b": 1.0, "c": 1.0}, step=0.01, batch_size=1)


@pytest.mark.parametrize("optimizer", [ib.SGD(), ib.SGD(0.9), ib.SGD(0.9, nesterov=True)])
def test_a_loss_without_curvature_has_no_critical_step(optimizer):
    flat = ib.Regression([[0.0, 0.0]], [0.0])
    assert ib.critical_step(flat, ib.HyperbolicEntropy([1.0, 2.0]), optimizer=optimizer) == np.inf
