"""Ranges of mirror maps, which decay can shrink or widen."""

from __future__ import annotations

import sympy as sp

from derivations.mirror_mirror import PAPER, REVIEWS
from implicit_bias import Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import argue, prove

x, slope, strength, dual = sp.symbols("x f alpha s", real=True)  # f stands for ∇f, s for −L
u, v, u0, v0 = sp.symbols("u v u0 v0", positive=True)
decay = sp.Symbol("A", nonnegative=True)
D = sp.Symbol("D", positive=True)


def along_flow(function: sp.Expr, weight: sp.Expr, regularizer: sp.Expr) -> sp.Expr:
    """The rate of a function of u, v along (u, v)' = −∇f ∂x − α ∂h."""
    return -sum(
        sp.diff(function, each) * (slope * sp.diff(weight, each) + strength * sp.diff(regularizer, each))
        for each in (u, v)
    )


@PAPER.claim(
    "range-shrinking",
    statement=Statement(
        r"\nabla R_A(\mathbb{R}) = \Big(",
        decay - u0**2 / 2,
        ",",
        v0**2 / 2 - decay,
        r"\Big) \text{ for } x = \log u - \log v, \text{ which shrinks with the decay}",
    ),
    source="on range shrinking; interval derived here",
    hypotheses=(r"u_0, v_0 > 0", r"h = \log u + \log v", r"A < \tfrac14 (u_0^2 + v_0^2)"),
)
def range_shrinking(statement: Statement) -> Verdict:
    """Decay can shrink the range of a mirror map: log u − log v."""
    lower, upper = statement.formulas
    weight, regularizer = sp.log(u) - sp.log(v), sp.log(u) + sp.log(v)
    squares = u0**2 - 2 * decay + 2 * dual, v0**2 - 2 * decay - 2 * dual
    growth = sp.exp(2 * x)
    mirror_map = (growth * (v0**2 - 2 * decay) - (u0**2 - 2 * decay)) / (2 * (1 + growth))
    width = u0**2 + v0**2 - 4 * decay
    return argue(
        "u² = u₀² − 2A − 2L and v² = v₀² − 2A + 2L solve the flow, and x = ½ log(u²/v²) gives ∇R_A(x) = "
        "[e^(2x)(v₀² − 2A) − (u₀² − 2A)]/(2 + 2e^(2x)). This lies between the stated ends, at the distances "
        "(u₀² + v₀² − 4A)/(2 + 2e^(∓2x)), which are positive while A < (u₀² + v₀²)/4 and tend to zero for x → ∓∞. So "
        "decay moves both ends inwards at rate 1, though every real x stays in the domain.",
        (along_flow(u**2, weight, regularizer), -2 * (slope + strength)),
        (along_flow(v**2, weight, regularizer), -2 * (strength - slope)),
        Equation(
            growth * squares[1].xreplace({dual: mirror_map}),
            squares[0].xreplace({dual: mirror_map}),
            says="e^(2x) = u²/v² at s = ∇R_A(x)",
        ),
        Equation(mirror_map - lower, width / (2 + 2 / growth), says="the distance from the lower end"),
        Equation(upper - mirror_map, width / (2 + 2 * growth), says="the distance from the upper end"),
    )


@PAPER.claim(
    "power-range",
    statement=Statement(
        r"\nabla R_A(\mathbb{R}) = \Big(",
        -(v0 ** (2 - D)) / (D * (D - 2)) - decay,
        ",",
        u0 ** (2 - D) / (D * (D - 2)) + decay,
        r"\Big) \text{ for } x = u^D - v^D, \text{ which widens with the decay}",
    ),
    source="on the range of u^(2k) − v^(2k), D = 2k; interval derived here",
    hypotheses=(r"u_0, v_0 > 0,\ D > 2", r"h = u^D + v^D", r"\alpha \ge 0"),
)
def range_of_powers(statement: Statement) -> Verdict:
    """Decay widens the range of the mirror map of u^D − v^D: u and v explode later.

    Reviews of the version of 2024 give (−c_u − a, c_v + a) with a = −A for this range, which would shrink and is the
    form of the interval of log u − log v. It is not known here whether the paper prints it for powers.
    """
    lower, upper = statement.formulas
    weight, regularizer = u**D - v**D, u**D + v**D
    rate = D * (D - 2)
    of_u, of_v = u0 ** (2 - D) - rate * (dual - decay), v0 ** (2 - D) + rate * (dual + decay)
    return argue(
        "u^(2−D) grows at the rate D(D − 2)(∇f + α) and v^(2−D) at D(D − 2)(α − ∇f), so they are "
        "u₀^(2−D) − D(D − 2)(s − A) and v₀^(2−D) + D(D − 2)(s + A) with s = −L = ∇R_A(x). They are positive exactly "
        "between the stated ends, and u or v tends to infinity, and x to ±∞, at an end. Decay moves both ends outwards "
        "at rate 1.",
        Equation(along_flow(u ** (2 - D), weight, regularizer), rate * (slope + strength), says="the rate of u^(2−D)"),
        Equation(along_flow(v ** (2 - D), weight, regularizer), rate * (strength - slope), says="the rate of v^(2−D)"),
        Equation(of_u, rate * (upper - dual), says="u^(2−D) vanishes at the upper end"),
        Equation(of_v, rate * (dual - lower), says="v^(2−D) vanishes at the lower end"),
        conditions=(D - 2,),
    )


@PAPER.claim(
    "power-decay",
    statement=Statement(
        r"[\nabla (u^D - v^D),\, \nabla (u^2 + v^2)]_u = ",
        -2 * D * (D - 2) * u ** (D - 1),
        r", \text{ so weight decay does not commute for } D > 2",
    ),
    source=f"on separable parameterizations, {REVIEWS}",
    hypotheses=(r"u, v > 0", r"[X, Y] = \partial Y X - \partial X Y"),
    uses=("separable-terms",),
)
def weight_decay_of_powers(statement: Statement) -> Verdict:
    """Plain weight decay keeps the mirror flow of u^D − v^D for D = 2 alone."""
    weight, regularizer = u**D - v**D, u**2 + v**2
    bracket = sp.diff(regularizer, u, 2) * sp.diff(weight, u) - sp.diff(weight, u, 2) * sp.diff(regularizer, u)
    return prove(
        "Both fields are sums of one term a parameter, so the bracket is h''g' − g''h' in each; in u it is the stated "
        "power, which vanishes for D = 2 alone.",
        stated=Equation(statement.formula, bracket, says="h''g' − g''h'"),
    )
