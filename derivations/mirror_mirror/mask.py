"""The mask x = m ⊙ w with decay: its potential, where it is least, and what kind of bias it is."""

from __future__ import annotations

import sympy as sp

from derivations.mirror_mirror import PAPER, REVIEWS
from implicit_bias import Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import argue, prove

x, dual = sp.symbols("x s", real=True)  # s = −L
u0, v0, amount, a = sp.symbols("u0 v0 x a", positive=True)
m0, w0 = sp.symbols("m0 w0", real=True)
decay = sp.Symbol("A", nonnegative=True)
SCALE = u0 * v0 * sp.exp(-4 * decay)
MASK = (r"x = m \odot w,\ h = \sum m^2 + w^2", r"u_0, v_0 = (m_0 \pm w_0)/\sqrt 2 > 0", "one coordinate")


def potential(at: sp.Expr, scale: sp.Expr = SCALE, tilt: sp.Expr | None = None) -> sp.Expr:
    """R_A of the mask in one coordinate."""
    shift = sp.log(u0 / v0) if tilt is None else tilt
    return (at * sp.asinh(at / scale) - sp.sqrt(at**2 + scale**2) - at * shift) / 2


@PAPER.claim(
    "mask-conjugate",
    statement=Statement(
        r"Q_A(\mu) = ",
        sp.exp(-4 * decay) * ((m0**2 + w0**2) * sp.cosh(2 * dual) + 2 * m0 * w0 * sp.sinh(2 * dual)) / 4,
        r" \text{ at } \mu = s, \text{ for } x = m \odot w",
    ),
    source=f"on diagonal key and query matrices and m ⊙ w, {REVIEWS}; closed form derived here",
    hypotheses=(r"g = \tfrac12\theta^T A_1 \theta = m w,\ h = \tfrac12\theta^T B \theta = m^2 + w^2", "one coordinate"),
    uses=("quadratic-potential",),
)
def conjugate_of_the_mask(statement: Statement) -> Verdict:
    """One key times one query, which is the mask: the quadratic potential in closed form."""
    swap = sp.Matrix([[0, 1], [1, 0]])
    # exp(sA₁ − AB) with A₁² = I and B = 2I
    theta = sp.exp(-2 * decay) * (sp.cosh(dual) * sp.eye(2) + sp.sinh(dual) * swap) * sp.Matrix([m0, w0])
    return prove(
        "A₁ exchanges m and w and B = 2I, so they commute and exp(sA₁ − AB) = e^(−2A)(cosh s I + sinh s A₁). ¼ of the "
        "squared norm is the stated function, and its derivative is m w.",
        Equation(sp.diff(statement.formula, dual), theta[0] * theta[1], says="∂Q/∂μ = m w"),
        stated=Equation(statement.formula, (theta[0] ** 2 + theta[1] ** 2) / 4, says="¼‖exp(sA₁ − AB)θ₀‖²"),
    )


@PAPER.claim(
    "decay-monotone",
    statement=Statement(
        r"\frac{\partial R_A}{\partial A}(x) = ",
        2 * sp.sqrt(x**2 + SCALE**2),
        r" = \big(R_A''(x)\big)^{-1} > 0",
    ),
    source="for x = m w; derived here",
    hypotheses=(*MASK, r"R_A^* = \tfrac14 (m^2 + w^2)"),
    figure="figures/figure1c/figure.png",
)
def decay_monotone(statement: Statement) -> Verdict:
    """Decay raises the potential of the mask everywhere, by exactly its metric, which is the regularizer itself.

    A potential is fixed up to a constant, which here might depend on A; the one meant is the conjugate of
    R* = (m² + w²)/4, so its growth at the weight x_t is that of −R* at the same dual point.
    """
    p, q = u0 * sp.exp(dual - 2 * decay), v0 * sp.exp(-dual - 2 * decay)
    weight, conjugate = (p**2 - q**2) / 2, (p**2 + q**2) / 4
    raised = potential(x)
    return prove(
        "p, q = (m ± w)/√2 are u₀e^(s − 2A) and v₀e^(−s − 2A), so x² + a² is ((m² + w²)/2)² with a = u₀v₀e^(−4A). The "
        "derivative of R_A in A and the inverse of its second derivative in x are both 2√(x² + a²), which is positive: "
        "it is m² + w². Differences to the value at x = 0 grow as well, by 2√(x² + a²) − 2a ≥ 0.",
        Equation(weight**2 + SCALE**2, 4 * conjugate**2, says="x² + a² = ((m² + w²)/2)²"),
        Equation(statement.formula, 1 / sp.diff(raised, x, 2), says="the metric"),
        stated=Equation(statement.formula, sp.diff(raised, decay), says="∂R_A/∂A"),
    )


@PAPER.claim(
    "positional-bias",
    statement=Statement(
        r"\operatorname{argmin} R_A = ",
        sp.exp(-4 * decay) * (u0**2 - v0**2) / 2,
        r" = e^{-4A} m_0 w_0",
    ),
    source="on positional bias; formula derived here",
    hypotheses=MASK,
)
def positional_bias(statement: Statement) -> Verdict:
    """Decay moves the minimizer of the potential from the start to zero."""
    ratio = statement.formula / SCALE
    return prove(
        "R_A' = ½(arcsinh(x/a) − log(u₀/v₀)) vanishes exactly where x/a = sinh log(u₀/v₀), and R_A is strictly convex.",
        Equation(sp.diff(potential(x), x, 2), 1 / (2 * sp.sqrt(x**2 + SCALE**2)), says="R_A'' > 0"),
        stated=Equation(ratio, sp.sinh(sp.log(u0 / v0)), says="x/a at the minimizer"),
    )


@PAPER.claim(
    "type-of-bias",
    statement=Statement(
        r"R_a(x) \sim ",
        amount * sp.log(1 / a) / 2,
        r" \text{ as } a \to 0,\quad R_a(x) - R_a(0) \sim ",
        amount**2 / (4 * a),
        r" \text{ as } a \to \infty",
    ),
    source=f"on the change from L2 to L1 as a_t decreases, {REVIEWS}; factors derived here",
    hypotheses=(*MASK, r"x > 0,\ u_0 = v_0,\ a = u_0 v_0 e^{-4A}"),
)
def type_of_bias(statement: Statement) -> Verdict:
    """Decay lowers the scale a, and with it the potential turns from a squared L2 norm to an L1 norm."""
    sparse, smooth = statement.formulas
    root = sp.sqrt(amount**2 + a**2)
    whole = potential(amount, a, sp.Integer(0))
    lower = -(amount**2) / (2 * a * root * (a + root))
    return argue(
        "R_a(x) − ½x log(1/a) = ½[x log(x + r) − r] with r = √(x² + a²), which stays bounded as a → 0, while log(1/a) "
        "grows. The second derivative of R_a(x) − x²/(4a) is −x²/(2ar(a + r)), so between −x²/(4a³) and 0, and the "
        "difference without R_a(0) vanishes at 0 with its slope: it is at most x⁴/(48a³), small against x²/(4a).",
        Equation(whole - sparse, (amount * sp.log(amount + root) - root) / 2, says="the rest as a → 0"),
        Equation(sp.diff(whole - smooth, amount, 2), lower, says="the rest as a → ∞, differentiated twice"),
    )
