"""Statements on sums, quadratic forms and decay, tested by numerical brackets, flows and exponentials."""

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from statements import about, bracket, few, mirror_map, points, potential, rotated, slope, starts, weights

TERMS = [np.exp, np.sin, np.log, lambda t: t**3, lambda t: t**2, lambda t: 1 / t]


@about("mirror-mirror/separable-terms")
@given(
    points,
    st.tuples(*[st.integers(0, len(TERMS) - 1)] * 4),
    st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
)
def test_a_separable_regularizer_commutes_exactly_if_it_is_a_multiple_term_by_term(point, chosen, factors):
    point = point[:2]
    first, second, third, fourth = (TERMS[k] for k in chosen)

    def g(p):
        return first(p[0]) + second(p[1])

    def multiple(p):
        return factors[0] * first(p[0]) + factors[1] * second(p[1])

    size = 1 + np.linalg.norm(slope(g, point)) ** 2 + np.linalg.norm(slope(multiple, point)) ** 2
    assert np.abs(bracket(g, multiple, point)).max() < 1e-5 * size
    # No term of the list is a multiple of another, so the bracket vanishes at single points at most.
    away = [p for p in (point, point + 0.1, point + 0.2) if math.cos(p[0]) ** 2 > 0.01 and math.cos(p[1]) ** 2 > 0.01]
    if chosen[:2] != chosen[2:] and len(away) == 3:
        assert max(np.abs(bracket(g, lambda p: third(p[0]) + fourth(p[1]), p)).max() for p in away) > 1e-4


@about("mirror-mirror/quadratic-potential")
@few
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_the_forms_at_the_flow_of_the_parameters_are_the_gradient_of_the_potential(seed, strength):
    """Polynomials of one matrix commute; LSODA finds the flow, and Richardson's extrapolation on expm the gradient."""
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(3, 3)) / 2
    root = root + root.T
    forms, regularizer = [root, root @ root - np.eye(3)], root @ root / 2
    theta0, target = generator.normal(size=3), generator.normal(size=2)

    def velocity(t, state):
        theta = state[:3]
        pull = [math.tanh(theta @ form @ theta / 2 - y) for form, y in zip(forms, target, strict=True)]
        turn = pull[0] * forms[0] + pull[1] * forms[1] + strength * regularizer
        return [*(-turn @ theta), *(-np.array(pull))]

    end = solve_ivp(velocity, (0, 0.7), [*theta0, 0, 0], "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]

    def conjugate(first, second):
        moved = expm(float(first) * forms[0] + float(second) * forms[1] - 0.7 * strength * regularizer) @ theta0
        return moved @ moved / 4

    for k, form in enumerate(forms):
        steps = [h * np.eye(2)[k] for h in (1e-2, 5e-3, 2.5e-3)]
        slopes = [(conjugate(*(end[3:] + h)) - conjugate(*(end[3:] - h))) / (2 * h[k]) for h in steps]
        refined = [(4 * fine - coarse) / 3 for coarse, fine in itertools.pairwise(slopes)]
        expected = end[:3] @ form @ end[:3] / 2
        assert (16 * refined[1] - refined[0]) / 15 == pytest.approx(expected, rel=1e-6, abs=1e-6)


@about("mirror-mirror/range-shrinking")
@few
@given(st.floats(0.5, 2), st.floats(0.5, 2), st.integers(0, 90), st.integers(-95, 95))
def test_the_mirror_map_of_logarithms_takes_exactly_the_values_of_the_interval(u0, v0, used, place):
    """Decay takes ``used`` percent of what one parameter can bear; then a constant pull acts for the time |z|.

    The point z of the interval lies ``place`` percent of the way from its middle to an end.
    """
    decay = used / 100 * min(u0, v0) ** 2 / 2
    lower, upper = decay - u0**2 / 2, v0**2 / 2 - decay
    z = (lower + upper) / 2 + place / 100 * (upper - lower) / 2
    assume(abs(z) > 1e-3)

    def decayed(t, state):
        return -1 / state

    def pulled(t, state):
        return np.sign(z) * np.array([1, -1]) / state

    start = np.array([u0, v0])
    if decay:
        start = solve_ivp(decayed, (0, decay), start, "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    end = solve_ivp(pulled, (0, abs(z)), start, "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    x = math.log(end[0] / end[1])
    growth = mp.exp(2 * x)
    assert lower < z < upper
    assert float((growth * upper + lower) / (1 + growth)) == pytest.approx(z, abs=1e-7)


@about("mirror-mirror/decay-monotone")
@given(starts, weights, st.floats(0, 2), st.floats(1e-3, 1))
def test_decay_raises_the_potential_by_the_metric(start, x, decay, more):
    u0, v0 = map(mp.mpf, rotated(*start))

    def raised(amount):
        return potential(x, u0 * v0 * mp.exp(-4 * amount), mp.log(u0 / v0))

    metric = 1 / mp.diff(lambda y: mirror_map(y, u0 * v0 * mp.exp(-4 * decay)), x)
    assert mp.diff(raised, decay) == pytest.approx(metric, rel=1e-5)
    assert raised(decay + more) > raised(decay)
