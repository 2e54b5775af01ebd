"""The path between reported times, and what is read off it: levels of the loss and changes of sign."""

import copy
import pickle
from dataclasses import replace

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import implicit_bias as ib
from implicit_bias.errors import InputError
from implicit_bias.potential.family import NoFamily
from implicit_bias.schedule import Constant, SwitchOff
from implicit_bias.simulate.trajectory import Path, Stats, Trajectory

MASK, H = ib.Parameterization("m*w", ["m", "w"]), "m**2 + w**2"


@pytest.fixture(scope="module")
def setting():
    problem = ib.Regression.sample(6, 15, 2, seed=3)
    init = {"m": np.full(15, 1.2), "w": np.linspace(-0.6, 0.6, 15)}
    return problem, init, SwitchOff(Constant(0.1), time=2.0)


def flows(setting, **options):
    problem, init, schedule = setting
    return (
        ib.gradient_flow(problem, MASK.with_regularizer(H), init, [0.5, 8.0], schedule=schedule, **options),
        ib.mirror_flow(problem, ib.derive(MASK, H), init, [0.5, 8.0], schedule=schedule, **options),
    )


def test_the_path_passes_through_other_times(setting):
    """Values in between agree with flows that report those times, across the jump of the schedule as well."""
    problem, init, schedule = setting
    times = np.array([0.0, 0.3, 1.9, 2.0, 2.1, 7.0])
    want = ib.gradient_flow(problem, MASK.with_regularizer(H), init, times, schedule=schedule)
    for flow in flows(setting, dense=True):
        found = flow.at(times)
        np.testing.assert_array_equal(found.t, times)
        for name in ("x", "loss", "dual", "decay"):
            # DOP853 chooses its steps for order 8 and interpolates between them to order 7.
            np.testing.assert_allclose(getattr(found, name), getattr(want, name), rtol=0, atol=1e-8)
        np.testing.assert_array_equal(flow.t, [0.5, 8.0])
    assert set(flows(setting, dense=True)[0].at(1.0).parameters) == {"m", "w"}


def test_levels_and_signs_against_events_of_scipy(setting):
    problem, init, schedule = setting
    n = problem.n

    def velocity(t, state):
        m, w = state[:n], state[n:]
        slope = problem.Z.T @ (problem.Z @ (m * w) - problem.y) / problem.d
        return np.concatenate([-w * slope - 2 * schedule(t) * m, -m * slope - 2 * schedule(t) * w])

    level = 0.05
    events = [lambda t, s: np.sum((problem.Z @ (s[:n] * s[n:]) - problem.y) ** 2) / (2 * problem.d) - level]
    events += [lambda t, s, i=i: s[n + i] for i in range(n)]
    start = np.concatenate([init["m"], init["w"]])
    path = solve_ivp(velocity, (0, 8.0), start, "DOP853", events=events, rtol=1e-12, atol=1e-13, max_step=0.05)
    want = [event[0] if len(event) else np.nan for event in path.t_events]
    assert np.sum(np.isfinite(want)) >= 3
    for flow in flows(setting, dense=True):
        assert flow.time_below(level) == pytest.approx(want[0], abs=1e-7)
        # The middle weight starts at w = 0, which is no change of sign.
        found = flow.sign_changes()
        expected = np.where(np.array(want[1:]) == 0, np.nan, want[1:])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)


def polynomial_path(*weights):
    """A trajectory to t = 4 in steps of ½, whose weights are the given functions of time."""
    problem = ib.Regression(np.ones((1, len(weights))), np.ones(1))

    def at(t):
        x = np.stack([weight(t) for weight in weights], axis=1)
        stats, families = Stats(0, 0, 0, 1.0), NoFamily("Any path.")
        return Trajectory(t, x, x[:, 0] ** 2, x[:, :1], 0 * t, ib.Status.CONVERGED, stats, (problem,), families)

    return replace(at(np.array([4.0])), path=Path(np.linspace(0.0, 4.0, 9), at))


def test_the_first_change_of_sign_counts():
    """It counts in the first step, before a second one, and where a step ends on it; touching or leaving 0 is none."""
    flow = polynomial_path(
        lambda t: t - 0.3,
        lambda t: (0.7 - t) * (t - 2.2),
        lambda t: 1.5 - t,
        lambda t: (t - 1.5) ** 2,
        lambda t: t * (t + 1),
        lambda t: t * (t - 2.7),
    )
    np.testing.assert_allclose(flow.sign_changes(), [0.3, 0.7, 1.5, np.nan, np.nan, 2.7], rtol=1e-11)


def test_the_first_time_below_a_level_counts():
    flow = polynomial_path(lambda t: 2 - t)
    assert flow.time_below(0.25) == pytest.approx(1.5, rel=1e-11)
    assert flow.time_below(0.3**2) == pytest.approx(1.7, rel=1e-11)
    assert flow.time_below(4.0) == 0.0
    assert np.isnan(polynomial_path(lambda t: 2 + t).time_below(1.0))


def test_the_time_of_a_step():
    assert Stats(0, 0, steps=4, wall_time=2.0).time_per_step == 0.5
    assert Stats(0, 0, steps=0, wall_time=2.0).time_per_step == 2.0


def test_what_is_never_reached_is_nan(setting):
    for flow in flows(setting, dense=True):
        assert np.isnan(flow.time_below(1e-30))
        assert flow.time_below(1e9) == 0.0


