"""Statements on averages and the Lasso path, tested by flows of u and v and by minimization over supports."""

from itertools import chain, combinations

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from sklearn.linear_model import lars_path
from statements import about, few

seeds = st.integers(0, 10**6)


def problem(seed, n=2, rank=None):
    """M, r in its range, λ, and a start."""
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(rank or n, n))
    M = root.T @ root
    return M, M @ generator.normal(size=n), generator.uniform(0, 0.5), generator.uniform(0.5, 1.5, size=n)


def positive_lasso(M, r, penalty):
    """The minimum and a minimizer over x ≥ 0: the best stationary point of all supports on which M has an inverse.

    A minimizer is among them: where M has a null vector on the support, the objective is constant along it, up to where
    a weight becomes zero.
    """
    best = 0.0, np.zeros(len(r))
    for support in chain.from_iterable(combinations(range(len(r)), size) for size in range(1, len(r) + 1)):
        part = M[np.ix_(support, support)]
        if np.linalg.cond(part) < 1e12:
            x = np.zeros(len(r))
            x[list(support)] = np.linalg.solve(part, (r - penalty)[list(support)])
            value = x @ M @ x / 2 - (r - penalty) @ x
            if (x >= 0).all() and value < best[0]:
                best = value, x
    return best


def squares(M, r, strength, start, times):
    """u² on the gradient flow of ℓ(u²) + λ‖u‖², with the integral of u²."""
    n = len(r)

    def velocity(t, state):
        u = state[:n]
        return np.concatenate([-2 * u * (M @ u**2 - r) - 2 * strength * u, u**2])

    path = solve_ivp(velocity, (0, times[-1]), [*np.sqrt(start), *np.zeros(n)], "LSODA", times, rtol=1e-10, atol=1e-14)
    return path.y[:n].T ** 2, path.y[n:].T


@about("dln-lasso-path/eq-3.3")
@about("dln-lasso-path/eq-4.2")
@about("dln-lasso-path/lem-4.2")
@few
@given(seeds)
def test_squares_move_as_stated_and_the_entropy_is_the_mirror(seed):
    M, r, strength, start = problem(seed)
    times = np.array([0.0, 0.3, 0.3 + 1e-4])
    x, _ = squares(M, r, strength, start, times)
    slope = M @ x[1] - r
    change = (x[2] - x[1]) / 1e-4
    assert change == pytest.approx(-4 * x[1] * (slope + strength), rel=2e-2, abs=2e-2)
    assert (np.log(x[2]) - np.log(x[1])) / 4e-4 == pytest.approx(-(slope + strength), rel=2e-2, abs=2e-2)
    tilted = [each @ M @ each / 2 - r @ each + strength * each.sum() for each in x]
    assert (tilted[2] - tilted[1]) / 1e-4 == pytest.approx(
        -4 * np.sum(x[1] * (slope + strength) ** 2), rel=5e-2, abs=5e-2
    )
    h = [mp.mpf(value) * mp.log(value) / 4 - mp.mpf(value) / 4 for value in (x[0, 0], x[1, 0])]
    gap = h[0] - h[1] - mp.diff(lambda v: v * mp.log(v) / 4 - v / 4, x[1, 0]) * (x[0, 0] - x[1, 0])
    assert gap == pytest.approx((x[0, 0] * np.log(x[0, 0] / x[1, 0]) - x[0, 0] + x[1, 0]) / 4, abs=1e-8)


@about("dln-lasso-path/eq-4.3")
@few
@given(seeds, st.floats(2, 8))
def test_the_rescaled_dual_is_the_integral_of_the_slope(seed, log):
    M, r, strength, alpha = problem(seed)
    places = np.array([0.0, 0.5, 1.5])
    x, area = squares(M, r, strength, np.exp(-log) * alpha**2, places * log / 4)
    w = -np.log(x) / log
    assert 1 - w[0] == pytest.approx(2 * np.log(alpha) / log)
    scaled = area * 4 / log  # ∫ x ds
    assert w - w[0] == pytest.approx(scaled @ M + places[:, None] * (strength - r), abs=1e-6)


@about("dln-lasso-path/lem-4.3-constant")
@given(st.floats(0.02, 0.2), st.floats(1, 20))
def test_the_image_exceeds_the_printed_constant_and_not_its_root(m, time):
    x, _ = squares(np.array([[m]]), np.array([m]), 0.0, np.array([0.9]), np.array([0.0, time]))
    largest = max(0.0, float(np.max(m * x**2 / 2 - m * x))) + 1e-6  # a positive C_1
    constant = 2 * m * (m + 2 * largest + m)
    assert m * x[-1, 0] > constant
    assert (m * x[-1, 0]) ** 2 <= constant


