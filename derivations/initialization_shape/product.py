"""A single product x = u v whose factors start at unequal sizes: its potential, and the limits of scale and shape."""

from __future__ import annotations

import sympy as sp

from derivations.initialization_shape import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims import Equation, judge

alpha, shape, size, scale = sp.symbols("alpha s b a", positive=True)  # b = |x|
x, dual = sp.symbols("x z", real=True)
INSIDE = 1 - shape**2
SCALE = 2 * alpha * shape / INSIDE  # half of v_0² − u_0²
AT_SCALE = {alpha: scale * INSIDE / (2 * shape)}
MODEL = r"x = u v"
START = r"u_0 = \sqrt{\alpha (1 - s)/(1 + s)}, \ v_0 = \sqrt{\alpha (1 + s)/(1 - s)}, \ 0 < s < 1"
HERE = "on the abstract (relative sizes of layers decide what is learned); the product and its limits are derived here"


def potential(weight: sp.Expr) -> sp.Expr:
    """R of the weight by the scale a, up to a constant."""
    return (weight * sp.asinh(weight / scale) - sp.sqrt(weight**2 + scale**2) + weight * sp.log(shape)) / 2


# Of R at x = ±b after its logarithms; tends to 0 with a.
REST = (size * sp.log((1 + sp.sqrt(1 + scale**2 / size**2)) / 2) - sp.sqrt(size**2 + scale**2) + size) / 2


@PAPER.claim(
    "product",
    statement=Statement(
        "R'(x) = ",
        (sp.asinh(x / scale) + sp.log(shape)) / 2,
        ", a = ",
        SCALE,
    ),
    source=HERE,
    hypotheses=(MODEL, START),
)
def product(statement: Statement) -> Verdict:
    """Solve u' = v, v' = u in the accumulated gradient; R' of the weight is that time."""
    slope, stated_scale = statement.formulas
    quotient = sp.Symbol("q", positive=True)  # v_0/u_0, which exceeds 1
    by_quotient = {shape: (quotient - 1) / (quotient + 1)}
    u, v = sp.sqrt(alpha / quotient), sp.sqrt(alpha * quotient)
    grown = u * sp.cosh(dual) + v * sp.sinh(dual), v * sp.cosh(dual) + u * sp.sinh(dual)
    ratio = sp.Symbol("y", real=True)  # x/a
    return judge.prove(
        "In the time z = −∫∇L the flow is u' = v, v' = u, so u = u_0 cosh z + v_0 sinh z, and v likewise. The weight "
        "is a sinh(2z − log s) with the stated a, where s = (q − 1)/(q + 1) for v_0 = q u_0. R' of it is z: by the "
        "addition theorem sinh(2R') is what sinh(2z) is.",
        Equation(
            (stated_scale * sp.sinh(2 * dual - sp.log(shape))).xreplace(by_quotient).rewrite(sp.exp),
            sp.expand(grown[0] * grown[1]).rewrite(sp.exp),
            says="the weight of the flow",
            conditions=(quotient - 1,),
        ),
        stated=Equation(
            sp.expand_trig(sp.sinh(2 * slope.xreplace({x: scale * ratio}))).rewrite([sp.sinh, sp.cosh], sp.exp),
            ratio * (shape + 1 / shape) / 2 + sp.sqrt(1 + ratio**2) * (shape - 1 / shape) / 2,
            says="sinh(2R') where x/a is sinh(2z − log s)",
        ),
    )


