"""The path of a vanishing scale against exact arithmetic, SciPy's solvers, linear programs and the flow itself."""

from fractions import Fraction
from itertools import combinations

import mpmath as mp
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, nnls

import implicit_bias as ib
from implicit_bias.errors import InputError
from implicit_bias.limit import exact_path as exact_path_module
from implicit_bias.status import Status


@pytest.fixture
def in_doubles(monkeypatch):
    """No path is computed in fractions, as for large systems."""
    monkeypatch.setattr(exact_path_module, "_MOST_ENTRIES", 0)


def generic(seed):
    """A random system whose solutions are all dense."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 9))
    n = d + int(rng.integers(1, d + 3))
    return ib.Regression(rng.standard_normal((d, n)), rng.standard_normal(d))


def by_steps(problem):
    """Times and plateaus: entries of s are moved one jump at a time, and SciPy's nnls finds the next plateau."""
    Z, y, d = problem.Z, problem.y, problem.d
    s, time, x = np.zeros(problem.n), 0.0, np.zeros(problem.n)
    times, plateaus = [], [x]
    while np.linalg.norm(Z @ x - y) > 1e-9:
        speed = 2 / d * Z.T @ (y - Z @ x)
        speed[x != 0] = 0
        waits = np.array([(np.sign(v) - s_i) / v if v else np.inf for v, s_i in zip(speed, s, strict=True)])
        first = int(np.argmin(waits))
        time, s = time + waits[first], s + waits[first] * speed
        walls = np.where((x != 0) | (np.arange(problem.n) == first), np.sign(s), 0)
        active = np.flatnonzero(walls)
        x = np.zeros(problem.n)
        x[active] = walls[active] * nnls(Z[:, active] * walls[active], y)[0]
        times.append(time)
        plateaus.append(x)
    return np.array(times), np.array(plateaus)


@pytest.mark.parametrize("seed", range(50))
def test_plateaus_and_times_are_those_of_an_independent_solver(seed):
    problem = generic(seed)
    path = ib.saddle_to_saddle(problem)
    times, plateaus = by_steps(problem)
    assert path.status is Status.CONVERGED
    np.testing.assert_allclose(path.x, plateaus, rtol=0, atol=1e-10)
    np.testing.assert_allclose(path.times, times, rtol=1e-9)
    assert not np.any(path.ties)


@pytest.mark.parametrize("seed", range(20))
def test_the_path_ends_at_basis_pursuit(seed):
    """The last x has the least L1 norm, and ν attains the largest −yᵀν with ‖2Zᵀν‖∞ <= 1."""
    problem = generic(seed)
    path, n = ib.saddle_to_saddle(problem), problem.n
    found = linprog(np.ones(2 * n), A_eq=np.hstack([problem.Z, -problem.Z]), b_eq=problem.y)
    np.testing.assert_allclose(path.x[-1], found.x[:n] - found.x[n:], rtol=0, atol=1e-8)
    walls = np.abs(2 * path.dual @ problem.Z)
    assert np.max(walls) <= 1 + 1e-9
    assert -2 * problem.y @ path.dual[-1] == pytest.approx(found.fun, rel=1e-9)


def half_time(flow, level, end):
    """When the loss, which falls along the flow, passes a level, by bisection."""
    low, high = 0.0, end
    for _ in range(70):
        middle = (low + high) / 2
        low, high = (middle, high) if flow.at([middle]).loss[0] > level else (low, middle)
    return low


