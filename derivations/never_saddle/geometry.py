"""Products of factors under steepest descent: what is conserved, and the metric of their product."""

from __future__ import annotations

import sympy as sp

from derivations.never_saddle import NOTE, PAPER
from implicit_bias import Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import argue, prove

a, b, rest, pull, q, x, level = sp.symbols("a b P c q x lambda", positive=True)
factors = sp.Symbol("L", positive=True)
start = sp.Symbol("lambda0", real=True)
decay, strength = sp.symbols("A alpha", nonnegative=True)
PRODUCT = (r"x = \prod_{i=1}^L w_i", r"w_i' = -\operatorname{sgn}(\partial_i f)|\partial_i f|^{q-1}", "one coordinate")
BALANCED = (*PRODUCT, r"|w_1| = \dots = |w_L|,\ x > 0")
EXPONENT = q * (factors - 1) / factors


@PAPER.claim(
    "balance",
    statement=Statement(
        r"|w_i|^q - |w_j|^q = ",
        start * sp.exp(-q * decay),
        r" \text{ with its first value } \lambda_0 \text{ and } A = \int \alpha_t\,dt",
    ),
    source=f"on the generalized balance, {NOTE}",
    hypotheses=(PRODUCT[0], r"w_i' = -\operatorname{sgn}(\partial_i f)|\partial_i f|^{q-1} - \alpha_t w_i"),
)
def balance(statement: Statement) -> Verdict:
    """The loss moves the q-th powers of all factors alike, and decoupled decay contracts each of them."""
    # |w_i| = a, |w_j| = b, |∂f/∂w_i| = bPc; the factors grow (first) or shrink (second) together.
    rates = []
    for sign in (1, -1):
        a_moved = sign * (b * rest * pull) ** (q - 1) - strength * a
        b_moved = sign * (a * rest * pull) ** (q - 1) - strength * b
        rates.append(q * a ** (q - 1) * a_moved - q * b ** (q - 1) * b_moved)
    known = {start: a**q - b**q}
    return prove(
        "With |w_i| = a, |w_j| = b and |∂f/∂w_i| = bPc, |w_i|^q and |w_j|^q change by ±q(abPc)^(q−1), alike, and decay "
        "takes −qα of each. So their difference solves λ' = −qαλ.",
        Equation(rates[1], rates[0], says="growing and shrinking factors"),
        Equation(
            rates[0], strength * sp.diff(statement.formula, decay).subs(decay, 0).subs(known), says="λ' = α dλ/dA"
        ),
        stated=Equation(
            statement.formula.subs(known), (a * sp.exp(-decay)) ** q - (b * sp.exp(-decay)) ** q, says="decay alone"
        ),
    )


@PAPER.claim(
    "two-factors",
    statement=Statement(
        r"(1/R''(x))^2 = ", 4 * x**q + level**2, r" \text{ at } |x|, \text{ with } \lambda = |m|^q - |w|^q"
    ),
    source=f"on the metric for L = 2, {NOTE}",
    hypotheses=(r"x = m w", *PRODUCT[1:]),
    uses=("balance",),
)
def two_factors(statement: Statement) -> Verdict:
    """The balance turns the sum of the q-th powers into a function of their product."""
    larger, smaller = a, b
    weight = (larger * smaller) ** (1 / q)  # with a, b for |m|^q, |w|^q
    reached = statement.formula.subs({x: weight, level: larger - smaller}, simultaneous=True)
    return prove(
        "dx/ds = |m|^q + |w|^q on the curve of the factors. Its square is (|m|^q − |w|^q)² + 4|mw|^q, a function of x.",
        stated=Equation(reached, (larger + smaller) ** 2, says="(dx/ds)²"),
    )


@PAPER.claim(
    "metric-exponent",
    statement=Statement(r"1/R''(x) = L x^\mu \text{ with } \mu = ", EXPONENT),
    source=f"on the metric exponent, {NOTE}",
    hypotheses=BALANCED,
    uses=("balance",),
)
def metric_exponent(statement: Statement) -> Verdict:
    """A balanced product of L factors has L equal terms in its metric."""
    return prove(
        "Each of the L terms |∂x/∂w_i|^q is |x/w_i|^q, and w_i is x^(1/L).",
        stated=Equation(statement.formula, q - q / factors, says="the exponent of (x/w_i)^q"),
    )


