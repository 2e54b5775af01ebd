"""Theorem A.2: the sign with which the residuals enter ∇R."""

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from derivations.mask import (
    PREPRINT,
    SIZES,
    accumulated,
    along_flow,
    derived,
    judge_constant,
    m,
    prove,
    slope,
    strength,
    u0,
    v0,
    w,
    weight_without_decay,
)
from implicit_bias import Claim, Verdict

STATED = sp.Integer(1)


def check() -> Verdict:
    """Train two weights on one equation, x_1 + 2 x_2 = 1, and compare ∇R with both signs.

    ∇R is inverted instead of evaluated: x_t has to be ∇R*(± Zᵀν), ν the accumulated residual.
    """
    data, time = np.array([1.0, 2.0]), 1.0

    def velocity(t: float, state: np.ndarray) -> np.ndarray:
        m, w = state[:2], state[2:4]
        residual = data @ (m * w) - 1.0
        return np.concatenate([-w * data * residual, -m * data * residual, [residual]])

    path = solve_ivp(velocity, (0, time), [1, 1, 0, 0, 0], "DOP853", rtol=1e-12, atol=1e-13)
    weights, dual = path.y[:2, -1] * path.y[2:4, -1], path.y[4, -1]
    potential = derived().at({"m": np.ones(2), "w": np.zeros(2)})
    stated, true = (np.max(np.abs(potential.inverse_gradient(s * data * dual) - weights)) for s in (int(STATED), -1))
    # ∇R*(−L) is the weight that the flows u' = −u f', v' = v f' lead to, so ∇R(x_t) = −L_t.
    proof = prove(
        "∇R*(−L) − ½(u₀²e^(−2L) − v₀²e^(2L)) and the flows (m ± w)' = ∓(m ± w)f' simplify to identities, so "
        "∇R(x_t) = −L_t, and L_t = Zᵀ∫ of the residuals by the chain rule.",
        weight_without_decay() - (u0**2 * sp.exp(-2 * accumulated) - v0**2 * sp.exp(2 * accumulated)) / 2,
        along_flow(m + w).xreplace({strength: sp.Integer(0)}) + slope * (m + w),
        along_flow(m - w).xreplace({strength: sp.Integer(0)}) - slope * (m - w),
    )
    return judge_constant(
        STATED,
        sp.Integer(-1),
        proof,
        r"\nabla R(x_t) = -Z^T \int_0^t \tfrac1d (Z x_s - y)\,ds",
        f"max|∇R*(±Zᵀν) − m_t w_t| on a trajectory of two weights: stated sign {stated:.3g}, minus {true:.0e}.",
        float(stated),
        {"Z1": 1.0, "Z2": 2.0, "y": 1.0, "m0": 1.0, "w0": 0.0, "time": time, "deviation": float(stated)},
    )


CLAIM = Claim(
    id="thm-a.2",
    statement=r"\nabla R(x_t) = +Z^T \int_0^t \tfrac1d (Z x_s - y)\,ds",
    source=f"{PREPRINT}, Theorem A.2",
    hypotheses=(SIZES, r"\alpha = 0", r"f(x) = \|Zx - y\|_2^2 / (2d)"),
    uses=("lem-a.1",),
    check=check,
)