@pytest.mark.parametrize("seed", range(6))
def test_the_flow_jumps_at_these_times_up_to_one_over_log_a(seed):
    """The error times log(1/a) stays bounded from a = e^−50 to a = e^−20000, and plateaus are reached."""
    problem = generic(seed)
    path = ib.saddle_to_saddle(problem)
    end = 1.2 * path.times[-1]
    middles = (path.times + np.append(path.times[1:], end)) / 2
    errors = {}
    for size in (50.0, 1000.0, 20_000.0):
        potential = ib.HyperbolicEntropy(log_scale=-size)
        flow = ib.mirror_flow(problem, potential, t=end * size, dense=True, rtol=1e-10, atol=1e-12)
        levels = (path.loss[:-1] + path.loss[1:]) / 2
        errors[size] = size * np.abs([half_time(flow, level, end * size) / size for level in levels] - path.times)
        if size == 20_000.0:
            weights = flow.at(middles * size).x
    largest = np.max(errors[20_000.0])
    assert np.max(errors[50.0]) < 2 * largest + 2
    assert np.max(errors[1000.0]) < 1.2 * largest + 0.1
    is_long = np.diff(np.append(path.times, end)) > 0.1
    np.testing.assert_allclose(weights[is_long], path.x[1:][is_long], rtol=0, atol=1e-6)


# Exact arithmetic on small integers, where ties abound.


