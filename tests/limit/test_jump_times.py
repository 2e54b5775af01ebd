"""The bound on the times of jumps against its formula at errors that are visible; exact paths are in another module."""

from dataclasses import replace

import numpy as np
import pytest

from implicit_bias.limit.jump_times import JumpTimes
from implicit_bias.limit.signed_least_squares import SignedFit
from implicit_bias.linear_map import DenseMap

Z = np.array([[2.0, 0.5, 0.2], [0.0, 1.0, 0.1]])
LENGTHS = np.linalg.norm(Z, axis=0)


def fit(x, residual, push, held, residual_error=1e-5, error_bound=1e-6, push_error=1e-5):
    return SignedFit(
        np.array(x),
        np.array(residual),
        residual_error,
        error_bound,
        np.array(push),
        np.full(3, push_error),
        np.array(held),
    )


START = fit([0.0, 0.0, 0.0], [1.0, -0.5], [2.0, -0.5, 0.1], [False] * 3)
SECOND = fit([-0.4, 0.0, 0.0], [0.0, -0.5], [3e-6, -0.5, 0.05], [True, False, False])
# ν at the first jump, with −2Zᵀν = (1 + 1e-5, …), and long after it.
FIRST_NU = -np.array([(1 + 1e-5) / 4, -0.1])
SECOND_NU = -np.array([(1 + 2e-5) / 4, -0.625 - 1e-5])


def first_bound(d=2, wait=0.4):
    off = wait / d * 1e-5
    return (1e-5 + 2 * LENGTHS[0] * off) / (2 / d * (2.0 - 1e-5)), off


def test_the_first_jump():
    times = JumpTimes(DenseMap(Z))
    times.wait(START, np.zeros(2), FIRST_NU, 0.4, 0.4)
    times.jump(START, SECOND, np.array([1.0, 0.0, 0.0]), np.array([True, False, False]))
    assert first_bound()[0] <= times.bounds[0] <= 1.06 * first_bound()[0]


def test_the_second_jump_counts_the_first_as_a_square_and_not_as_a_factor():
    """All weights that are not zero before or after a jump count, each with the distance of its s to the wall."""
    times = JumpTimes(DenseMap(Z))
    third = -2 * Z[:, 2] @ FIRST_NU + 2e-5  # where the third entry of s has its wall, for the sake of the test
    start = fit([0.0, 0.0, -30.0], [1.0, -0.5], [2.0, -0.5, 2e-6], [False, False, True], error_bound=9.0)
    second = fit([-40.0, 0.0, -30.0], [0.0, -0.5], [3e-6, -0.5, 4e-6], [True, False, True], error_bound=10.0)
    last = fit([-50.0, -20.0, -30.0], [0.0, 0.0], [0.0, 0.0, 0.0], [True, True, True])
    times.wait(start, np.zeros(2), FIRST_NU, 0.4, 0.4)
    times.jump(start, second, np.array([1.0, 0.0, third]), np.array([True, False, False]))
    times.wait(second, FIRST_NU, SECOND_NU, 2.0, 2.4)
    times.jump(second, last, np.array([1.0, -1.0, third]), np.array([False, True, False]))
    late, off = first_bound()
    assert late <= times.bounds[0] <= 1.06 * late
    first = (1e-5 + late * (3e-6 + 1e-5)) * (40 + 19)
    other = (2e-5 + late * (2e-6 + 1e-5 + 4e-6 + 1e-5)) * (30 + 30 + 19)
    off = np.hypot(off, np.sqrt(late / 2 * (first + other))) + late / 2 * 2e-5 + 2.0 / 2 * 1e-5
    missed = abs(-2 * Z[:, 1] @ SECOND_NU + 1)
    want = (missed + 2 * LENGTHS[1] * off) / (0.5 - 1e-5)
    assert want <= times.bounds[1] <= 1.08 * want


@pytest.mark.parametrize(
    ("before", "residual", "wait"), [([3e8, -4e8], [1.0, -0.5], 0.4), ([0.0, 0.0], [3e9, 4e9], 0.4)]
)
def test_the_rounding_of_nu_counts(before, residual, wait):
    """Its sizes at the start of a wait and on the way, eight roundings of each."""
    start = replace(START, residual=np.array(residual), residual_error=0.0, push_error=np.zeros(3))
    nu = np.array([-0.25, 0.1])
    times = JumpTimes(DenseMap(Z))
    times.wait(start, np.array(before), nu, wait, wait)
    times.jump(start, SECOND, np.array([1.0, 0.0, 0.0]), np.array([True, False, False]))
    off = 8 * 2.0**-53 * (np.linalg.norm(before) + wait / 2 * np.linalg.norm(residual))
    want = 2 * LENGTHS[0] * off / 2.0
    assert want <= times.bounds[0] <= 1.06 * want


WAIT, START_ERROR = 0.4, 0.01  # with it the first jump is off by so much that single terms show


