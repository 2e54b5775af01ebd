"""The statements on small scales, by flows of both factors and by hand-made instances."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from statements import about, few

sizes = st.floats(0.05, 3)


def factors(design, labels, scale, time, samples=50):
    """U and v of β = u v with u² − v² = 2μ and β = 0 at first, by LSODA; times in flow time."""
    count = design.shape[1]

    def velocity(t, state):
        u, v = state[:count], state[count:]
        push = design.T @ (labels - design @ (u * v))
        return np.concatenate([v * push, u * push])

    start = np.concatenate([np.full(count, math.sqrt(2 * scale)), np.zeros(count)])
    path = solve_ivp(velocity, (0, time), start, "LSODA", np.linspace(0, time, samples), rtol=1e-10, atol=1e-13)
    return path.t, path.y[:count].T, path.y[count:].T


def at_small_scale(design, labels, logarithm, until, samples=121):
    """Accelerated times and β at log(1/μ) = Λ, by LSODA on the logarithms of (u + v)/√(2μ)."""

    def weights(logs):
        far = np.minimum(np.array([2 * logs - logarithm, -2 * logs - logarithm]), 6)
        return (np.exp(far[0]) - np.exp(far[1])) / 2

    def velocity(t, logs):
        return design.T @ (labels - design @ weights(logs))

    times = np.linspace(0, until * logarithm / 2, samples)
    path = solve_ivp(velocity, (0, times[-1]), np.zeros(design.shape[1]), "LSODA", times, rtol=1e-9, atol=1e-11)
    return times / (logarithm / 2), weights(path.y).T


@about("saddle-to-saddle/hyperbolic-entropy")
@few
@given(sizes, st.floats(0.3, 2), st.floats(-2, 2))
def test_the_slope_of_the_entropy_moves_by_the_gradient(scale, feature, label):
    times, u, v = factors(np.array([[feature]]), np.array([label]), scale, 1.0, 400)
    beta = (u * v)[:, 0]
    push = feature * (label - feature * beta)
    moved = np.sum(np.diff(times) * (push[1:] + push[:-1]) / 2)

    def potential(x):
        return (x * mp.asinh(x / scale) - mp.sqrt(x**2 + scale**2)) / 2

    assert float(mp.diff(potential, beta[-1])) == pytest.approx(moved, abs=1e-4 * (1 + abs(moved)))


@about("saddle-to-saddle/entropy-limit")
@given(sizes)
def test_the_entropy_over_half_the_logarithm_tends_to_the_weight(size):
    def gap(logarithm):  # so large that √(x² + μ²) is x in double precision
        return abs((size * (math.log(2 * size) + logarithm) - size) / 2 / (logarithm / 2) - size)

    assert gap(1e4) < 1e-3
    assert gap(1e4) <= gap(1e2) / 50 + 1e-12


@about("saddle-to-saddle/dual-variable")
@few
@given(st.floats(1e-4, 0.1), st.floats(0.3, 2), st.floats(-2, 2))
def test_the_weight_is_the_closed_form_of_its_dual_variable(scale, feature, label):
    times, u, v = factors(np.array([[feature]]), np.array([label]), scale, 2.0, 800)
    beta = (u * v)[:, 0]
    push = feature * (label - feature * beta)
    logarithm = math.log(1 / scale)
    dual = np.sum(np.diff(times) * (push[1:] + push[:-1]) / 2) / (logarithm / 2)
    expected = (math.exp(-(1 - dual) * logarithm) - math.exp(-(1 + dual) * logarithm)) / 2
    assert beta[-1] == pytest.approx(expected, rel=2e-3, abs=1e-4)


@about("saddle-to-saddle/arc-length")
def test_the_path_has_the_stated_speed_in_arc_length():
    times = np.linspace(0, 3, 30001)
    path = np.column_stack([np.sin(3 * times), times**2])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    clock = np.concatenate([[0], np.cumsum(np.diff(times) + steps)])
    speed = steps / np.diff(clock)
    assert np.allclose(speed, 1 - np.diff(times) / np.diff(clock), atol=1e-9)
    s = np.linalg.norm([3 * math.cos(3 * 1.5), 3.0])
    assert speed[15000] == pytest.approx(s / (1 + s), abs=1e-3)


@about("saddle-to-saddle/saddle")
@given(st.floats(0.1, 5), st.floats(-2, 2))
def test_the_hessian_at_an_unused_weight_has_the_eigenvalue(g, curvature):
    def loss(u, v):
        return g * u * v + curvature * (u * v) ** 2 / 2

    h = 1e-3
    mixed = (loss(h, h) - loss(h, -h) - loss(-h, h) + loss(-h, -h)) / (4 * h * h)
    hessian = [[(loss(h, 0) + loss(-h, 0)) / h**2, mixed], [mixed, (loss(0, h) + loss(0, -h)) / h**2]]
    assert np.linalg.eigvalsh(hessian)[0] == pytest.approx(-g, rel=1e-6)


@about("saddle-to-saddle/first-jump")
@pytest.mark.parametrize(("strong", "weak", "label"), [(2.0, 1.0, 1.5), (1.0, 0.7, 3.0), (3.0, 2.0, 0.5)])
def test_one_sample_is_fitted_at_the_stated_time_by_its_largest_entry(strong, weak, label):
    """The flow at log μ = −160, before and after the jump."""
    jump = 1 / (strong * label)
    accelerated, beta = at_small_scale(np.array([[strong, weak]]), np.array([label]), 160.0, 2 * jump, 41)
    assert np.abs(beta[accelerated < 0.8 * jump]).max() < 1e-6
    after = beta[accelerated > 1.3 * jump]
    assert np.allclose(after, [label / strong, 0], atol=1e-4)


@about("saddle-to-saddle/algorithm")
def test_two_samples_jump_where_hand_calculation_says():
    """Columns (2, 0), (0, 1), (1, 1) and labels (2, 1.5): β = (1, 0, 0) from 1/4 on, (1/4, 0, 3/2) from 1/3 on."""
    design, labels = np.array([[2.0, 0, 1], [0, 1, 1]]), np.array([2, 1.5])
    accelerated, beta = at_small_scale(design, labels, 2000.0, 0.6)
    assert np.abs(beta[accelerated < 0.22]).max() < 1e-2
    assert np.allclose(beta[(accelerated > 0.29) & (accelerated < 0.31)], [1, 0, 0], atol=0.03)
    assert np.allclose(beta[accelerated > 0.5], [0.25, 0, 1.5], atol=0.02)


@about("saddle-to-saddle/minimum-norm")
def test_the_end_of_the_hand_calculation_has_the_least_norm():
    """Every interpolator is (1/4, 0, 3/2) plus a multiple of the kernel's vector (1/2, 1, −1)."""
    start, kernel = np.array([0.25, 0, 1.5]), np.array([0.5, 1.0, -1.0])
    norms = [np.abs(start + shift * kernel).sum() for shift in np.linspace(-3, 3, 6001)]
    assert min(norms) == pytest.approx(np.abs(start).sum(), abs=1e-9)
