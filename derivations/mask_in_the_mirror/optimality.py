"""The conditions of optimality at the end of training: the proof of Theorem A.2."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import sympy as sp
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.judging_before import CONFIRMED_BELOW, Violation, judge_constant
from derivations.mask_in_the_mirror.setting import (
    SIZES,
    accumulated,
    along_flow,
    decay,
    derived,
    m,
    prove,
    slope,
    strength,
    trained_weight,
    u0,
    v0,
    w,
)
from implicit_bias import Verdict
from implicit_bias.claims import corrected
from implicit_bias.claims.judge import quarters

SIGN = sp.Integer(1)


@dataclass(frozen=True)
class Equation:
    """One equation for two weights, Z₁x₁ + Z₂x₂ = y, both trained from (m_0, w_0) on f = ½(Z₁x₁ + Z₂x₂ − y)²."""

    Z1: float
    Z2: float
    y: float
    m0: float
    w0: float
    time: float

    def end(self) -> tuple[np.ndarray, float]:
        """The weights at the end, shape (2,), and the accumulated residual."""
        data = np.array([self.Z1, self.Z2])

        def velocity(t: float, state: np.ndarray) -> np.ndarray:
            m, w = state[:2], state[2:4]
            residual = data @ (m * w) - self.y
            return np.concatenate([-w * data * residual, -m * data * residual, [residual]])

        start = [self.m0, self.m0, self.w0, self.w0, 0.0]
        path = solve_ivp(velocity, (0, self.time), start, "DOP853", rtol=1e-12, atol=1e-13)
        return path.y[:2, -1] * path.y[2:4, -1], float(path.y[4, -1])


@PAPER.claim(
    "thm-a.2",
    statement=r"\nabla R_{a_t}(x_t) = +Z^T \int_0^t \nabla \tilde f(Z x_s - y)\,ds",
    source="proof of Theorem A.2",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2", r"f(x) = \tilde f(Zx - y)"),
    uses=(corrected("lem-a.1"),),
)
def theorem_a_2() -> Verdict:
    """Train two weights on one equation, with the squared loss and no decay, and compare ∇R with both signs.

    ∇R is inverted instead of evaluated: x_t has to be ∇R*(± Zᵀν), ν the accumulated residual.
    """
    # ∇R_A*(−L) is the weight that the flows u' = −u(f' + 2α), v' = v(f' − 2α) lead to, so ∇R_A(x_t) = −L_t.
    exponentials = u0**2 * sp.exp(-2 * accumulated) - v0**2 * sp.exp(2 * accumulated)
    proof = prove(
        "∇R_A*(−L) − ½(u₀²e^(−2L) − v₀²e^(2L))e^(−4A) and the flows (m ± w)' = ∓(m ± w)(f' ± 2α) simplify to "
        "identities, so ∇R_A(x_t) = −L_t, and L_t = Zᵀ∫∇f̃ by the chain rule.",
        trained_weight() - exponentials * sp.exp(-4 * decay) / 2,
        along_flow(m + w) + (slope + 2 * strength) * (m + w),
        along_flow(m - w) - (slope - 2 * strength) * (m - w),
    )
    equations = st.builds(
        Equation,
        w0=quarters(-0.75, 0.75),
        m0=quarters(1, 2),
        Z1=quarters(-2, 2),
        Z2=quarters(-2, 2),
        y=quarters(-2, 2),
        time=quarters(0.25, 1),
    )
    return judge_constant(
        SIGN,
        sp.Integer(-1),
        proof,
        r"\nabla R_{a_t}(x_t) = -Z^T \int_0^t \nabla \tilde f(Z x_s - y)\,ds",
        _violation,
        equations,
    )


def _violation(equation: Equation) -> Violation:
    weights, dual = equation.end()
    potential = derived().at({"m": np.full(2, equation.m0), "w": np.full(2, equation.w0)})
    data = np.array([equation.Z1, equation.Z2])
    stated, true = (
        float(np.max(np.abs(potential.inverse_gradient(sign * data * dual) - weights))) for sign in (int(SIGN), -1)
    )
    return Violation(
        stated if true <= CONFIRMED_BELOW else np.nan,
        f"max|∇R*(±Zᵀν) − m_t w_t| on a trajectory of two weights: stated sign {stated:.3g}, minus {true:.0e}.",
        asdict(equation) | {"deviation": stated, "deviation_of_correction": true},
    )
