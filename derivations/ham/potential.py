"""The potential of HAM's flow without contraction, its two ends, and why there is none with contraction."""

from __future__ import annotations

import sympy as sp

from derivations.ham import NOTES, PAPER
from derivations.ham.steps import STEP, alpha, beta, g, size, theta
from implicit_bias import Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import argue, prove

growth = sp.Symbol("alpha", positive=True)
contracted, pushed = sp.symbols("A l", positive=True)
AMOUNT = growth * sp.Abs(theta)
POTENTIAL = ((1 + AMOUNT) * sp.log(1 + AMOUNT) - AMOUNT) / growth**2
FLOW = (r"d\theta_t = -(1 + \alpha|\theta_t|) \nabla f(\theta_t)\, dt,\ \alpha > 0", "one coordinate")


@PAPER.claim(
    "potential",
    statement=Statement(
        r"R_\alpha(\theta) = ",
        POTENTIAL,
        r" \text{ has } R_\alpha'' = (1 + \alpha|\theta|)^{-1},\ R_\alpha' = \mathrm{sgn}(\theta) "
        r"\log(1 + \alpha|\theta|)/\alpha,\ \text{ and } d R_\alpha'(\theta_t) = -\nabla f(\theta_t)\, dt",
    ),
    source=f"the inverse metric 1 + α|θ| {NOTES}; R_α derived here",
    hypotheses=FLOW,
    uses=("flow",),
)
def potential_of_the_flow(statement: Statement) -> Verdict:
    """Differentiate twice, for weights of both signs."""
    above, below = (statement.formula.subs(theta, s * size) for s in (1, -1))
    slope, metric = sp.log(1 + growth * size) / growth, 1 / (1 + growth * size)
    return argue(
        "R_α is even. Its derivative log(1 + α|θ|)/α, with the sign of θ, vanishes at 0 and has the derivative "
        "1/(1 + α|θ|) on both sides, which is continuous there. By the chain rule R_α'(θ_t) moves at the speed "
        "R_α''(θ_t)(1 + α|θ_t|) = 1 times −∇f.",
        Equation(sp.diff(below, size) * (1 + g), slope + slope * g, says="−R' at θ = −v (times 1 + g)"),
        Equation(sp.diff(above, size, 2) * (1 + g), metric + metric * g, says="R'' at θ = v (times 1 + g)"),
        stated=Equation(sp.diff(above, size) * (1 + g), slope + slope * g, says="R' at θ = v (times 1 + g)"),
    )


@PAPER.claim(
    "ends",
    statement=Statement(
        r"R_\alpha(\theta) \to ",
        theta**2 / 2,
        r" \text{ as } \alpha \to 0,\quad R_\alpha(\theta) \sim ",
        sp.Abs(theta) * sp.log(growth) / growth,
        r" \text{ as } \alpha \to \infty",
    ),
    source=f"that R_α becomes a squared L2 norm and an L1 norm, {NOTES}; factors derived here",
    hypotheses=FLOW,
    uses=("potential",),
)
def ends_of_the_potential(statement: Statement) -> Verdict:
    """Bound the differences to both ends."""
    smooth, sparse = (formula.subs(theta, size) for formula in statement.formulas)
    whole = POTENTIAL.subs(theta, size)
    amount = growth * size
    return argue(
        "R_α − θ²/2 and its slope vanish at 0, and its second derivative is −α|θ|/(1 + α|θ|), between −α|θ| and 0, so "
        "it is at most α|θ|³/6 in size. α times the difference to the other end is |θ|log(|θ| + 1/α) − |θ| + "
        "log(1 + α|θ|)/α, which stays bounded as α → ∞, while |θ| log α grows. Both hold for −θ as well.",
        Equation(sp.diff(whole - smooth, size, 2), -amount / (1 + amount), says="the rest as α → 0, twice"),
        Equation(
            sp.diff(smooth, size) * (1 + growth),
            size + growth * size,
            says="the slope of the first end (times 1 + α), which vanishes at 0",
        ),
        Equation(
            growth * (whole - sparse),
            size * (sp.log(1 + amount) - sp.log(growth)) - size + sp.log(1 + amount) / growth,
            says="α times the rest as α → ∞",
        ),
    )


@PAPER.claim(
    "bracket",
    statement=Statement(
        r"[X, Y] = ",
        beta * g,
        r" \text{ for } X(\theta) = -(1 + \alpha|\theta|)\, g,\ Y(\theta) = -\beta\theta:\ \text{ where } \beta > 0 "
        r"\text{ and } g \neq 0 \text{ the two parts of the flow do not commute}",
    ),
    source="not printed in what could be read; derived here",
    hypotheses=(*STEP, r"\theta \neq 0", r"[X, Y] = X Y' - Y X'"),
)
def bracket_of_the_fields(statement: Statement) -> Verdict:
    """Differentiate both fields, for weights of both signs."""
    fields = [(-(1 + alpha * size) * g, -beta * size), (-(1 - alpha * -size) * g, beta * size)]
    above = fields[0][0] * sp.diff(fields[0][1], size) - fields[0][1] * sp.diff(fields[0][0], size)
    # At θ = −v derivatives in θ are those in v with the other sign.
    below = -fields[1][0] * sp.diff(fields[1][1], size) + fields[1][1] * sp.diff(fields[1][0], size)
    return prove(
        "The parts of both fields that grow with θ commute, and what is left is the constant speed g of gradient flow.",
        Equation(statement.formula, below, says="at θ = −v"),
        stated=Equation(statement.formula, above, says="at θ = v"),
    )


@PAPER.claim(
    "no-family",
    statement=Statement(
        r"\text{From } \theta_0 > 0 \text{ with a constant slope } \partial f < 0 \text{ and then the contraction, or "
        r"in the other order, the ends differ by } \theta - \tilde\theta = ",
        (1 - sp.exp(-contracted)) * (1 - sp.exp(growth * pushed)) / growth,
        r" \neq 0,\ \text{ so no family } R_A \text{ has } R_{A_t}'(\theta_t) - R_0'(\theta_0) = "
        r"-\int_0^t \partial f(\theta_s)\, ds \text{ with } A_t = \int_0^t \beta_s\, ds",
    ),
    source="not printed in what could be read; derived here",
    hypotheses=(
        r"d\theta_t = -(1 + \alpha|\theta_t|)\, \partial f\, dt - \beta_t \theta_t\, dt,\ \alpha > 0",
        r"l = -\int \partial f > 0,\ A = \int \beta > 0",
        r"R_A' \text{ strictly increasing}",
    ),
    uses=("bracket",),
)
def no_family_of_potentials(statement: Statement) -> Verdict:
    """Solve both parts of the flow in closed form, and compose them in both orders."""

    def by_gradient(start: sp.Expr) -> sp.Expr:
        return ((1 + growth * start) * sp.exp(growth * pushed) - 1) / growth

    first, last = by_gradient(size) * sp.exp(-contracted), by_gradient(size * sp.exp(-contracted))
    return argue(
        "Both orders have the same start, the same ∫∂f = −l and the same A, but other ends, since l, A and α are "
        "positive. If R_A' were strictly increasing with the stated identity, the end would be a function of these.",
        Equation(
            sp.diff(by_gradient(size), pushed) * (1 + contracted),
            1 + growth * by_gradient(size) + contracted * (1 + growth * by_gradient(size)),
            says="the closed form solves dθ/dl = 1 + αθ (times 1 + A)",
        ),
        stated=Equation(statement.formula, first - last, says="gradient first, less contraction first"),
    )