def second_bound(old, new):
    """The bound on a second jump, by the formula, of which the terms of the first one are the largest."""
    off = WAIT / 2 * old.residual_error
    late = (1e-5 + 2 * LENGTHS[0] * off) / (2.0 - old.push_error[0])
    drift = abs(new.push[0]) + new.push_error[0]
    wall = 1e-5 + late * drift
    parted = late / 2 * wall * (abs(new.x[0]) + old.error_bound + new.error_bound)
    off = np.hypot(off, np.sqrt(parted)) + late / 2 * (old.residual_error + new.residual_error) + 2.0 / 2 * 1e-5
    return (abs(-2 * Z[:, 1] @ SECOND_NU + 1) + 2 * LENGTHS[1] * off) / (0.5 - 1e-5)


@pytest.mark.parametrize(
    ("old_change", "new_change"),
    [
        ({}, {}),
        ({}, {"push_error": np.full(3, 30.0), "x": np.array([-4.0, 0.0, 0.0])}),
        ({}, {"push": np.array([-30.0, -0.5, 0.05]), "x": np.array([-4.0, 0.0, 0.0])}),
        ({"error_bound": 300.0}, {"push_error": np.full(3, 1.0)}),
        ({"error_bound": 0.0}, {"error_bound": 300.0, "push_error": np.full(3, 1.0)}),
        ({}, {"residual_error": 2.0}),
    ],
)
def test_each_term_of_the_first_jump_carries_the_second_bound(old_change, new_change):
    old = replace(START, residual_error=START_ERROR, **old_change)
    new = replace(SECOND, **new_change)
    times = JumpTimes(DenseMap(Z))
    times.wait(old, np.zeros(2), FIRST_NU, WAIT, WAIT)
    times.jump(old, new, np.array([1.0, 0.0, 0.0]), np.array([True, False, False]))
    # The wait that follows is at a point that is known well.
    times.wait(SECOND, FIRST_NU, SECOND_NU, 2.0, 2.4)
    times.jump(SECOND, SECOND, np.array([1.0, -1.0, 0.0]), np.array([False, True, False]))
    want = second_bound(old, new)
    assert want <= times.bounds[1] <= 1.12 * want


@pytest.mark.parametrize(("share", "is_known"), [(0.6, False), (0.9, False), (1.1, True)])
def test_another_entry_must_not_arrive_while_the_first_is_late(share, is_known):
    """The second entry of s is closer to its wall than the way that it goes in that time, or a little farther."""
    late = (2 * LENGTHS[0] * WAIT / 2 * START_ERROR) / 2.0
    start = replace(START, residual_error=START_ERROR, push=np.array([2.0, -80.0, 0.1]), push_error=np.zeros(3))
    unsure = 2 * LENGTHS[1] * WAIT / 2 * START_ERROR
    second = -1 + 1.02 * unsure + 1.03 * share * late * 80.0
    nu = np.array([-0.25, -second / 2 + 0.125])
    assert -2 * Z[:, 0] @ nu == 1.0
    assert -2 * Z[:, 1] @ nu == pytest.approx(second)
    times = JumpTimes(DenseMap(Z))
    times.wait(start, np.zeros(2), nu, WAIT, WAIT)
    times.jump(start, SECOND, np.array([1.0, 0.0, 0.0]), np.array([True, False, False]))
    assert (times.bounds[0] < np.inf) == is_known


@pytest.mark.parametrize(
    "change",
    [
        {"held": [False, True, False]},  # a weight of zero that is kept at its wall
        {"push": [2.0, -3.3, 0.1]},  # another entry could arrive as early
        {"push": [1e-5, -0.5, 0.1]},  # the entry may not move at all
        {"push_error": 5.0},
        {"residual_error": 5.0},
    ],
)
def test_what_is_not_certain_has_no_bound_from_then_on(change):
    parts = {"x": [0.0, 0.0, 0.0], "residual": [1.0, -0.5], "push": [2.0, -0.5, 0.1], "held": [False] * 3}
    start = fit(**(parts | change))
    nu = FIRST_NU if "push" not in change else -np.array([(1 + 1e-5) / 4, -0.625 - 1e-5])
    times = JumpTimes(DenseMap(Z))
    times.wait(start, np.zeros(2), nu, 0.4, 0.4)
    times.jump(start, SECOND, np.array([1.0, 0.0, 0.0]), np.array([True, False, False]))
    times.wait(SECOND, FIRST_NU, SECOND_NU, 2.0, 2.4)
    third = fit([-0.5, -0.2, 0.0], [0.0, 0.0], [0.0, 0.0, 0.0], [True, True, False])
    times.jump(SECOND, third, np.array([1.0, -1.0, 0.0]), np.array([False, True, False]))
    assert times.bounds == [np.inf, np.inf]


def test_jumps_that_are_not_apart_have_no_bound():
    """The second jump may come before the exact path has made the first one."""
    times = JumpTimes(DenseMap(Z))
    times.wait(START, np.zeros(2), FIRST_NU, 0.4, 0.4)
    times.jump(START, SECOND, np.array([1.0, 0.0, 0.0]), np.array([True, False, False]))
    times.wait(SECOND, FIRST_NU, SECOND_NU, times.bounds[0], 0.4 + times.bounds[0])
    times.jump(SECOND, SECOND, np.array([1.0, -1.0, 0.0]), np.array([False, True, False]))
    assert times.bounds[1] == np.inf
