"""The printed statements on fields that do not commute, by numerical brackets."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statements import about, bracket, coordinates, points, slope


@about("mask-in-the-mirror/lem-c.1")
@about("ours/neuron-bracket")
@given(st.lists(coordinates, min_size=3, max_size=6).map(np.array))
def test_two_outputs_of_a_shared_mask_do_not_commute(point):
    """The first parameter is the mask; [∇(m w_1), ∇(m w_2)] = (0, −w_2, w_1) up to sign, which is not zero."""
    found = bracket(lambda p: p[0] * p[1], lambda p: p[0] * p[2], point)
    assert np.linalg.norm(found) == pytest.approx(math.hypot(point[1], point[2]), rel=1e-6)
    moved = slope(lambda p: p[0] * p[1], point) @ found, slope(lambda p: p[0] * p[2], point) @ found
    assert np.linalg.norm(moved) == pytest.approx(point[0] * math.hypot(point[1], point[2]), rel=1e-6)


@about("mask-in-the-mirror/only-m")
@given(points)
def test_decay_of_the_mask_alone_does_not_commute(point):
    found = bracket(lambda p: p[0] * p[1], lambda p: p[0] ** 2, point[:2])
    assert np.linalg.norm(found) == pytest.approx(2 * np.linalg.norm(point[:2]), rel=1e-6)
    moved = slope(lambda p: p[0] * p[1], point[:2]) @ found
    assert abs(moved) == pytest.approx(2 * abs(point[0] ** 2 - point[1] ** 2), rel=1e-6, abs=1e-6)


@about("mask-in-the-mirror/commutes")
@given(points)
def test_decay_of_both_factors_commutes(point):
    found = bracket(lambda p: p[0] * p[1], lambda p: p[0] ** 2 + p[1] ** 2, point[:2])
    assert np.linalg.norm(found) < 1e-6


@about("mask-in-the-mirror/thm-c.1")
@given(st.lists(coordinates, min_size=4, max_size=4).map(np.array))
def test_the_flow_of_masks_of_their_own_meets_the_condition(point):
    """The theorem itself is left open; for m_1 w_1, m_2 w_2, which have a potential, its conclusion holds."""
    found = bracket(lambda p: p[0] * p[1], lambda p: p[2] * p[3], point)
    assert np.linalg.norm(found) < 1e-6
