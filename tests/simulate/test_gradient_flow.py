"""The gradient flow of the parameters, against other integrators and closed forms."""

import mpmath as mp
import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator

import implicit_bias as ib
from implicit_bias.errors import InputError
from implicit_bias.schedule import Constant, Geometric, Harmonic, Pulse, SwitchOff

MASK = ib.Parameterization("m*w", ["m", "w"])
DECAY = "m**2 + w**2"
PROBLEM = ib.Regression([[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]], [1.0, -1.0])
INIT = {"m": np.array([1.0, 0.8, 1.2]), "w": np.array([0.3, -0.2, 0.0])}


def runge_kutta(velocity, state, end, steps):
    """The classical method of order four with fixed steps."""
    h = end / steps
    for k in range(steps):
        t = k * h
        k1 = velocity(t, state)
        k2 = velocity(t + h / 2, state + h / 2 * k1)
        k3 = velocity(t + h / 2, state + h / 2 * k2)
        k4 = velocity(t + h, state + h * k3)
        state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


def extrapolated(velocity, state, end, steps):
    """Richardson's extrapolation removes the h⁴ term."""
    coarse, fine = runge_kutta(velocity, state, end, steps), runge_kutta(velocity, state, end, 2 * steps)
    return fine + (fine - coarse) / 15


def by_hand(gradient_of_x, gradient_of_h, strength):
    """The velocity of (m, w) written out by hand, for x = g(m, w)."""

    def velocity(t, state):
        m, w = state
        x, gm, gw = gradient_of_x(m, w)
        residual = (PROBLEM.Z @ x - PROBLEM.y) @ PROBLEM.Z / 2
        hm, hw = gradient_of_h(m, w)
        return -np.stack([gm * residual + strength(t) * hm, gw * residual + strength(t) * hw])

    return velocity


@pytest.mark.parametrize(
    ("formula", "h", "gradient_of_x", "gradient_of_h"),
    [
        ("m*w", DECAY, lambda m, w: (m * w, w, m), lambda m, w: (2 * m, 2 * w)),
        ("m*w", "m**2", lambda m, w: (m * w, w, m), lambda m, w: (2 * m, 0 * w)),  # does not commute
        ("m*w", "m**4*w**2 + w", lambda m, w: (m * w, w, m), lambda m, w: (4 * m**3 * w**2, 2 * m**4 * w + 1)),
        (
            "m**3 - w**3",
            "m**3 + w**3",
            lambda m, w: (m**3 - w**3, 3 * m**2, -3 * w**2),
            lambda m, w: (3 * m**2, 3 * w**2),
        ),
    ],
)
def test_against_an_independent_integrator(formula, h, gradient_of_x, gradient_of_h):
    schedule = Harmonic(0.3, tau=0.5)
    flow = ib.gradient_flow(
        PROBLEM, ib.Parameterization(formula, ["m", "w"]).with_regularizer(h), INIT, 2.0, schedule=schedule
    )
    velocity = by_hand(gradient_of_x, gradient_of_h, schedule)
    start = np.stack([INIT["m"], INIT["w"]])
    want = extrapolated(velocity, start, 2.0, 500)
    # With twice the steps the reference moves by 1.3e-11 at most.
    got = np.stack([flow.parameters["m"][-1], flow.parameters["w"][-1]])
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-10)


def test_against_taylor_series():
    """One weight follows mpmath's Taylor integrator, which has 30 digits."""
    problem = ib.Regression([[2.0]], [3.0])
    schedule = Geometric(0.1, tau=2.0)
    flow = ib.gradient_flow(problem, MASK.with_regularizer(DECAY), {"m": 1.0, "w": 0.5}, [0.5, 1.0], schedule=schedule)
    with mp.workdps(30):

        def velocity(t, state):
            m, w = state
            slope, strength = 2 * (2 * m * w - 3), mp.mpf("0.1") * mp.exp(-t / 2)
            return [-w * slope - 2 * strength * m, -m * slope - 2 * strength * w]

        solution = mp.odefun(velocity, 0, [mp.mpf(1), mp.mpf("0.5")])
        for k, t in enumerate(flow.t):
            m, w = solution(t)
            assert abs(flow.parameters["m"][k, 0] - m) < 1e-11  # ten steps at rtol = 1e-12
            assert abs(flow.x[k, 0] - m * w) < 1e-11


