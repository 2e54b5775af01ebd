"""The statements on commuting fields and on other parameterizations: by numerical brackets, flows and exponentials."""

import itertools
import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.linalg import expm
from statements import about, few

coordinates = st.floats(0.3, 2.0)
points = st.tuples(coordinates, coordinates, coordinates).map(np.array)


def slope(f, point):
    """∇f by complex steps, exact to rounding for analytic f."""
    return np.array([np.imag(f(point + 1e-30j * unit)) / 1e-30 for unit in np.eye(len(point))])


def bracket(f, g, point):
    """[∇f, ∇g] at a point: the derivative of each gradient along the other, by central differences."""
    step = 1e-5

    def along(h, direction):
        return (slope(h, point + step * direction) - slope(h, point - step * direction)) / (2 * step)

    return along(g, slope(f, point)) - along(f, slope(g, point))


@about("lem-c.1")
@given(st.lists(coordinates, min_size=3, max_size=6).map(np.array))
def test_two_outputs_of_a_shared_mask_do_not_commute(point):
    """The first parameter is the mask; [∇(m w_1), ∇(m w_2)] = (0, −w_2, w_1) up to sign, which is not zero."""
    found = bracket(lambda p: p[0] * p[1], lambda p: p[0] * p[2], point)
    assert np.linalg.norm(found) == pytest.approx(math.hypot(point[1], point[2]), rel=1e-6)
    moved = slope(lambda p: p[0] * p[1], point) @ found, slope(lambda p: p[0] * p[2], point) @ found
    assert np.linalg.norm(moved) == pytest.approx(point[0] * math.hypot(point[1], point[2]), rel=1e-6)


@about("only-m")
@given(points)
def test_decay_of_the_mask_alone_does_not_commute(point):
    found = bracket(lambda p: p[0] * p[1], lambda p: p[0] ** 2, point[:2])
    assert np.linalg.norm(found) == pytest.approx(2 * np.linalg.norm(point[:2]), rel=1e-6)


MONOMIALS = [e for e in itertools.product(range(5), repeat=3) if 0 < sum(e) <= 4]


@about("three-layers")
@given(points, points, st.lists(st.integers(-3, 3), min_size=len(MONOMIALS), max_size=len(MONOMIALS)))
def test_no_other_polynomial_commutes_with_three_layers(point, other, coefficients):
    def product(p):
        return p[0] * p[1] * p[2]

    def polynomial(p):
        return sum(c * p[0] ** i * p[1] ** j * p[2] ** k for c, (i, j, k) in zip(coefficients, MONOMIALS, strict=True))

    foreign = any(c for c, e in zip(coefficients, MONOMIALS, strict=True) if e != (1, 1, 1))
    assume(foreign)
    # One point may lie on the curve where the bracket vanishes; two at random do not.
    assume(np.abs(point - other).max() > 1e-2)
    assert max(np.abs(bracket(product, polynomial, p)).max() for p in (point, other)) > 1e-4
    assert np.abs(bracket(product, lambda p: p[0] ** 2 + p[1] ** 2 + p[2] ** 2, point)).max() > 0.1


def trained_layers(factors, row, target, strength, off):
    """Two weights a·b·c, factors of shape (3, 2), trained on (row·x − target)²/2 with decay until a time."""

    def velocity(_, state, alpha):
        theta = state.reshape(3, 2)
        pull = row * (row @ np.prod(theta, axis=0) - target)
        others = theta[[1, 2, 0]] * theta[[2, 0, 1]]
        return (-others * pull - 2 * alpha * theta).ravel()

    state = factors.ravel()
    for alpha, time in ((strength, off), (0.0, 500.0)):
        path = solve_ivp(velocity, (0, time), state, "LSODA", args=(alpha,), rtol=1e-11, atol=1e-13)
        state = path.y[:, -1]
    return state.reshape(3, 2)


@about("homogeneous-decay")
@few
@given(
    st.lists(st.floats(0.5, 1.2), min_size=6, max_size=6).map(lambda values: np.array(values).reshape(3, 2)),
    st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)).map(np.array),
    st.floats(0.5, 2),
    st.floats(0, 0.4),
    st.floats(0.1, 5),
)
def test_decay_on_three_layers_ends_where_the_rescaled_potential_is_least(factors, row, target, total, off):
    """∇R_0(e^(6A)x) is a multiple of the row: it is ∫ dx/‖∇g‖², where a² − b² and a² − c² stay as they were."""
    end = trained_layers(factors, row, target, total / off, off)
    assert row @ np.prod(end, axis=0) == pytest.approx(target, abs=1e-8)
    grown = math.exp(2 * total) * end
    assume(np.min(grown) > 0.05)  # the square root's branch on which training began
    slopes = []
    for first, last in zip(factors.T, grown.T, strict=True):
        b, c = first[0] ** 2 - first[1] ** 2, first[0] ** 2 - first[2] ** 2
        found, _ = quad(
            lambda q, b=b, c=c: 0.5 / math.sqrt(q * (q - b) * (q - c)),
            first[0] ** 2, last[0] ** 2, epsabs=1e-12, epsrel=1e-12,
        )  # fmt: skip
        slopes.append(found)
    assert slopes[0] * row[1] == pytest.approx(slopes[1] * row[0], abs=1e-7)


TERMS = [np.exp, np.sin, np.log, lambda t: t**3, lambda t: t**2, lambda t: 1 / t]


@about("separable-terms")
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
    # No other term of the list is a multiple of one, and at most at single points do the slopes' logarithms agree.
    away = [p for p in (point, point + 0.1, point + 0.2) if math.cos(p[0]) ** 2 > 0.01 and math.cos(p[1]) ** 2 > 0.01]
    if chosen[:2] != chosen[2:] and len(away) == 3:
        assert max(np.abs(bracket(g, lambda p: third(p[0]) + fourth(p[1]), p)).max() for p in away) > 1e-4


@about("quadratic-potential")
@few
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_the_forms_at_the_flow_of_the_parameters_are_the_gradient_of_the_potential(seed, strength):
    """Polynomials of one symmetric matrix commute; the flow is LSODA's, the gradient Richardson's on expm."""
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


@about("range-shrinking")
@few
@given(st.floats(0.5, 2), st.floats(0.5, 2), st.integers(0, 90), st.integers(-95, 95))
def test_the_mirror_map_of_logarithms_takes_exactly_the_values_of_the_interval(u0, v0, used, place):
    """First some decay, ``used`` percent of what one parameter can take, then a constant pull for the time |z|.

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
