"""The hypentropy, its derivatives, its divergence, its conjugate, and its two limits."""

from __future__ import annotations

import sympy as sp

from derivations.exponentiated_gradient import PAPER
from implicit_bias import Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.judge import argue, prove

x, y, z = sp.symbols("x y z", real=True)
beta = sp.Symbol("beta", positive=True)
SCALE = r"\beta > 0"
COORDINATES = r"\text{one coordinate; the functions of } x \in \mathbb{R}^d \text{ are sums over coordinates}"


def hypentropy(at: sp.Expr, scale: sp.Expr = beta) -> sp.Expr:
    """φ_β of Definition 1 in one coordinate."""
    return at * sp.asinh(at / scale) - sp.sqrt(at**2 + scale**2)


def divergence_from_zero(at: sp.Expr, scale: sp.Expr = beta) -> sp.Expr:
    """D_φ(x ‖ 0) in one coordinate."""
    return hypentropy(at, scale) + scale


@PAPER.claim(
    "def-1",
    statement=Statement(
        r"\phi_\beta(x) = ", x * sp.asinh(x / beta) - sp.sqrt(x**2 + beta**2),
        r" \text{ has } \phi_\beta'(x) = ", sp.asinh(x / beta),
        r",\ \phi_\beta''(x) = ", 1 / sp.sqrt(x**2 + beta**2),
    ),
    source="Definition 1, Figure 1 and equation (1)",
    hypotheses=(SCALE, COORDINATES),
)  # fmt: skip
def derivatives(statement: Statement) -> Verdict:
    """The first two derivatives of the hypentropy."""
    potential, slope, curvature = statement.formulas
    return prove(
        "SymPy differentiates φ_β twice and arrives at both derivatives.",
        (slope, sp.diff(potential, x)),
        stated=(curvature, sp.diff(potential, x, 2)),
    )


@PAPER.claim(
    "relative-hypentropy",
    statement=Statement(
        r"D_\phi^\beta(x \,\|\, y) = ",
        x * (sp.asinh(x / beta) - sp.asinh(y / beta)) - sp.sqrt(x**2 + beta**2) + sp.sqrt(y**2 + beta**2),
    ),
    source="after Definition 1",
    hypotheses=(SCALE, COORDINATES),
)
def relative_hypentropy(statement: Statement) -> Verdict:
    """The Bregman divergence of the hypentropy."""
    slope = sp.diff(hypentropy(y), y)
    return prove(
        "φ(x) − φ(y) − φ'(y)(x − y) simplifies to the stated divergence: y arcsinh(y/β) cancels.",
        stated=(statement.formula, hypentropy(x) - hypentropy(y) - slope * (x - y)),
    )


@PAPER.claim(
    "conjugate",
    statement=Statement(
        r"\phi_\beta^*(z) = ", beta * sp.cosh(z),
        r",\quad (\phi_\beta^*)''(\phi_\beta'(x)) = ", sp.sqrt(beta**2 + x**2),
    ),
    source="section 5.3, before Lemma 17 and in the proof of Lemma 18",
    hypotheses=(SCALE, COORDINATES),
    uses=("def-1",),
)  # fmt: skip
def conjugate(statement: Statement) -> Verdict:
    """The Fenchel conjugate and its curvature at the dual point of x. The paper leaves a constant open; it is zero."""
    stated, curvature = statement.formulas
    dual = sp.diff(hypentropy(x), x)
    return prove(
        "φ* is the Legendre transform: its derivative at z = φ'(x) is x, and φ*(z) = xz − φ(x) there. Differentiate it "
        "once more at that point.",
        (sp.diff(stated, z).xreplace({z: dual}), x),
        (curvature, sp.diff(stated, z, 2).xreplace({z: dual})),
        stated=(stated.xreplace({z: dual}), x * dual - hypentropy(x)),
    )


amount = sp.Symbol("x", positive=True)


@PAPER.claim(
    "interpolation",
    statement=Statement(
        "", 1 + beta, r"\,\phi_\beta''(x) \to ", 1 / amount, r" \text{ as } \beta \to 0 \text{ and } \to ",
        sp.Integer(1), r" \text{ as } \beta \to \infty",
    ),
    source="section 4 and its footnote 1",
    hypotheses=(r"x > 0", COORDINATES),
    uses=("def-1",),
)  # fmt: skip
def interpolation(statement: Statement) -> Verdict:
    """From entropy, which belongs to exponentiated gradient, to half the square, which belongs to gradient descent."""
    factor, entropy, square = statement.formulas
    root = sp.sqrt(amount**2 + beta**2)
    scaled = factor * sp.diff(hypentropy(amount), amount, 2)
    return argue(
        "The distances to the two limits are, as identities, (2βx² + β²x² − β²)/[x r ((1 + β)x + r)] and "
        "(1 + 2β − x²)/[r(1 + β + r)] with r = √(x² + β²). For β → 0 the first numerator tends to 0 and its "
        "denominator to 2x³. For β → ∞ the second numerator grows like 2β and its denominator like 2β².",
        (
            scaled - entropy,
            (2 * beta * amount**2 + beta**2 * amount**2 - beta**2) / (amount * root * ((1 + beta) * amount + root)),
        ),
        (scaled - square, (1 + 2 * beta - amount**2) / (root * (1 + beta + root))),
    )
