r"""How the preprint's formulas are judged.

An identity decides: it proves a formula, or exact numbers on a trajectory in closed form refute it
(:func:`~derivations.mask_in_the_mirror.setting.closed_form`). Trajectories that SciPy integrates from the definition of
the flow (:mod:`derivations.mask_in_the_mirror.trajectory`), with which it shares no code, have to agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from derivations.mask_in_the_mirror.setting import (
    NOT_DERIVED,
    START,
    WEIGHT,
    accumulated,
    closed_form,
    decay,
    derived,
    prove,
    slope,
    strength,
    weight_velocity,
    x,
)
from derivations.mask_in_the_mirror.trajectory import Instance
from implicit_bias import Correction, Outcome, Verdict
from implicit_bias.claims import Equation
from implicit_bias.claims import judge as judgement
from implicit_bias.claims.judge import Step

# On a trajectory a formula that holds deviates by less than the first, and one that fails by more than the second.
CONFIRMED_BELOW = 1e-9
REFUTED_ABOVE = 1e-6
TOLERANCE_REASON = (
    "The trajectories are integrated to a relative 1e-12 a step, which leaves errors below 1e-9; a deviation a "
    "thousand times as large is no accident of the integrator."
)

# The loss is f = ½(x + 1)², for which L and A are no multiples of each other.
FREE = Instance(m0=1.0, w0=0.5, target=-1.0)
DECAYING = replace(FREE, alpha=0.25)

Deviation = Callable[[Callable[[sp.Expr], float], dict[str, float]], float]


def judge(
    claimed: Equation,
    *steps: Step,
    evidence: str,
    correction: Callable[[], Correction],
    instance: Equation | None = None,
    deviation: Deviation | None = None,
    trajectory: Instance = FREE,
) -> Verdict:
    """Prove a stated formula, or refute it by the smallest quarters at which it fails.

    Args:
        claimed: The formula against what was derived.
        steps: The identities that the derived side rests on.
        evidence: What follows if the formula holds.
        correction: What holds instead of the formula.
        instance: The formula on the trajectory of :func:`closed_form`, where it is refuted; by default it is refuted
            where the claimed equation fails.
        deviation: The deviation of the formula at the end of a trajectory that SciPy integrates: a function of an
            evaluator of expressions there and of the numbers there.
        trajectory: This trajectory.
    """
    steps = (*steps, *closed_form()) if instance is not None else steps
    verdict = prove(evidence, *steps, stated=claimed)
    if verdict.outcome is Outcome.REFUTED:
        verdict = contradicted(instance or claimed, *steps, correction=correction)
    return verdict if deviation is None else _agreed(verdict, deviation, trajectory)


def contradicted(instance: Equation, *steps: Step, correction: Callable[[], Correction], evidence: str = "") -> Verdict:
    """Refute a statement by the smallest quarters at which an equation fails that it implies."""
    if not derived().proved:
        return NOT_DERIVED
    violation = judgement.smallest_violation(instance)
    if violation is None:
        return Verdict(Outcome.INCONCLUSIVE, f"{instance.says}: balls tell the two sides apart nowhere.")
    left, right = (
        float(side.xreplace(_numbers(violation.numbers, side))) for side in (violation.left, violation.right)
    )
    at = ", ".join(f"{name} = {number}" for name, number in violation.numbers.items())
    told = f"{instance.says}: {left:.6g} as stated, {right:.6g} as derived, at {at}. {evidence}".strip()
    return judgement.refute(told, violation, *steps, correction=correction())


def _numbers(numbers: dict, side: sp.Expr) -> dict[sp.Expr, sp.Expr]:
    return {symbol: sp.Rational(str(numbers[symbol.name])) for symbol in side.free_symbols}


def _agreed(verdict: Verdict, deviation: Deviation, trajectory: Instance) -> Verdict:
    """The verdict if a trajectory that SciPy integrates says the same."""
    if verdict.outcome not in (Outcome.PROVED, Outcome.REFUTED):
        return verdict
    end = trajectory.end()

    def evaluate(expression: sp.Expr) -> float:
        return float(expression.xreplace({s: sp.Float(end[s.name], 30) for s in expression.free_symbols}))

    found = deviation(evaluate, end)
    says = f"At the end of a trajectory that SciPy integrates the stated formula deviates by {found:.1e}."
    is_held = verdict.outcome is Outcome.PROVED
    if not (found <= CONFIRMED_BELOW if is_held else found > REFUTED_ABOVE):
        return Verdict(Outcome.INCONCLUSIVE, f"{verdict.evidence} But: {says}", identities=verdict.identities)
    return replace(verdict, evidence=f"{verdict.evidence} {says}")


def along_the_flow(potential: sp.Expr) -> Equation:
    """d∇R(x)/dt = −f'(x), along the flow of x."""
    mirror_map = sp.diff(potential, x)
    change = sp.diff(mirror_map, x) * weight_velocity()[0] + sp.diff(mirror_map, decay) * strength
    return Equation(change, -slope, "the change of ∇R(x_t) along the flow is −f'")


def on_the_trajectory(potential: sp.Expr) -> Equation:
    """∇R(x_t) − ∇R(x_0) = −L, on the trajectory in closed form."""
    mirror_map = sp.diff(potential, x)
    now, then = mirror_map.xreplace({x: WEIGHT}), mirror_map.xreplace({x: START, decay: sp.Integer(0)})
    return Equation(now - then, -accumulated, "∇R(x_t) − ∇R(x_0) under a constant gradient, against −L")


def mirror_deviation(potential: sp.Expr) -> Deviation:
    """|R'(x_t) − R'(x_0) + L_t|."""
    mirror_map = sp.diff(potential, x)
    first = mirror_map.xreplace({x: START, decay: sp.Integer(0)})
    return lambda value, end: abs(value(mirror_map) - value(first) + end["L"])