def solved(columns, y):
    """The least-squares solution on independent columns, in fractions, or None if they depend on each other."""
    k = len(columns)
    rows = [[sum(a * b for a, b in zip(u, v, strict=True)) for v in columns] for u in columns]
    rows = [[*row, sum(a * b for a, b in zip(u, y, strict=True))] for row, u in zip(rows, columns, strict=True)]
    for i in range(k):
        pivot = next((r for r in range(i, k) if rows[r][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(k):
            if r != i:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]


def kernel(columns):
    """How many combinations of columns vanish, and the one that does if there is just one."""
    k, rows, pivots = len(columns), [list(row) for row in zip(*columns, strict=True)], []
    for c in range(k):
        r = len(pivots)
        pivot = next((i for i in range(r, len(rows)) if rows[i][c]), None)
        if pivot is None:
            continue
        rows[r], rows[pivot] = rows[pivot], rows[r]
        rows[r] = [value / rows[r][c] for value in rows[r]]
        for i in range(len(rows)):
            if i != r:
                rows[i] = [a - rows[i][c] * b for a, b in zip(rows[i], rows[r], strict=True)]
        pivots.append(c)
    free = [c for c in range(k) if c not in pivots]
    if len(free) != 1:
        return len(free), []
    found = [Fraction(0)] * k
    found[free[0]] = Fraction(1)
    for i, c in enumerate(pivots):
        found[c] = -rows[i][free[0]]
    return 1, found


def only_zero(on, off):
    """Whether no other combination of columns vanishes in which those of ``off`` have no negative weight.

    If those of ``on`` are independent, such combinations are a pointed cone, and the supports of its rays are minimal.
    """
    if on and kernel(on)[0]:
        return False
    for size in range(1, len(off) + 1):
        for chosen in combinations(off, size):
            count, weights = kernel([*on, *chosen])
            last = weights[len(on) :]
            if count == 1 and (all(w >= 0 for w in last) or all(w <= 0 for w in last)):
                return False
    return True


def exact_minimizer(Z, y, walls):
    """The minimizer within the walls and its Zᵀ(y − Zx), by trying all supports, and whether it is the only one."""
    n, active = len(walls), [i for i, wall in enumerate(walls) if wall]
    columns = [[row[i] for row in Z] for i in range(n)]
    for size in range(len(active) + 1):
        for support in combinations(active, size):
            weights = solved([columns[i] for i in support], y)
            if weights is None or any(w * walls[i] <= 0 for w, i in zip(weights, support, strict=True)):
                continue
            x = [Fraction(0)] * n
            for w, i in zip(weights, support, strict=True):
                x[i] = w
            rest = [b - sum(a * v for a, v in zip(row, x, strict=True)) for row, b in zip(Z, y, strict=True)]
            push = [sum(a * r for a, r in zip(column, rest, strict=True)) for column in columns]
            if all(push[i] * walls[i] <= 0 for i in active):
                free = [i for i in active if push[i] == 0]
                signed = {i: [walls[i] * value for value in columns[i]] for i in free}
                others = [signed[i] for i in free if x[i] == 0]
                return x, push, only_zero([signed[i] for i in free if x[i]], others)
    raise AssertionError("no support fits")


def exact_path(Z, y):
    """Times, plateaus, whether several weights arrived at once, and whether a jump had no unique end."""
    n, d = len(Z[0]), len(Z)
    Z = [[Fraction(value) for value in row] for row in Z]
    y = [Fraction(value) for value in y]
    walls, s, time = [0] * n, [Fraction(0)] * n, Fraction(0)
    x, push, _ = exact_minimizer(Z, y, walls)
    times, plateaus, ties = [], [x], []
    while True:
        moving = [i for i in range(n) if push[i] != 0]
        if not moving:
            return times, plateaus, ties, False
        waits = {i: ((1 if push[i] > 0 else -1) - s[i]) / (Fraction(2, d) * push[i]) for i in moving}
        wait = min(waits.values())
        time += wait
        s = [value + wait * Fraction(2, d) * p for value, p in zip(s, push, strict=True)]
        walls = [int(value) if abs(value) == 1 else 0 for value in s]
        x, push, is_unique = exact_minimizer(Z, y, walls)
        if not is_unique:
            return times, plateaus, ties, True
        times.append(time)
        plateaus.append(x)
        ties.append(sum(value == wait for value in waits.values()) > 1)


small = st.integers(2, 5).flatmap(
    lambda n: st.integers(1, 3).flatmap(
        lambda d: st.tuples(
            st.lists(st.lists(st.integers(-3, 3), min_size=n, max_size=n), min_size=d, max_size=d),
            st.lists(st.integers(-4, 4), min_size=d, max_size=d),
        )
    )
)


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


def test_a_jump_without_a_unique_end_is_refused():
    """Equal columns start together; which share each gets is not decided by the leading order."""
    problem = ib.Regression([[1.0, 1.0, 0.5], [0.0, 0.0, 1.0]], [2.0, 0.3])
    with pytest.raises(ib.SolverError, match=r"τ = 0\.5 weights 0, 1 are free .* depend on each other") as caught:
        ib.saddle_to_saddle(problem)
    path = caught.value.result
    assert path.status is Status.DEGENERATE
    assert path.horizon == 0.5
    np.testing.assert_array_equal(path.at([0.0, 0.4]), np.zeros((2, 3)))
    with pytest.raises(InputError, match="horizon"):
        path.at(0.6)


def test_units_and_kinds_of_data():
    """Powers of two scale weights and times, a sparse Z is the same system, and at a jump the weights have jumped."""
    problem = generic(3)
    path = ib.saddle_to_saddle(problem)
    for z_power, y_power in ((-300, 5), (200, -700), (3, 0)):
        scaled = ib.saddle_to_saddle(ib.Regression(np.ldexp(problem.Z, z_power), np.ldexp(problem.y, y_power)))
        np.testing.assert_allclose(np.ldexp(scaled.x, z_power - y_power), path.x, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(np.ldexp(scaled.times, z_power + y_power), path.times, rtol=1e-12)
        np.testing.assert_allclose(np.ldexp(scaled.dual, z_power), path.dual, rtol=1e-9, atol=1e-12)
    from scipy.sparse import csc_array

    sparse = ib.saddle_to_saddle(ib.Regression(csc_array(problem.Z), problem.y))
    np.testing.assert_allclose(sparse.x, path.x, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(path.at(path.times), path.x[1:])
    assert path.at([[0.0], [path.times[0] / 2]]).shape == (2, 1, problem.n)
    assert [len(support) for support in path.supports][:2] == [0, 1]


@pytest.mark.parametrize("exponent", range(8, 17))
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("in_doubles")
def test_what_rounding_hides_is_not_told(seed, exponent):
    """Nearly fitted data: jumps that are told are those of exact arithmetic, the next one is beyond the horizon."""
    rng = np.random.default_rng(100 * seed + exponent)
    Z = np.round(rng.standard_normal((3, 5)), 3)
    y = Z[:, 0] / 3 + 10.0**-exponent * rng.standard_normal(3)
    path = ib.saddle_to_saddle(ib.Regression(Z, y), throw=False)
    times, plateaus, _, _ = exact_path(Z.tolist(), y.tolist())
    told = len(path.times)
    assert told <= len(times)
    np.testing.assert_allclose(path.times, [float(time) for time in times[:told]], rtol=1e-5)
    for found, bound, exact in zip(path.x, path.error_bound, plateaus, strict=False):
        square = sum((Fraction(float(a)) - b) ** 2 for a, b in zip(found, exact, strict=True))
        assert square <= Fraction(float(bound)) ** 2
    if told < len(times):
        assert path.horizon <= times[told] * (1 + Fraction(1, 10**5))
    assert told >= (len(times) if exponent == 8 else 1)
    assert path.status in (Status.CONVERGED, Status.STALLED)


@pytest.mark.parametrize("small", [2.0**-26, 2.0**-27, 2.0**-28, 1e-9, 3e-9, 5e-9, 1e-8])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0, 2.0])
@pytest.mark.usefixtures("in_doubles")
def test_a_jump_that_rounding_hides_is_beyond_the_horizon(small, ratio):
    """Columns that nearly oppose each other: the second moves at a speed that is below its own rounding."""
    Z, y = [[-0.125, 0.125 - small], [-ratio * small, -ratio * small]], [-1.0, 0.0]
    path = ib.saddle_to_saddle(ib.Regression(Z, y), throw=False)
    times = exact_path(Z, y)[0]
    told = len(path.times)
    assert told >= 1
    assert told == len(times) or path.horizon <= times[told] * (1 + Fraction(1, 10**5))


def test_a_system_that_is_too_large_for_fractions_stalls():
    """The same 2 × 2 system, beside weights that never move, and in numbers with too many digits."""
    Z, y = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-40]]), [1.0, 2.0]
    assert len(ib.saddle_to_saddle(ib.Regression(np.hstack([Z, np.zeros((2, 198))]), y)).times) == 2
    for wider in (np.hstack([Z, np.zeros((2, 199))]), np.hstack([Z, np.full((2, 10), 2.0**-1000)])):
        path = ib.saddle_to_saddle(ib.Regression(wider, y), throw=False)
        assert (path.status, len(path.times)) == (Status.STALLED, 1)


