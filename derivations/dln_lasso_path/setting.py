"""The quadratic loss of two weights, its flow, and the solutions of small problems by enumeration.

The paper's μ is an inverse penalty; its λ is the strength of the weight decay λ/2 (‖u‖² + ‖v‖²).
"""

from __future__ import annotations

from itertools import product

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

x1, x2 = sp.symbols("x_1 x_2", positive=True)
m11, m12, m22, r1, r2 = sp.symbols("M_11 M_12 M_22 r_1 r_2", real=True)
decay = sp.Symbol("lambda", nonnegative=True)
time = sp.Symbol("t", positive=True)
level = sp.Symbol("Lambda", positive=True)  # log 1/ε
place = sp.Symbol("s", positive=True)  # rescaled time
inverse = sp.Symbol("mu", positive=True)  # inverse penalty

WEIGHTS = (x1, x2)
LOSS = m11 * x1**2 / 2 + m12 * x1 * x2 + m22 * x2**2 / 2 - r1 * x1 - r2 * x2
TILTED = LOSS + decay * (x1 + x2)  # L̃
SQUARED = (
    r"x = u \circ u,\ L(u) = \ell(u^2) + \lambda \|u\|^2",
    r"\ell(x) = \tfrac12 \langle x, M x \rangle - \langle r, x \rangle,\ M \succeq 0,\ r \in \mathrm{Span}\, M",
    r"\lambda \ge 0",
)
START = r"u(0) = \sqrt{\varepsilon} \alpha,\ \alpha_i \ne 0,\ \Lambda = \log \tfrac1\varepsilon"

LARGEST_EXPONENT = 50.0  # of a trial point of the integrator, which may be far off

FloatArray = NDArray[np.float64]


def velocity() -> list[sp.Expr]:
    """dx/dt of x = u², from the gradient of L in u."""
    roots = sp.symbols("u_1 u_2", positive=True)
    squares = {weight: root**2 for weight, root in zip(WEIGHTS, roots, strict=True)}
    trained = LOSS.xreplace(squares) + decay * sum(root**2 for root in roots)
    back = {root: sp.sqrt(weight) for weight, root in zip(WEIGHTS, roots, strict=True)}
    return [sp.expand((2 * root * -sp.diff(trained, root)).xreplace(back)) for root in roots]


def along_flow(quantity: sp.Expr) -> sp.Expr:
    """The time derivative of a quantity on the flow of x = u²."""
    return sum(sp.diff(quantity, weight) * speed for weight, speed in zip(WEIGHTS, velocity(), strict=True))


def positive_minimizer(M: FloatArray, r: FloatArray, penalty: float) -> FloatArray:
    """The minimizer of ½⟨x, Mx⟩ − ⟨r, x⟩ + penalty ‖x‖₁ over x ≥ 0, by trying all supports."""
    pull = r - penalty
    for active in product([False, True], repeat=len(r)):
        inside = np.array(active)
        x = np.zeros(len(r))
        if inside.any():
            x[inside] = np.linalg.lstsq(M[np.ix_(inside, inside)], pull[inside], rcond=None)[0]
        if (x >= -1e-12).all() and (M @ x - pull >= -1e-9).all() and (np.abs((M @ x - pull)[inside]) < 1e-9).all():
            return np.maximum(x, 0)
    raise RuntimeError("no support gives a minimizer")


def objective(M: FloatArray, r: FloatArray, penalty: float, x: FloatArray) -> float:
    """ℓ(x) + penalty ‖x‖₁."""
    return float(x @ M @ x / 2 - r @ x + penalty * np.abs(x).sum())


def averages(
    M: FloatArray, r: FloatArray, strength: float, alpha: FloatArray, log: float, places: FloatArray, rate: float
) -> FloatArray:
    """The averages of the flow of x = u² from εα² over the times t with rate t / log(1/ε) in ``places``.

    Integrates w = −log x / log(1/ε), which stays of order one, and the integral of x.
    """
    n = len(r)

    def speed(s: float, state: FloatArray) -> FloatArray:
        x = np.exp(np.minimum(-log * state[:n], LARGEST_EXPONENT))
        return np.concatenate([4 / rate * (M @ x - r + strength), x])

    def jacobian(s: float, state: FloatArray) -> FloatArray:
        x = np.exp(np.minimum(-log * state[:n], LARGEST_EXPONENT))
        zero = np.zeros((n, n))
        return np.block([[4 / rate * M * (-log * x), zero], [np.diag(-log * x), zero]])

    start = np.concatenate([1 - 2 * np.log(np.abs(alpha)) / log, np.zeros(n)])
    path = solve_ivp(speed, (0, places[-1]), start, "Radau", places, rtol=1e-7, atol=1e-9, jac=jacobian)
    return path.y[n:].T / places[:, None]
