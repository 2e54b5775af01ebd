"""Minima at which a step can end, in numbers: Hessians by differences, and bounds on random stable minima."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statements import about, few

seeds = st.integers(0, 10_000)


def hessian(Z, y, theta):
    """Of ‖Z(u ⊙ v) − y‖²/(2n), by complex steps of the gradient."""
    n, count = len(y), len(theta) // 2

    def gradient(at):
        u, v = at[:count], at[count:]
        g = Z.T @ (Z @ (u * v) - y) / n
        return np.concatenate([g * v, g * u])

    return np.array([np.imag(gradient(theta + 1e-30j * unit)) / 1e-30 for unit in np.eye(len(theta))])


def minimum(seed, observations=3, weights=4):
    generator = np.random.default_rng(seed)
    Z = generator.normal(generator.uniform(0, 2), 1, size=(observations, weights))
    u, v = generator.normal(size=(2, weights))
    return Z, u, v, hessian(Z, Z @ (u * v), np.concatenate([u, v]))


@about("step-size-bias/curvature")
@few
@given(seeds)
def test_the_hessian_at_a_minimum_is_the_mean_of_squared_changes(seed):
    Z, u, v, found = minimum(seed, 2, 2)
    a, b = np.random.default_rng(seed + 1).normal(size=(2, 2))
    along = np.concatenate([a, b])
    assert along @ found @ along == pytest.approx(np.mean((Z @ (u * b + v * a)) ** 2))
    assert np.linalg.eigvalsh(found)[-1] == pytest.approx(np.linalg.eigvalsh((Z * (u**2 + v**2)) @ Z.T)[-1] / 2)


@about("step-size-bias/stable-curvature")
@given(st.floats(0.05, 2.0), st.floats(-1.0, 50.0))
def test_distances_grow_exactly_beyond_the_stated_curvature(step, curvature):
    distance = 1.0
    for _ in range(3):
        distance -= step * curvature * distance
    if abs(curvature) > 1e-6 and abs(curvature - 2 / step) > 1e-6:
        assert (abs(distance) <= 1) == (0 <= curvature <= 2 / step)


@about("step-size-bias/weighted-norm")
@about("step-size-bias/all-directions")
@few
@given(seeds)
def test_the_largest_stable_step_bounds_both_norms(seed):
    Z, u, v, found = minimum(seed)
    step = 2 / np.linalg.eigvalsh(found)[-1]
    assert np.sum(Z.mean(0) ** 2 * np.abs(u * v)) <= 1 / step * (1 + 1e-9)
    assert np.sum(np.mean(Z**2, axis=0) * np.abs(u * v)) <= len(Z) / step * (1 + 1e-9)


@about("step-size-bias/weighted-norm")
@about("step-size-bias/all-directions")
def test_balanced_factors_attain_the_bounds():
    z, u = np.array([[1.5, -0.7]]), np.array([0.8, 1.1])
    step = 2 / np.linalg.eigvalsh(hessian(z, z @ (u * u), np.concatenate([u, u])))[-1]
    assert np.sum(z[0] ** 2 * u**2) == pytest.approx(1 / step)
    Z, ones = 1.3 * np.eye(2), np.ones(2)
    step = 2 / np.linalg.eigvalsh(hessian(Z, Z @ ones, np.ones(4)))[-1]
    assert np.sum(np.mean(Z**2, axis=0)) == pytest.approx(2 / step)


@about("step-size-bias/larger-step-richer")
def test_a_larger_step_ends_at_a_smaller_weighted_norm():
    Z = 1 + 0.5 * np.random.default_rng(4).normal(size=(3, 15))
    y = Z[:, 0] + Z[:, 1] / 2
    ends, step = [], 0.02
    for steps in (1500, 500):
        u, v = np.full(15, 0.6), np.zeros(15)
        for _ in range(steps):
            g = Z.T @ (Z @ (u * v) - y) / 3
            u, v = u - step * g * v, v - step * g * u
        assert np.max(np.abs(Z @ (u * v) - y)) < 0.03
        ends.append(np.sum(Z.mean(0) ** 2 * np.abs(u * v)))
        step = 1.5 * 2 / np.linalg.eigvalsh((Z * (u**2 + v**2)) @ Z.T / 3)[-1]
    assert ends[1] < 0.97 * ends[0]