@st.composite
def hard_systems(draw):
    """Small integers in several units, with columns that nearly agree, and tenths, whose columns depend nearly."""
    Z, y = draw(small)
    Z, y = np.array(Z, float), np.array(y, float)
    d, n = Z.shape
    kind = draw(st.sampled_from(["rows", "columns", "near", "tenths"]))
    powers = np.array(draw(st.lists(st.integers(-20, 20), min_size=8, max_size=8)))
    if kind == "rows":
        Z = Z * 2.0 ** powers[:d, None]
    elif kind == "columns":
        Z = Z * 2.0 ** powers[:n]
    elif kind == "near":
        Z[:, 0] = Z[:, 1] + np.sign(powers[:d]) * 2.0 ** -draw(st.integers(4, 30))
    else:
        Z, y = Z / 10, y / 10
    return Z, y


@given(hard_systems())
@example((np.array([[2.0**16, 2.0**15, 2.0**16], [2.0**-5, 0.0, 2.0**-6], [1.0, 1.0, 0.5]]), np.array([2.0, -1, 1])))
@example((np.array([[2 - 2.0**-21, 2.0, 0.0], [-3, -3, 0], [2 - 2.0**-21, 2, 3]]), np.array([0.0, 1, 2])))
# Columns that depend on each other, with a unique end, and rows in units that hide it.
@example(
    (np.array([[0.0, 2.0**-15, 0, 2.0**-15, -(2.0**-15)], [2.0**15, 0, 0, 2.0**15, -(2.0**15)]]), np.array([0.0, -1]))
)
@example((np.array([[1.0, 2.0**-30], [1.0, -(2.0**-30)]]), np.array([1.0, 1.0])))
# After the second jump, rounding hides a push that moves weights 14 times later.
@example(
    (
        np.array([[2, -2, 0, 2, 0], [-(2.0**16), 2.0**17, 2.0**16, -(2.0**17), 0], [0, 0, 0.25, 0, 0]]),
        np.array([1.0, 0, 0]),
    )
)
def test_rounding_hides_nothing_of_small_systems(system):
    """Status, ties and jumps are those of exact arithmetic, and all numbers are within their bounds of it."""
    Z, y = system
    path = ib.saddle_to_saddle(ib.Regression(Z, y), throw=False)
    times, plateaus, ties, is_degenerate = exact_path(Z.tolist(), y.tolist())
    told = len(path.times)
    is_late = path.status is Status.CONVERGED and path.horizon >= 1e6 * np.max(path.times, initial=0.0)
    assert is_late or path.status is (Status.DEGENERATE if is_degenerate else Status.CONVERGED)
    if path.ties.tolist() != ties[:told]:  # ties up to rounding
        assert np.sum(path.ties) > np.sum(ties[:told])
        return
    assert told == len(path.dual)
    assert told == len(times) or path.horizon <= times[told]  # the rest, which has converged to rounding, moves later
    for found, bound, exact in zip(path.times, path.time_error_bound, times[:told], strict=True):
        assert bound == np.inf or abs(Fraction(float(found)) - exact) <= Fraction(float(bound))
    for found, bound, exact in zip(path.x, path.error_bound, plateaus[: told + 1], strict=True):
        square = sum((Fraction(float(a)) - b) ** 2 for a, b in zip(found, exact, strict=True))
        assert square <= Fraction(float(bound)) ** 2
    if len(times):
        np.testing.assert_allclose(path.loss, np.sum((path.x @ Z.T - y) ** 2, axis=1) / (2 * len(y)), rtol=1e-9)


