"""The statements on training in discrete time, by loops of their own: against products, and against trajectories."""

import mpmath as mp
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

numbers = st.floats(-2, 2, allow_subnormal=False)
sequences = st.lists(st.tuples(numbers, st.floats(0.01, 0.9), st.floats(0, 0.5)), min_size=1, max_size=12)
momenta = st.floats(0.1, 0.95)


def trained_in_digits(start, taken, beta, nesterov=False, decoupled=False):
    """M and w after steps (g, η, α), by torch's definitions at 60 digits."""
    m, w = map(mp.mpf, start)
    along_m = along_w = mp.mpf(0)
    for g, eta, alpha in [map(mp.mpf, each) for each in taken]:
        inside, beside = (0, 2 * eta * alpha) if decoupled else (2 * alpha, 0)
        slope_m, slope_w = w * g + inside * m, m * g + inside * w
        along_m, along_w = beta * along_m + slope_m, beta * along_w + slope_w
        move_m = slope_m + beta * along_m if nesterov else along_m
        move_w = slope_w + beta * along_w if nesterov else along_w
        m, w = m - beside * m - eta * move_m, w - beside * w - eta * move_w
    return m, w


def multiplied(sign, taken, beta, nesterov=False, decoupled=False):
    """The product of all r of the factor with this sign, each from the recursion that is stated."""
    product, memory = mp.mpf(1), mp.mpf(0)
    for g, eta, alpha in [map(mp.mpf, each) for each in taken]:
        push = sign * g + (0 if decoupled else 2 * alpha)
        mu = beta * memory + push
        r = 1 - eta * (push + beta * mu if nesterov else mu) - (2 * eta * alpha if decoupled else 0)
        product, memory = product * r, mu / r
    return product


def check_products(start, taken, beta, **options):
    """X = a sinh β to 40 digits of m² + w²."""
    with mp.workdps(60):
        beta = mp.mpf(beta)
        m, w = trained_in_digits(start, taken, beta, **options)
        high, low = (multiplied(sign, taken, beta, **options) for sign in (1, -1))
        p, q = mp.mpf(start[0]) + mp.mpf(start[1]), mp.mpf(start[0]) - mp.mpf(start[1])
        x = abs(p * q / 2 * high * low) * mp.sinh(mp.log(abs(p / q)) + mp.log(abs(high / low)))
        assert abs(x - m * w) < mp.mpf(10) ** -40 * (m**2 + w**2)


@about("ours/discretization")
@given(starts, sequences)
def test_gradient_descent_multiplies_the_factors(start, taken):
    check_products(start, taken, 0)


@about("ours/heavy-ball")
@given(starts, sequences, momenta)
def test_heavy_ball_multiplies_the_factors(start, taken, beta):
    check_products(start, taken, beta)


@about("ours/nesterov")
@given(starts, sequences, momenta)
def test_the_momentum_of_nesterov_multiplies_the_factors(start, taken, beta):
    check_products(start, taken, beta, nesterov=True)


@about("ours/decoupled-decay")
@given(starts, sequences, momenta)
def test_decoupled_decay_multiplies_the_factors(start, taken, beta):
    check_products(start, taken, beta, decoupled=True)


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


@about("ours/flow-discretization")
@few
@given(starts, targets, strengths)
def test_gradient_descent_approaches_the_flow_like_its_step(start, target, strength):
    check_first_order(start, target, strength, 0.0, coarse=64)


@about("ours/flow-heavy-ball")
@few
@given(starts, targets, strengths, st.floats(0.1, 0.8))
def test_heavy_ball_approaches_the_flow_at_its_own_speed(start, target, strength, momentum):
    check_first_order(start, target, strength, momentum, coarse=128)
