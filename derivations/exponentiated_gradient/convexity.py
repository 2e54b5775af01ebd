"""Strong convexity of the hypentropy in two norms, and its diameters of two balls.

Each printed constant is a bound. The checks find the best constants and tie the printed ones to them by an identity,
so that they say how much is given away.
"""

from __future__ import annotations

import sympy as sp

from derivations.exponentiated_gradient import PAPER
from derivations.exponentiated_gradient.hypentropy import SCALE, beta, divergence_from_zero, hypentropy, x
from implicit_bias import Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.judge import argue

d = sp.Symbol("d", positive=True, integer=True)
AT_A_VERTEX = sp.sqrt(1 + beta**2)  # 1/φ''(1)
EXCESS = 2 * beta / (1 + beta + AT_A_VERTEX)  # by which 1 + β exceeds it


@PAPER.claim(
    "lem-6",
    statement=Statement(
        r"\phi_\beta \text{ is } ", 1 / (1 + beta), r"\text{-strongly convex over } B_2 \text{ in the 2-norm}"
    ),
    source="Lemma 6",
    hypotheses=(SCALE, r"B_2 = \{x : \|x\|_2 \le 1\}"),
    uses=("def-1",),
)
def strongly_convex_in_the_2_norm(statement: Statement) -> Verdict:
    """The best modulus over the ball is 1/√(1 + β²); the printed one is smaller."""
    curvature = sp.diff(hypentropy(x), x, 2)
    return argue(
        "The Hessian is diagonal, and 1 + β² − 1/φ''(x)² = (1 − x)(1 + x) ≥ 0 for |x| ≤ 1. So 1/√(1 + β²) is a "
        "modulus, and the best one: φ'' has this value at the first unit vector. The inverse of the stated modulus "
        "exceeds √(1 + β²) by 2β/(1 + β + √(1 + β²)) > 0; so the statement holds, with a ratio of both that tends to "
        "1 for β → 0 and β → ∞ and is least, 1/√2, at β = 1.",
        (1 + beta**2 - 1 / curvature**2, (1 - x) * (1 + x)),
        (1 / AT_A_VERTEX, curvature.xreplace({x: sp.Integer(1)})),
        (1 / statement.formula - AT_A_VERTEX, EXCESS),
    )


@PAPER.claim(
    "lem-7",
    statement=Statement(
        r"\phi_\beta \text{ is } ", 1 / (1 + beta * d), r"\text{-strongly convex over } B_1 \text{ in the 1-norm}"
    ),
    source="Lemma 7",
    hypotheses=(SCALE, r"B_1 = \{x \in \mathbb{R}^d : \|x\|_1 \le 1\}"),
    uses=("def-1",),
)
def strongly_convex_in_the_1_norm(statement: Statement) -> Verdict:
    """The best modulus over the ball is 1/(√(1 + β²) + (d − 1)β); the printed one is smaller."""
    y1, y2 = sp.symbols("y1 y2", real=True)
    s1, s2, amount = sp.symbols("s1 s2 x", positive=True)
    root = sp.sqrt(amount**2 + beta**2)
    return argue(
        "With s_i = 1/φ''(x_i) = √(x_i² + β²): (Σ y_i²/s_i)(Σ s_i) − (Σ y_i)² is the sum over pairs of "
        "(y_i s_j − y_j s_i)²/(s_i s_j) ≥ 0, shown for one pair. So the least curvature over ‖y‖₁ = 1 is 1/Σ s_i, "
        "attained at y = s/Σ s_i. Σ s_i is convex, so it is greatest at a vertex of B₁, where it is "
        "√(1 + β²) + (d − 1)β: the inverse of the best modulus. The inverse of the stated one exceeds it by "
        "2β/(1 + β + √(1 + β²)) > 0. The paper bounds s_i by β + |x_i|, which exceeds it by 2β|x_i|/(β + |x_i| + s_i).",
        ((y1**2 / s1 + y2**2 / s2) * (s1 + s2) - (y1 + y2) ** 2, (y1 * s2 - y2 * s1) ** 2 / (s1 * s2)),
        (beta + amount - root, 2 * beta * amount / (beta + amount + root)),
        (1 / statement.formula - AT_A_VERTEX - (d - 1) * beta, EXCESS),
    )


@PAPER.claim(
    "diameter-b1",
    statement=Statement(
        r"\sup_{x \in B_1} D_\phi^\beta(x \,\|\, 0) \le ", sp.log(3 / beta), r"\text{ for } \beta \le 1"
    ),
    source="equation (2), proved as equation (12)",
    hypotheses=(r"0 < \beta \le 1",),
    uses=("relative-hypentropy",),
)
def diameter_of_the_1_ball(statement: Statement) -> Verdict:
    """The diameter is attained at a vertex; the printed bound is larger."""
    vertex = divergence_from_zero(sp.Integer(1))
    value = sp.log((1 + AT_A_VERTEX) / beta) - AT_A_VERTEX + beta
    return argue(
        "D(x ‖ 0) is convex in x, so it is greatest at a vertex of B₁, where only one coordinate contributes, "
        "log((1 + r)/β) − r + β with r = √(1 + β²). The stated bound exceeds it by log(3/(1 + r)) + (r − β), and both "
        "terms are positive, as r < 2 and r > β. For β → 0 this excess tends to 1 + log(3/2), so the bound has the "
        "right growth, log(1/β).",
        (vertex, value),
        (statement.formula - value, sp.log(3 / (1 + AT_A_VERTEX)) + (AT_A_VERTEX - beta)),
    )


@PAPER.claim(
    "diameter-b2",
    statement=Statement(r"\sup_{x \in B_2} D_\phi^\beta(x \,\|\, 0) \le ", 2 / beta),
    source="equation (3), proved as equation (11)",
    hypotheses=(SCALE,),
    uses=("relative-hypentropy",),
)
def diameter_of_the_2_ball(statement: Statement) -> Verdict:
    """The printed bound is four times one that holds as well, 1/(2β)."""
    below_square = x**2 / (2 * beta) - divergence_from_zero(x)
    root = sp.sqrt(x**2 + beta**2)
    return argue(
        "x²/(2β) − D(x ‖ 0) vanishes with its slope at x = 0 and has the second derivative x²/(β r (β + r)) ≥ 0, "
        "r = √(x² + β²). So D(x ‖ 0) ≤ ‖x‖²/(2β) ≤ 1/(2β) on B₂, and the stated bound exceeds this by 3/(2β). As "
        "β → ∞ the diameter times β tends to ½: the best constant is ½, a quarter of the stated one.",
        (sp.diff(below_square, x, 2), x**2 / (beta * root * (beta + root))),
        (sp.diff(below_square, x), x / beta - sp.asinh(x / beta)),
        (statement.formula - 1 / (2 * beta), 3 / (2 * beta)),
    )
