"""The flow in the dual, for derivations and for fixed potentials."""

import numpy as np
import pytest

import implicit_bias as ib
from implicit_bias.errors import InputError
from implicit_bias.schedule import Constant, Geometric, SwitchOff
from implicit_bias.simulate.mirror_flow import _ceiling, _extended

MASK = ib.Parameterization("m*w", ["m", "w"])
DECAYING = ib.derive(MASK, "m**2 + w**2")
PLAIN = ib.derive(MASK)
PROBLEM = ib.Regression([[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]], [1.0, -1.0])
INIT = {"m": np.array([1.0, 0.8, 1.2]), "w": np.array([0.3, -0.2, 0.0])}
METHODS = ["LSODA", "Radau", "BDF", "DOP853", "RK45"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("schedule", [Geometric(0.2, 1.0), SwitchOff(Constant(0.2), 0.7)])
def test_every_method_gives_the_same_flow(method, schedule):
    """Each agrees with the flow of the parameters, which takes an explicit method and no potential."""
    times = [0.0, 0.5, 0.7, 2.0]
    want = ib.gradient_flow(PROBLEM, MASK.with_regularizer("m**2 + w**2"), INIT, times, schedule=schedule)
    got = ib.mirror_flow(PROBLEM, DECAYING, INIT, times, schedule=schedule, method=method, rtol=1e-10, atol=1e-12)
    # The methods take a hundred to some thousand steps, with an error of 1e-10 each.
    np.testing.assert_allclose(got.x, want.x, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(got.decay, want.decay)
    if method != "LSODA":  # LSODA takes Jacobians only where it finds the flow stiff
        assert (got.stats.jacobians > 0) == (method in ("Radau", "BDF"))


def test_no_schedule_is_no_decay():
    """A derivation without a schedule, one without a regularizer, and the potential at the start give one flow."""
    times = [0.1, 1.0, 5.0]
    flows = [
        ib.mirror_flow(PROBLEM, DECAYING, INIT, times),
        ib.mirror_flow(PROBLEM, PLAIN, INIT, times),
        ib.mirror_flow(PROBLEM, DECAYING.at(INIT), t=times),
    ]
    for flow in flows:
        np.testing.assert_allclose(flow.x, flows[0].x, rtol=1e-12)
        assert np.all(flow.decay == 0)


@pytest.mark.parametrize("log_scale", [300.0, 0.0, -10.0, -300.0, -4000.0])
def test_fixed_potential_flows_to_its_projection(log_scale):
    """The flow starts at the minimizer and ends at the projection, also at a log scale of −4000, far out of range."""
    potential = ib.HyperbolicEntropy(log_scale=log_scale)
    # The slowest visible mode has the rate √(x² + a²) of a weight x > 1e-4, or the rate a where a is large.
    flow = ib.mirror_flow(PROBLEM, potential, t=1e6 if log_scale <= 0 else 100 * np.exp(-log_scale))
    projection = ib.bregman_projection(PROBLEM, potential)
    np.testing.assert_array_equal(flow.x[0], np.zeros(3))
    # x = a sinh(2z) turns |log a| units of rounding in z into as many in x; a step has the tolerance 1e-12.
    np.testing.assert_allclose(flow.x[-1], projection.x, rtol=0, atol=1e-9)
    assert flow.dual.shape == (len(flow.t), 2)
    assert flow.parameters == {}


def test_end_time_times_and_zero():
    steps = ib.mirror_flow(PROBLEM, PLAIN, INIT, 2)
    assert steps.t[0] == 0
    assert steps.t[-1] == 2
    np.testing.assert_allclose(steps.x[0], INIT["m"] * INIT["w"], rtol=0, atol=1e-15)
    chosen = ib.mirror_flow(PROBLEM, PLAIN, INIT, [0.0, 2.0])
    np.testing.assert_array_equal(chosen.t, [0.0, 2.0])
    np.testing.assert_allclose(chosen.x[-1], steps.x[-1], rtol=1e-11)
    at_start = ib.mirror_flow(PROBLEM, PLAIN, INIT, [0.0])
    assert at_start.x.shape == (1, 3)


def test_bregman_divergence_to_the_limit_decreases():
    """d/dt D(x*, x_t) = −⟨∇f(x_t), x_t − x*⟩ = −2 f(x_t) <= 0 for the squared loss."""
    potential = ib.HyperbolicEntropy(scale=0.1)
    flow = ib.mirror_flow(PROBLEM, potential, t=np.linspace(0, 10, 200))
    limit = ib.bregman_projection(PROBLEM, potential).x
    divergence = potential.divergence(limit, flow.x)
    assert np.all(np.diff(divergence) <= 1e-15)
    # The trapezoidal rule with step 0.05, on a loss that varies on the scale of 1, has errors of order 0.05².
    spent = np.sum((2 * flow.loss)[1:] + (2 * flow.loss)[:-1]) * 0.5 * (flow.t[1] - flow.t[0])
    assert spent == pytest.approx(divergence[0] - divergence[-1], rel=2e-3)


@pytest.mark.parametrize("method", ["LSODA", "Radau", "DOP853"])
@pytest.mark.parametrize("unit", [1e-100, 1e-12, 1e12])
def test_the_flow_has_no_units(unit, method):
    """With y and a in other units, x' = −2√(x² + a²) Zᵀ(Zx − y)/d gives unit · x at time t / unit."""
    times = np.array([0.1, 1.0, 30.0])
    want = ib.mirror_flow(PROBLEM, ib.HyperbolicEntropy(scale=1e-2), t=times, method=method, rtol=1e-10, atol=1e-12)
    scaled, potential = ib.Regression(PROBLEM.Z, unit * PROBLEM.y), ib.HyperbolicEntropy(scale=unit * 1e-2)
    got = ib.mirror_flow(scaled, potential, t=times / unit, method=method, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(got.x / unit, want.x, rtol=0, atol=1e-7)


POTENTIALS = [ib.HyperbolicEntropy(scale=[1e-3, 2.0]), ib.Entropy(scale=[1e-3, 2.0])]


@pytest.mark.parametrize("ceiling", [1e3, 1e150])
@pytest.mark.parametrize("potential", POTENTIALS, ids=["hyperbolic", "entropy"])
def test_a_weight_beyond_the_ceiling_is_continued_as_its_tangent(potential, ceiling):
    """Up to the ceiling x(z) is that of the potential; beyond it x(z) is the tangent there, however large z is."""
    end = potential.gradient(np.full(2, ceiling))
    for z in (0.5 * end, end * (1 - 1e-9)):
        x, metric = _extended(potential, z, ceiling)
        # The two come from different formulas, which may round differently.
        np.testing.assert_allclose(x, potential.inverse_gradient(z), rtol=1e-15)
        np.testing.assert_allclose(metric, potential.metric(x), rtol=1e-14)
    slope = potential.metric(np.full(2, ceiling))
    for z in (end * (1 + 1e-6), 3 * end, 1e6 * end):  # at the last z an exponential would overflow
        with np.errstate(over="ignore"):  # as in every flow
            x, metric = _extended(potential, z, ceiling)
        np.testing.assert_allclose(x, ceiling + slope * (z - end), rtol=1e-12)
        np.testing.assert_allclose(metric, slope, rtol=1e-14)


def test_each_weight_has_its_own_continuation_on_its_own_side():
    """Of three weights one lies above the ceiling, one below its negative, and one in between."""
    potential, ceiling = ib.HyperbolicEntropy(scale=1.0), 10.0
    end = float(potential.gradient([ceiling])[0])
    x, metric = _extended(potential, np.array([2 * end, -2 * end, 0.3]), ceiling)
    assert x[0] == -x[1] > ceiling
    assert metric[0] == metric[1]
    assert x[2] == pytest.approx(potential.inverse_gradient([0.3])[0], rel=1e-15)
    assert metric[2] == pytest.approx(potential.metric(x[2:])[0], rel=1e-15)


@pytest.mark.parametrize("potential", POTENTIALS, ids=["hyperbolic", "entropy"])
@pytest.mark.parametrize("y", [[0.0, 0.0], [3.0, -40.0]])
def test_the_ceiling_is_out_of_reach_of_every_trajectory(potential, y):
    """It lies far above the minimizer and the weights that y needs, and does not depend on the units of the rows."""
    Z = np.array([[1.0, 1.0], [1e-3, -1e-3]])
    needed = np.max(np.abs(np.linalg.solve(Z, y)))
    ceiling = _ceiling(ib.Regression(Z, y), potential)
    assert ceiling >= 1e15 * max(needed, np.max(potential.minimizer), 1e-300)
    assert np.isfinite(ceiling)
    assert _ceiling(ib.Regression(np.diag([1e5, 1e-9]) @ Z, [1e5 * y[0], 1e-9 * y[1]]), potential) == pytest.approx(
        ceiling, rel=1e-12
    )


def test_rows_of_zeros_set_no_ceiling():
    """A row of zeros asks nothing of the weights, so it leaves the ceiling as it is."""
    without = _ceiling(ib.Regression([[1.0, 2.0]], [3.0]), POTENTIALS[0])
    assert _ceiling(ib.Regression([[1.0, 2.0], [0.0, 0.0]], [3.0, 0.0]), POTENTIALS[0]) == without


def test_failures_are_a_status():
    init = {"m": 1e80, "w": 5e79}  # x = 5e159: its loss overflows
    for method in ("LSODA", "Radau", "DOP853"):
        flow = ib.mirror_flow(PROBLEM, PLAIN, init, 1.0, method=method, throw=False)
        assert flow.status in (ib.Status.STEP_SIZE, ib.Status.NOT_FINITE)
        assert np.all(np.isfinite(flow.x))
    with pytest.raises(ib.SolverError, match="mirror_flow"):
        ib.mirror_flow(PROBLEM, PLAIN, init, 1.0)
    limited = ib.mirror_flow(PROBLEM, PLAIN, INIT, 1.0, max_steps=5, throw=False)
    assert limited.status is ib.Status.MAX_ITERATIONS


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (PLAIN, {}, "init"),
        (PLAIN, {"init": INIT, "schedule": Constant(1.0)}, "regularizer"),
        (DECAYING, {"init": INIT, "schedule": "much"}, "schedule object or a number"),
        (DECAYING, {"init": {"m": 1.0}}, "missing: "),
        (DECAYING, {"init": {"m": np.ones(2), "w": np.zeros(2)}}, "2 coordinates"),
        (DECAYING, {"init": {"m": 0.5, "w": 0.5}}, "m0"),
        (ib.HyperbolicEntropy(scale=1.0), {"init": INIT}, "ready potential"),
        (ib.HyperbolicEntropy(scale=1.0), {"schedule": Constant(1.0)}, "ready potential"),
        (PLAIN, {"init": INIT, "t": None}, "t: expected an end time"),
        (ib.HyperbolicEntropy(scale=[1.0, 2.0]), {}, "2 coordinates"),
        (MASK, {"init": INIT}, "or a Potential, got"),
        (PLAIN, {"init": INIT, "method": "Euler"}, "method"),
        (PLAIN, {"init": INIT, "rtol": -1.0}, "rtol"),
    ],
)
def test_bad_input(source, options, message):
    with pytest.raises(InputError, match=message):
        ib.mirror_flow(PROBLEM, source, **{"t": 1.0} | options)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("method", ["LSODA", "Radau"])
def test_trial_steps_beyond_the_floating_point_range_are_continued(seed, method):
    """At scale 1e-200 an implicit method tries dual variables at which sinh overflows, and must be led back."""
    problem, potential = ib.Regression.sample(5, 15, 2, seed=seed), ib.HyperbolicEntropy(scale=1e-200)
    flow = ib.mirror_flow(problem, potential, t=[1.0, 1e3, 1e6], method=method, rtol=1e-8)
    limit = ib.bregman_projection(problem, potential)
    # A relative error of a weight is an absolute one of a dual variable: some hundred steps of 1e-8, times log a.
    np.testing.assert_allclose(flow.x[-1], limit.x, rtol=0, atol=1e-4)


def test_the_continuation_is_a_line_that_goes_on_with_value_and_slope():
    """On both sides, weights beyond the ceiling lie on the tangent of the response; below it nothing changes."""
    potential, ceiling = ib.HyperbolicEntropy(scale=[1e-3, 1e-30, 2.0], shift=[0.0, 0.5, -0.5]), 100.0
    for sign in (1.0, -1.0):
        edge = potential.gradient(np.full(3, sign * ceiling))
        inside, metric = _extended(potential, edge - sign * 1e-9, ceiling)
        np.testing.assert_allclose(inside, potential.inverse_gradient(edge - sign * 1e-9), rtol=1e-14)
        for step in (1e-9, 1.0, 1e3, 1e5):
            with np.errstate(all="ignore"):  # as in the integrator
                beyond, slope = _extended(potential, edge + sign * step, ceiling)
            np.testing.assert_allclose(slope, metric, rtol=1e-8)
            np.testing.assert_allclose(beyond, sign * ceiling + sign * step * slope, rtol=1e-8)


def test_the_ceiling_is_relative_to_what_the_data_need():
    for factor in (1e-200, 1.0, 1e200):
        problem = ib.Regression([[2.0, 0.5], [0.0, 0.0]], [4.0 * factor, 0.0])
        assert _ceiling(problem, ib.HyperbolicEntropy(scale=1.0)) == pytest.approx(1e20 * 2 * factor)
        assert _ceiling(problem, ib.HyperbolicEntropy(scale=1.0, shift=9.0)) >= 1e20
    assert _ceiling(ib.Regression([[1.0]], [0.0]), ib.HyperbolicEntropy(scale=1.0)) == 1e20
