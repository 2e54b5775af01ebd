"""What the tests of statements share: which claim a test is about, and a trajectory and a potential of their own.

Nothing here comes from the package: the tests hold the statements, not the checks, against numbers.
"""

import mpmath as mp
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

TESTED = set()
few = settings(max_examples=max(12, settings.default.max_examples // 4))

starts = st.tuples(st.floats(0.3, 2.0), st.floats(-0.9, 0.9)).map(lambda pair: (pair[0], pair[0] * pair[1]))
targets = st.floats(-2.0, 2.0)
strengths = st.floats(0.0, 1.0)
times = st.floats(0.1, 2.0)
weights = st.floats(-3.0, 3.0)
scales = st.floats(0.05, 5.0)


def about(claim):
    """Marks the test of the statement of a claim, as it stands or as corrected."""

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
    """u_0 and v_0."""
    return (m0 + w0) / np.sqrt(2), (m0 - w0) / np.sqrt(2)


def potential(x, a, shift=0):
    """R_a(x) = ½[x arcsinh(x/a) − √(x² + a²) − x·shift] of one weight, to mpmath's precision."""
    x, a = mp.mpf(x), mp.mpf(a)
    return (x * mp.asinh(x / a) - mp.sqrt(x**2 + a**2) - x * shift) / 2


def mirror_map(x, a, shift=0):
    """R_a'(x), by numerical differentiation of the potential."""
    return mp.diff(lambda y: potential(y, a, shift), mp.mpf(x))


def divergence(x, y, a, shift=0):
    """D_R(x, y)."""
    return potential(x, a, shift) - potential(y, a, shift) - mirror_map(y, a, shift) * (x - mp.mpf(y))
