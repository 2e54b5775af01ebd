"""What every simulator returns: potentials, limits and single runs of a trajectory."""

import pickle

import numpy as np
import pytest

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.errors import InputError
from implicit_bias.schedule import Geometric

PROBLEM = ib.Regression.sample(6, 15, 2, seed=3)
MASK = ib.Parameterization("m*w", regularizer="m**2 + w**2")
INIT = {"m": np.full(15, 1.2), "w": np.linspace(-0.6, 0.6, 15)}
SCHEDULE = Geometric(0.1, tau=1.0)
STEPS = [0.02, 0.01]


def simulated():
    init = {name: np.stack([value, value]) for name, value in INIT.items()}
    return {
        "gradient_flow": ib.gradient_flow(PROBLEM, MASK, INIT, [0.0, 1.0, 300.0], schedule=SCHEDULE),
        "mirror_flow": ib.mirror_flow(PROBLEM, ib.derive(MASK), INIT, [0.0, 1.0, 300.0], schedule=SCHEDULE),
        "descent": ib.descent(PROBLEM, MASK, INIT, STEPS, 30_000, schedule=SCHEDULE, record=3),
        "ensemble": masking.ensemble(PROBLEM, init, STEPS, 30_000, schedule=SCHEDULE, record=3),
    }


@pytest.fixture(scope="module")
def trajectories():
    return simulated()


@pytest.mark.parametrize("name", ["gradient_flow", "mirror_flow", "descent", "ensemble"])
def test_every_simulator_tells_its_potential_and_its_limit(trajectories, name):
    """Both against what is derived and projected by hand; flows end there, and training up to its step."""
    found = trajectories[name]
    assert isinstance(found, ib.Trajectory)
    assert found.status is ib.Status.CONVERGED
    run = None if found.runs is None else 1
    decay = float(found.decay[-1] if run is None else found.decay[-1, run])
    want = ib.derive(MASK).at(INIT, decay)
    np.testing.assert_allclose(found.flow_potential(run=run).log_scale, want.log_scale, rtol=1e-13)
    limit = ib.bregman_projection(PROBLEM, want)
    np.testing.assert_allclose(found.flow_limit(run).x, limit.x, rtol=0, atol=1e-11)
    end = found.x[-1] if run is None else found.x[-1, run]
    assert np.max(np.abs(end - limit.x)) < (1e-9 if run is None else 0.1 * STEPS[run])
    start = found.flow_potential(0, run)
    np.testing.assert_allclose(start.minimizer, INIT["m"] * INIT["w"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["descent", "ensemble"])
def test_one_run_of_many(trajectories, name):
    many = trajectories[name]
    one = many.of_run(1)
    assert one.runs is None
    np.testing.assert_array_equal(one.x, many.x[:, 1])
    np.testing.assert_array_equal(one.t, many.t[:, 1])
    np.testing.assert_array_equal(one.accumulated_gradient, many.accumulated_gradient[:, 1])
    np.testing.assert_array_equal(one.flow_potential(1).log_scale, many.flow_potential(1, 1).log_scale)
    assert one.of_run(None) is one
    assert "Trajectory(3 records to step 30000" in repr(one)
    many.plot(run=0)
    many.plot_loss(run=0)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda flow, runs: flow.potential(3), "k: expected an index of one of 3 records"),
        (lambda flow, runs: flow.potential(0.5), "k: expected an integer"),
        (lambda flow, runs: flow.potential(run=0), "no axis of runs"),
        (lambda flow, runs: runs.potential(), "run: expected a run from 0 to 1, got None"),
        (lambda flow, runs: runs.limit(2), "run: expected a run from 0 to 1, got 2"),
        (lambda flow, runs: runs.of_run(None), "run: expected a run"),
        (lambda flow, runs: runs.effective_init(7, 0), "k: expected an index of one of 3 records"),
        (lambda flow, runs: runs.gain(run=5), "run: expected a run from 0 to 1, got 5"),
        (lambda flow, runs: runs.at(1.0), "kept no path"),
    ],
)
def test_bad_input(trajectories, ask, message):
    with pytest.raises(InputError, match=message):
        ask(trajectories["gradient_flow"], trajectories["descent"])


def test_without_decay_the_regularizer_has_no_part_in_the_potential():
    """Weight decay on a·b·c leaves no potential; where it never acts there is one."""
    layers = ib.Parameterization("a*b*c", regularizer="a**2 + b**2 + c**2")
    init = {"a": 1.0, "b": 0.6, "c": 0.4}
    for found in (
        ib.gradient_flow(PROBLEM, layers, init, [1.0]),
        ib.descent(PROBLEM, layers, init, 1e-3, 10),
    ):
        want = ib.derive("a*b*c").at(init)
        np.testing.assert_allclose(found.flow_potential().gradient(0.3), want.gradient(0.3), rtol=1e-9)


def test_nothing_reached_and_nothing_left():
    nothing = ib.gradient_flow(PROBLEM, MASK, INIT, [1e3], max_steps=3, throw=False)
    lost = ib.descent(PROBLEM, MASK, INIT, 50.0, 200, throw=False)
    for flow, message in ((nothing, "reached no time"), (lost, "run diverged")):
        for ask in (flow.potential, flow.limit, flow.flow_potential, flow.effective_init):
            with pytest.raises(InputError, match=message):
                ask()


def test_a_run_can_be_pickled(trajectories):
    one = trajectories["ensemble"].of_run(1)
    again = pickle.loads(pickle.dumps(one))  # noqa: S301
    np.testing.assert_array_equal(again.potential().log_scale, one.potential().log_scale)


@pytest.mark.parametrize("steps", [0, -3, 1.5, "a"])
def test_a_bad_limit_on_steps(steps):
    for flow in (
        lambda: ib.gradient_flow(PROBLEM, MASK, INIT, [1.0], max_steps=steps),
        lambda: ib.mirror_flow(PROBLEM, ib.derive(MASK), INIT, [1.0], max_steps=steps),
    ):
        with pytest.raises(InputError, match="max_steps"):
            flow()


@pytest.mark.parametrize("nesterov", ["yes", 2])
def test_nesterov_is_yes_or_no(nesterov):
    with pytest.raises(InputError, match="nesterov: expected True or False"):
        ib.SGD(0.5, nesterov)


def test_a_number_is_a_constant_schedule_and_none_is_no_decay():
    for one, other in ((0.1, ib.schedule.Constant(0.1)), (None, 0.0)):
        first, second = (ib.gradient_flow(PROBLEM, MASK, INIT, [3.0], schedule=each) for each in (one, other))
        np.testing.assert_array_equal(first.x, second.x)
        np.testing.assert_array_equal(first.decay, second.decay)


def test_a_logistic_problem_has_no_limit_in_these_terms():
    labels = ib.Regression(PROBLEM.Z, np.sign(PROBLEM.y), loss="logistic")
    flow = ib.gradient_flow(labels, MASK, INIT, [1.0])
    with pytest.raises(InputError, match=r"squared loss.*ib\.max_margin"):
        flow.limit()
