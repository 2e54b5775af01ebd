"""The statements on HAM, by steps, flows and numerical derivatives."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from statements import about, few

weights = st.floats(-3, 3)
sizes = st.floats(0.05, 3)
pulls = st.floats(-2, 2)
growths = st.floats(0.1, 20)
contractions = st.floats(0, 1.5)


def step(theta, pull, rate, growth, contraction):
    """One step of the README, at mpmath's precision."""
    half = theta - rate * pull
    return half * mp.exp(-rate * (growth * mp.sign(half) * pull + contraction))


def flow(start, pull, growth, contraction, time):
    """The end of the flow for a slope pull(θ) and a contraction(t)."""

    def velocity(t, x):
        return -(1 + growth * np.abs(x)) * pull(x) - contraction(t) * x

    return solve_ivp(velocity, (0, time), [start], "DOP853", rtol=1e-10, atol=1e-12, max_step=time / 20).y[0, -1]


@about("ham/flow")
@given(weights, pulls, growths, contractions)
def test_a_small_step_moves_along_the_flow(theta, pull, growth, contraction):
    assume(abs(theta) > 1e-3 or theta == 0)
    with mp.workdps(40):
        rate = mp.mpf("1e-12")
        moved = (step(mp.mpf(theta), mp.mpf(pull), rate, growth, contraction) - theta) / rate
        assert abs(moved + (1 + growth * abs(theta)) * pull + contraction * theta) < 1e-7


@about("ham/flow")
@few
@given(weights, st.floats(-2, 2), growths, contractions)
def test_steps_approach_the_flow_like_their_size(start, target, growth, contraction):
    exact = flow(start, lambda x: np.tanh(x - target), growth, lambda t: contraction, 1.0)
    errors = []
    for count in (200, 1600):
        theta = start
        for _ in range(count):
            pull = np.tanh(theta - target)
            half = theta - pull / count
            theta = half * np.exp(-(growth * np.sign(half) * pull + contraction) / count)
        errors.append(abs(theta - exact))
    assert errors[1] <= errors[0] / 4 + 1e-6


@about("ham/exponential-update")
@given(weights.filter(lambda w: abs(w) > 0.01), pulls, contractions)
def test_an_update_is_a_step_of_the_mask_to_first_order(theta, pull, strength):
    with mp.workdps(60):
        root, sign = mp.sqrt(abs(mp.mpf(theta))), mp.sign(theta)
        apart = []
        for rate in (mp.mpf("1e-10"), mp.mpf("1e-11")):
            m = root - rate * (pull * sign * root + 2 * strength * root)
            w = sign * root - rate * (pull * root + 2 * strength * sign * root)
            apart.append(m * w - theta * mp.exp(-rate * (2 * sign * pull + 4 * strength)))
        speed = (sign * pull + 2 * strength) ** 2
        assume(speed > 1e-6)
        assert apart[0] / mp.mpf("1e-20") == pytest.approx(float(-theta * speed), rel=1e-5)
        assert apart[0] / apart[1] == pytest.approx(100, rel=1e-5)


@about("ham/rate")
@few
@given(st.floats(0, 20), st.floats(0.2, 2), st.floats(-2, 2), st.integers(0, 1000))
def test_the_loss_falls_as_fast_as_in_gradient_flow(growth, curvature, target, seed):
    """Least squares in two weights, whose condition number enters the constant."""
    matrix = np.random.default_rng(seed).normal(size=(2, 2))
    hessian = matrix @ matrix.T + curvature * np.eye(2)
    constant, end = np.linalg.eigvalsh(hessian)[0], np.array([target, 1.0])

    def loss(x):
        return (x - end) @ hessian @ (x - end) / 2

    start = np.array([0.7, -0.4])
    path = solve_ivp(
        lambda t, x: -(1 + growth * np.abs(x)) * (hessian @ (x - end)), (0, 1), start, "LSODA", rtol=1e-10, atol=1e-12
    )
    for t, x in zip(path.t, path.y.T, strict=True):
        assert loss(x) <= loss(start) * np.exp(-2 * constant * t) * (1 + 1e-7) + 1e-14