@given(hard_systems())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.usefixtures("in_doubles")
def test_what_doubles_tell_of_small_systems(system):
    """Where fractions do not help: weights and times that are told are within their bounds, the rest comes later."""
    Z, y = system
    path = ib.saddle_to_saddle(ib.Regression(Z, y), throw=False)
    times, plateaus, ties, _ = exact_path(Z.tolist(), y.tolist())
    told = len(path.times)
    if np.any(path.ties):
        return
    assert told <= len(times)
    assert told == len(times) or path.horizon <= times[told] * (1 + Fraction(1, 10**5))
    np.testing.assert_allclose(path.times, [float(time) for time in times[:told]], rtol=1e-5)
    for found, bound, exact in zip(path.times, path.time_error_bound, times[:told], strict=True):
        assert bound == np.inf or abs(Fraction(float(found)) - exact) <= Fraction(float(bound))
    for found, bound, exact in zip(path.x, path.error_bound, plateaus[: told + 1], strict=True):
        square = sum((Fraction(float(a)) - b) ** 2 for a, b in zip(found, exact, strict=True))
        assert square <= Fraction(float(bound)) ** 2
    assert not any(ties[:told])


@pytest.mark.parametrize("seed", range(5))
def test_both_ways_agree(seed):
    """The walk in fractions on systems whose path doubles find as well."""
    problem = generic(seed)
    path = ib.saddle_to_saddle(problem)
    exact = exact_path_module.exact_path(problem.Z, problem.y, 10_000)
    assert exact.horizon is None
    assert exact.ties == path.ties.tolist()
    for found, bound, want in zip(path.times, path.time_error_bound, exact.times, strict=True):
        assert abs(Fraction(float(found)) - want) <= Fraction(float(bound))
    np.testing.assert_allclose(path.x, np.array(exact.x, float), rtol=0, atol=1e-10)
    np.testing.assert_allclose(path.dual, np.array(exact.duals, float), rtol=1e-9, atol=1e-12)
    short = exact_path_module.exact_path(problem.Z, problem.y, 2)
    assert (len(short.times), short.horizon, short.is_degenerate) == (2, exact.times[1], False)