def test_without_data_the_decay_is_exact():
    """With Z = 0 only the regularizer acts: m_t = m_0 exp(−2 A_t)."""
    problem = ib.Regression(np.zeros((1, 3)), [0.0])
    for schedule in (Constant(0.7), SwitchOff(Constant(0.7), 0.4), SwitchOff(SwitchOff(Constant(0.7), 0.6), 1.1)):
        flow = ib.gradient_flow(problem, MASK.with_regularizer(DECAY), INIT, [0.0, 0.3, 0.5, 1.2], schedule=schedule)
        want = INIT["m"] * np.exp(-2 * schedule.integral(flow.t))[:, None]
        np.testing.assert_allclose(flow.parameters["m"], want, rtol=1e-11)


@pytest.mark.parametrize("method", ["DOP853", "LSODA"])
@pytest.mark.parametrize("pulse", [Pulse(1.0, length=1e-3, dose=0.5), Pulse(0.0, length=1e-3, dose=0.5)])
def test_no_step_passes_over_a_pulse(pulse, method):
    """Steps grow while nothing moves, but the integrator restarts where the pulse begins and ends."""
    problem = ib.Regression(np.zeros((1, 3)), [0.0])
    flow = ib.gradient_flow(problem, MASK.with_regularizer(DECAY), INIT, [0.5, 3.0], schedule=pulse, method=method)
    want = INIT["m"] * np.exp(-2 * pulse.integral(flow.t))[:, None]
    np.testing.assert_allclose(flow.parameters["m"], want, rtol=1e-10)


@pytest.mark.parametrize("method", ["DOP853", "LSODA"])
def test_one_weight_that_blows_up_ends_the_report_of_all(method):
    """The other weight rests and stays finite, but no state with an infinite entry is reported."""
    problem = ib.Regression(np.zeros((1, 2)), [0.0])
    init = {"m": np.array([2.0, 0.0]), "w": np.zeros(2)}
    flow = ib.gradient_flow(
        problem,
        MASK.with_regularizer("-m**4"),
        init,
        [0.01, 0.02, 0.1, 0.2],
        schedule=Constant(1.0),
        method=method,
        rtol=1e-9,
        throw=False,
    )
    assert flow.status in (ib.Status.STEP_SIZE, ib.Status.NOT_FINITE)
    np.testing.assert_array_equal(flow.t, [0.01, 0.02])
    assert np.all(np.isfinite(flow.parameters["m"]))


def test_loss_decreases_without_a_regularizer():
    flow = ib.gradient_flow(PROBLEM, MASK, INIT, 5.0)
    assert np.all(np.diff(flow.loss) <= 1e-15)
    np.testing.assert_allclose(flow.loss, PROBLEM.loss(flow.x), rtol=1e-15)
    assert np.all(flow.decay == 0)


def test_end_time_reports_the_steps_and_times_report_themselves():
    steps = ib.gradient_flow(PROBLEM, MASK, INIT, 3)
    assert steps.t[0] == 0
    assert steps.t[-1] == 3
    assert len(steps.t) > 10
    np.testing.assert_array_equal(steps.x[0], INIT["m"] * INIT["w"])
    chosen = ib.gradient_flow(PROBLEM, MASK, INIT, [0.5, 1.0, 3.0])
    np.testing.assert_array_equal(chosen.t, [0.5, 1.0, 3.0])
    assert chosen.x.shape == (3, 3)
    assert chosen.dual.shape == (3, 2)
    # Both take the same steps; the dense output has order seven, one less than the method.
    np.testing.assert_allclose(chosen.x[-1], steps.x[-1], rtol=1e-14)
    assert "3 records to t=3" in repr(chosen)
    assert chosen.stats.evaluations > 100
    assert chosen.stats.wall_time > 0


@pytest.mark.parametrize("times", [[0.0], [0.0, 1.0], [1.0]])
def test_times_may_contain_zero(times):
    flow = ib.gradient_flow(PROBLEM, MASK, INIT, times)
    np.testing.assert_array_equal(flow.t, times)
    if times[0] == 0:
        np.testing.assert_array_equal(flow.x[0], INIT["m"] * INIT["w"])


def test_numbers_stand_for_all_coordinates():
    one = ib.gradient_flow(PROBLEM, MASK, {"m": 1.0, "w": 0.5}, 1.0)
    all_three = ib.gradient_flow(PROBLEM, MASK, {"m": np.ones(3), "w": np.full(3, 0.5)}, 1.0)
    np.testing.assert_array_equal(one.x, all_three.x)


