"""Potentials of steepest descent against curves of SciPy: R'(x(s)) = s, whatever the start and the decay."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import implicit_bias as ib

# g, its gradient, and the gradient of h (with the formula of h) where one commutes with it under decay.
SQUARES = ("m**2+w**2", lambda y: 2 * y)
MAPS = {
    "m*w": (lambda y: y[0] * y[1], lambda y: y[::-1], SQUARES),
    "m**2-w**2": (lambda y: y[0] ** 2 - y[1] ** 2, lambda y: np.array([2 * y[0], -2 * y[1]]), SQUARES),
    "m**3-w**3": (lambda y: y[0] ** 3 - y[1] ** 3, lambda y: np.array([3 * y[0] ** 2, -3 * y[1] ** 2]), None),
    "log(m)-log(w)": (lambda y: np.log(y[0] / y[1]), lambda y: np.array([1 / y[0], -1 / y[1]]), None),
}
STARTS = [(1.3, 0.4), (0.7, 0.7), (0.4, 1.3)]  # moved, symmetric, and with the parameters exchanged


def integrated(velocity, time, start):
    if not time:
        return np.array(start)
    path = solve_ivp(lambda _, y: velocity(y), [0, time], start, method="DOP853", rtol=1e-13, atol=1e-15)
    assert path.success
    return path.y[:, -1]


def ascent(slope, q, sign):
    return lambda y: sign * np.sign(slope(y)) * np.abs(slope(y)) ** (q - 1)


@pytest.mark.parametrize("order", [2, 3, 1.5, math.inf])
@pytest.mark.parametrize("formula", MAPS)
def test_the_mirror_map_inverts_the_curve(formula, order):
    g, slope, decaying = MAPS[formula]
    q = 1 if order == math.inf else order / (order - 1)
    for start in STARTS:
        if formula == "m*w" and start[0] == start[1]:  # the curve of equal factors reaches 0 and leaves x > 0 alone
            continue
        for decay in (0.0, 0.35) if decaying else (0.0,):
            begun = integrated(lambda y: -decaying[1](y), decay, start) if decaying else np.array(start)
            h = decaying[0] if decaying else None
            dynamics = None if order == 2 else ib.SteepestDescent(order)
            derived = ib.derive(ib.Parameterization(formula, "m,w", h), dynamics=dynamics)
            R = derived.at(m=start[0], w=start[1], decay=decay)
            for sign in (1, -1):  # as short as the shortest of these curves
                x = g(integrated(ascent(slope, q, sign), 0.015, begun))
                assert abs(R.gradient([x])[0] - sign * 0.015) < 1e-8
