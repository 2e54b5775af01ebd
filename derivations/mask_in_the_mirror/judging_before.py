"""The judges that convergence.py, optimality.py and ours/rates.py still use; goes when they have moved on.

A formula is held against two things that share no code: the derivation by :func:`implicit_bias.derive`, which can prove
it, and trajectories of m and w that SciPy integrates straight from the definition of the flow
(:mod:`derivations.mask_in_the_mirror.trajectory`), of which one can refute it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import sympy as sp
from hypothesis.strategies import SearchStrategy

from derivations.mask_in_the_mirror.setting import derived, in_uv, x
from derivations.mask_in_the_mirror.trajectory import Instance
from implicit_bias import Correction, Outcome, Verdict
from implicit_bias.claims.judge import T, search
from implicit_bias.symbolic.zero_test import simplified_to_zero, vanishes

# A trajectory counts if the derived formula holds on it to the first; a deviation above the second is then no accident.
CONFIRMED_BELOW = 1e-9
REFUTED_ABOVE = 1e-6
TOLERANCE_REASON = (
    "The trajectories are integrated to a relative 1e-12 a step, which leaves errors below 1e-9; a deviation a "
    "thousand times as large is no accident of the integrator."
)


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


def least_metric() -> tuple[sp.Expr, sp.Expr]:
    """The metric at x = 0 and by how much the square of the metric exceeds the square of that."""
    metric = in_uv(derived().metric)
    least = sp.powdenest(metric.xreplace({x: sp.Integer(0)}))
    return least, sp.expand(metric**2 - least**2)