def test_a_switch_costs_no_rejected_steps():
    """A step ends at the jump, and its last stage takes the strength from before the jump."""
    time = 1.0
    constant = ib.gradient_flow(PROBLEM, MASK.with_regularizer(DECAY), INIT, 3.0, schedule=Constant(0.1))
    switched = ib.gradient_flow(
        PROBLEM, MASK.with_regularizer(DECAY), INIT, 3.0, schedule=SwitchOff(Constant(0.1), time)
    )
    assert time in switched.t
    # One restart takes a few small steps; steps rejected at the jump would double the cost.
    assert switched.stats.evaluations < constant.stats.evaluations + 200


@pytest.mark.parametrize("times", [0.5, [0.0, 0.01, 0.5]])
@pytest.mark.parametrize("method", ["DOP853", "LSODA"])
def test_blow_up_in_finite_time_is_a_status(times, method):
    """Without data m' = 4 m³ from m = 2 has the solution m² = 1/(1/4 − 8t), which is infinite at t = 1/32."""
    problem = ib.Regression(np.zeros((1, 3)), [0.0])
    flow = ib.gradient_flow(
        problem,
        MASK.with_regularizer("-m**4"),
        {"m": 2.0, "w": 0.0},
        times,
        schedule=Constant(1.0),
        method=method,
        rtol=1e-9,
        throw=False,
    )
    assert flow.status in (ib.Status.STEP_SIZE, ib.Status.NOT_FINITE)
    assert flow.t[-1] < 1 / 32 * (1 + 1e-6)
    assert all(np.all(np.isfinite(v)) for v in (flow.t, flow.parameters["m"], flow.dual))
    reported = flow.t < 0.03
    want = (0.25 - 8 * flow.t[reported]) ** -0.5
    # Errors grow like the derivative of 1/√(¼ − 8t) in t on the way, a hundredfold at t = 0.03.
    np.testing.assert_allclose(flow.parameters["m"][reported, 0], want, rtol=1e-6)


@pytest.mark.parametrize("times", [10.0, [0.0, 1.0, 10.0], [1.0]])
@pytest.mark.parametrize("method", ["DOP853", "RK45", "LSODA", "Radau", "BDF"])
@pytest.mark.parametrize(
    ("formula", "start"),
    [("m**3*w", 1e80), ("m**3*w", 1e308), ("log(m) + w", -1.0)],  # overflow at once, and a nan at once
)
def test_a_start_without_a_velocity_is_a_status(formula, start, method, times):
    """If the velocity at the start overflows or is nan, the trajectory reaches no time."""
    parameterization = ib.Parameterization(formula, ["m", "w"])
    flow = ib.gradient_flow(PROBLEM, parameterization, {"m": start, "w": start}, times, method=method, throw=False)
    assert flow.status is ib.Status.NOT_FINITE
    assert len(flow.t) == len(flow.x) == 0
    assert "no time reached" in repr(flow)


@pytest.mark.parametrize("method", ["DOP853", "LSODA", "Radau"])
def test_a_loss_beyond_the_floating_point_range_is_a_status(method):
    """The weight 5e159 is finite and its loss is not; the integrator gives up when no step moves the time any more."""
    flow = ib.gradient_flow(PROBLEM, MASK, {"m": 1e80, "w": 5e79}, 1.0, method=method, throw=False)
    assert flow.status in (ib.Status.STEP_SIZE, ib.Status.NOT_FINITE)
    assert flow.loss[0] == np.inf


def test_a_failure_raises_by_default():
    with pytest.raises(ib.SolverError, match="step_size") as caught:
        ib.gradient_flow(PROBLEM, MASK.with_regularizer("-m**4"), {"m": 1.0, "w": 0.1}, 1.0, schedule=Constant(1.0))
    assert isinstance(caught.value.result, ib.Trajectory)
    assert caught.value.result.status is ib.Status.STEP_SIZE
    assert len(caught.value.result.t) > 1


