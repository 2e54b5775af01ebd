"""Statements on other parameterizations, tested by numerical brackets, flows and quadrature."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from statements import about, bracket, few, points

MONOMIALS = [e for e in itertools.product(range(5), repeat=3) if 0 < sum(e) <= 4]


@about("ours/three-layers")
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


@about("ours/homogeneous-decay")
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
