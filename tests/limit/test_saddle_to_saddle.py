"""The path of a vanishing scale against SciPy's solvers, linear programs and the flow itself."""

import numpy as np
import pytest
from scipy.optimize import linprog, nnls

import implicit_bias as ib
from implicit_bias.errors import InputError
from implicit_bias.status import Status
from tests.limit.exact_paths import generic


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