def test_the_number_of_steps_is_limited():
    flow = ib.gradient_flow(PROBLEM, MASK, {"m": 1e30, "w": 1.0}, 1.0, max_steps=50, throw=False)
    assert flow.status is ib.Status.MAX_ITERATIONS
    assert len(flow.t) == 51


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": Constant(0.1)}, "no regularizer"),
        ({"parameterization": MASK.with_regularizer(DECAY), "schedule": [0.1]}, "schedule object or a number"),
        ({"init": {"m": 1.0}}, "parameters m, w; missing: w"),
        ({"init": {"m": 1.0, "w": 1.0, "v": 1.0}}, "parameters m, w; unknown: v"),
        ({"init": {"m": np.ones(3), "w": np.ones(2)}}, "one shape"),
        ({"init": {"m": np.ones(2), "w": np.ones(2)}}, r"^init: expected numbers or arrays of shape \(3,\)"),
        ({"init": {"m": np.nan, "w": 1.0}}, "nan"),
        ({"init": [1.0, 1.0]}, "dict"),
        ({"t": -1.0}, "non-negative"),
        ({"t": 0.0}, "positive end time"),
        ({"t": [1.0, 1.0]}, "increasing"),
        ({"t": [0.0, np.inf]}, "inf"),
        ({"t": []}, "times"),
        ({"t": [[1.0]]}, "times"),
        ({"rtol": 0.0}, "rtol"),
        ({"atol": -1.0}, "atol"),
        ({"method": "Euler"}, "method"),
        ({"problem": None}, "ib.Regression, got NoneType"),
        ({"parameterization": "m*w"}, "MatrixParameterization, got the string"),
        ({"parameterization": ib.Parameterization(["m*w", "m"], ["m", "w"])}, "one formula for each of 3 columns"),
        ({"parameterization": ib.Parameterization(["m*w", "m", "w"], ["m", "w"])}, "the weights share them"),
    ],
)
def test_bad_input(change, message):
    arguments = {"problem": PROBLEM, "parameterization": MASK, "init": INIT, "t": 1.0} | change
    with pytest.raises(InputError, match=message):
        ib.gradient_flow(**arguments)


@pytest.mark.parametrize("start", [1e-8, 1e-20, 1e-50])
def test_growth_from_a_small_start_keeps_its_relative_error(start):
    """The start sets when the weight escapes, so the tolerance is relative to it, however small it is."""
    problem, init = ib.Regression([[2.0]], [2.0]), {"m": start, "w": 0.0}
    dual = ib.mirror_flow(problem, ib.derive(MASK), init, np.log(1 / start), dense=True)
    time = dual.time_below(0.5)  # f = (2x − 2)²/2, so x = ½ there, half-way
    flow = ib.gradient_flow(problem, MASK, init, [time])
    np.testing.assert_allclose(flow.x[0], 0.5, rtol=1e-7)


@pytest.fixture
def operator():
    matrix = np.random.default_rng(0).standard_normal((3, 5))
    return matrix, LinearOperator((3, 5), matvec=lambda x: matrix @ x, rmatvec=lambda nu: matrix.T @ nu, dtype=float)


@pytest.mark.parametrize("dense", [False, True])
def test_a_flow_of_an_operator_that_reaches_no_time_says_so(operator, dense):
    """With max_steps=2 its arrays are empty, like those of the matrix that it stands for."""
    starts = {"m": np.ones(5), "w": np.zeros(5)}
    for Z in operator:
        problem = ib.Regression(Z, np.ones(3))
        for flow in (
            ib.gradient_flow(problem, MASK, starts, [1e3], max_steps=2, dense=dense, throw=False),
            ib.mirror_flow(
                problem, ib.HyperbolicEntropy(scale=1e-3), t=[1e3], method="BDF", max_steps=2, dense=dense, throw=False
            ),
        ):
            assert flow.status is ib.Status.MAX_ITERATIONS
            assert (flow.x.shape, flow.loss.shape, flow.dual.shape) == ((0, 5), (0,), (0, 3))
            assert flow.accumulated_gradient.shape == (0, 5)
        with pytest.raises(ib.SolverError, match="limit on steps"):
            ib.gradient_flow(problem, MASK, starts, [1e3], max_steps=2)


def test_an_operator_without_its_transpose_is_refused(operator):
    matrix, _ = operator
    one_way = LinearOperator((3, 5), matvec=lambda x: matrix @ x, dtype=float)
    with pytest.raises(InputError, match=r"^Z: expected a LinearOperator with rmatvec="):
        ib.Regression(one_way, np.ones(3))
