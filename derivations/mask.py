r"""The setting of "Mask in the Mirror": the mask x = m ⊙ w trained with h = m² + w², and how its formulas are judged.

A formula of the preprint is held against two things that share no code: the derivation by :func:`implicit_bias.derive`,
which can prove it, and trajectories of m and w that SciPy integrates straight from the definition of the flow
(:mod:`derivations.trajectory`), of which one can refute it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import sympy as sp
from hypothesis.strategies import SearchStrategy

from derivations.trajectory import Instance
from implicit_bias import Correction, Derivation, Outcome, Parameterization, Verdict, derive
from implicit_bias.claims import judge as kit
from implicit_bias.claims.judge import T, search
from implicit_bias.symbolic.zero_test import simplified_to_zero, vanishes

PREPRINT = "arXiv:2408.09966v1"  # Jacobs & Burkholz, August 2024
MIRROR = 'Jacobs, Zhou & Burkholz, "Mirror, Mirror of the Flow", ICML 2025'
SIZES = r"|w_0| < m_0"
SIZES_OR_EQUAL = r"|w_0| \le m_0"  # as the preprint prints it for Theorem 3.1
POTENTIAL = "R is the potential of the flow, with the corrected constants"
DECAY = r"\alpha_t \ge 0, \; A_\infty < \infty"

# Weights are one-dimensional here: every formula of the setting acts coordinate by coordinate.
x = sp.Symbol("x", real=True)
decay = sp.Symbol("A", nonnegative=True)
u0, v0 = sp.symbols("u0 v0", positive=True)  # the preprint's u_0 = (m_0 + w_0)/√2 and v_0 = (m_0 − w_0)/√2
accumulated = sp.Symbol("L", real=True)  # L_t = ∫ f'(x_s) ds
IN_UV = {"m0": (u0 + v0) / sp.sqrt(2), "w0": (u0 - v0) / sp.sqrt(2), "x": x, "A": decay}

# The trained parameters, the slope f'(x) and the strength α at one moment, for identities along the flow.
m, w, slope = sp.symbols("m w slope", real=True)
strength = sp.Symbol("alpha", nonnegative=True)

# A trajectory counts if the derived formula holds on it to the first; a deviation above the second is then no accident.
CONFIRMED_BELOW = 1e-9
REFUTED_ABOVE = 1e-6
TOLERANCE_REASON = (
    "The trajectories are integrated to a relative 1e-12 a step, which leaves errors below 1e-9; a deviation a "
    "thousand times as large is no accident of the integrator."
)


@cache
def derived() -> Derivation:
    """The derivation for m·w with m² + w²."""
    # A verdict must not depend on how busy the machine is.
    return derive(Parameterization("m*w", ["m", "w"]), "m**2 + w**2", time_limit=math.inf)


def in_uv(expression: sp.Expr | None) -> sp.Expr:
    """A formula of the derivation, rewritten in u_0 and v_0.

    Raises:
        ValueError: If the derivation found no such formula.
    """
    if expression is None:
        raise ValueError("in_uv: expected a formula, got None: the derivation of the mask found no closed form.")
    renamed = {s: IN_UV[s.name] for s in expression.free_symbols if s.name in IN_UV}
    return sp.expand(expression.xreplace(renamed), log=False)


def trained_weight() -> sp.Expr:
    """The weight ∇R_A*(−L), as a sum of exponentials of the accumulated gradient and the decay."""
    return sp.expand(in_uv(derived().inverse_mirror_map).xreplace({sp.Symbol("z"): -accumulated}).rewrite(sp.exp))


def at_scale(scale: sp.Expr, weight: sp.Expr) -> sp.Expr:
    """R_a(x) of a weight that started at zero, u_0 = v_0 = √a, without decay."""
    replacements = {u0: sp.sqrt(scale), v0: sp.sqrt(scale), decay: sp.Integer(0), x: weight}
    return in_uv(derived().potential).subs(replacements, simultaneous=True)


def along_flow(
    quantity: sp.Expr,
    weight: sp.Expr = m * w,
    regularizer: sp.Expr = m**2 + w**2,
    parameters: tuple[sp.Symbol, ...] = (m, w),
) -> sp.Expr:
    """The time derivative of a function of the parameters and A, by the definition of the flow."""
    velocity = {p: -sp.diff(weight, p) * slope - strength * sp.diff(regularizer, p) for p in parameters}
    return sum(sp.diff(quantity, p) * velocity[p] for p in parameters) + sp.diff(quantity, decay) * strength


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
        along_flow((m**2 - w**2) * sp.exp(4 * decay)),  # by which the current uv is that of the formulas
    )
    return velocity, identities


def prove(evidence: str, *steps: sp.Expr, stated: sp.Expr | None = None) -> Verdict:
    """:func:`derivations.kit.prove`, for identities that rest on the derivation for the mask."""
    if not derived().proved:
        return Verdict(Outcome.INCONCLUSIVE, "The derivation that the check rests on is not proved.")
    return kit.prove(evidence, *steps, stated=stated)


Residual = Callable[[Callable[[sp.Expr], float], dict[str, float], sp.Expr], float]


def judge(
    stated: sp.Expr | tuple[sp.Expr, ...],
    true: sp.Expr,
    correction: str,
    residual: Residual,
    measure: str,
    instances: SearchStrategy[Instance],
    corrected: sp.Expr | None = None,
) -> Verdict:
    """Prove a stated formula equal to the derived one, or refute it on the smallest trajectory that it misses.

    Args:
        stated: The preprint's formula in x, A, L, u0, v0; several where it can be read in several ways, of which one
            has to hold.
        true: The formula that the derivation gives, in the same symbols.
        correction: The corrected statement in LaTeX.
        residual: The deviation of a formula from a trajectory: a function of an evaluator of expressions at the
            trajectory's end, of the numbers there, and of the formula.
        measure: What the residual measures, as a formula.
        instances: The trajectories among which a counterexample is searched.
        corrected: The corrected formula where it is written in another form than the derived one.
    """
    if not derived().proved:
        return Verdict(Outcome.INCONCLUSIVE, "The derivation that the check rests on is not proved.")
    readings = stated if isinstance(stated, tuple) else (stated,)

    @cache
    def deviations(instance: Instance) -> tuple[float, float]:
        end = instance.end()

        def evaluate(expression: sp.Expr) -> float:
            return float(expression.xreplace({s: sp.Float(end[s.name], 30) for s in expression.free_symbols}))

        return min(residual(evaluate, end, reading) for reading in readings), residual(evaluate, end, true)

    def fails(instance: Instance) -> bool:
        found, reference = deviations(instance)
        return found > REFUTED_ABOVE and reference <= CONFIRMED_BELOW

    looked = search(instances, fails)
    # A formula that misses a trajectory is another one; SymPy could try for seconds to show that it is not.
    agrees = all(not deviations(instance)[0] > REFUTED_ABOVE for instance in looked.tried)
    if agrees and any(simplified_to_zero(reading - true) for reading in readings):
        return Verdict(
            Outcome.PROVED,
            "The stated formula equals the derived one: their difference simplifies to zero. It misses none of "
            f"{len(looked.tried)} random trajectories of m and w, either.",
        )
    if corrected is not None and not simplified_to_zero(corrected - true):
        return Verdict(Outcome.INCONCLUSIVE, "The corrected formula was not shown to equal the derived one.")
    if looked.smallest is None:
        return Verdict(
            Outcome.INCONCLUSIVE,
            f"On none of {len(looked.tried)} random trajectories does the stated formula fail by more than "
            f"{REFUTED_ABOVE:g} while the derived one holds to {CONFIRMED_BELOW:g}.",
        )
    found, reference = deviations(looked.smallest)
    proof = f"derived by solving the flows, with {len(derived().identities)} identities that simplify to zero."
    return Verdict(
        Outcome.REFUTED,
        f"{measure} on a trajectory of m and w: stated {found:.3g}, derived {reference:.0e}. It is the smallest "
        f"counterexample found; {len(looked.tried)} trajectories were computed.",
        residual=found,
        tolerance=REFUTED_ABOVE,
        tolerance_reason=TOLERANCE_REASON,
        counterexample=looked.smallest.numbers() | {"deviation": found, "deviation_of_correction": reference},
        correction=Correction(correction, Verdict(Outcome.PROVED, proof)),
    )


@dataclass(frozen=True)
class Violation:
    """By how much one instance contradicts a stated constant.

    Attributes:
        excess: By how much the stated constant is violated; negative or nan if it is not.
        evidence: What was measured.
        numbers: The numbers of the instance and of the measurement.
        tolerance_reason: Why a violation above REFUTED_ABOVE is no accident.
    """

    excess: float
    evidence: str
    numbers: Mapping[str, float]
    tolerance_reason: str = TOLERANCE_REASON


def judge_constant(
    stated: sp.Expr,
    true: sp.Expr,
    proof: Verdict,
    correction: str,
    violation: Callable[[T], Violation],
    instances: SearchStrategy[T],
) -> Verdict:
    """Confirm a stated constant that equals the proved one, or refute it by the smallest instance that violates it.

    Args:
        stated: The preprint's constant.
        true: The derived constant.
        proof: The verdict on the statement with the derived constant.
        correction: That statement in LaTeX.
        violation: Measures the stated constant on an instance.
        instances: The instances among which a counterexample is searched.
    """
    if proof.outcome is not Outcome.PROVED:
        return Verdict(Outcome.INCONCLUSIVE, f"The derived constant is not proved itself: {proof.evidence}")
    if vanishes(stated - true).outcome is Outcome.PROVED:
        return proof
    return refute(proof, correction, violation, instances)


def refute(
    proof: Verdict, correction: str, violation: Callable[[T], Violation], instances: SearchStrategy[T]
) -> Verdict:
    """Refute a statement by the smallest instance that violates it; INCONCLUSIVE if none does.

    Args:
        proof: The verdict on what holds instead.
        correction: What holds instead, in LaTeX.
        violation: Measures the statement on an instance.
        instances: The instances among which a counterexample is searched.
    """
    looked = search(instances, lambda instance: violation(instance).excess > REFUTED_ABOVE)
    if looked.smallest is None:
        return Verdict(Outcome.INCONCLUSIVE, f"None of {len(looked.tried)} instances violates the statement.")
    found, computed = violation(looked.smallest), len(looked.tried)
    smallest = f" It is the smallest counterexample found; {computed} were computed." if computed > 1 else ""
    return Verdict(
        Outcome.REFUTED,
        found.evidence + smallest,
        found.excess,
        REFUTED_ABOVE,
        found.numbers,
        Correction(correction, proof),
        found.tolerance_reason,
    )


MIRROR_MEASURE = "|R'(x_t) + L_t|"


def mirror_residual(evaluate: Callable[[sp.Expr], float], end: dict[str, float], potential: sp.Expr) -> float:
    """|R'(x_t) + L_t|: how far a potential is from governing the trajectory."""
    return abs(evaluate(sp.diff(potential, x)) + end["L"])
