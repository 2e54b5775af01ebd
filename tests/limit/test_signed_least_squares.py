"""Least squares over weights of given signs against exact fractions, with bounds that hold and mean something."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from implicit_bias.limit.signed_least_squares import signed_least_squares
from implicit_bias.linear_map import DenseMap
from tests.limit.exact_paths import exact_minimizer


def fitted(Z, y, signs, start=None):
    Z, signs = np.asarray(Z, float), np.asarray(signs, float)
    return signed_least_squares(
        DenseMap(Z), np.asarray(y, float), signs, np.zeros(len(signs)) if start is None else start
    )


systems = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda shape: st.tuples(
        st.lists(
            st.lists(st.integers(-3, 3), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
        ),
        st.lists(st.integers(-4, 4), min_size=shape[0], max_size=shape[0]),
        st.lists(st.integers(-1, 1), min_size=shape[1], max_size=shape[1]),
    )
)


@given(systems)
@example(([[1, 1]], [1], [1, 1]))
@example(([[1, 2], [2, 1], [1, -1]], [1, 0, 3], [1, 1]))
def test_the_minimizer_and_its_bounds_against_fractions(system):
    """Bounds on weights, residual and push are never below the true errors; nothing that may move is left out."""
    Z, y, signs = system
    signs = [sign if any(row[i] for row in Z) else 0 for i, sign in enumerate(signs)]
    exact = [[Fraction(value) for value in row] for row in Z]
    x, push, is_unique = exact_minimizer(exact, [Fraction(value) for value in y], signs)
    fit = fitted(Z, y, signs)
    assert np.isfinite(fit.error_bound) == is_unique
    rest = [b - sum(a * v for a, v in zip(row, x, strict=True)) for row, b in zip(exact, y, strict=True)]
    gap = sum((Fraction(float(a)) - b) ** 2 for a, b in zip(fit.residual, rest, strict=True))
    if np.isfinite(fit.residual_error):
        assert gap <= Fraction(fit.residual_error) ** 2
        for found, bound, true in zip(fit.push, fit.push_error, push, strict=True):
            assert abs(Fraction(float(found)) - true) <= Fraction(float(bound))
    if is_unique:
        square = sum((Fraction(float(a)) - b) ** 2 for a, b in zip(fit.x, x, strict=True))
        assert square <= Fraction(fit.error_bound) ** 2
        assert fit.error_bound < 1e-11
        assert max(fit.residual_error, np.max(fit.push_error)) < 1e-11
        assert fit.is_held.tolist() == [bool(sign) and (x[i] != 0 or push[i] == 0) for i, sign in enumerate(signs)]


@pytest.mark.parametrize("seed", range(15))
def test_another_start_and_another_solver(seed):
    """SciPy's solver for bounds agrees, and a feasible start of any support leads to the same point."""
    rng = np.random.default_rng(seed)
    Z, y = rng.standard_normal((8, 7)) * 10.0 ** rng.integers(-3, 4, 7), rng.standard_normal(8)
    signs = rng.choice([-1.0, 1.0], 7)
    fit = fitted(Z, y, signs)
    lower, upper = np.where(signs < 0, -np.inf, 0), np.where(signs < 0, 0, np.inf)
    found = lsq_linear(Z, y, (lower, upper), method="bvls", tol=1e-14).x
    np.testing.assert_allclose(fit.x, found, rtol=1e-8, atol=1e-12 / np.min(np.max(np.abs(Z), axis=0)))
    again = fitted(Z, y, signs, signs * rng.uniform(0, 1, 7) * (rng.uniform(size=7) < 0.5))
    assert np.linalg.norm(again.x - fit.x) <= fit.error_bound + again.error_bound
    assert fit.error_bound <= 1e-8 * np.linalg.norm(fit.x)


def test_near_dependence_widens_the_bound():
    """Columns that differ by δ have the smallest singular value δ/√2 over their size, and a bound like 1/δ²."""
    bounds = []
    for delta in (1e-2, 1e-4):
        Z = np.array([[1.0, 1.0], [0.5, 0.5 + delta], [0.3, 0.3]])
        fit = fitted(Z, Z @ [0.7, 0.4], [1, 1])
        assert np.linalg.norm(fit.x - [0.7, 0.4]) <= fit.error_bound
        bounds.append(fit.error_bound)
    assert 1e3 < bounds[1] / bounds[0] < 1e5
    assert fitted([[1.0, 1.0], [0.5, 0.5]], [1.0, 0.2], [1, 1]).error_bound == np.inf
