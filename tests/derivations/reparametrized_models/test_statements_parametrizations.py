"""The statements on commuting parametrizations, by numerical brackets, flows and differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from statements import about, bracket, few, points, slope

seeds = st.integers(0, 10**6)
sizes = st.floats(0.3, 1.5)


def along(fields, start, times):
    """The point reached from a start along +fields[i] for times[i], one after another, by LSODA."""
    state = np.asarray(start, float)
    for field, time in zip(fields, times, strict=True):
        sign = math.copysign(1, time)
        if time:
            state = solve_ivp(
                lambda t, y, f=field, s=sign: s * f(y), (0, abs(time)), state, "LSODA", rtol=1e-10, atol=1e-12
            ).y[:, -1]
    return state


@about("reparametrized-models/quadratic-bracket")
@given(seeds, points)
def test_the_bracket_of_quadratic_forms_is_the_commutator(seed, point):
    first, second = np.random.default_rng(seed).normal(size=(2, 3, 3))
    first, second = first + first.T, second + second.T
    found = bracket(lambda p: p @ first @ p / 2, lambda p: p @ second @ p / 2, point)
    assert found == pytest.approx((second @ first - first @ second) @ point, rel=1e-4, abs=1e-4)


@about("reparametrized-models/lem-5.3.7")
@about("reparametrized-models/thm-5.3.9")
@few
@given(seeds)
def test_a_gradient_flow_is_where_the_commuting_flows_lead_uphill(seed):
    """G = (x₁² − x₂², x₃x₄) on a loss that couples both weights."""
    generator = np.random.default_rng(seed)
    start, target = generator.uniform(0.5, 1.2, size=4), generator.normal(size=2)

    def weights(x):
        return np.array([x[0] ** 2 - x[1] ** 2, x[2] * x[3]])

    fields = [
        lambda x: np.array([2 * x[0], -2 * x[1], 0, 0]),
        lambda x: np.array([0, 0, x[3], x[2]]),
    ]

    def velocity(t, state):
        pull = np.tanh(weights(state[:4]) - target) + 0.1 * (weights(state[:4]).sum() - 1)
        return [*(-pull[0] * fields[0](state) - pull[1] * fields[1](state)), *-pull]

    end = solve_ivp(velocity, (0, 0.7), [*start, 0, 0], "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    assert along(fields, start, end[4:]) == pytest.approx(end[:4], abs=1e-7)
    if np.abs(end[4:]).max() > 0.05:
        assert np.abs(along(fields, start, -end[4:]) - end[:4]).max() > 1e-3


@about("reparametrized-models/thm-5.3.16")
@few
@given(seeds)
def test_the_gradient_of_the_quadratic_potential_is_the_forms(seed):
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(3, 3)) / 2
    root = root + root.T
    forms, start, mu = [root, root @ root], generator.normal(size=3), generator.uniform(-0.5, 0.5, size=2)

    def moved(at):
        return expm(at[0] * forms[0] + at[1] * forms[1]) @ start

    for k, form in enumerate(forms):
        step = 1e-4 * np.eye(2)[k]
        difference = (moved(mu + step) @ moved(mu + step) - moved(mu - step) @ moved(mu - step)) / 4 / 2e-4
        assert difference == pytest.approx(moved(mu) @ form @ moved(mu) / 2, rel=1e-5, abs=1e-6)


@about("reparametrized-models/cor-5.3.18")
@few
@given(sizes, sizes, st.floats(-2, 2), st.floats(0.1, 1))
def test_the_potential_of_squares_follows_the_accumulated_gradient(u0, v0, target, time):
    def velocity(t, state):
        pull = math.tanh(state[0] ** 2 - state[1] ** 2 - target)
        return [-2 * state[0] * pull, 2 * state[1] * pull, pull]

    u, v, accumulated = solve_ivp(velocity, (0, time), [u0, v0, 0], "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    slope_at_end = (math.asinh((u * u - v * v) / (2 * u0 * v0)) - math.log(u0 / v0)) / 4
    assert slope_at_end == pytest.approx(-accumulated, abs=1e-8)


@about("reparametrized-models/thm-5.3.14")
@about("reparametrized-models/thm-5.3.17")
@few
@given(seeds)
def test_a_flow_ends_at_an_interpolator_that_satisfies_the_optimality_conditions(seed):
    """A quasi-convex loss that is not convex, L = log(1 + (z·w − y)²), for three weights u² − v²."""
    generator = np.random.default_rng(seed)
    row, target = generator.uniform(0.5, 1.5, size=3), generator.uniform(-1, 1)
    start = generator.uniform(0.4, 1, size=6)

    def velocity(t, state):
        gap = row @ (state[:3] ** 2 - state[3:] ** 2) - target
        pull = row * 2 * gap / (1 + gap**2)
        return np.concatenate([-2 * state[:3] * pull, 2 * state[3:] * pull])

    end = solve_ivp(velocity, (0, 60), start, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    w = end[:3] ** 2 - end[3:] ** 2
    assert row @ w == pytest.approx(target, abs=1e-6)
    slopes = np.arcsinh(w / (2 * start[:3] * start[3:])) - np.log(start[:3] / start[3:])
    assert slopes / row == pytest.approx(np.full(3, (slopes / row)[0]), abs=1e-6)


@about("reparametrized-models/cor-5.3.12-proof")
@given(st.floats(-2, 2), st.floats(-2, 2))
def test_the_double_bracket_of_matrix_factorization(first, second):
    """The field of G₁₁ is linear, so a bracket with it is a derivative along 2(U₁, 0)."""
    form11, form12 = np.diag([2.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    once = form12 @ form11 - form11 @ form12
    twice = once @ form11 - form11 @ once
    at = np.array([first, second])
    assert twice @ at @ (form12 @ at) == pytest.approx(4 * (first**2 + second**2), abs=1e-12)


simplex = st.tuples(st.floats(0.1, 1), st.floats(0.1, 1), st.floats(0.1, 1)).map(lambda p: np.array(p) / sum(p))


def fisher(p):
    """∇²R of the entropy on the simplex, by complex steps of its gradient."""

    def gradient(w):
        return np.log(w) - np.log(1 - w.sum())

    step = 1e-30
    return np.array([np.imag(gradient(p[:2] + step * 1j * unit)) / step for unit in np.eye(2)])


@about("reparametrized-models/simplex-hessian")
@given(simplex)
def test_the_hessian_on_the_simplex_has_the_inverse_remainder(p):
    assert fisher(p) == pytest.approx(np.diag(1 / p[:2]) + 1 / p[2], rel=1e-9)


@about("reparametrized-models/simplex-parametrization")
@few
@given(simplex, st.floats(-1, 1), st.floats(-1, 1))
def test_the_sphere_makes_the_mirror_flow_of_the_simplex(p, first, second):
    """Gradient flow of L(w) = c·w from 2√p against the mirror flow, whose dual point moves along −c."""
    pull = np.array([first, second])

    def loss(x):
        return pull @ (x[:2] ** 2 / (x @ x))

    end = solve_ivp(lambda t, x: -slope(loss, x), (0, 1), 2 * np.sqrt(p), "LSODA", rtol=1e-9, atol=1e-11).y[:, -1]
    dual = np.exp(np.log(p[:2] / p[2]) - pull)
    assert end[:2] ** 2 / 4 == pytest.approx(dual / (1 + dual.sum()), abs=1e-7)


@about("reparametrized-models/thm-5.4.1")
@given(st.floats(-3, 3), st.floats(0.1, 2))
def test_the_hyperbola_has_the_metric_of_the_hyperbolic_entropy(w, c):
    def embedded(at):
        root = np.sqrt(at**2 + 4 * c**2)
        return np.array([np.sqrt((root + at) / 2), np.sqrt((root - at) / 2)])

    speed = np.imag(embedded(w + 1e-30j)) / 1e-30
    assert speed @ speed == pytest.approx(1 / (4 * math.sqrt(w**2 + 4 * c**2)), rel=1e-7)
    u, v = embedded(w)
    assert u**2 - v**2 == pytest.approx(w, abs=1e-9)


@about("reparametrized-models/hidden-neuron-potential")
@about("reparametrized-models/hidden-neuron-divergence")
@few
@given(st.floats(0.8, 1.5), st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)), seeds)
def test_one_hidden_neuron_minimizes_the_divergence(a0, y0, seed):
    """Follow a flow of a z to a solution: the slope of the printed divergence there is in the row space."""
    y0 = np.array(y0)
    row = np.random.default_rng(seed).uniform(0.5, 1, size=2)
    target = row @ (a0 * y0) + 0.3

    def velocity(t, state):
        pull = row * (row @ (state[0] * state[1:]) - target)
        return np.concatenate([[-state[1:] @ pull], -state[0] * pull])

    end = solve_ivp(velocity, (0, 60), [a0, *y0], "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    k = a0**2 - y0 @ y0

    def divergence(w):
        inner = np.sqrt(w @ w + k**2 / 4)
        return -((inner + k / 2) ** 1.5) / 3 + np.sqrt(w @ w) * np.sqrt(inner - k / 2) - w @ y0

    w = end[0] * end[1:]
    assert row @ w == pytest.approx(target, abs=1e-6)
    turn = slope(divergence, w)
    assert turn == pytest.approx(end[1:] - y0, abs=1e-6)
    assert turn[0] * row[1] == pytest.approx(turn[1] * row[0], abs=1e-6)