def test_a_path_beyond_the_floating_point_range_is_refused():
    with pytest.raises(InputError, match="floating-point range; rescale them"):
        ib.saddle_to_saddle(ib.Regression([[1e-200, 0.0]], [1e-200]))


def test_without_a_solution_the_path_ends_at_least_squares():
    rng = np.random.default_rng(1)
    Z, y = rng.standard_normal((30, 6)), rng.standard_normal(30)
    path = ib.saddle_to_saddle(ib.Regression(Z, y))
    np.testing.assert_allclose(path.x[-1], np.linalg.lstsq(Z, y, rcond=None)[0], rtol=0, atol=1e-12)
    assert np.all(np.diff(path.loss) < 0)


def test_the_size_of_real_problems():
    """A recovery problem: the path stops at the truth, with a proven bound, and knows how long it stays there."""
    problem = ib.Regression.sample(40, 100, 5, seed=0)
    path = ib.saddle_to_saddle(problem)
    assert np.linalg.norm(path.x[-1] - problem.truth) < 1e-12
    assert path.error_bound[-1] < 1e-10
    assert path.horizon > 1e9
    with pytest.raises(ib.SolverError, match="more than 3 jumps"):
        ib.saddle_to_saddle(problem, max_jumps=3)
    short = ib.saddle_to_saddle(problem, max_jumps=3, throw=False)
    assert (short.status, len(short.times)) == (Status.MAX_ITERATIONS, 3)
    assert "100" in repr(path)
    assert "3 jumps" in repr(short)


def test_what_it_does_not_take():
    with pytest.raises(InputError, match="squared loss"):
        ib.saddle_to_saddle(ib.Regression([[1.0, 2.0]], [1.0], loss="logistic"))
    from implicit_bias.linear_map import operator

    products = operator((1, 2), lambda x: x[:1], lambda y: np.append(y, 0.0))
    with pytest.raises(InputError, match="whose columns can be read"):
        ib.saddle_to_saddle(ib.Regression(products, [1.0]))
    with pytest.raises(InputError, match="max_jumps"):
        ib.saddle_to_saddle(generic(0), max_jumps=-1)
    none = ib.saddle_to_saddle(generic(0), max_jumps=0, throw=False)
    assert (len(none.times), none.status) == (0, Status.MAX_ITERATIONS)


def test_the_message_names_five_weights():
    with pytest.raises(ib.SolverError, match=r"weights 0, 1, 2, 3, 4 are free"):
        ib.saddle_to_saddle(ib.Regression(np.ones((1, 5)), [1.0]))
    with pytest.raises(ib.SolverError, match=r"weights 0, 1, 2, 3, 4, … are free"):
        ib.saddle_to_saddle(ib.Regression(np.ones((1, 7)), [1.0]))


def test_the_rounding_of_earlier_waits_counts_for_ties():
    """The residual of y₀ is known to 1e-16, which over 10⁹ hides 1e-7 of s; the last two arrive within less."""
    near, far = (
        ib.saddle_to_saddle(ib.Regression(np.diag([0.3, 1.0, 1.0, 1.0]), [0.7, 1e-9, 1e-9 * (1 - 1e-5), last]))
        for last in (1e-9 * (1 - 1e-5 - 1e-8), 1e-9 * (1 - 3e-5))
    )
    assert near.ties.tolist() == [False, False, True]
    assert far.ties.tolist() == [False] * 4
