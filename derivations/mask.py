r"""The setting of "Mask in the Mirror": the mask x = m ⊙ w trained with h = m² + w², and how its formulas are judged.

A formula of the preprint is held against two things that share no code: the derivation by :func:`implicit_bias.derive`,
which can prove it, and a trajectory of m and w integrated here by SciPy straight from the definition of the flow, which
can refute it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from implicit_bias import Correction, Derivation, Outcome, Parameterization, Verdict, derive
from implicit_bias.symbolic.zero_test import simplified_to_zero

PREPRINT = "arXiv:2408.09966v1"  # Jacobs & Burkholz, August 2024
SIZES = r"|w_0| < m_0"

# Weights are one-dimensional here: every formula of the setting acts coordinate by coordinate.
x = sp.Symbol("x", real=True)
decay = sp.Symbol("A", nonnegative=True)
u0, v0 = sp.symbols("u0 v0", positive=True)  # the preprint's u_0 = (m_0 + w_0)/√2 and v_0 = (m_0 − w_0)/√2
accumulated = sp.Symbol("L", real=True)  # L_t = ∫ f'(x_s) ds
IN_UV = {"m0": (u0 + v0) / sp.sqrt(2), "w0": (u0 - v0) / sp.sqrt(2), "x": x, "A": decay}

# Above this a deviation on a trajectory that is accurate to 1e-10 is no accident of the integrator.
REFUTED_ABOVE = 1e-6


@cache
def derived() -> Derivation:
    """The derivation for m·w with m² + w²."""
    return derive(Parameterization("m*w", ["m", "w"]), "m**2 + w**2")


def in_uv(expression: sp.Expr) -> sp.Expr:
    """A formula of the derivation, rewritten in u_0 and v_0."""
    renamed = {s: IN_UV[s.name] for s in expression.free_symbols if s.name in IN_UV}
    return sp.expand(expression.xreplace(renamed), log=False)


@dataclass(frozen=True)
class Instance:
    """One trained weight: initial values, target of f(x) = ½(x − target)², constant strength α and flow time."""

    m0: float = 1.0
    w0: float = 0.0
    target: float = 1.0
    alpha: float = 0.0
    time: float = 1.0

    def end(self) -> dict[str, float]:
        """The trajectory's end: x, its velocity, L, A and the slope f'(x), by the definition of the flow alone."""

        def slope(m: float, w: float) -> float:
            return m * w - self.target

        def velocity(t: float, state: np.ndarray) -> list[float]:
            m, w, _ = state
            pull = slope(m, w)
            return [-w * pull - 2 * self.alpha * m, -m * pull - 2 * self.alpha * w, pull]

        path = solve_ivp(velocity, (0, self.time), [self.m0, self.w0, 0.0], "DOP853", rtol=1e-12, atol=1e-13)
        if not path.success:
            raise RuntimeError(path.message)
        m, w, total = (float(v) for v in path.y[:, -1])
        m_velocity, w_velocity, _ = velocity(self.time, path.y[:, -1])
        return {
            "x": m * w,
            "x_velocity": m_velocity * w + m * w_velocity,
            "L": total,
            "A": self.alpha * self.time,
            "slope": slope(m, w),
            "u0": (self.m0 + self.w0) / np.sqrt(2),
            "v0": (self.m0 - self.w0) / np.sqrt(2),
        }


def judge(
    stated: sp.Expr,
    true: sp.Expr,
    correction: str,
    residual: Callable[[Callable[[sp.Expr], float], dict[str, float], sp.Expr], float],
    measure: str,
    instance: Instance,
) -> Verdict:
    """Prove a stated formula equal to the derived one, or refute it on a trajectory and prove the derived one.

    Args:
        stated: The preprint's formula in x, A, L, u0, v0.
        true: The formula that the derivation gives, in the same symbols.
        correction: The corrected statement in LaTeX.
        residual: The deviation of a formula from a trajectory: a function of an evaluator of expressions at the
            trajectory's end, of the numbers there, and of the formula.
        measure: What the residual measures, as a formula.
        instance: The trajectory.
    """
    end = instance.end()

    def evaluate(expression: sp.Expr) -> float:
        return float(expression.xreplace({s: sp.Float(end[s.name], 30) for s in expression.free_symbols}))

    found, reference = residual(evaluate, end, stated), residual(evaluate, end, true)
    if simplified_to_zero(stated - true):
        return Verdict(
            Outcome.PROVED, "The stated formula equals the derived one: their difference simplifies to zero."
        )
    if not derived().proved or reference > 1e-9:
        return Verdict(
            Outcome.INCONCLUSIVE, f"The derived formula deviates by {reference:.1e} itself.", reference, 1e-9
        )
    numbers = {"m0": instance.m0, "w0": instance.w0, "target": instance.target, "alpha": instance.alpha}
    numbers |= {"time": instance.time, "deviation": found, "deviation_of_correction": reference}
    if found <= REFUTED_ABOVE:
        return Verdict(Outcome.INCONCLUSIVE, "The formulas differ, but not on this trajectory.", found, REFUTED_ABOVE)
    proof = f"derived by solving the flows, with {len(derived().identities)} identities that simplify to zero."
    return Verdict(
        Outcome.REFUTED,
        f"{measure} on a trajectory of m and w: stated {found:.3g}, derived {reference:.0e}.",
        residual=found,
        tolerance=REFUTED_ABOVE,
        counterexample=numbers,
        correction=Correction(correction, Verdict(Outcome.PROVED, proof)),
    )


MIRROR_MEASURE = "|R'(x_t) + L_t|"


def mirror_residual(evaluate: Callable[[sp.Expr], float], end: dict[str, float], potential: sp.Expr) -> float:
    """|R'(x_t) + L_t|: how far a potential is from governing the trajectory."""
    return abs(evaluate(sp.diff(potential, x)) + end["L"])
