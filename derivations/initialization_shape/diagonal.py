"""Two layers, x = u₊v₊ − u₋v₋, whose layers start at unequal sizes: the potential with one width k per weight."""

from __future__ import annotations

import sympy as sp

from derivations.initialization_shape import PAPER
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge

u0, v0, k, alpha, size = sp.symbols("u0 v0 k alpha b", positive=True)
x, dual, shape = sp.symbols("x z s", real=True)  # the weight, −∫∇L, and the shape s of the start, between −1 and 1
INSIDE = 1 - shape**2
START = r"u_+ = u_- = u_0, \ v_+ = v_- = v_0 \text{ at } t = 0"
SHAPE = r"u_0 = \sqrt{\alpha (1 - s)/(1 + s)}, \ v_0 = \sqrt{\alpha (1 + s)/(1 - s)}, \ |s| < 1"
MODEL = r"x = u_+ v_+ - u_- v_-"
NOTEBOOK = "as summarized in the notebook for Section 4"


def potential(weight: sp.Expr, width: sp.Expr) -> sp.Expr:
    """Q of one weight, in the form of the notebook."""
    stretched = 2 * weight / width
    return width / 4 * (1 - sp.sqrt(1 + stretched**2) + stretched * sp.asinh(stretched))


@PAPER.claim(
    "diagonal-regularizer",
    statement=Statement(r"x(\infty) = \arg\min_{Xx = y} \sum_i Q(x_i), \quad Q(x) = ", potential(x, k), ", k = k_i"),
    source=NOTEBOOK,
    hypotheses=(MODEL, START, r"k = 2 u_0^2 + 2 v_0^2", r"L \text{ a loss of } Xx, \ X x(\infty) = y"),
    uses=("width",),
)
def regularizer(statement: Statement) -> Verdict:
    """Solve the flow of both pairs of layers; ∇Q of the weight is the accumulated gradient."""
    stated = statement.formula
    at_zero = stated.xreplace({x: sp.Integer(0)})
    if not at_zero.is_real:
        return Verdict(Outcome.INCONCLUSIVE, f"The stated Q is {at_zero} at zero, which is not real.")
    return judge.argue(
        "By the claim on k the weight of the flow is (k/2) sinh(2z), where z = −∫∇L lies in the row space of X. The "
        "identity says that ∇Q of this weight is z itself. Q'' = 1/√(k² + 4x²) is positive, so Q is strictly convex, "
        "and a point of {Xx = y} whose ∇Q lies in the row space is its only minimizer there.",
        Equation(sp.diff(stated, x, 2), 1 / sp.sqrt(k**2 + 4 * x**2), says="Q'' is positive"),
        (at_zero, sp.Integer(0)),
        Equation(
            sp.sinh(2 * sp.diff(stated, x)) + 1,
            (2 * x + k) / k,
            says="∇Q inverts the weight (k/2) sinh(2z) of the flow",
        ),
    )


@PAPER.claim(
    "width",
    statement=Statement(
        "k = ", 2 * u0**2 + 2 * v0**2, r", \text{ so } x = \tfrac{k}{2} \sinh(2z), \ z = -\int \nabla L"
    ),
    source=NOTEBOOK,
    hypotheses=(MODEL, START),
)
def width(statement: Statement) -> Verdict:
    """Solve the flow in the accumulated gradient: u' = ±v, v' = ±u."""
    (plus_u, plus_v), (minus_u, minus_v) = (
        (
            u0 * sp.cosh(dual) + sign * v0 * sp.sinh(dual),
            v0 * sp.cosh(dual) + sign * u0 * sp.sinh(dual),
        )
        for sign in (1, -1)
    )
    return judge.prove(
        "In the time z the flow is du₊/dz = v₊, dv₊/dz = u₊, du₋/dz = −v₋, dv₋/dz = −u₋.",
        *(
            (sp.diff(first, dual), sign * second)
            for first, second, sign in ((plus_u, plus_v, 1), (plus_v, plus_u, 1), (minus_u, minus_v, -1))
        ),
        stated=Equation(
            statement.formula / 2 * sp.sinh(2 * dual),
            plus_u * plus_v - minus_u * minus_v,
            says="the weight of the flow",
        ),
    )


U0_SQUARED, V0_SQUARED = alpha * (1 - shape) / (1 + shape), alpha * (1 + shape) / (1 - shape)


