"""The path of a vanishing scale on small integers, where ties abound, and its bounds, against exact arithmetic."""

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import example, given

import implicit_bias as ib
from implicit_bias.status import Status
from tests.limit.exact_paths import exact_path, generic, small


@given(small)
@example(([[1, 1]], [1]))  # equal columns
@example(([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [1, 1, 2]))  # a tie without consequence
@example(([[3, -2, 0, 1], [-2, 1, 1, 2], [3, 0, 0, 0]], [3, -2, 0]))  # a weight that leaves again, exactly at zero
@example(([[1, 2], [2, 1], [1, -1]], [1, 0, 3]))  # more equations than weights
@example(([[2, 2, 2], [1, 0, 3]], [3, 0]))  # columns that depend on each other, with a unique end
@example(([[2, -2, -1, 2], [1, 0, 2, 3]], [3, 0]))
@example(([[0, 0]], [1]))
def test_small_integers_in_exact_arithmetic(system):
    """Times, plateaus within their bounds, ties and degenerate jumps are those of exact arithmetic."""
    Z, y = system
    path = ib.saddle_to_saddle(ib.Regression(np.array(Z, float), np.array(y, float)), throw=False)
    times, plateaus, ties, is_degenerate = exact_path(Z, y)
    assert path.status is (Status.DEGENERATE if is_degenerate else Status.CONVERGED)
    assert path.ties.tolist() == ties
    np.testing.assert_allclose(path.times, [float(time) for time in times], rtol=1e-12)
    for found, bound, exact in zip(path.times, path.time_error_bound, times, strict=True):
        assert bound == np.inf or abs(Fraction(float(found)) - exact) <= Fraction(float(bound))
    for found, bound, exact in zip(path.x, path.error_bound, plateaus, strict=True):
        square = sum((Fraction(float(a)) - b) ** 2 for a, b in zip(found, exact, strict=True))
        assert square <= Fraction(float(bound)) ** 2
        assert [bool(a) for a in found] == [bool(b) for b in exact]
    assert np.max(path.error_bound) < 1e-11


@pytest.mark.parametrize("seed", range(30))
def test_times_are_within_their_bounds_of_exact_arithmetic(seed):
    """Columns and rows in several units; the entries are doubles, so that the exact path is one of fractions."""
    rng = np.random.default_rng(seed)
    d, n = int(rng.integers(1, 4)), int(rng.integers(3, 6))
    Z, y = rng.standard_normal((d, n)), rng.standard_normal(d)
    Z = Z * 2.0 ** rng.integers(-9, 9, n) if seed % 2 else np.round(Z, 2)
    path = ib.saddle_to_saddle(ib.Regression(Z, y), throw=False)
    times = exact_path(Z.tolist(), y.tolist())[0]
    assert np.all(path.time_error_bound > 0)
    for found, bound, exact in zip(path.times, path.time_error_bound, times, strict=False):
        assert bound == np.inf or abs(Fraction(float(found)) - exact) <= Fraction(float(bound))
    assert not len(times) or path.time_error_bound[0] < 1e-12 * path.times[0]


@pytest.mark.parametrize("seed", range(10))
def test_bounds_of_times_stay_small_over_many_jumps(seed):
    """The flow of ν contracts, so that errors of earlier jumps do not grow; 50 digits are as good as exact."""
    problem = generic(seed)
    path = ib.saddle_to_saddle(problem)
    with mp.workdps(50):
        times = times_in_50_digits(problem, path)
        for found, bound, exact in zip(path.times, path.time_error_bound, times, strict=True):
            assert abs(mp.mpf(float(found)) - exact) <= bound < 1e-8 * path.times[-1]


def times_in_50_digits(problem, path):
    """The times of the jumps, given which weights are not zero after each of them."""
    Z, y, d = mp.matrix(problem.Z.tolist()), mp.matrix(problem.y.tolist()), problem.d
    s, time, times = mp.matrix(problem.n, 1), mp.mpf(0), []
    for row, after in zip(path.x[:-1], path.x[1:], strict=True):
        on = [int(i) for i in np.flatnonzero(row)]
        rest = y
        if on:
            columns = mp.matrix([[Z[k, i] for i in on] for k in range(d)])
            rest = y - columns * mp.lu_solve(columns.T * columns, columns.T * y)
        speed = 2 * (Z.T * rest) / d
        (new,) = [int(i) for i in np.flatnonzero(after) if i not in on]
        wait = (mp.sign(speed[new]) - s[new]) / speed[new]
        time, s = time + wait, s + wait * speed
        times.append(time)
    return times


def test_times_that_underflow_keep_their_bounds():
    """Rounding a subnormal time is an error, too: with y = (3, 1) and columns in these units they are d/2 over Zᵀy."""
    path = ib.saddle_to_saddle(ib.Regression(np.diag([3.0, 7.0]) * 2.0**560, np.array([3.0, 1.0]) * 2.0**500))
    exact = [Fraction(1, 9 * 2**1060), Fraction(1, 7 * 2**1060)]
    for found, bound, want in zip(path.times, path.time_error_bound, exact, strict=True):
        assert 0 < abs(Fraction(float(found)) - want) <= Fraction(float(bound)) < Fraction(1, 2**1070)


def test_times_of_ties_have_no_bound():
    """From the first jump on at which two weights arrive together."""
    path = ib.saddle_to_saddle(ib.Regression(np.diag([2.0, 1.0, 1.0]), [2.0, 1.0, 1.0]))
    assert path.ties.tolist() == [False, True]
    assert path.time_error_bound[0] < 1e-14
    assert path.time_error_bound[1] == np.inf


def test_the_rounding_of_earlier_waits_counts_for_ties():
    """The residual of y₀ is known to 1e-16, which over 10⁹ hides 1e-7 of s; the last two arrive within less."""
    near, far = (
        ib.saddle_to_saddle(ib.Regression(np.diag([0.3, 1.0, 1.0, 1.0]), [0.7, 1e-9, 1e-9 * (1 - 1e-5), last]))
        for last in (1e-9 * (1 - 1e-5 - 1e-8), 1e-9 * (1 - 3e-5))
    )
    assert near.ties.tolist() == [False, False, True]
    assert far.ties.tolist() == [False] * 4


@pytest.mark.parametrize("seed", range(10))
def test_bounds_hold_for_ill_conditioned_columns(seed):
    """Columns that nearly agree lose digits, which the bound admits; the exact plateaus are fractions."""
    rng = np.random.default_rng(seed)
    Z = rng.integers(-4, 5, (3, 4)).astype(float)
    Z[:, 3] = Z[:, 0] + rng.integers(-3, 4, 3) * 2.0**-16
    y = rng.integers(-4, 5, 3).astype(float)
    path = ib.saddle_to_saddle(ib.Regression(Z, y), throw=False)
    _, plateaus, _, _ = exact_path(Z.tolist(), y.tolist())
    for found, bound, exact in zip(path.x, path.error_bound, plateaus, strict=False):
        square = sum((Fraction(float(a)) - b) ** 2 for a, b in zip(found, exact, strict=True))
        assert square <= Fraction(float(bound)) ** 2
