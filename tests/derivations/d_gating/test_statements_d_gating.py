"""The statements on gates, by flows, steps and minima of one gated group that share no code with their checks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar
from statements import about, few

seeds = st.integers(0, 10**6)


def drawn(seed, depth, entries=3):
    """A group with its gates, a target, and λ."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=entries + depth - 1), generator.normal(size=entries), generator.uniform(0.1, 1)


def weight(factors, depth):
    return factors[: 1 - depth] * np.prod(factors[1 - depth :])


def objective(factors, depth, target, strength):
    """Σ log cosh(w − target) + λ/D Σ squares, for complex steps."""
    loss = np.sum(np.log(np.cosh(weight(factors, depth) - target)))
    return loss + strength / depth * np.sum(factors**2)


def gradient(factors, *rest):
    steps = 1e-30j * np.eye(len(factors))
    return np.array([np.imag(objective(factors + step, *rest)) / 1e-30 for step in steps])


def squares(factors, depth):
    """‖ω‖² and the squared gates."""
    return np.array([np.sum(factors[: 1 - depth] ** 2), *factors[1 - depth :] ** 2])


def flow(factors, times, *rest):
    return solve_ivp(
        lambda t, f: -gradient(f, *rest), (0, times[-1]), factors, "LSODA", times, rtol=1e-10, atol=1e-12
    ).y.T


@about("d-gating/lem-1")
@few
@given(seeds, st.integers(2, 4))
def test_a_flow_that_has_stopped_is_balanced(seed, depth):
    factors, target, strength = drawn(seed, depth)
    end = flow(factors, [0.0, 400.0], depth, target, strength)[-1]
    if np.abs(gradient(end, depth, target, strength)).max() < 1e-9:
        assert np.ptp(squares(end, depth)) < 1e-6
    shares = factors * gradient(factors, depth, target, strength)
    parts = np.array([np.sum(shares[: 1 - depth]), *shares[1 - depth :]])
    assert parts - parts[0] == pytest.approx(
        2 * strength / depth * (squares(factors, depth) - squares(factors, depth)[0]), abs=1e-10
    )


@about("d-gating/cor-1")
@given(seeds, st.integers(2, 6), st.floats(0.1, 3))
def test_the_penalty_of_balanced_gates_is_that_of_the_group(seed, depth, size):
    direction = np.random.default_rng(seed).normal(size=3)
    factors = np.array([*(direction / np.linalg.norm(direction) * size), *[size] * (depth - 1)])
    assert np.sum(factors**2) / depth == pytest.approx(np.linalg.norm(weight(factors, depth)) ** (2 / depth))


@about("d-gating/misalignment")
@given(seeds, st.integers(2, 6))
def test_the_group_penalty_is_the_least_one(seed, depth):
    factors, *_ = drawn(seed, depth)
    assert np.mean(squares(factors, depth)) > np.linalg.norm(weight(factors, depth)) ** (2 / depth)


@about("d-gating/thm-1")
@few
@given(st.floats(-2, 2), st.floats(0.05, 0.6), st.integers(2, 3))
def test_a_flow_of_gates_ends_at_a_local_minimum_of_the_penalized_loss(target, strength, depth):
    end = flow(np.linspace(0.7, 1.1, depth), [0.0, 300.0], depth, np.array([target]), strength)[-1]
    found = weight(end, depth)[0]

    def penalized(w):
        return np.log(np.cosh(w - target)) + strength * abs(w) ** (2 / depth)

    if np.abs(gradient(end, depth, np.array([target]), strength)).max() < 1e-10:
        for bounds in ((found - 0.05, found), (found, found + 0.05)):
            assert minimize_scalar(penalized, bounds=bounds, method="bounded").fun > penalized(found) - 1e-7


@about("d-gating/lem-2")
@few
@given(seeds, st.integers(2, 4))
def test_imbalances_decay_at_the_stated_rate(seed, depth):
    factors, target, strength = drawn(seed, depth)
    times = np.array([0.0, 0.5, 1.5])
    path = np.array([squares(each, depth) for each in flow(factors, times, depth, target, strength)])
    for first in range(depth):
        differences = path[:, first] - path[:, first - 1]
        assert differences == pytest.approx(differences[0] * np.exp(-4 * strength * times / depth), abs=1e-7)


@about("d-gating/lem-3")
@few
@given(seeds, st.integers(2, 4))
def test_both_losses_meet_at_the_stated_rate(seed, depth):
    factors, target, strength = drawn(seed, depth)
    times = np.linspace(0, 3, 7)
    path = flow(factors, times, depth, target, strength)
    gaps = [np.mean(squares(each, depth)) - np.linalg.norm(weight(each, depth)) ** (2 / depth) for each in path]
    bound = np.ptp(squares(factors, depth)) * np.exp(-4 * strength * times / depth)
    assert (gaps <= bound + 1e-8).all()
    assert min(gaps) > -1e-9


@about("d-gating/lem-4")
@about("d-gating/fn-2")
@given(seeds, st.integers(2, 5), st.floats(0.01, 0.5))
def test_one_step_changes_imbalances_as_stated(seed, depth, step):
    factors, target, strength = drawn(seed, depth)
    slope = gradient(factors, depth, target, strength)
    after = squares(factors - step * slope, depth)
    before, second = squares(factors, depth), squares(slope, depth)
    expected = (1 - 4 * strength * step / depth) * (before - before[0]) + step**2 * (second - second[0])
    assert after - after[0] == pytest.approx(expected, abs=1e-9)
    pull, gates = np.tanh(weight(factors, depth) - target), factors[1 - depth :]
    primary, rest = factors[: 1 - depth], np.prod(gates[1:])
    stated = rest**2 * (gates[0] ** 2 * pull @ pull - (primary @ pull) ** 2)
    stated += 4 * strength**2 / depth**2 * (before[0] - before[1])
    assert second[0] - second[1] == pytest.approx(stated, abs=1e-9)


@about("d-gating/lem-4-gates")
@given(seeds, st.integers(3, 5), st.floats(0.01, 0.1))  # with larger steps the gates of some draws diverge
def test_gates_of_equal_size_and_zero_factors_stay_so(seed, depth, step):
    factors, target, strength = drawn(seed, depth)
    factors[-1] = -factors[-2]
    for _ in range(5):
        factors = factors - step * gradient(factors, depth, target, strength)
        assert factors[-1] ** 2 == pytest.approx(factors[-2] ** 2, rel=1e-9)
    assert not gradient(np.zeros_like(factors), depth, target, strength).any()