@PAPER.claim(
    "scale-and-shape",
    statement=Statement("k = ", 4 * alpha * (1 + shape**2) / (1 - shape**2)),
    source=f"{NOTEBOOK}: k of its start by α and s",
    hypotheses=(MODEL, START, SHAPE),
    uses=("width",),
)
def scale_and_shape(statement: Statement) -> Verdict:
    """Insert the start by α and s."""
    return judge.prove(
        "k = 2u_0² + 2v_0² at the stated start.",
        stated=Equation(
            statement.formula,
            2 * U0_SQUARED + 2 * V0_SQUARED,
            says="k at the start by scale and shape",
            conditions=(INSIDE,),
        ),
    )


@PAPER.claim(
    "meaning-of-scale-and-shape",
    statement=Statement(r"u_0 v_0 = ", alpha, r", \quad (v_0 - u_0)/(v_0 + u_0) = ", shape),
    source="as summarized in the notebooks for Sections 4 and 6, by their start",
    hypotheses=(SHAPE,),
)
def meaning(statement: Statement) -> Verdict:
    """Multiply the squares of the two layers, and take the ratio of their difference and sum."""
    product, ratio = statement.formulas
    return judge.prove(
        "Both layers are positive, so squares suffice: u_0²v_0² is α², and v_0/u_0 = (1 + s)/(1 − s) gives the ratio.",
        Equation(
            product**2 * (1 - shape**2) + product - alpha,
            U0_SQUARED * V0_SQUARED * (1 - shape) * (1 + shape),
            says="u_0²v_0², times 1 − s²",
            conditions=(INSIDE,),
        ),
        (V0_SQUARED, U0_SQUARED * ((1 + shape) / (1 - shape)) ** 2),
        stated=Equation(
            ratio,
            ((1 + shape) / (1 - shape) - 1) / ((1 + shape) / (1 - shape) + 1),
            says="(v_0/u_0 − 1)/(v_0/u_0 + 1)",
            conditions=(INSIDE,),
        ),
    )


@PAPER.claim(
    "wide-start",
    statement=Statement(
        r"Q(x) = ",
        x**2 / (2 * k),
        r" + O(k^{",
        sp.Integer(-3),
        r"}) \text{ for } k \to \infty, \text{ be it by } \alpha "
        r"\to \infty \text{ or by } |s| \to 1",
    ),
    source="as summarized in the abstract (a large start leads to the kernel regime); expansion derived here",
    hypotheses=(MODEL, START),
    uses=("diagonal-regularizer", "scale-and-shape"),
)
def kernel_end(statement: Statement) -> Verdict:
    """Expand Q at zero; the next term has the stated order."""
    leading, order = statement.formulas
    exact = potential(x, k)
    zero = {x: sp.Integer(0)}
    following = sp.diff(exact, x, 4).xreplace(zero) * x**4 / 24
    return judge.argue(
        "The series of Q begins with the stated term and −x⁴/(6k³). As 1 − t/2 ≤ 1/√(1 + t) ≤ 1, Q'' = 1/√(k² + 4x²) "
        "lies between its Taylor polynomials of order zero and two, so the rest is no larger. k = 4α(1 + s²)/(1 − s²) "
        "tends to infinity with α, and for |s| → 1 at any α.",
        Equation(sp.diff(exact, x, 2), 1 / sp.sqrt(k**2 + 4 * x**2), says="Q''"),
        (k * sp.diff(following, k), order * following),
        stated=Equation(
            leading + x, x * (1 + sp.diff(exact, x, 2).xreplace(zero) * x / 2), says="x plus the term of order two"
        ),
    )


@PAPER.claim(
    "narrow-start",
    statement=Statement(
        r"Q(x) = ", size * sp.log(1 / k) / 2, r" + O(1) \text{ for } k \to 0, \ b = |x|, \text{ hence L1}"
    ),
    source="as summarized in the abstract (a small start leads to the rich regime); factor derived here",
    hypotheses=(MODEL, START),
    uses=("diagonal-regularizer", "scale-and-shape"),
)
def rich_end(statement: Statement) -> Verdict:
    """Split off ½ b log(1/k): the rest is continuous at k = 0."""
    rest = k / 4 - sp.sqrt(k**2 + 4 * size**2) / 4 + size / 2 * sp.log(2 * size + sp.sqrt(k**2 + 4 * size**2))
    return judge.argue(
        "The rest k/4 − √(k² + 4b²)/4 + (b/2) log(2b + √(k² + 4b²)) is continuous at k = 0. As k ≥ 4α, the shape "
        "cannot take the place of a small α: k → 0 needs α → 0.",
        stated=Equation(statement.formula + rest, potential(size, k).rewrite(sp.log), says="Q without its large term"),
    )
