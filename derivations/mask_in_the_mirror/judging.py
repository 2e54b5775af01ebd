r"""How the preprint's formulas are judged.

An identity decides: it proves a formula, or exact numbers refute it, mostly on a trajectory in closed form
(:func:`~derivations.mask_in_the_mirror.setting.closed_form`). A trajectory that SciPy integrates from the definition of
the flow (:mod:`derivations.mask_in_the_mirror.trajectory`), by code that is shared with neither, has to agree.
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
    argue,
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
from implicit_bias.claims import judge as by_identities
from implicit_bias.claims.judge import Step
from implicit_bias.symbolic.zero_test import by_numbers

# On a trajectory a formula that holds deviates by less than the first, and one that fails by more than the second.
CONFIRMED_BELOW = 1e-9
REFUTED_ABOVE = 1e-6
TOLERANCE_REASON = (
    "The trajectories are integrated to a relative 1e-12 a step, which leaves errors below 1e-9; a deviation a "
    "thousand times as large is no accident of the integrator."
)

# Trained on f = ½(x + 1)², so that L is no multiple of the time.
FREE = Instance(m0=1.0, w0=0.5, target=-1.0)
DECAYING = replace(FREE, alpha=0.25)

Deviation = Callable[[Callable[[sp.Expr], float], dict[str, float]], float]


def judge(
    claimed: Equation,
    *steps: Step,
    evidence: str,
    correction: Callable[[], Correction],
    instance: Equation | None = None,
    in_words: bool = False,
    deviation: Deviation | None = None,
    trajectory: Instance = FREE,
) -> Verdict:
    """Prove a stated formula, or refute it by the smallest quarters at which it fails.

    Args:
        claimed: The formula against what was derived.
        steps: The identities that the derived side rests on.
        evidence: What follows if the formula holds, or why it follows.
        correction: What holds instead of the formula.
        instance: An equation that the formula implies, by which it is refuted; by default the claimed one.
        in_words: Whether words connect the identities to the statement, so that it is ARGUED.
        deviation: The deviation of the formula at the end of a trajectory that SciPy integrates: a function of an
            evaluator of expressions there and of the numbers there.
        trajectory: This trajectory.
    """
    if by_numbers(claimed.residual, claimed.conditions).outcome is Outcome.REFUTED:
        verdict = contradicted(instance or claimed, *steps, correction=correction)
    else:
        verdict = (argue if in_words else prove)(evidence, *steps, stated=claimed)
    return verdict if deviation is None else _agreed(verdict, deviation, trajectory)


def contradicted(instance: Equation, *steps: Step, correction: Callable[[], Correction], evidence: str = "") -> Verdict:
    """Refute a statement by the smallest quarters at which an equation fails that it implies.

    Args:
        instance: The equation: its stated side is that of the statement.
        steps: The identities that make the equation one that the statement implies.
        correction: What holds instead.
        evidence: What else there is to say.
    """
    if not derived().proved:
        return NOT_DERIVED
    violation = by_identities.smallest_violation(instance)
    if violation is None:
        return Verdict(Outcome.INCONCLUSIVE, f"{instance.says}: balls tell the two sides apart nowhere.")
    numbers = {symbol: sp.Rational(str(violation.numbers[name])) for name, symbol in instance.symbols.items()}
    left, right = (float(side.xreplace(numbers)) for side in (instance.stated, instance.derived))
    at = ", ".join(f"{name} = {number}" for name, number in violation.numbers.items())
    told = f"{instance.says}: {left:.6g} as stated, {right:.6g} in truth, at {at}. {evidence}"
    return by_identities.refute(told.strip(), violation, *steps, correction=correction(), deviation=left - right)


def _agreed(verdict: Verdict, deviation: Deviation, trajectory: Instance) -> Verdict:
    """The verdict, if a trajectory that SciPy integrates says the same."""
    if verdict.outcome is Outcome.INCONCLUSIVE:
        return verdict
    end = trajectory.end()

    def evaluate(expression: sp.Expr) -> float:
        return float(expression.xreplace({s: sp.Float(end[s.name], 30) for s in expression.free_symbols}))

    found = deviation(evaluate, end)
    says = f"On a trajectory that SciPy integrates, the stated formula deviates by {found:.1e}."
    if verdict.outcome is Outcome.REFUTED and not found > REFUTED_ABOVE:
        return Verdict(Outcome.INCONCLUSIVE, f"{says} That contradicts this: {verdict.evidence}")
    verdict = replace(verdict, evidence=f"{verdict.evidence} {says}")
    return by_identities.agreed(verdict, lambda: found, CONFIRMED_BELOW, TOLERANCE_REASON)


def along_the_flow(potential: sp.Expr) -> Equation:
    """The change of ∇R(x_t) along the flow is −f'(x_t), for every slope f' and every strength α."""
    mirror_map = sp.diff(potential, x)
    change = sp.diff(mirror_map, x) * weight_velocity()[0] + sp.diff(mirror_map, decay) * strength
    return Equation(change, -slope, "the change of ∇R(x_t) along the flow")


def on_the_trajectory(potential: sp.Expr) -> Equation:
    """∇R(x_t) − ∇R(x_0) = −L on the trajectory in closed form."""
    mirror_map = sp.diff(potential, x)
    now, then = mirror_map.xreplace({x: WEIGHT}), mirror_map.xreplace({x: START, decay: sp.Integer(0)})
    return Equation(now - then, -accumulated, "∇R(x_t) − ∇R(x_0) against −L under a constant slope of f")


def without_decay(equation: Equation) -> Equation:
    """The equation for α = 0."""
    nothing = {decay: sp.Integer(0), strength: sp.Integer(0)}
    return replace(equation, stated=equation.stated.xreplace(nothing), derived=equation.derived.xreplace(nothing))


def mirror_deviation(potential: sp.Expr) -> Deviation:
    """|∇R(x_t) − ∇R(x_0) + L_t|."""
    mirror_map = sp.diff(potential, x)
    first = mirror_map.xreplace({x: START, decay: sp.Integer(0)})
    return lambda value, end: abs(value(mirror_map) - value(first) + end["L"])
