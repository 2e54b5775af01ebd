"""The induced penalties, by constrained minimization and random factors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from statements import about, few

seeds = st.integers(0, 10**6)
weights = st.floats(0.05, 3)


def least(depth, weight):
    """The least sum of squares of factors with a product, over the logarithms of all but the last one."""

    def total(logs):
        sizes = np.exp(logs)
        return np.sum(sizes**2) + (weight / np.prod(sizes)) ** 2

    return minimize(total, np.linspace(-0.3, 0.3, depth - 1), method="BFGS", options={"gtol": 1e-10}).fun


@about("smoothing-the-edges/depth-2")
@about("smoothing-the-edges/depth-d")
@few
@given(st.integers(2, 6), weights)
def test_the_least_sum_of_squares(depth, weight):
    assert least(depth, weight) == pytest.approx(depth * weight ** (2 / depth), rel=1e-6)
    assert least(2, weight) == pytest.approx(2 * weight, rel=1e-6)


@about("smoothing-the-edges/group")
@about("smoothing-the-edges/deep-group")
@few
@given(seeds, st.integers(2, 4))
def test_the_least_penalty_of_a_group(seed, depth):
    beta = np.random.default_rng(seed).normal(size=3)

    def penalty(logs):
        scales = np.exp(logs)
        return np.sum((beta / np.prod(scales)) ** 2) + np.sum(scales**2)

    found = minimize(penalty, np.zeros(depth - 1), method="BFGS", options={"gtol": 1e-10}).fun
    assert found == pytest.approx(depth * np.linalg.norm(beta) ** (2 / depth), rel=1e-6)


@about("smoothing-the-edges/difference")
@given(st.floats(-3, 3))
def test_the_least_penalty_of_a_difference(beta):
    q = np.linspace(0, 2, 201)
    p_squared = np.maximum(beta, 0) + q**2
    assert np.min(2 * p_squared - beta) == pytest.approx(abs(beta), abs=1e-12)


@about("smoothing-the-edges/power")
@given(st.floats(-3, 3), st.floats(1, 5))
def test_the_penalty_of_a_power(u, power):
    beta = np.abs(u) ** (power - 1) * u
    assert u**2 == pytest.approx(np.abs(beta) ** (2 / power), rel=1e-6, abs=1e-12)


@about("smoothing-the-edges/local-minima")
@few
@given(st.floats(-2, 2), st.floats(0.02, 0.3), st.integers(2, 3))
def test_a_minimum_of_the_second_objective_is_one_of_the_first(target, strength, depth):
    def induced(beta):
        return np.cosh(beta - target) + strength * depth * abs(beta) ** (2 / depth)

    grid = np.linspace(-3, 3, 6001)
    beta = grid[np.argmin([induced(each) for each in grid])]
    beta = minimize_scalar(induced, bounds=(beta - 2e-3, beta + 2e-3), method="bounded", options={"xatol": 1e-12}).x
    beta = beta if induced(beta) < induced(0.0) else 0.0
    factors = np.full(depth, abs(beta) ** (1 / depth))
    factors[0] *= np.sign(beta) if beta else 1
    near = factors + np.random.default_rng(0).normal(size=(500, depth)) * 0.02
    values = np.cosh(np.prod(near, axis=1) - target) + strength * np.sum(near**2, axis=1)
    assert values.min() > induced(beta) - 1e-6


@about("smoothing-the-edges/open-product")
@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.05, 0.5))
def test_values_near_a_product_are_taken_near_its_factors(u, v, radius):
    angles, lengths = np.meshgrid(np.linspace(0, 2 * np.pi, 73), np.linspace(0, radius, 5))
    values = (u + lengths * np.cos(angles)) * (v + lengths * np.sin(angles))
    assert values.min() < u * v - radius**2 / 4
    assert values.max() > u * v + radius**2 / 4