@about("ham/rate")
@given(st.floats(0.2, 2), sizes)
def test_a_quadratic_attains_the_rate(curvature, start):
    end = flow(start, lambda x: curvature * x, 0.0, lambda t: 0.0, 1.0)
    assert end**2 == pytest.approx(start**2 * np.exp(-2 * curvature), rel=1e-7)


def potential(theta, growth):
    a = growth * abs(theta)
    return ((1 + a) * mp.log1p(a) - a) / growth**2


@about("ham/potential")
@given(weights, growths)
def test_the_potential_is_the_integral_of_its_metric(theta, growth):
    """Of 1/(1 + α|θ|), twice, from 0."""

    def slope(x):
        return np.sign(x) * quad(lambda y: 1 / (1 + growth * y), 0, abs(x))[0]

    assert float(potential(theta, growth)) == pytest.approx(quad(slope, 0, theta)[0], rel=1e-7, abs=1e-12)


@about("ham/potential")
@few
@given(weights, st.floats(-2, 2), growths)
def test_the_mirror_map_adds_up_the_slopes(start, target, growth):
    def velocity(t, state):
        pull = np.tanh(state[0] - target)
        return [-(1 + growth * abs(state[0])) * pull, pull]

    path = solve_ivp(velocity, (0, 1.5), [start, 0.0], "LSODA", rtol=1e-10, atol=1e-12)
    map_of = [np.sign(x) * np.log1p(growth * abs(x)) / growth for x in path.y[0]]
    np.testing.assert_allclose(map_of, map_of[0] - path.y[1], atol=1e-6)


@about("ham/ends")
@given(weights.filter(lambda w: abs(w) > 0.01))
def test_the_ends_of_the_potential(theta):
    with mp.workdps(50):
        theta = mp.mpf(theta)
        assert potential(theta, mp.mpf("1e-12")) / (theta**2 / 2) == pytest.approx(1, abs=1e-11)
        large = [mp.mpf(10) ** k for k in (100, 1000)]
        gaps = [abs(potential(theta, a) * a / (abs(theta) * mp.log(a)) - 1) for a in large]
        assert gaps[1] < 0.02
        assert gaps[0] / gaps[1] == pytest.approx(10, rel=1e-6) or gaps[0] < 1e-10


@about("ham/bracket")
@given(weights.filter(lambda w: abs(w) > 0.05), pulls, growths, contractions)
def test_small_moves_along_both_fields_in_a_square_miss_by_the_bracket(theta, pull, growth, contraction):
    """Along X, Y, −X and −Y for a small time ε each, the weight ends ε²[X, Y] away, to first order."""

    def along_gradient(x, time):
        sign = mp.sign(x)
        return sign * ((1 + growth * abs(x)) * mp.exp(-growth * sign * pull * time) - 1) / growth

    def along_contraction(x, time):
        return x * mp.exp(-contraction * time)

    with mp.workdps(50):
        e = mp.mpf("1e-12")
        x = along_gradient(mp.mpf(theta), e)
        x = along_contraction(x, e)
        x = along_gradient(x, -e)
        x = along_contraction(x, -e)
        assert float((x - theta) / e**2) == pytest.approx(contraction * pull, abs=1e-6)


@about("ham/no-family")
@few
@given(st.floats(0.05, 2), st.floats(0.1, 5), st.floats(0.1, 1), st.floats(0.1, 1))
def test_the_order_of_gradient_and_contraction_matters(start, growth, push, decay):
    """Both flows have the same sums, by SciPy in halves."""
    ends = []
    for first, second in (((push, 0.0), (0.0, decay)), ((0.0, decay), (push, 0.0))):
        x = start
        for up, down in (first, second):
            x = flow(x, lambda theta, up=up: -up + 0 * theta, growth, lambda t, down=down: down, 1.0)
        ends.append(x)
    gap = (1 - np.exp(-decay)) * (1 - np.exp(growth * push)) / growth
    assert ends[0] - ends[1] == pytest.approx(gap, rel=1e-6)
    assert abs(gap) > 1e-4
