"""What rounding hides of the path of a vanishing scale: not told in floating point, and found in fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings

import implicit_bias as ib
from implicit_bias.limit import exact_path as exact_path_module
from implicit_bias.status import Status
from tests.limit.exact_paths import exact_path, generic, hard_systems


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


def test_a_system_that_is_too_large_for_fractions_stalls():
    """The same 2 × 2 system, beside weights that never move, and in numbers with too many digits."""
    Z, y = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-40]]), [1.0, 2.0]
    assert len(ib.saddle_to_saddle(ib.Regression(np.hstack([Z, np.zeros((2, 198))]), y)).times) == 2
    for wider in (np.hstack([Z, np.zeros((2, 199))]), np.hstack([Z, np.full((2, 10), 2.0**-1000)])):
        path = ib.saddle_to_saddle(ib.Regression(wider, y), throw=False)
        assert (path.status, len(path.times)) == (Status.STALLED, 1)


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