@about("dln-lasso-path/lem-4.4")
@few
@given(seeds)
def test_the_trajectory_is_the_entropic_projection_at_each_time(seed):
    M, r, _, start = problem(seed, 3, 2)
    x, _ = squares(M, r, 0.0, start, np.array([0.0, 0.4]))
    kernel = np.linalg.svd(M)[2][-1]
    reach = np.linspace(-0.2, 0.2, 41)
    points = np.array([x[1] + step * kernel for step in reach if (x[1] + step * kernel > 0).all()])
    values = np.sum(points * np.log(points / x[0]) - points + x[0], axis=1) / 4
    here = np.sum(x[1] * np.log(x[1] / x[0]) - x[1] + x[0]) / 4
    assert here <= values.min() + 1e-9


@about("dln-lasso-path/eq-4.8")
@given(st.floats(0.1, 3), st.floats(0, 50), st.floats(30, 500))
def test_the_divergence_lies_between_its_bounds(alpha, x, log):
    start = mp.mpf(alpha) ** 2 * mp.exp(-log)
    divergence = (x * mp.log(x / start) - x + start) / 4 if x else start / 4
    assert log * x / 8 - 1 / (4 * mp.e) <= divergence <= log * x / 2 + x**2 / 4 + 1


@about("dln-lasso-path/prop-4.1")
@few
@given(seeds)
def test_trajectories_are_bounded_however_small_they_start(seed):
    """For three weights, M of rank two and no decay, the largest length changes little from ε = 1e-3 to 1e-9."""
    M, r, _, alpha = problem(seed, 3, 2)
    r = M @ np.abs(np.linalg.lstsq(M, r, rcond=None)[0])  # the image of a nonnegative point
    largest = []
    for log in (3 * np.log(10), 9 * np.log(10)):
        x, _ = squares(M, r, 0.0, np.exp(-log) * alpha**2, np.linspace(0, 4 * log, 60))
        largest.append(np.linalg.norm(x, axis=1).max())
    assert largest[1] < 2 * largest[0] + 1


@about("dln-lasso-path/sec-3.1")
@few
@given(seeds)
def test_paths_are_monotone_where_weights_pull_each_other_up(seed):
    generator = np.random.default_rng(seed)
    pull = generator.uniform(0, 1, size=(3, 3))
    M = np.diag(generator.uniform(0.2, 1, size=3)) - np.tril(pull, -1) - np.tril(pull, -1).T
    M += np.diag((np.tril(pull, -1) + np.tril(pull, -1).T).sum(axis=1))
    r = generator.normal(size=3) * 2
    path = np.array([mu * positive_lasso(M, r, 1 / mu)[1] for mu in np.geomspace(0.2, 10, 8)])
    assert np.diff(path, axis=0).min() > -1e-4


