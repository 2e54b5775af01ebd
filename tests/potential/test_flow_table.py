"""Tables of flows with closed forms: the end of a quantity, and the state just before a target."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.potential.flow_table import FlowTable

# The first row of the state moves towards a center c or away from it, x' = ±k(c − x); the second is the time.
CENTERS = np.array([0.0, 2.0, -3.0, 0.0, 1.0, 0.0])
RATES = np.array([1.0, 0.5, 2.0, -0.25, -1.0, 0.05])
START = np.array([1.0, 1.0, 1.0, -1.0, 1.5, 7.0])


def exact(time):
    return CENTERS + (START - CENTERS) * np.exp(-RATES * time)


def table(unit=1.0):
    def velocity(state):
        return np.stack([RATES * (CENTERS - state[0]), np.ones_like(state[0])])

    return FlowTable(velocity, np.stack([START, np.zeros(6)]), np.full((2, 6), unit))


SHARED = table()  # queries late in the flow leave it long for those that follow


def position(state):
    return state[0]


def test_ends():
    """A flow ends at its center, also at an exact 0, if it moves towards it, and at an infinity if it moves away."""
    end, told = table().end(position)
    assert np.all(told)
    # At the rate 1/20 a share e^(−2) of the way is left after 16 segments: a geometric series, which is exact here.
    np.testing.assert_allclose(end, [0.0, 2.0, -3.0, -np.inf, np.inf, 0.0], rtol=1e-11, atol=1e-9)
    assert end[0] == 0.0


def test_a_monotone_function_of_the_state_ends_at_its_own_end():
    end, _ = table().end(lambda state: np.tanh(state[0]))
    # We leave out the slowest, which is still on the flat part of tanh when its end is decided.
    np.testing.assert_allclose(end[:5], np.tanh([0.0, 2.0, -3.0, -np.inf, np.inf]), rtol=1e-9, atol=1e-9)


def test_a_way_that_shrinks_by_less_than_its_rounding_has_no_end():
    """Along x' = x, log x grows by the same amount in every segment, so its end is infinite."""
    flow = FlowTable(lambda state: state, np.ones((1, 1)), np.ones((1, 1)))
    assert flow.end(lambda state: np.log(state[0]))[0].tolist() == [np.inf]


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0.01, 30.0)), min_size=1, max_size=6))
def test_the_state_before_a_target(queries):
    """The state lies on the flow, and its time is before that of the target by less than the longest step, 1."""
    columns, times = np.array([c for c, _ in queries]), np.array([t for _, t in queries])
    targets = np.array([exact(time)[column] for column, time in queries])
    # A target within rounding of the end may count as reached or not.
    resolved = np.abs(targets - CENTERS[columns]) > 1e-6 * np.abs(START - CENTERS)[columns]
    columns, times, targets = columns[resolved], times[resolved], targets[resolved]
    states, outside = SHARED.before(targets, columns, position)
    assert states.shape == (2, len(targets))
    assert not np.any(outside)
    for (x, clock), column, time, target in zip(states.T, columns, times, targets, strict=True):
        assert x == pytest.approx(exact(clock)[column], rel=1e-10)
        # The clock of the target itself is known to the rounding of x over its speed.
        assert clock <= time + 1e-8 * (1 + abs(x / (target - CENTERS[column])))
        assert time - clock < 1 + 1e-6


def test_targets_beyond_the_ends_or_behind_the_start():
    """A target behind the start of a coordinate is outside, and its state is the start."""
    columns = np.arange(6)
    states, outside = table().before(CENTERS - 0.1 * np.sign(START - CENTERS), columns, position)
    assert outside.tolist() == [True, True, True, True, True, True]
    np.testing.assert_array_equal(states, np.stack([START, np.zeros(6)]))


def test_targets_that_are_never_reached_end_the_search():
    """The end itself is outside, and so is a target at 1 if x' = 1e-6, for which no table is long enough."""
    _, outside = table().before(np.array([2.0]), np.array([1]), position)
    assert outside.tolist() == [True]
    slow = FlowTable(lambda state: np.full_like(state, 1e-6), np.zeros((1, 1)), np.ones((1, 1)))
    _, outside = slow.before(np.array([1.0]), np.array([0]), position)
    assert outside.tolist() == [True]


def test_a_rough_velocity_is_refused_and_reaches_nothing():
    """A velocity that is noise needs ever smaller steps, as that of a g does at the size of its rounding errors."""
    noise = np.random.default_rng(0)
    flow = FlowTable(lambda state: 1 + noise.normal(size=state.shape), np.zeros((1, 2)), np.ones((1, 2)))
    with pytest.raises(ib.DomainError, match="single e-folding"):
        flow.end(position)
    _, outside = flow.before(np.array([0.5, 0.0]), np.array([0, 1]), position)
    assert outside.tolist() == [True, False]


def test_small_states_keep_their_digits():
    """With a unit of 1e-30 the absolute tolerance is small enough for a state of that size to grow correctly."""
    flow = FlowTable(lambda state: state, np.full((1, 1), 1e-30), np.full((1, 1), 1e-30))
    state, outside = flow.before(np.array([1e-20]), np.array([0]), position)
    assert outside.tolist() == [False]
    assert 1e-20 / np.e <= state[0, 0] <= 1e-20
