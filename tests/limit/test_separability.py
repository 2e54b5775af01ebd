"""INFEASIBLE on labels is a theorem: the verdicts beside an exact search over all supports of Farkas weights."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.sparse import csc_array

import implicit_bias as ib
from implicit_bias.limit import exact_combination
from implicit_bias.limit.exact_combination import cancelling
from implicit_bias.limit.separability import certified, inseparable
from implicit_bias.status import Status
from tests.limit.exact_paths import kernel


def fractions_of(rows):
    return [[Fraction(float(value)) for value in row] for row in rows]


def no_x_separates(rows):
    """Whether rows cancel with weights >= 0, by Carathéodory with at most n + 1 of them, in exact arithmetic."""
    rows = fractions_of(rows)
    for size in range(1, min(len(rows), len(rows[0]) + 1) + 1):
        for chosen in combinations(rows, size):
            count, weights = kernel(chosen)
            if count == 1 and (all(w >= 0 for w in weights) or all(w <= 0 for w in weights)):
                return True
    return False


def nearly_inseparable(seed):
    """Rows that cancel exactly, but for a relative change of 1e-8 to 1e-16, or not at all; in many units."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    d = int(rng.integers(2, n + 4))
    rows = rng.integers(-4, 5, (d, n)).astype(float) if seed % 2 else np.round(rng.standard_normal((d, n)), 3)
    if seed % 5:
        count = int(rng.integers(1, d))
        chosen = rng.permutation(d)[: count + 1]
        rows[chosen[-1]] = -(rng.integers(1, 5, count) @ rows[chosen[:-1]])
        if seed % 3:
            change = 10.0 ** -rng.integers(8, 17) * rng.standard_normal(n)
            rows[chosen[-1]] += change * np.abs(rows[chosen[-1]])
    if seed % 7 == 0:
        rows *= 2.0 ** rng.integers(-300, 300, (d, 1))
    if seed % 11 == 0:
        rows *= 2.0 ** rng.integers(-100, 100, n)
    y = rng.choice([-1.0, 1.0], d)
    return rows * y[:, None], y


@pytest.mark.parametrize("seed", range(120))
def test_no_verdict_is_false(seed):
    """INFEASIBLE only where rows cancel exactly, a proven margin only where they do not."""
    Z, y = nearly_inseparable(seed)
    problem, truth = ib.Regression(Z, y, loss="logistic"), no_x_separates(Z * y[:, None])
    found = [ib.max_margin(problem, geometry, throw=False) for geometry in ("l1", "l2", "linf")]
    for each in found:
        assert truth or each.status is not Status.INFEASIBLE
        assert not (truth and each.gap < np.inf)
    potential = ib.HyperbolicEntropy(scale=1.0)
    projected = ib.bregman_projection(problem, potential, constraint=">=", throw=False)
    assert truth or projected.status is not Status.INFEASIBLE
    assert not (truth and projected.error_bound < np.inf)
    for each in (*found, projected):
        if each.status is Status.INFEASIBLE:
            assert_proves(each.certificate, Z * y[:, None])


def assert_proves(certificate, rows):
    """The doubles are those nearest to exact weights: what is left of a sum is the rounding of its terms."""
    rows = fractions_of(rows)
    weights = [Fraction(float(p)) for p in certificate]
    assert min(weights) >= 0
    assert abs(sum(weights) - 1) <= len(weights) * Fraction(1, 2**53)
    for column in zip(*rows, strict=True):
        terms = [p * value for p, value in zip(weights, column, strict=True)]
        assert abs(sum(terms)) <= Fraction(1, 2**53) * sum(map(abs, terms))