@PAPER.claim(
    "coercivity",
    statement=Statement(r"\min_x 1/R''(x) = ", level ** (q * (factors - 1))),
    source=f"on the coercivity constant, {NOTE}",
    hypotheses=(*PRODUCT, r"w_1 = 0,\ w_2 = \dots = w_L = \lambda > 0 \text{ at the start}"),
    uses=("balance",),
)
def coercivity(statement: Statement) -> Verdict:
    """A start at which one factor is zero is where the metric is least."""
    # u = |w_1|^q, so that |w_j|^q = u + λ^q for all others.
    u = sp.Symbol("u", nonnegative=True)
    others = u + level**q
    metric = others ** (factors - 1) + (factors - 1) * u * others ** (factors - 2)
    rise = (factors - 1) * others ** (factors - 3) * (2 * others + (factors - 2) * u)
    return argue(
        "By the balance |w_j|^q = u + λ^q with u = |w_1|^q, so that the metric is a function of u ≥ 0 whose derivative "
        "is positive for L ≥ 2. Its least value is the one at the start, u = 0.",
        Equation(sp.diff(metric, u), rise, says="the derivative of the metric in u"),
        stated=Equation(
            statement.formula * level**q, level ** (q * factors), says="the metric at u = 0, times one more λ^q"
        ),
    )


@PAPER.claim(
    "manifold-regularizer",
    statement=Statement(
        r"M(x) = ",
        factors / (factors * (2 - q) + q) * x ** (2 - q * (factors - 1) / factors),
        r" \text{ in } \nabla R(x)' = -\operatorname{sgn}(f')|f'|^{q-1} - \alpha_t \nabla M(x)",
    ),
    source=f"on the manifold regularizer of decoupled decay, {NOTE}",
    hypotheses=(*BALANCED, r"w_i' = \dots - \alpha_t w_i", r"q \le 2"),
    uses=("metric-exponent",),
)
def manifold_regularizer(statement: Statement) -> Verdict:
    """Decoupled decay of all factors, seen through the potential of their product."""
    shrinking = factors * x  # x loses L α x
    return prove(
        "Decay takes Lαx from x', and so R''(x)Lαx = αx^(1 − μ) from ∇R(x)'.",
        stated=Equation(sp.diff(statement.formula, x), shrinking / (factors * x**EXPONENT), says="M'"),
    )


@PAPER.claim(
    "sparsity-needs-depth",
    statement=Statement(r"M(x) \propto |x|^p \text{ with } p = ", 1 + 1 / factors, r" > 1 \text{ for } q = 1"),
    source=f"that decoupled decay of sign descent needs infinite depth for L1, {NOTE}",
    hypotheses=BALANCED,
    uses=("manifold-regularizer",),
)
def sparsity_needs_depth(statement: Statement) -> Verdict:
    """The power of the regularizer for sign descent is above 1 at every depth, and goes to 1."""
    return argue(
        "M' = x^(1 − μ), so M is a power of x that is one higher. 1 + 1/L is above 1 and goes to 1 as L grows.",
        stated=Equation(statement.formula, 2 - EXPONENT.subs(q, 1), says="the power of M"),
    )


@PAPER.claim(
    "sign-potential",
    statement=Statement(
        r"R(x) = ",
        (4 * x + level**2) ** sp.Rational(3, 2) / 12 - level * x / 2,
        r" \text{ at } |x|, \text{ up to a constant}",
    ),
    source="derived here",
    hypotheses=("x = m w", r"m_0 = \lambda > 0,\ w_0 = 0", r"q = 1 \text{ (sign descent)}"),
    uses=("two-factors",),
)
def sign_potential(statement: Statement) -> Verdict:
    """The potential of sign descent on a product of two factors that starts at x = 0, in closed form."""
    s = sp.Symbol("s", positive=True)
    reached = s * (level + s)  # w = s and m = λ + s
    slope, root = sp.diff(statement.formula, x), sp.sqrt(4 * x + level**2)
    return prove(
        "On x > 0 the curve is m = λ + s, w = s, so x = s(λ + s) and R'(x) = s, which is (√(4x + λ²) − λ)/2. On x < 0 "
        "it is its mirror image.",
        Equation(4 * reached + level**2, (2 * s + level) ** 2, says="4x + λ² = (2s + λ)²"),
        stated=Equation(2 * slope * root, root**2 - level * root, says="2R' = √(4x + λ²) − λ, times that root"),
    )
