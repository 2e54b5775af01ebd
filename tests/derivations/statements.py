"""Helpers of the tests of statements: the claim that a test is about, trajectories, and the potential.

Nothing here comes from the package, because these tests compare the statements with numbers, and not their checks.
"""

import mpmath as mp
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

TESTED = set()
few = settings(max_examples=max(12, settings.default.max_examples // 4))

starts = st.tuples(st.floats(0.3, 2.0), st.floats(-0.9, 0.9)).map(lambda pair: (pair[0], pair[0] * pair[1]))
targets = st.floats(-2.0, 2.0)
strengths = st.floats(0.0, 1.0)
times = st.floats(0.1, 2.0)
weights = st.floats(-3.0, 3.0)
scales = st.floats(0.05, 5.0)
coordinates = st.floats(0.3, 2.0)
points = st.tuples(coordinates, coordinates, coordinates).map(np.array)
pairs = st.tuples(starts, starts).map(np.array)  # (m_0, w_0) of two weights, one a row
rows = st.tuples(st.floats(0.3, 1.5), st.floats(-1.5, -0.3))  # the one equation Z₁x₁ + Z₂x₂ = y


def about(claim):
    """Mark the test of the statement of a claim, as it stands or as corrected."""

    def note(test):
        TESTED.add(claim)
        return test

    return note


def pulled_to(target):
    """The slope of f(x) = log cosh(x − target), a convex loss that is no square."""
    return lambda x: np.tanh(x - target)


def train(m0, w0, slope, at, alpha=lambda t: 0.0):
    """m, w and L at the times ``at``, shape (k, n) each, for n weights and ∇f = slope(x), by LSODA."""
    m0, w0 = np.atleast_1d(m0).astype(float), np.atleast_1d(w0).astype(float)
    n = len(m0)

    def velocity(t, state):
        m, w = state[:n], state[n : 2 * n]
        pull = np.atleast_1d(slope(m * w))
        return np.concatenate([-w * pull - 2 * alpha(t) * m, -m * pull - 2 * alpha(t) * w, pull])

    at = np.atleast_1d(at)
    start = np.concatenate([m0, w0, np.zeros(n)])
    path = solve_ivp(velocity, (0, at[-1]), start, "LSODA", at, rtol=1e-11, atol=1e-12)
    return path.y[:n].T, path.y[n : 2 * n].T, path.y[2 * n :].T


def trained(m0, w0, slope, time, alpha=lambda t: 0.0):
    """m, w and L of one weight at one time."""
    return tuple(float(found[-1, 0]) for found in train(m0, w0, slope, [time], alpha))


def rotated(m0, w0):
    """The start in other coordinates, u_0 = (m_0 + w_0)/√2 and v_0 = (m_0 − w_0)/√2."""
    return (m0 + w0) / np.sqrt(2), (m0 - w0) / np.sqrt(2)


def potential(x, a, shift=0):
    """R_a(x) = ½[x arcsinh(x/a) − √(x² + a²) − x·shift] of one weight, to mpmath's precision."""
    x, a = mp.mpf(x), mp.mpf(a)
    return (x * mp.asinh(x / a) - mp.sqrt(x**2 + a**2) - x * shift) / 2


def mirror_map(x, a, shift=0):
    """R_a'(x), by numerical differentiation of the potential."""
    return mp.diff(lambda y: potential(y, a, shift), mp.mpf(x))


def divergence(x, y, a, shift=0):
    """D_R(x, y) of one weight, to mpmath's precision."""
    return potential(x, a, shift) - potential(y, a, shift) - mirror_map(y, a, shift) * (x - mp.mpf(y))


def slope(f, point):
    """∇f by complex steps, exact to rounding for analytic f."""
    return np.array([np.imag(f(point + 1e-30j * unit)) / 1e-30 for unit in np.eye(len(point))])


def bracket(f, g, point):
    """[∇f, ∇g] at a point: the derivative of each gradient along the other, by central differences."""
    step = 1e-5

    def along(h, direction):
        return (slope(h, point + step * direction) - slope(h, point - step * direction)) / (2 * step)

    return along(g, slope(f, point)) - along(f, slope(g, point))


def interpolating(Z, y):
    """∇f of f(x) = ½(Zx − y)²."""
    return lambda x: Z * (Z @ x - y)


def least_on_a_line(start, Z, y, decay):
    """The argmin of R_a under Zx = y for two weights, which is where the slope of R_a vanishes on that line."""
    scale = (start[:, 0] ** 2 - start[:, 1] ** 2) / 2 * np.exp(-4 * decay)
    shift = np.log((start[:, 0] + start[:, 1]) / (start[:, 0] - start[:, 1]))
    base, direction = Z * y / (Z @ Z), np.array([-Z[1], Z[0]])

    def along(t):
        return direction @ (np.arcsinh((base + t * direction) / scale) - shift)

    return base + brentq(along, -50, 50, xtol=1e-14) * direction
