"""Stochastic gradient flow of a diagonal network: paths in closed form and by small steps, moments by enumeration."""

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statements import about

sizes = st.floats(0.2, 1.5)


def path(seed, steps, noise):
    """w₊ and w₋ by Euler and Maruyama for the slope g = cos t, with the sum of −4g dt + 2s dB."""
    generator = np.random.default_rng(seed)
    dt = 1 / steps
    high = low = 1.0
    moved = 0.0
    for k, kick in enumerate(generator.normal(0, math.sqrt(dt), steps)):
        change = 2 * math.cos(k * dt) * dt - noise * kick
        high, low, moved = high * (1 - change), low * (1 + change), moved - 2 * change
    return high, low, moved


@about("stochastic-flow/scale")
@pytest.mark.parametrize("noise", [0.3, 0.8])
def test_the_scale_falls_by_the_quadratic_variation_on_every_path(noise):
    for seed in range(3):
        high, low, _ = path(seed, 20_000, noise)
        assert math.log(high * low) == pytest.approx(-(noise**2), abs=0.03)


@about("stochastic-flow/solution")
def test_the_slope_of_the_potential_follows_the_noise_without_a_correction():
    for seed in range(3):
        high, low, moved = path(seed, 20_000, 0.7)
        x, square = mp.mpf(high**2 - low**2), mp.mpf(high * low)

        def potential(y, square=square):
            return (y * mp.asinh(y / (2 * square)) - mp.sqrt(y**2 + 4 * square**2) + 2 * square) / 4

        assert 4 * float(mp.diff(potential, x)) == pytest.approx(moved, abs=0.02)


@about("stochastic-flow/loss-controls-the-scale")
@given(st.lists(st.tuples(sizes, sizes), min_size=2, max_size=5))
def test_independent_residuals_and_data_give_the_loss_times_the_curvature(pairs):
    """All combinations of a residual and an observation, each as likely."""
    residuals, entries = zip(*pairs, strict=True)
    step = 0.1
    slopes = [r / 2 * z for r, z in itertools.product(residuals, entries)]
    loss, curvature = np.sum(np.square(residuals)) / (4 * len(pairs)), np.mean(np.square(entries))
    # A step changes log w± by 2γg, so its square is the variation in the time γ.
    assert np.mean(np.square([2 * step * each for each in slopes])) / step == pytest.approx(4 * step * loss * curvature)


@about("stochastic-flow/isotropic-noise")
@given(sizes, sizes, sizes, sizes)
def test_the_second_moment_is_that_of_the_model_plus_a_covariance(r1, r2, z1, z2):
    moment = np.mean([(r1 * z1 / 2) ** 2, (r2 * z2 / 2) ** 2])
    model = (r1**2 + r2**2) / 8 * (z1**2 + z2**2) / 2
    covariance = np.cov([r1**2 / 4, r2**2 / 4], [z1**2, z2**2], ddof=0)[0, 1]
    assert moment == pytest.approx(model + covariance)
    assert covariance == pytest.approx((r1**2 - r2**2) * (z1**2 - z2**2) / 16, abs=1e-12)


@about("stochastic-flow/gain-of-a-weight")
def test_two_weights_seen_by_one_observation_each_gain_by_their_own_residuals():
    """Observations (1, 0) and (0, 1), of which the second is fitted: its weight gains nothing."""
    generator = np.random.default_rng(1)
    step, runs = 0.02, 30
    u, v = np.full((runs, 2), 0.5), np.zeros((runs, 2))
    moments, model = np.zeros(2), np.zeros(2)
    for _ in range(1500):
        residual = u * v - np.array([1.0, 0.0])
        moments += step**2 * np.mean(residual**2, axis=0) / 2
        model += step**2 * np.mean(residual**2) / 2
        seen = np.eye(2)[generator.integers(2, size=runs)]
        move = step * residual * seen
        u, v = u - move * v, v - move * u
    gain = -np.mean(np.log((u**2 - v**2) / 0.25), axis=0)
    assert gain[0] == pytest.approx(moments[0], rel=0.1)
    assert gain[1] == pytest.approx(0, abs=1e-12)
    assert gain[0] / model[0] > 1.5
