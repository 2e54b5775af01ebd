"""Regrets of the updates in play, and the spectral statements on random matrices."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from statements import about, few

ROUNDS = 60


def projected(w, beta):
    """The point of the 1-ball of least divergence from w: soft thresholding in the dual."""
    if np.abs(w).sum() <= 1:
        return w
    size = np.arcsinh(np.abs(w) / beta)
    level = brentq(lambda cut: beta * np.sinh(np.maximum(size - cut, 0)).sum() - 1, 0, size.max())
    return np.sign(w) * beta * np.sinh(np.maximum(size - level, 0))


def regret(gradients, eta, beta, best):
    """Of linear losses against the best fixed point; in one dimension the ball is an interval."""
    w, loss = np.zeros(gradients.shape[1]), 0.0
    for g in gradients:
        loss += g @ w
        w = projected(beta * np.sinh(np.arcsinh(w / beta) - eta * g), beta)
    return loss - best(gradients.sum(0))


def dual_of_1(total):
    return -np.abs(total).max()


games = st.tuples(st.integers(0, 10**6), st.sampled_from(["random", "constant", "turning"]))


def play(game, d):
    """Gradients of size at most 1: random signs, the same all the time, or turned around once."""
    seed, kind = game
    generator = np.random.default_rng(seed)
    if kind == "random":
        return generator.choice([-1.0, 1.0], size=(ROUNDS, d))
    gradients = np.tile(generator.choice([-1.0, 1.0], size=d), (ROUNDS, 1))
    if kind == "turning":
        gradients[generator.integers(1, ROUNDS) :] *= -1
    return gradients


@about("exponentiated-gradient/thm-2")
@about("exponentiated-gradient/thm-24")
@about("exponentiated-gradient/thm-21")
@few
@given(games, st.floats(1, 20))
def test_regret_on_an_interval_stays_below_the_bounds(game, beta):
    gradients = play(game, 1)
    modulus, diameter = 1 / (1 + beta), 2 / beta
    printed = math.sqrt(1 / (beta * (beta + 1) * ROUNDS))
    found = regret(gradients, printed, beta, dual_of_1)
    assert found <= 4 * math.sqrt(ROUNDS)
    assert found <= diameter / printed + printed * ROUNDS / (2 * modulus)
    best = math.sqrt(2 * modulus * diameter / ROUNDS)
    assert regret(gradients, best, beta, dual_of_1) <= math.sqrt(2 * diameter * ROUNDS / modulus)
    assert best == pytest.approx(2 * printed)
    assert diameter / best + best * ROUNDS / (2 * modulus) == pytest.approx(math.sqrt(2 * diameter * ROUNDS / modulus))


@about("exponentiated-gradient/thm-3")
@few
@given(games, st.floats(0.05, 1), st.integers(1, 5))
def test_regret_in_the_1_ball_stays_below_the_bound(game, beta, d):
    size = math.log(3 / beta)
    eta = math.sqrt(size / (2 * ROUNDS * (1 + beta * d)))
    found = regret(play(game, d), eta, beta, dual_of_1)
    assert found <= 1.768 * math.sqrt(ROUNDS * (1 + beta * d) * size) <= 3 * math.sqrt(ROUNDS * (1 + beta * d) * size)


@about("exponentiated-gradient/thm-4")
@few
@given(games, st.floats(0.05, 1), st.floats(0.5, 4), st.integers(1, 4))
def test_regret_of_diagonal_matrices_stays_below_the_bound(game, gamma, tau, m):
    """On diagonal matrices the spectral update acts on the diagonal, and the ball of radius τ is a scaled 1-ball."""
    size = math.log(3 / gamma)
    eta = math.sqrt(size / (ROUNDS * (1 + gamma * m))) / 2
    found = tau * regret(play(game, m), eta, gamma, dual_of_1)
    assert found <= 2.5 * tau * math.sqrt(ROUNDS * (1 + gamma * m) * size)


@about("exponentiated-gradient/lem-22")
@given(st.tuples(*[st.floats(-2, 2)] * 6))
def test_three_divergences_obey_the_law_of_cosines(numbers):
    """For R = Σ cosh."""
    x, y, z = np.array(numbers).reshape(3, 2)

    def divergence(to, of):
        return np.sum(np.cosh(to) - np.cosh(of) - np.sinh(of) * (to - of))

    turn = (np.sinh(z) - np.sinh(y)) @ (x - y)
    assert divergence(x, z) == pytest.approx(divergence(x, y) + divergence(y, z) - turn, abs=1e-9)


@about("exponentiated-gradient/lem-18")
@given(st.floats(-4, 4), st.floats(1e-3, 4))
def test_half_of_the_sum_of_slopes_bounds_their_mean(a, width):
    b = a + width
    mean = (math.sinh(b) - math.sinh(a)) / width
    assert mean <= (math.cosh(a) + math.cosh(b)) / 2 * (1 + 1e-9)
    assert mean / (math.cosh(a) + math.cosh(b)) == pytest.approx(math.tanh(width / 2) / width, rel=1e-6)


@about("exponentiated-gradient/thm-14")
@about("exponentiated-gradient/thm-14-sets")
@few
@given(st.integers(0, 10**6), st.floats(0.05, 2), st.floats(0.3, 3))
def test_the_spectral_hypentropy_is_as_convex_as_stated_in_the_trace_norm(seed, beta, tau):
    generator = np.random.default_rng(seed)
    X, Y = generator.normal(size=(2, 2, 3))
    X, Y = (tau * generator.uniform() * Z / np.linalg.norm(Z, "nuc") for Z in (X, Y))

    def value(Z):
        singular = np.linalg.svd(Z, compute_uv=False)
        return np.sum(singular * np.arcsinh(singular / beta) - np.hypot(singular, beta))

    left, singular, right = np.linalg.svd(Y, full_matrices=False)
    gradient = left * np.arcsinh(singular / beta) @ right
    divergence = value(X) - value(Y) - np.sum(gradient * (X - Y))
    assert divergence >= np.linalg.norm(X - Y, "nuc") ** 2 / (4 * (tau + 2 * beta)) - 1e-12
    symmetric = np.block([[np.zeros((2, 2)), X], [X.T, np.zeros((3, 3))]])
    assert np.linalg.norm(symmetric, "nuc") == pytest.approx(2 * np.linalg.norm(X, "nuc"))