@PAPER.claim(
    "product-small",
    statement=Statement(
        r"R(b) = ",
        size * sp.log(size * INSIDE / alpha) / 2 - size / 2,
        r" + o(1), \ R(-b) = ",
        size * sp.log(size * INSIDE / (alpha * shape**2)) / 2 - size / 2,
        r" + o(1) \text{ for } \alpha \to 0 \text{ at a fixed } s, \ b > 0",
    ),
    source=HERE,
    hypotheses=(MODEL, START),
    uses=("product",),
)
def small_scale(statement: Statement) -> Verdict:
    """Split the logarithms off on both sides of zero."""
    right, left = statement.formulas
    return judge.argue(
        "The rest of R, ½[b log((1 + √(1 + a²/b²))/2) − √(b² + a²) + b], is continuous at a = 0 and vanishes there, "
        "and a is 2αs/(1 − s²). So both sides are ½ b log(1/α) to leading order, an L1 norm, and a negative weight "
        "costs b log(1/s) more: the shape enters in the next order alone.",
        *(
            Equation(
                (side + REST).xreplace(AT_SCALE),
                potential(sign * size).rewrite(sp.log),
                says=f"R({'−' if sign < 0 else ''}b) is the stated formula and the rest, with α by a",
            )
            for side, sign in ((right, 1), (left, -1))
        ),
    )


@PAPER.claim(
    "product-balanced",
    statement=Statement(
        r"R(b) \to ",
        size * sp.log(size / alpha) / 2 - size / 2,
        r" \text{ and } R'(-b) \to -\infty \text{ for } s \to 0 \text{ at a fixed } \alpha, \ b > 0",
    ),
    source=HERE,
    hypotheses=(MODEL, START),
    uses=("product-small",),
)
def balanced(statement: Statement) -> Verdict:
    """Let the scale a vanish with the shape while u_0 v_0 stays."""
    inside = sp.Symbol("m", positive=True)
    return judge.argue(
        "By the identity R(b) is the stated entropy, ½ b log(1 − s²) and a rest that vanishes with a = 2αs/(1 − s²). "
        "At −b the slope is ½(log s − arcsinh(b/a)), and both terms tend to −∞. So equal factors keep the sign of "
        "their product, with the potential of u²: exponentiated gradient.",
        Equation(
            (statement.formula + REST).xreplace({alpha: scale * inside / (2 * shape)}) + size * sp.log(inside) / 2,
            potential(size).rewrite(sp.log),
            says="R(b), with α = am/(2s) and m = 1 − s²",
        ),
        Equation(
            sp.diff(potential(x), x).xreplace({x: -size}),
            (sp.log(shape) - sp.log((size + sp.sqrt(size**2 + scale**2)) / scale)) / 2,
            says="R'(−b)",
        ),
    )


@PAPER.claim(
    "product-lopsided",
    statement=Statement(
        r"R(x) - R(\alpha) = ",
        (x - alpha) ** 2 * INSIDE / (8 * alpha * shape),
        r" + O((1 - s)^{3}) \text{ for } s \to 1 \text{ at a fixed } \alpha \text{ and bounded } x",
    ),
    source=HERE,
    hypotheses=(MODEL, START),
    uses=("product",),
)
def lopsided(statement: Statement) -> Verdict:
    """The slope vanishes at the start x = α, and the curvature is nearly constant."""
    return judge.argue(
        "R'(α) = 0, as α/a is (1 − s²)/(2s), whose arcsinh is −log s. The stated term has the "
        "curvature 1/(2a), and R'' = 1/(2√(x² + a²)) is smaller by at most x²/(4a³), as 1 − t/2 ≤ 1/√(1 + t) ≤ 1; and "
        "1/a is O(1 − s). So the limit is the nearest solution to the start, in the kernel regime at any α.",
        Equation(sp.sinh(-sp.log(shape)).rewrite(sp.exp), INSIDE / (2 * shape), says="α/a where arcsinh is −log s"),
        Equation(sp.diff(potential(x), x, 2), 1 / (2 * sp.sqrt(x**2 + scale**2)), says="R''"),
        Equation(
            sp.expand(statement.formula),
            (x**2 - 2 * alpha * x + alpha**2) / (4 * SCALE),
            says="the stated term is a square that vanishes at α, with the curvature 1/(2a)",
        ),
    )
