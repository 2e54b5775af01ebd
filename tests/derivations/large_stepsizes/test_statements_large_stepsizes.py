"""Even et al. on x = uv with large steps: single steps in exact fractions, and runs against their conditions."""

import math
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize
from statements import about, few

values = st.fractions(-2, 2, max_denominator=50)
moves = st.floats(-2.5, 2.5)


def gain(z):
    return -math.log(abs(1 - z * z))


@about("large-stepsizes/gain")
@about("large-stepsizes/iterates")
@few
@given(values, values, values)
def test_a_step_multiplies_the_scale_and_moves_the_dual_variable(u, v, z):
    assume(abs(u) != abs(v) and abs(z) != 1)
    after_u, after_v = u - z * v, v - z * u
    before, after = abs(u**2 - v**2) / 2, abs(after_u**2 - after_v**2) / 2
    assert float(after / before) == pytest.approx(math.exp(-gain(float(z))), rel=1e-12)
    with mp.workdps(30):
        moved = mp.asinh(mp.mpf(u.numerator * v.numerator) / (u.denominator * v.denominator) / fraction(before))
        moved += mp.log(abs((1 - fraction(z)) / (1 + fraction(z))))
        assert float(fraction(after) * mp.sinh(moved) - fraction(after_u * after_v)) == pytest.approx(0, abs=1e-20)


def fraction(value: Fraction):
    return mp.mpf(value.numerator) / value.denominator


@about("large-stepsizes/positive-gain")
@given(moves)
def test_a_gain_is_positive_for_moves_below_the_root_of_two(z):
    assume(min(abs(abs(z) - 1), abs(abs(z) - math.sqrt(2)), abs(z)) > 1e-4)
    assert (gain(z) > 0) == (abs(z) < 1.4142135623730951)


@about("large-stepsizes/shift")
@few
@given(st.floats(-0.9, 0.9))
def test_the_asymmetry_moves_by_the_stated_integral(z):
    added = math.log((1 - z) / (1 + z)) + 2 * z
    assert float(mp.quad(lambda at: -2 * at**2 / (1 - at**2), [0, z])) == pytest.approx(added, abs=1e-12)
    assert abs(added) <= abs(z) ** 3 / (1 - z * z) + 1e-15


@about("large-stepsizes/noise-adds-gain")
@given(st.lists(st.floats(-0.95, 0.95), min_size=2, max_size=6))
def test_batches_gain_at_least_what_their_mean_does(slopes):
    assert np.mean([gain(each) for each in slopes]) >= gain(float(np.mean(slopes))) - 1e-12
    assert float(mp.diff(lambda z: -mp.log(1 - z**2), slopes[0], 2)) == pytest.approx(
        2 * (1 + slopes[0] ** 2) / (1 - slopes[0] ** 2) ** 2, rel=1e-6
    )


def trained(Z, y, u, v, step, steps, generator=None):
    """The end of training, with the scale and the asymmetry that it reached."""
    scale, start = np.abs(u**2 - v**2) / 2, np.log(np.abs((u + v) / (u - v)))
    for _ in range(steps):
        chosen = slice(None) if generator is None else generator.integers(len(y), size=1)
        move = step * Z[chosen].T @ (Z[chosen] @ (u * v) - y[chosen]) / len(Z[chosen])
        scale, start = scale * np.abs(1 - move**2), start + np.log(np.abs((1 - move) / (1 + move))) + 2 * move
        u, v = u - move * v, v - move * u
    return u, v, scale, start


@about("large-stepsizes/limit")
@pytest.mark.parametrize("noisy", [False, True])
def test_the_end_of_a_run_minimizes_its_own_potential(noisy):
    generator = np.random.default_rng(4)
    Z = generator.normal(size=(2, 3))
    y = np.array([0.7, -0.4])
    u, v = np.array([0.9, 0.7, 0.8]), np.array([0.1, -0.2, 0.3])
    u, v, scale, shift = trained(Z, y, u, v, 0.1, 1200, generator if noisy else None)
    null = np.linalg.svd(Z)[2][-1]

    def potential(t):
        x = u * v + t * null
        return np.sum(x * np.arcsinh(x / scale) - np.sqrt(x**2 + scale**2) - shift * x) / 2

    assert np.allclose(Z @ (u * v), y, atol=1e-8)
    assert minimize(lambda t: potential(t[0]), [0.05], tol=1e-12).x[0] == pytest.approx(0, abs=1e-5)


def fitted(Z, y, u, v):
    """The weights, moved onto the solutions by Newton's steps in the metric 2√(x² + a²)."""
    x, scale = u * v, np.abs(u**2 - v**2) / 2
    for _ in range(5):
        metric = np.sqrt(x**2 + scale**2)
        x = x + metric * (Z.T @ np.linalg.solve((Z * metric) @ Z.T, y - Z @ x))
    return x


@about("large-stepsizes/large-steps")
def test_large_steps_hinder_gd_and_help_sgd_on_sparse_problems():
    generator = np.random.default_rng(0)
    relative = []
    for seed in range(5):
        Z = np.random.default_rng(seed).normal(size=(6, 12))
        sparse = np.zeros(12)
        sparse[:2] = 1.0, -1.0
        y, u, v = Z @ sparse, np.full(12, 0.1 * np.sqrt(2)), np.zeros(12)
        gentle = trained(Z, y, u, v, 0.03, 400)
        critical = 2 / np.linalg.eigvalsh((Z * (gentle[0] ** 2 + gentle[1] ** 2)) @ Z.T / 6)[-1]
        runs = gentle, trained(Z, y, u, v, 0.85 * critical, 150), trained(Z, y, u, v, 0.2 * critical, 400, generator)
        small, large, noisy = (np.linalg.norm(fitted(Z, y, *run[:2]) - sparse) for run in runs)
        relative.append((large / small, noisy / small))
    hindered, helped = np.median(relative, axis=0)
    assert hindered > 1.02
    assert helped < 0.95


@about("large-stepsizes/gain-on-the-support")
def test_gd_gains_on_the_support_and_sgd_everywhere():
    generator = np.random.default_rng(7)
    Z = generator.normal(size=(30, 60))
    sparse = np.zeros(60)
    sparse[:3] = 100.0, -100.0, 100.0
    u, v = np.full(60, 0.1 * np.sqrt(2)), np.zeros(60)
    whole = np.log(0.01 / trained(Z, Z @ sparse, u, v, 1e-3, 400)[2])
    single = np.log(0.01 / trained(Z, Z @ sparse, u, v, 1e-3, 800, generator)[2])
    assert whole[:3].mean() / whole[3:].mean() > 4 > 2.5 > single[:3].mean() / single[3:].mean()
    assert single[3:].mean() > whole[:3].mean()


@about("large-stepsizes/edge-of-stability")
def test_beyond_the_critical_step_the_curvature_ends_at_the_edge():
    """One observation of one weight: the sharpness of ½(x − 1)² is u² + v², 2.75 at the end of the flow."""
    Z, y, step = np.array([[1.0]]), np.array([1.0]), 0.74
    u, v, scale, _ = trained(Z, y, np.array([1.5]), np.array([0.6]), step, 1500)
    sharpness = float((u**2 + v**2)[0])
    assert float((u * v)[0]) == pytest.approx(1, abs=1e-6)
    assert sharpness == pytest.approx(2 * math.sqrt(float((u * v)[0]) ** 2 + float(scale[0]) ** 2), rel=1e-9)
    assert 2 * math.sqrt(1 + 0.945**2) > 2 / step > sharpness > 0.95 * 2 / step