def test_without_a_path_there_is_an_error(setting):
    for flow in flows(setting):
        for question in (lambda f=flow: f.at(1.0), lambda f=flow: f.time_below(1.0), flow.sign_changes):
            with pytest.raises(InputError, match="dense=True"):
                question()


def test_bad_times_are_named(setting):
    for flow in flows(setting, dense=True):
        with pytest.raises(InputError, match="integrated to 8, got 9"):
            flow.at([1.0, 9.0])
        with pytest.raises(InputError, match="increasing"):
            flow.at([2.0, 1.0])
        with pytest.raises(InputError, match="loss"):
            flow.time_below(-1.0)


@pytest.mark.parametrize("method", ["LSODA", "Radau"])
@pytest.mark.parametrize("scale", [1e-30, 1e-300])
def test_late_times_at_small_scales(scale, method):
    """A trial step that is far too long may overflow; the flow goes on and ends at the projection."""
    problem = ib.Regression.sample(8, 20, 2, seed=0)
    potential = ib.HyperbolicEntropy(scale=scale)
    flow = ib.mirror_flow(problem, potential, t=[1e2, 1e4, 1e8], rtol=1e-8, atol=1e-9, method=method)
    limit = ib.bregman_projection(problem, potential).x
    assert flow.loss[-1] < 1e-9
    np.testing.assert_allclose(flow.x[-1], limit, rtol=0, atol=1e-4)
    assert flow.stats.steps > 0
    assert flow.stats.time_per_step > 0


def test_compiled_and_stepwise_runs_agree():
    """LSODA runs in compiled code at given times and step by step if the path is kept; the weights are the same."""
    problem, potential = ib.Regression.sample(10, 30, 3, seed=2), ib.HyperbolicEntropy(scale=1e-3)
    times = np.geomspace(0.1, 1e4, 9)
    fast = ib.mirror_flow(problem, potential, t=times)
    slow = ib.mirror_flow(problem, potential, t=times, dense=True)
    np.testing.assert_allclose(fast.x, slow.x, rtol=0, atol=1e-9)
    assert fast.stats.steps == pytest.approx(slow.stats.steps, rel=0.3)


def test_a_limit_on_steps_is_reported_with_what_was_reached():
    problem, potential = ib.Regression.sample(10, 30, 3, seed=2), ib.HyperbolicEntropy(scale=1e-3)
    flow = ib.mirror_flow(problem, potential, t=[1e-3, 1e4], max_steps=40, throw=False)
    assert flow.status is ib.Status.MAX_ITERATIONS
    np.testing.assert_array_equal(flow.t, [1e-3])
    with pytest.raises(ib.SolverError, match="limit on steps"):
        ib.mirror_flow(problem, potential, t=[1e-3, 1e4], max_steps=40)


@pytest.mark.parametrize("scale", [1e-3, 1e-30, 1e-300])
def test_one_weight_against_quadrature(scale):
    """With x = a sinh q the flow separates: dt = dq / (2z(y − z a sinh q)), integrated to 40 digits."""
    z, y, weights = 1.3, 2.1, [0.01, 0.5, 1.0, 1.6153]
    with mp.workdps(40):
        a = mp.mpf(scale)
        times = [
            float(
                mp.quad(
                    lambda q: 1 / (2 * mp.mpf(z) * (mp.mpf(y) - mp.mpf(z) * a * mp.sinh(q))),
                    mp.linspace(0, mp.asinh(x / a), 12),
                )
            )
            for x in weights
        ]
    flow = ib.mirror_flow(ib.Regression([[z]], [y]), ib.HyperbolicEntropy(scale=scale), t=times)
    # A relative error of x is an absolute error of the dual variable, which has the size of log a and a relative
    # tolerance of 1e-12 in each of some hundred steps.
    np.testing.assert_allclose(flow.x[:, 0], weights, rtol=2e-10 * (1 - np.log(scale)))


@pytest.mark.parametrize("copied", [lambda flow: pickle.loads(pickle.dumps(flow)), copy.deepcopy])  # noqa: S301
@pytest.mark.parametrize("method", ["LSODA", "DOP853", "Radau", "BDF", "RK45", "RK23"])
def test_a_path_can_be_copied_and_gives_the_same_numbers(setting, method, copied):
    times = np.array([0.0, 0.3, 1.9, 2.1, 7.0])
    for flow in flows(setting, dense=True, method=method, rtol=1e-6, atol=1e-8):
        copy_of_it = copied(flow)
        for one, other in ((flow, copy_of_it), (flow.at(times), copy_of_it.at(times))):
            for name in ("t", "x", "loss", "dual", "decay", "accumulated_gradient"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert one.parameters.keys() == other.parameters.keys()
        assert flow.time_below(0.1) == copy_of_it.time_below(0.1)
        np.testing.assert_array_equal(flow.sign_changes(), copy_of_it.sign_changes())


def test_a_path_does_not_notice_that_its_initial_values_change(setting):
    problem, init, schedule = setting
    own = {name: value.copy() for name, value in init.items()}
    flow = ib.mirror_flow(problem, ib.derive(MASK, H), own, [8.0], schedule=schedule, dense=True)
    before = flow.at(3.0).x
    own["m"][:] = 7.0
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(flow)).at(3.0).x, before)  # noqa: S301
    np.testing.assert_array_equal(flow.at(3.0).x, before)
