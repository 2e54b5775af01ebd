"""Other parameterizations: where printed constants may come from, and three layers."""

from __future__ import annotations

import math

import sympy as sp

from derivations.mask_in_the_mirror import PAPER as PREPRINT
from derivations.mask_in_the_mirror.setting import decay, u0, v0, x
from derivations.ours import PAPER
from implicit_bias import Outcome, Parameterization, Statement, Verdict, derive
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import argue, prove

scale = sp.Symbol("a", positive=True)


@PAPER.claim(
    "origin-of-constants",
    statement=Statement(
        r"x = u^2 - v^2 \text{ with } h = \tfrac12 \sum u^2 + v^2 \text{ has the potential } R_a(x) = \sum_i ",
        (x * sp.asinh(x / scale) - sp.sqrt(x**2 + scale**2) - x * sp.log(u0 / v0)) / 4,
        r" \text{ with the scale } a = ",
        2 * u0 * v0 * sp.exp(-2 * decay),
    ),
    source=f"the prefactor of {PREPRINT.citation}, Theorem 2.1, and the scale of Theorem 3.1",
    hypotheses=(r"u_0, v_0 > 0",),
)
def origin_of_constants(statement: Statement) -> Verdict:
    """Where the preprint's constants may come from: some are right for another parameterization.

    Derive x = u² − v² with h = (u² + v²)/2. The prefactor ½ of Theorem 3.1 is that of x = m w instead.
    """
    other = derive(Parameterization("u**2 - v**2", ["u", "v"]), "(u**2 + v**2)/2", time_limit=math.inf)
    if other.potential is None or other.scale is None or not other.proved:
        return Verdict(Outcome.INCONCLUSIVE, "No closed form was proved for u² − v².")
    dressed = {"x": x, "A": decay, "u0": u0, "v0": v0}
    potential, found = (
        each.xreplace({symbol: dressed[symbol.name] for symbol in each.free_symbols})
        for each in (other.potential, other.scale)
    )
    stated, stated_scale = statement.formulas
    u, v = sp.symbols("u v", positive=True)
    inverse = sp.Add(other.inverse_mirror_map).xreplace({sp.Symbol("z"): sp.Integer(0)})
    start = inverse.xreplace({symbol: dressed[symbol.name] for symbol in inverse.free_symbols}).subs(decay, 0)
    return prove(
        "Potential and scale are those that the derivation for u² − v² finds, which rests on "
        f"{len(other.identities)} identities of its own. The potential has the metric of u² − v² and the start u_0² − "
        f"v_0².",
        (stated_scale, found),
        (stated.subs(scale, stated_scale), potential),
        Equation(start.rewrite(sp.exp), u0**2 - v0**2, "∇R*(0) = x_0"),
        stated=Equation(
            sp.diff(stated, x, 2).subs({x: u**2 - v**2, scale: 2 * u * v}) ** -2,
            sp.diff(u**2 - v**2, u) ** 4
            + 2 * (sp.diff(u**2 - v**2, u) * sp.diff(u**2 - v**2, v)) ** 2
            + sp.diff(u**2 - v**2, v) ** 4,
            "(1/R'')² is ‖∇(u² − v²)‖⁴ where a = 2uv",
        ),
    )


DEGREE = 4
a, b, c = sp.symbols("a b c", real=True)


@PAPER.claim(
    "three-layers",
    statement=Statement(
        r"\|[\nabla (abc), \nabla (a^2 + b^2 + c^2)]\|_2^2 = ",
        4 * (a * b * c) ** 2 * (1 / a**2 + 1 / b**2 + 1 / c**2),
        r" \text{ for } a, b, c \ne 0, \text{ and of the polynomials up to degree 4 only the multiples of } abc "
        r"\text{ commute with it, up to constants}",
    ),
    source="by the condition of Li, Wang, Lee & Arora, NeurIPS 2022",
)
def three_layers(statement: Statement) -> Verdict:
    """Weight decay on three diagonal layers is no time-dependent mirror flow.

    Compute the bracket with weight decay, and all polynomials that commute with the product.
    """
    layers = Parameterization("a*b*c", ["a", "b", "c"])
    report = layers.commutes_with("a**2 + b**2 + c**2")
    found = layers.commuting_regularizers(DEGREE)
    if found != [sp.prod(layers.symbols)]:
        return Verdict(Outcome.INCONCLUSIVE, f"Of degree up to {DEGREE} these commute: {found}.")
    named = {symbol: sp.Symbol(symbol.name, real=True) for symbol in layers.symbols}
    return argue(
        "The bracket does not vanish. The kernel of the bracket on the coefficients of all "
        f"polynomials up to degree {DEGREE}, by exact linear algebra, holds a·b·c and nothing else.",
        stated=Equation(statement.formula, report.bracket.dot(report.bracket).xreplace(named), "the bracket's square"),
    )
