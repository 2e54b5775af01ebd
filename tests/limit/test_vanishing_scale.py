"""Limits as the scale vanishes: which L1 minimizer is chosen, and averages over time on the Lasso path."""

import numpy as np
import pytest

import implicit_bias as ib


@pytest.mark.parametrize("seed", range(25))
def test_of_all_l1_minimizers_the_limit_has_the_least_entropy(seed):
    """Its slopes sgn(x)(log|x| + 1) − b of Σ |x| log|x| − b·x are orthogonal to the face, which has other points."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 5))
    face = d + int(rng.integers(1, 4))
    signs, n = rng.choice([-1.0, 1.0], face), face + 4
    Z = rng.standard_normal((d, n))
    # Zᵀ(1, 0, …) has these signs on the face and is below one elsewhere: every such solution has the least L1 norm.
    Z[0] = np.append(signs, rng.uniform(-0.7, 0.7, 4))
    truth = np.append(signs * rng.uniform(0.2, 2, face), np.zeros(4))
    shift = rng.uniform(-2, 2, n)
    x = ib.bregman_projection(ib.Regression(Z, Z @ truth), ib.HyperbolicEntropy(log_scale=-500.0, shift=shift)).x
    assert np.max(np.abs(x[face:])) < 1e-30
    assert np.all(x[:face] * signs > 0)
    along = np.linalg.svd(Z[:, :face])[2][d:]  # directions along the face
    slopes = signs * (np.log(np.abs(x[:face])) + 1) - shift[:face]
    assert np.max(np.abs(along @ slopes)) < 1e-10
    assert np.max(np.abs(along @ (x - truth)[:face])) > 1e-3


@pytest.mark.parametrize("seed", range(25))
def test_averages_over_time_are_lasso_minimizers_while_no_weight_returns(seed):
    """The gradient at the average is −s/(2τ), and s is at the wall of every weight that has moved and not returned."""
    rng = np.random.default_rng(seed)
    problem = ib.Regression(rng.standard_normal((5, 9)), rng.standard_normal(5))
    path = ib.saddle_to_saddle(problem)
    borders = np.append(0.0, path.times)
    lasted = 0
    for k in range(1, len(borders)):
        average = np.diff(borders[: k + 1]) @ path.x[:k] / borders[k]
        strength = 1 / (2 * borders[k])
        gradient = problem.gradient(average)
        assert np.max(np.abs(gradient)) <= strength * (1 + 1e-10)
        has_stayed = all(set(a) <= set(b) for a, b in zip(path.supports[: k - 1], path.supports[1:k], strict=True))
        if has_stayed:
            lasted += 1
            moved = average != 0
            np.testing.assert_allclose(gradient[moved], -strength * np.sign(average[moved]), rtol=1e-9)
    assert lasted >= 2
