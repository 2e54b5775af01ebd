"""The setting of "Mask in the Mirror": the mask x = m ⊙ w trained with h = m² + w²."""

from __future__ import annotations

import math
from functools import cache

import sympy as sp

from implicit_bias import Correction, Derivation, Outcome, Parameterization, Verdict, derive
from implicit_bias.claims import Equation, judge
from implicit_bias.claims.judge import Step

SIZES = r"|w_0| < m_0"
SIZES_OR_EQUAL = r"|w_0| \le m_0"  # as the preprint prints it for Theorem 3.1
POTENTIAL = "R is the potential of the flow, with the corrected constants"
REGULARIZER = r"h = \sum m^2 + w^2"
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

# The weight on the trajectory of closed_form().
WEIGHT = (u0**2 * sp.exp(-2 * accumulated - 4 * decay) - v0**2 * sp.exp(2 * accumulated - 4 * decay)) / 2
START = (u0**2 - v0**2) / 2  # m_0 w_0

NOT_DERIVED = Verdict(Outcome.INCONCLUSIVE, "The derivation that the check rests on is not proved.")


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


@cache
def weight_velocity() -> tuple[sp.Expr, tuple[Equation, ...]]:
    """The velocity of x as a function of x and A, and the identities in m and w that it rests on.

    The gradient is preconditioned by m² + w², which the derived metric equals where x = mw and uv = (m² − w²)/2.
    """
    velocity = -in_uv(derived().metric) * slope - 4 * strength * x
    current = {x: m * w, decay: sp.Integer(0), u0: (m + w) / sp.sqrt(2), v0: (m - w) / sp.sqrt(2)}
    metric_squared = sp.expand(in_uv(derived().metric) ** 2).xreplace(current)
    identities = (
        Equation(
            along_flow(m * w), -(m**2 + w**2) * slope - 4 * strength * m * w, "the velocity of m w along the flow"
        ),
        Equation(metric_squared, (m**2 + w**2) ** 2, "the square of the derived metric"),
        Equation(along_flow((m**2 - w**2) * sp.exp(4 * decay)), sp.Integer(0), "(m² − w²)e^(4A) stays what it was"),
    )
    return velocity, identities


@cache
def closed_form() -> tuple[Equation, ...]:
    """The trajectory of one weight for a constant slope c of the loss and a constant strength α: that it solves (7).

    p = (m + w)/√2 = u_0 e^(−L − 2A) and q = (m − w)/√2 = v_0 e^(L − 2A) with L = ct and A = αt.
    """
    time = sp.Symbol("t", nonnegative=True)
    p = u0 * sp.exp(-(slope + 2 * strength) * time)
    q = v0 * sp.exp((slope - 2 * strength) * time)
    first, second = (p + q) / sp.sqrt(2), (p - q) / sp.sqrt(2)
    now = {accumulated: slope * time, decay: strength * time}
    return (
        Equation(sp.diff(first, time), -slope * second - 2 * strength * first, "m follows m' = −f' w − 2α m"),
        Equation(sp.diff(second, time), -slope * first - 2 * strength * second, "w follows w' = −f' m − 2α w"),
        Equation(first * second, WEIGHT.xreplace(now), "their product"),
    )


def prove(
    evidence: str,
    *steps: Step,
    stated: Step | None = None,
    correction: Correction | None = None,
) -> Verdict:
    """As :func:`implicit_bias.claims.judge.prove`, for identities that rest on the derivation for the mask."""
    if not derived().proved:
        return NOT_DERIVED
    return judge.prove(evidence, *steps, stated=stated, correction=correction)


def argue(
    argument: str,
    *steps: Step,
    stated: Step | None = None,
    correction: Correction | None = None,
) -> Verdict:
    """As :func:`implicit_bias.claims.judge.argue`, for identities that rest on the derivation for the mask."""
    if not derived().proved:
        return NOT_DERIVED
    return judge.argue(argument, *steps, stated=stated, correction=correction)
