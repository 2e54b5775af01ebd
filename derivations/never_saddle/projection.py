"""Where steepest descent ends: in general not at the Bregman projection, at which gradient flow ends."""

from __future__ import annotations

import sympy as sp

from derivations.never_saddle import NOTE, PAPER
from implicit_bias import Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import argue, prove

z1, z2, residual, q, time = sp.symbols("z1 z2 r q t", positive=True)


def potential(x: sp.Expr) -> sp.Expr:
    """R of sign descent for λ = 1, at x ≥ 0."""
    return ((4 * x + 1) ** sp.Rational(3, 2) - 1) / 12 - x / 2


@PAPER.claim(
    "no-projection",
    statement=Statement(
        r"R(x_\infty) - R(\bar x) = ",
        sp.Rational(171, 1331),
        r" > 0 \text{ for the end } x_\infty = (2, 2) \text{ of sign descent and } \bar x = (26, 350)/121",
    ),
    source=f"that the limit of gradient flow is not that of other orders, {NOTE}; counterexample derived here",
    hypotheses=(
        r"Z = (1, 2),\ y = 6,\ f = \tfrac12(Zx - y)^2",
        r"x = m \odot w,\ m_0 = (1, 1),\ w_0 = 0",
        r"q = 1 \text{ (sign descent)}",
    ),
    uses=("sign-potential",),
)
def no_projection(statement: Statement) -> Verdict:
    """Sign descent ends at weights that fit the data, while its own potential is smaller at others that fit them."""
    m, w = 1 + time, time
    end = (m * w).subs(time, 1)
    other = sp.Rational(26, 121), sp.Rational(350, 121)
    return prove(
        "Until the data are fitted, ∇f < 0 in both weights, so m' = w' = 1 in both: x_t = t(1 + t)(1, 1), which fits "
        "at t = 1. x̄ fits as well, and R is smaller there. So the end does not minimize R among the weights that fit.",
        Equation(sp.diff(m * w, time), m + w, says="x' = |m| + |w|"),
        Equation(end + 2 * end, sp.Integer(6), says="the end fits"),
        Equation(other[0] + 2 * other[1], sp.Integer(6), says="x̄ fits"),
        stated=Equation(
            statement.formula, 2 * potential(end) - potential(other[0]) - potential(other[1]), says="R(x_∞) − R(x̄)"
        ),
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
        Equation(statement.formula.subs(q, 2) * z2, z1, says="gradient flow"),
        stated=Equation(
            statement.formula, (z1 * residual) ** (q - 1) / (z2 * residual) ** (q - 1), says="the ratio of speeds"
        ),
    )
