"""Statements on training in discrete time, tested by a separate loop against a separate trajectory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from statements import (
    about,
    few,
    pulled_to,
    starts,
    strengths,
    targets,
    trained,
)


def stepped(start, slope, step, count, strength, momentum):
    """Return x after a number of steps of heavy ball on one m and w; without momentum, of gradient descent."""
    theta, velocity = np.array(start), np.zeros(2)
    for _ in range(count):
        m, w = theta
        pull = slope(m * w)
        velocity = momentum * velocity + np.array([w * pull + 2 * strength * m, m * pull + 2 * strength * w])
        theta = theta - step * velocity
    return theta[0] * theta[1]


def check_first_order(start, target, strength, momentum, coarse):
    """An eighth of the step has about an eighth of the error; a quarter leaves room for the terms of higher order."""
    m, w, _ = trained(*start, pulled_to(target), 1.0, lambda t: strength)
    errors = [
        abs(stepped(start, pulled_to(target), (1 - momentum) / count, count, strength, momentum) - m * w)
        for count in (coarse, 8 * coarse)
    ]
    assert errors[1] <= errors[0] / 4 + 2e-4 / coarse


@about("ours/discretization")
@few
@given(starts, targets, strengths)
def test_gradient_descent_approaches_the_flow_like_its_step(start, target, strength):
    check_first_order(start, target, strength, 0.0, coarse=64)


@about("ours/heavy-ball")
@few
@given(starts, targets, strengths, st.floats(0.1, 0.8))
def test_heavy_ball_approaches_the_flow_at_its_own_speed(start, target, strength, momentum):
    check_first_order(start, target, strength, momentum, coarse=128)
