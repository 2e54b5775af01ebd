"""The integral of a schedule against quadrature, the total as its limit, and switching off."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.integrate import quad

from implicit_bias.errors import InputError
from implicit_bias.schedule import Constant, Geometric, Harmonic, Pulse, Quadratic, Schedule, SwitchOff

strengths = st.just(0.0) | st.floats(1e-6, 10)
spans = st.floats(0.01, 100)
times = st.floats(0, 50)
decaying = st.builds(
    lambda kind, c, tau: kind(c, tau), st.sampled_from([Harmonic, Quadratic, Geometric]), strengths, spans
)
pulses = st.builds(Pulse, st.just(0.0) | spans, spans, strengths)
simple = decaying | pulses | st.builds(Constant, strengths)
schedules = (
    simple | st.builds(SwitchOff, simple, spans) | st.builds(SwitchOff, st.builds(SwitchOff, simple, spans), spans)
)


def _quadrature(schedule, end):
    """The integral in pieces, as the strength may fall a thousandfold at the start and jump later."""
    fine = [p for p in (*np.geomspace(1e-3, 50, 12), *schedule.breakpoints) if p < end]
    edges = [0.0, *sorted(fine), end]
    return sum(quad(schedule, a, b, epsabs=0, epsrel=1e-11)[0] for a, b in pairwise(edges) if b > a)


@given(schedules, times)
@example(Harmonic(0.7, tau=3.0), 5.0)
@example(Quadratic(0.7, tau=3.0), 5.0)
@example(Geometric(0.7, tau=3.0), 5.0)
@example(Pulse(1.0, length=2.0, dose=3.0), 2.5)
@example(SwitchOff(Pulse(1.0, length=2.0, dose=3.0), 2.5), 5.0)
def test_the_integral_is_the_integral(schedule, end):
    assert schedule.integral(end) == pytest.approx(_quadrature(schedule, end), rel=1e-8, abs=1e-12)


@given(schedules)
@example(Quadratic(0.7, tau=3.0))
@example(Geometric(0.7, tau=3.0))
@example(Pulse(1.0, length=2.0, dose=3.0))
def test_the_total_is_the_limit_of_the_integral(schedule):
    late = float(schedule.integral(1e12))
    if np.isinf(schedule.total):
        assert float(schedule.integral(1e15)) > late > float(schedule.integral(1e9)) > 0
    else:
        assert late == pytest.approx(schedule.total, rel=1e-8)


@given(schedules, st.lists(times, min_size=2, max_size=6))
def test_arrays_are_elementwise_and_the_decay_never_falls(schedule, points):
    ordered = np.sort(points)
    assert np.all(schedule(ordered) >= 0)
    assert np.all(np.diff(schedule.integral(ordered)) >= 0)
    assert schedule(ordered).tolist() == [float(schedule(t)) for t in ordered]
    assert schedule.integral(ordered[None]).shape == (1, len(points))
    assert schedule.integral(0) == 0


@given(schedules)
@example(Pulse(0.0, length=2.0, dose=3.0))
@example(Pulse(1.0, length=2.0, dose=3.0))
@example(SwitchOff(Pulse(1.0, length=2.0, dose=3.0), 1.5))
def test_the_strength_jumps_at_breakpoints_and_nowhere_else(schedule):
    """A strength differs from its left limit only at breakpoints; we try the times that define the schedule."""
    assert list(schedule.breakpoints) == sorted(set(schedule.breakpoints))
    assert all(time > 0 for time in schedule.breakpoints)
    assert set(schedule.breakpoints) <= set(_written_times(schedule))
    for time in _written_times(schedule):
        strength = float(schedule(time))
        if time > 0 and abs(float(schedule(np.nextafter(time, 0))) - strength) > 1e-9 * strength:
            assert time in schedule.breakpoints


def _written_times(schedule):
    """The times that define a schedule and the schedules in it."""
    if isinstance(schedule, SwitchOff):
        return [schedule.time, *_written_times(schedule.schedule)]
    return [schedule.start, schedule.start + schedule.length] if isinstance(schedule, Pulse) else []


@given(simple, spans, times)
def test_switching_off_keeps_the_start_and_freezes_the_rest(schedule, time, t):
    switched = SwitchOff(schedule, time)
    assert switched.integral(t) == schedule.integral(min(t, time))
    assert switched(t) == (schedule(t) if t < time else 0)
    assert switched.total == schedule.integral(time)
    assert switched.breakpoints == (*(b for b in schedule.breakpoints if b < time), time)


@given(simple, spans, spans, times)
def test_switching_off_twice_is_switching_off_at_the_earlier_time(schedule, first, second, t):
    twice = SwitchOff(SwitchOff(schedule, first), second)
    assert twice.integral(t) == SwitchOff(schedule, min(first, second)).integral(t)
    assert twice(t) == SwitchOff(schedule, min(first, second))(t)
    inner = {b for b in schedule.breakpoints if b < min(first, second)}
    assert list(twice.breakpoints) == sorted(inner | {b for b in (first, second) if b < second} | {second})


@given(st.floats(0.01, 10), st.floats(0.01, 0.99), st.floats(1e-3, 1.0), st.integers(0, 30))
def test_the_geometric_schedule_is_a_power_at_the_steps(c, q, step, k):
    assert Geometric(c, -step / np.log(q))(k * step) == pytest.approx(c * q**k, rel=1e-9)


def test_the_named_times():
    assert Harmonic(2.0, tau=3.0)(3.0) == 1.0
    assert Quadratic(2.0, tau=3.0).integral(3.0) == Quadratic(2.0, tau=3.0).total / 2
    assert Geometric(2.0, tau=3.0)(3.0) == pytest.approx(2.0 / np.e)


def test_late_times_do_not_overflow():
    assert Quadratic(1.0, 1.0)(1e200) == 0.0
    assert Quadratic(1e10, 1.0).integral(1e300) == 1e10
    assert Geometric(1.0, 1.0).integral(1e300) == 1.0


def test_equal_schedules_are_equal_and_can_be_keys():
    assert Harmonic(1, 2) == Harmonic(1.0, 2.0) != Quadratic(1, 2)
    assert len({Constant(1), Constant(1.0), SwitchOff(Constant(1), 2), SwitchOff(Constant(1.0), 2.0)}) == 2
    assert type(Constant(np.int64(3)).c) is float


BAD = [-1.0, np.nan, np.inf, None, "1", 1j, [1.0, 2.0], 10**400, np.datetime64("2020-01-01")]


@pytest.mark.parametrize("value", BAD)
def test_bad_parameters_are_named(value):
    for build, name in [
        (Constant, "c"),
        (lambda v: Harmonic(v, 1.0), "c"),
        (lambda v: Quadratic(1.0, v), "tau"),
        (lambda v: Geometric(1.0, v), "tau"),
        (lambda v: SwitchOff(Constant(1.0), v), "time"),
    ]:
        with pytest.raises(InputError, match=f"^{name}: "):
            build(value)


@pytest.mark.parametrize("value", BAD[:3] + BAD[4:6])
def test_bad_times_are_named(value):
    for schedule in (Constant(1.0), Harmonic(1.0, 1.0), SwitchOff(Constant(1.0), 1.0)):
        for method in (schedule, schedule.integral):
            with pytest.raises(InputError, match=r"^t: "):
                method(value)


@pytest.mark.parametrize("value", [0.0, -0.0])
def test_zero_is_a_strength_but_no_time(value):
    assert Constant(value).total == 0
    for build, name in [(lambda v: Geometric(1.0, v), "tau"), (lambda v: SwitchOff(Constant(1.0), v), "time")]:
        with pytest.raises(InputError, match=f"^{name}: expected a positive"):
            build(value)


@pytest.mark.parametrize("value", [None, True, "1", Constant, np.sin])
def test_only_a_schedule_is_switched_off(value):
    with pytest.raises(InputError, match=r"^schedule: expected an ib\.schedule object or a number"):
        SwitchOff(value, 1.0)


def test_a_number_is_a_constant_strength():
    assert SwitchOff(2, 3.0) == SwitchOff(Constant(2.0), 3.0)
    with pytest.raises(InputError, match="non-negative"):
        SwitchOff(-1.0, 3.0)


def test_a_schedule_without_its_integral_cannot_be_made():
    class Half(Schedule):
        def __call__(self, t):
            return t

    with pytest.raises(TypeError, match="integral"):
        Half()