@about("dln-lasso-path/sec-5.1.2")
@few
@given(seeds)
def test_two_factors_are_squares_at_half_the_time(seed):
    M, r, strength, beta = problem(seed)
    gamma = np.random.default_rng(seed + 1).normal(size=2)

    def velocity(t, state):
        u, v = state[:2], state[2:]
        pull = M @ (u * v) - r
        return np.concatenate([-v * pull - strength * u, -u * pull - strength * v])

    end = solve_ivp(velocity, (0, 1.0), [*beta, *gamma], "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    doubled, pulls = np.block([[M, -M], [-M, M]]), np.concatenate([r, -r])
    start = np.concatenate([(beta + gamma) / 2, (beta - gamma) / 2]) ** 2
    parts, _ = squares(doubled, pulls, strength, start, np.array([0.0, 0.5]))
    assert parts[1, :2] - parts[1, 2:] == pytest.approx(end[:2] * end[2:], abs=1e-6)


@about("dln-lasso-path/lem-4.10")
@few
@given(seeds, st.floats(0.01, 0.99))
def test_the_positive_lasso_is_zero_below_the_threshold(seed, share):
    M, r, strength, _ = problem(seed, 3, 2)
    mu = share / max(np.abs(r - strength).max(), 1)
    assert positive_lasso(M, r, strength + 1 / mu)[1] == pytest.approx(np.zeros(3), abs=1e-7)
    assert (1 + mu * strength - mu * r > 0).all()


def scaled_dual(M, r, strength, mu):
    """The dual path at μ, divided by 1 + μλ."""
    return mu * (M @ positive_lasso(M, r, strength + 1 / mu)[1] - r + strength + 1 / mu) / (1 + mu * strength)


@about("dln-lasso-path/lem-4.11")
@about("dln-lasso-path/lem-4.11-display")
@few
@given(seeds, st.floats(0.2, 3), st.floats(0.2, 3))
def test_the_scaled_dual_path_is_no_faster_than_r(seed, mu, nu):
    M, r, strength, _ = problem(seed)
    inverted = np.linalg.pinv(M)
    apart = scaled_dual(M, r, strength, mu) - scaled_dual(M, r, strength, nu)
    assert np.sqrt(apart @ inverted @ apart) <= abs(mu - nu) * np.sqrt(r @ inverted @ r) * (1 + 1e-6) + 1e-5
    one, minus = np.eye(1), -np.ones(1)  # M = 1 and r = −1, where z = 0 and w = 1 + μ
    alone = (scaled_dual(one, minus, 0, 4) - scaled_dual(one, minus, 0, 1)).item()
    assert alone**2 > abs(4 - 1)
    assert alone <= abs(4 - 1) * (1 + 1e-6) + 1e-5


@about("dln-lasso-path/lem-5.1")
@few
@given(seeds, st.floats(0.1, 2))
def test_the_split_problem_is_no_better(seed, penalty):
    M, r, *_ = problem(seed)
    generator = np.random.default_rng(seed)
    pos, neg = generator.uniform(0, 1, size=(2, 2))
    doubled, pulls = np.block([[M, -M], [-M, M]]), np.concatenate([r, -r])

    def lasso(x, matrix, vector):
        return x @ matrix @ x / 2 - vector @ x + penalty * np.abs(x).sum()

    apart = lasso(np.concatenate([pos, neg]), doubled, pulls) - lasso(pos - neg, M, r)
    assert apart == pytest.approx(2 * penalty * np.minimum(pos, neg).sum())
    least, split = positive_lasso(doubled, pulls, penalty)
    assert lasso(split[:2] - split[2:], M, r) == pytest.approx(least, abs=1e-6)


@about("dln-lasso-path/sec-2.2")
def test_the_share_of_monotone_paths_of_least_angle_regression():
    """Between two kinks x is affine in the penalty 1/μ, so the slope of z = μx in μ is x continued to penalty zero."""
    generator = np.random.default_rng(5)
    monotone = []
    for _ in range(300):
        X, y = generator.normal(size=(3, 4)), generator.normal(size=3)
        penalties, _, path = lars_path(X, y, method="lasso")
        before, after = path[:, :-1], path[:, 1:]
        continued = after + (after - before) * penalties[1:] / (penalties[:-1] - penalties[1:])
        monotone.append((continued * np.sign(before + after) > -1e-8).all())
    assert abs(np.mean(monotone) - 0.76) < 0.08


@about("dln-lasso-path/thm-3.2-energy")
@few
@given(seeds, st.floats(0.3, 3))
def test_the_energy_is_the_gap_of_the_objective(seed, s):
    M, r, strength, x = problem(seed)
    penalty = strength + 1 / s
    least, minimizer = positive_lasso(M, r, penalty)
    apart = s * (x - minimizer)
    w = s * (M @ minimizer - r + penalty)
    energy = w @ apart + apart @ M @ apart / 2
    assert energy / s**2 == pytest.approx(x @ M @ x / 2 - r @ x + penalty * x.sum() - least, abs=1e-5)


@about("dln-lasso-path/thm-3.1")
@about("dln-lasso-path/thm-2.1")
@few
@given(st.floats(0.5, 2), st.floats(-3, 3), st.floats(0, 0.5), st.floats(0.3, 3))
@example(m=0.5, pull=-2.0, strength=0.0, s=1.0)  # the largest gap that was drawn
def test_one_weight_follows_soft_thresholding(m, pull, strength, s):
    """The path of one weight is monotone. The gap falls like 1/log(1/ε)² or faster, here from ε = 1e-25."""
    log = 25 * np.log(10)

    def velocity(t, state):
        u, v, _ = state
        slope = m * u * v - pull
        return [-v * slope - strength * u, -u * slope - strength * v, u * v]

    start = np.exp(-log / 2)
    end = solve_ivp(velocity, (0, s * log / 2), [start, 0.4 * start, 0], "LSODA", rtol=1e-9, atol=1e-20).y[2, -1]
    average = end / (s * log / 2)
    expected = np.sign(pull) * max(abs(pull) - strength - 1 / s, 0) / m

    def lasso(x):
        return m * x**2 / 2 - pull * x + (strength + 1 / s) * abs(x)

    assert lasso(average) == pytest.approx(lasso(expected), abs=0.02)


@about("dln-lasso-path/thm-3.2")
@about("dln-lasso-path/thm-2.2")
def test_a_path_that_is_not_monotone_leaves_a_gap_that_heals():
    """Weights 1 and 2 compete, so z_2 grows and falls back; after that the gap rises, and then falls with s."""
    M, r = np.array([[1.0, 0.9, 0], [0.9, 1.0, 0.6], [0, 0.6, 1.0]]), np.array([1.0, 1.2, 1.0])
    log = 30.0
    places = np.linspace(0.8, 60, 120)
    _, area = squares(M, r, 0.0, np.exp(-log) * np.ones(3), np.concatenate([[0.0], places * log / 4]))
    averages = area[1:] / (places * log / 4)[:, None]
    z, gaps = [], []
    for s, x in zip(places, averages, strict=True):
        least, minimizer = positive_lasso(M, r, 1 / s)
        z.append(s * minimizer)
        gaps.append(x @ M @ x / 2 - r @ x + x.sum() / s - least)
    fallen = np.cumsum(np.maximum(-np.diff(z, axis=0), 0).sum(axis=1) * (1 + places[1:]))
    assert fallen[-1] > 0.1
    rate = np.sqrt(fallen) / places[1:] + fallen / places[1:] ** 2
    assert (np.array(gaps[1:]) <= 2 * rate + 0.05).all()
    assert gaps[-1] < 0.2 * max(gaps)
