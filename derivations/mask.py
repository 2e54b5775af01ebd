r"""The setting of "Mask in the Mirror": the mask x = m ⊙ w trained with h = m² + w², and how its formulas are judged.

A formula of the preprint is held against two things that share no code: the derivation by :func:`implicit_bias.derive`,
which can prove it, and a trajectory of m and w integrated here by SciPy straight from the definition of the flow, which
can refute it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from implicit_bias import Correction, Derivation, Outcome, Parameterization, Verdict, derive
from implicit_bias.symbolic.zero_test import simplified_to_zero, vanishes

PREPRINT = "arXiv:2408.09966v1"  # Jacobs & Burkholz, August 2024
SIZES = r"|w_0| < m_0"

# Weights are one-dimensional here: every formula of the setting acts coordinate by coordinate.
x = sp.Symbol("x", real=True)
decay = sp.Symbol("A", nonnegative=True)
u0, v0 = sp.symbols("u0 v0", positive=True)  # the preprint's u_0 = (m_0 + w_0)/√2 and v_0 = (m_0 − w_0)/√2
accumulated = sp.Symbol("L", real=True)  # L_t = ∫ f'(x_s) ds
IN_UV = {"m0": (u0 + v0) / sp.sqrt(2), "w0": (u0 - v0) / sp.sqrt(2), "x": x, "A": decay}

# The trained parameters, the slope f'(x) and the strength α at one moment, for identities along the flow.
m, w, slope = sp.symbols("m w slope", real=True)
strength = sp.Symbol("alpha", nonnegative=True)

# Above this a deviation on a trajectory that is accurate to 1e-10 is no accident of the integrator.
REFUTED_ABOVE = 1e-6


@cache
def derived() -> Derivation:
    """The derivation for m·w with m² + w²."""
    return derive(Parameterization("m*w", ["m", "w"]), "m**2 + w**2")


def in_uv(expression: sp.Expr | None) -> sp.Expr:
    """A formula of the derivation, rewritten in u_0 and v_0.

    Raises:
        ValueError: If the derivation found no such formula.
    """
    if expression is None:
        raise ValueError("in_uv: expected a formula, got None: the derivation of the mask found no closed form.")
    renamed = {s: IN_UV[s.name] for s in expression.free_symbols if s.name in IN_UV}
    return sp.expand(expression.xreplace(renamed), log=False)


def weight_without_decay() -> sp.Expr:
    """The weight ∇R*(−L) at A = 0, as a sum of exponentials of the accumulated gradient."""
    weight = in_uv(derived().inverse_mirror_map).xreplace({sp.Symbol("z"): -accumulated, decay: sp.Integer(0)})
    return sp.expand(weight.rewrite(sp.exp))


def at_scale(scale: sp.Expr, weight: sp.Expr) -> sp.Expr:
    """R_a(x) of a weight that started at zero, u_0 = v_0 = √a, without decay."""
    replacements = {u0: sp.sqrt(scale), v0: sp.sqrt(scale), decay: sp.Integer(0), x: weight}
    return in_uv(derived().potential).subs(replacements, simultaneous=True)


def along_flow(quantity: sp.Expr) -> sp.Expr:
    """The time derivative of a function of m, w and A, by the definition of the flow."""
    weight, regularizer = m * w, m**2 + w**2
    velocity = {p: -sp.diff(weight, p) * slope - strength * sp.diff(regularizer, p) for p in (m, w)}
    return sum(sp.diff(quantity, p) * velocity[p] for p in (m, w)) + sp.diff(quantity, decay) * strength


def weight_velocity() -> tuple[sp.Expr, tuple[sp.Expr, ...]]:
    """The velocity of x as a function of x and A, and the identities in m and w that it rests on.

    The gradient is preconditioned by m² + w², which the derived metric equals where x = mw and uv = (m² − w²)/2.
    """
    velocity = -in_uv(derived().metric) * slope - 4 * strength * x
    current = {x: m * w, decay: sp.Integer(0), u0: (m + w) / sp.sqrt(2), v0: (m - w) / sp.sqrt(2)}
    metric_squared = sp.expand(in_uv(derived().metric) ** 2).xreplace(current)
    identities = (
        along_flow(m * w) + (m**2 + w**2) * slope + 4 * strength * m * w,
        metric_squared - (m**2 + w**2) ** 2,
    )
    return velocity, identities


def prove(evidence: str, *steps: sp.Expr, stated: sp.Expr | None = None) -> Verdict:
    """PROVED if all identities simplify to zero.

    Args:
        evidence: What follows from the identities, and by which argument.
        steps: Left side minus right side of each identity that the argument uses. One that fails spoils the proof,
            not the statement: INCONCLUSIVE.
        stated: The same for an identity that is the statement itself: REFUTED where it does not vanish.
    """
    if not derived().proved:
        return Verdict(Outcome.INCONCLUSIVE, "The derivation that the check rests on is not proved.")
    for residual in (*steps, *(() if stated is None else (stated,))):
        test = vanishes(residual)
        if test.witness and residual is stated:
            numbers = {str(s): float(value) for s, value in test.witness.items()} | {"deviation": float(test.value)}
            return Verdict(Outcome.REFUTED, f"{residual} does not vanish.", abs(float(test.value)), 0.0, numbers)
        if test.outcome is not Outcome.PROVED:
            return Verdict(Outcome.INCONCLUSIVE, f"{residual} was not simplified to zero.")
    return Verdict(Outcome.PROVED, evidence)


@dataclass(frozen=True)
class Instance:
    """One trained weight: initial values, target of f(x) = ½(x − target)², strength α until ``off``, and flow time."""

    m0: float = 1.0
    w0: float = 0.0
    target: float = 1.0
    alpha: float = 0.0
    time: float = 1.0
    off: float = np.inf

    def velocity(self, state: np.ndarray, alpha: float) -> list[float]:
        """The velocity of m, w and L, by the definition of the flow alone."""
        m, w, _ = state
        pull = m * w - self.target
        return [-w * pull - 2 * alpha * m, -m * pull - 2 * alpha * w, pull]

    def path(self, times: np.ndarray) -> np.ndarray:
        """m, w and L, shape (3, k), at k increasing times."""
        state, found, begin = np.array([self.m0, self.w0, 0.0]), [], 0.0
        # The strength jumps at ``off``, where the integrator has to start anew.
        for alpha, stop in ((self.alpha, min(self.off, times[-1])), (0.0, times[-1])):
            leg = times[(times > begin) & (times <= stop)] if begin else times[times <= stop]
            if stop > begin:
                path = solve_ivp(
                    lambda t, state, alpha=alpha: self.velocity(state, alpha),
                    (begin, stop),
                    state,
                    "DOP853",
                    np.unique(np.append(leg, stop)),
                    rtol=1e-12,
                    atol=1e-13,
                )
                if not path.success:
                    raise RuntimeError(path.message)
                found.append(path.y[:, : len(leg)])
                state, begin = path.y[:, -1], stop
        return np.concatenate(found, axis=1)

    def end(self) -> dict[str, float]:
        """The trajectory's end: x, its velocity, L, A and the slope f'(x), by the definition of the flow alone."""
        state = self.path(np.array([self.time]))[:, 0]
        m, w, total = (float(v) for v in state)
        alpha = self.alpha if self.time <= self.off else 0.0
        m_velocity, w_velocity, pull = (float(v) for v in self.velocity(state, alpha))
        return {
            "x": m * w,
            "x_velocity": m_velocity * w + m * w_velocity,
            "L": total,
            "A": self.alpha * min(self.time, self.off),
            "alpha": alpha,
            "slope": pull,
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
    corrected: sp.Expr | None = None,
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
        corrected: The corrected formula where it is written in another form than the derived one.
    """
    end = instance.end()

    def evaluate(expression: sp.Expr) -> float:
        return float(expression.xreplace({s: sp.Float(end[s.name], 30) for s in expression.free_symbols}))

    found, reference = residual(evaluate, end, stated), residual(evaluate, end, true)
    # A formula that misses the trajectory is another one; SymPy could try for seconds to show that it is not.
    if found <= REFUTED_ABOVE and simplified_to_zero(stated - true):
        return Verdict(
            Outcome.PROVED, "The stated formula equals the derived one: their difference simplifies to zero."
        )
    if corrected is not None and not simplified_to_zero(corrected - true):
        return Verdict(Outcome.INCONCLUSIVE, "The corrected formula was not shown to equal the derived one.")
    if not derived().proved or reference > 1e-9:
        return Verdict(
            Outcome.INCONCLUSIVE, f"The derived formula deviates by {reference:.1e} itself.", reference, 1e-9
        )
    numbers = {"m0": instance.m0, "w0": instance.w0, "target": instance.target, "alpha": instance.alpha}
    if instance.off < instance.time:
        numbers["off"] = instance.off
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


