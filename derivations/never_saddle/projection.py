"""Where steepest descent ends: in general not at the Bregman projection, at which gradient flow ends."""

from __future__ import annotations

import sympy as sp

from derivations.never_saddle import NOTE, PAPER
from implicit_bias import Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import argue, prove

z1, z2, residual, q, level, moved = sp.symbols("z1 z2 r q lambda s", positive=True)


@PAPER.claim(
    "no-projection",
    statement=Statement(
        r"\langle\nabla R(x_\infty), d\rangle = ",
        moved * (z1 - z2),
        r" \text{ for } x_\infty = s(\lambda + s)(1, 1),\ d = (-z_2, z_1),\ Zd = 0",
    ),
    source=f"that the limit of gradient flow is not that of other orders, {NOTE}; counterexample derived here",
    hypotheses=(
        r"Z = (z_1, z_2) > 0,\ y = Zx_\infty,\ f = \tfrac12(Zx - y)^2",
        r"x = m \odot w,\ m_0 = (\lambda, \lambda),\ w_0 = 0",
        r"q = 1 \text{ (sign descent)}",
    ),
    uses=("sign-potential",),
)
def no_projection(statement: Statement) -> Verdict:
    """Sign descent ends where its own potential is not least among the weights that fit, unless z₁ = z₂."""
    weight = moved * (level + moved)
    return prove(
        "Until the data are fitted, ∇f < 0 in both weights, so m' = w' = 1 in both, and x_t = t(λ + t)(1, 1) fits at "
        "t = s. R' is s in both, so R falls from there along d or −d, which leaves Zx as it is. For Z = (1, 2), y = 6 "
        "and λ = 1 the end is (2, 2), and R is less by 171/1331 at (26, 350)/121, which fits as well.",
        Equation((2 * moved + level) ** 2, 4 * weight + level**2, says="R' = (√(4x + λ²) − λ)/2 is s at the end"),
        stated=Equation(statement.formula, z1 * moved - z2 * moved, says="the slope of R along d"),
    )


@PAPER.claim(
    "another-projection",
    statement=Statement(
        r"\frac{R'(x_{1,\infty})}{R'(x_{2,\infty})} = ",
        (z1 / z2) ** (q - 1),
        r" \text{ for one observation } z = (z_1, z_2)",
    ),
    source="derived here",
    hypotheses=(r"Z = z > 0 \text{ has one row}", r"\text{the residual keeps its sign}", r"R'(x_0) = 0"),
)
def another_projection(statement: Statement) -> Verdict:
    """With one observation the limit is a projection all the same, onto another plane; for q = 2 onto {zx = y}."""
    return argue(
        "R'(x_i) = ∫(z_i r)^(q−1) dt, in which z_i^(q−1) is a factor. So ∇R at the end is a multiple of v = z^(q−1), "
        "entry by entry, and the end is the point with least R on {vx = vx_∞}. For q = 2, v is z, and that plane is "
        "where the data are fitted.",
        stated=Equation(
            statement.formula, (z1 * residual) ** (q - 1) / (z2 * residual) ** (q - 1), says="the ratio of speeds"
        ),
    )