@pytest.mark.parametrize("seed", range(40))
def test_rows_that_cancel_exactly_are_found(seed):
    """Of integers, and of doubles of full length that are orthogonal to a vector with few bits."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    rows = rng.integers(-9, 10, (n, n)).astype(float)
    if seed % 2:
        rows = np.round(rng.standard_normal((n, n)) * 2.0**40) / 2.0**40
    weights = rng.integers(1, 6, n).astype(float)
    rows = np.vstack([rows, -weights @ rows])
    y = rng.choice([-1.0, 1.0], n + 1)
    for geometry in ("l1", "l2", "linf"):
        found = ib.max_margin(ib.Regression(rows * y[:, None], y, loss="logistic"), geometry, throw=False)
        assert found.status is Status.INFEASIBLE
        assert_proves(found.certificate, rows)


@pytest.mark.parametrize("k", [6, 40, 101])
def test_random_doubles_of_real_problems(k):
    """One row more than columns: they depend on each other, with weights that have thousands of digits."""
    rng = np.random.default_rng(k)
    rows = rng.standard_normal((k, k - 1))
    null = np.linalg.svd(rows.T)[2][-1]
    rows *= np.sign(null)[:, None]
    found = inseparable(csc_array(rows))
    np.testing.assert_allclose(found, np.abs(null) / np.sum(np.abs(null)), rtol=1e-9)
    exact = cancelling(rows, np.abs(null))
    numbers = fractions_of(rows)
    assert all(sum(p * row[j] for p, row in zip(exact, numbers, strict=True)) == 0 for j in range(2))
    rows[0] = -rows[0]  # the only weights with which they cancel have a negative one now
    assert inseparable(csc_array(rows)) is None


combined = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.integers(-3, 3), min_size=n, max_size=n).filter(any), min_size=1, max_size=4),
        st.lists(st.integers(1, 4), min_size=4, max_size=4),
        st.lists(st.integers(-60, 60), min_size=5, max_size=5),
        st.lists(st.integers(-500, 400), min_size=4, max_size=4),
    )
)


@given(combined)
@example(([[1, 0], [0, 1], [1, 0]], [1, 1, 1, 1], [0] * 5, [0] * 4))  # two ways to cancel
@example(
    ([[3, -1, -1], [-1, 0, -3], [3, 0, 3], [-1, -1, 2]], [3, 1, 3, 1], [-58, 11, -25, -46, 39], [100, -371, -227, 288])
)
@example(([[2, 3], [-3, -3], [0, -2], [0, -2]], [1, 1, 1, 1], [48, -37, 47, -18, 56], [48, 334, -155, 281]))
@example(([[2]], [1, 1, 1, 1], [3, -4, 0, 0, 0], [7, 0, 0, 0]))
def test_weights_cancel_in_fractions(instance):
    """Whatever the units of rows and columns, λ >= 0 with Σλ = 1 and Σ λ_i rows_i = 0, to the last digit."""
    first, weights, row_powers, column_powers = instance
    rows = np.array(first, dtype=float)
    weights = np.append(weights[: len(rows)], 1).astype(float)
    rows = np.vstack([rows, -weights[:-1] @ rows])
    if not np.any(rows[-1]):
        return
    powers = np.array(row_powers[: len(rows)])
    scaled = np.ldexp(rows, powers[:, None] + np.array(column_powers[: rows.shape[1]]))
    # In units of powers of two, which round nothing: if two weights or more can be chosen, they are taken as given.
    sizes = np.frexp(np.max(np.abs(scaled), axis=1))[1] - powers
    found = cancelling(scaled, np.ldexp(weights, sizes - np.max(sizes) - 3))
    assert found is not None
    assert min(found) >= 0
    assert sum(found) == 1
    numbers = fractions_of(scaled)
    assert all(sum(p * row[j] for p, row in zip(found, numbers, strict=True)) == 0 for j in range(scaled.shape[1]))


def test_what_does_not_cancel_is_not_proved(monkeypatch):
    rows = np.array([[1.0, 0.0], [-1.0, 2.0**-60]])
    assert cancelling(rows, np.array([1.0, 1.0])) is None
    assert certified(csc_array(rows), np.array([0.5, 0.5])) is None
    # Rows that cancel, but only with a negative weight.
    assert cancelling(np.array([[1.0], [2.0]]), np.array([1.0, 0.5])) is None
    pair = np.array([[3.0, 1.0], [-3.0, -1.0]])
    assert cancelling(pair, np.array([1.0, 0.9])) == [Fraction(1, 2)] * 2
    for limit in ("_MOST_PRODUCTS", "_MOST_STEPS"):
        with monkeypatch.context() as patch:
            patch.setattr(exact_combination, limit, 0.5)
            assert cancelling(pair, np.array([1.0, 0.9])) is None


def test_a_row_of_zeros_proves_it_alone():
    rows = csc_array(np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]]))
    assert inseparable(rows).tolist() == [0.0, 1.0, 0.0]
    assert certified(rows, np.array([1.0, 1.0, 1.0])).tolist() == [0.0, 1.0, 0.0]
    found = ib.max_margin(ib.Regression(rows, [1.0, 1.0, 1.0], loss="logistic"), throw=False)
    assert found.status is Status.INFEASIBLE


@pytest.mark.parametrize("power", [-1000, 1000])
def test_certificates_are_of_the_data_as_given(power):
    """Scaling all of Z would lose the entry 2⁻¹⁰⁷⁴, by which x = (1, −2¹⁰⁷⁵) would separate the rows."""
    Z = np.array([[np.ldexp(1.0, power), 2.0**-1074], [-np.ldexp(1.0, power), 0.0]])
    found = ib.max_margin(ib.Regression(Z, [1.0, 1.0], loss="logistic"), throw=False)
    assert found.status is not Status.INFEASIBLE
    Z[0, 1] = 0.0
    assert ib.max_margin(ib.Regression(Z, [1.0, 1.0], loss="logistic"), throw=False).status is Status.INFEASIBLE