def judge_constant(
    stated: sp.Expr,
    true: sp.Expr,
    proof: Verdict,
    correction: str,
    evidence: str,
    excess: float,
    counterexample: Mapping[str, float],
) -> Verdict:
    """Confirm a stated constant that equals the proved one, or refute it by what a trajectory did.

    Args:
        stated: The preprint's constant.
        true: The derived constant.
        proof: The verdict on the statement with the derived constant.
        correction: That statement in LaTeX.
        evidence: What the trajectory did.
        excess: By how much the trajectory violates the stated constant; negative if it does not.
        counterexample: The numbers of the trajectory.
    """
    if proof.outcome is not Outcome.PROVED:
        return Verdict(Outcome.INCONCLUSIVE, f"The derived constant is not proved itself: {proof.evidence}")
    if vanishes(stated - true).outcome is Outcome.PROVED:
        return proof
    if not excess > REFUTED_ABOVE:
        return Verdict(Outcome.INCONCLUSIVE, "The constants differ, but not on this trajectory.", excess, REFUTED_ABOVE)
    return Verdict(Outcome.REFUTED, evidence, excess, REFUTED_ABOVE, counterexample, Correction(correction, proof))


MIRROR_MEASURE = "|R'(x_t) + L_t|"


def mirror_residual(evaluate: Callable[[sp.Expr], float], end: dict[str, float], potential: sp.Expr) -> float:
    """|R'(x_t) + L_t|: how far a potential is from governing the trajectory."""
    return abs(evaluate(sp.diff(potential, x)) + end["L"])
