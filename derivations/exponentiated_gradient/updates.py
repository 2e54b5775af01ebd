"""The hypentropy update against EG±, which trains a positive and a negative part by multiplicative updates."""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from derivations.exponentiated_gradient import PAPER
from derivations.exponentiated_gradient.hypentropy import SCALE, beta
from implicit_bias import Correction, Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Equation, Violation
from implicit_bias.claims.judge import argue, prove, refute

w, g, before = sp.symbols("w g G", real=True)  # G is the sum of the gradients before g
first, second = sp.symbols("x1 x2", real=True)
eta, d, total = sp.symbols("eta d C", positive=True)
STEP = beta * sp.sinh(sp.asinh(w / beta) - eta * g)
ROOT = sp.sqrt(w**2 + beta**2)
_p, _q = sp.symbols("p q", real=True)
ADDITION = Equation(
    sp.sinh(_p - _q),
    sp.sinh(_p) * sp.cosh(_q) - sp.cosh(_p) * sp.sinh(_q),
    says="the addition theorem, by which the update is expanded with p = arcsinh(w/β), q = ηg",
)
COORDINATE = r"\text{one coordinate of } w, g"


@PAPER.claim(
    "thm-20",
    statement=Statement(
        "", STEP, r" = u e^{-\eta g} - v e^{\eta g} \text{ with } u = ", (w + ROOT) / 2, r",\ v = ", (ROOT - w) / 2,
        r", \text{ for which } u - v = w \text{ and } uv = ", beta**2 / 4,
    ),
    source="Theorem 20, proved in appendix F",
    hypotheses=(SCALE, r"\eta > 0", "no projection, no normalization", COORDINATE),
)  # fmt: skip
def update_is_exponentiated_gradient(statement: Statement) -> Verdict:
    """One step of the hypentropy update is one of EG±, and the product of its two parts stays β²/4."""
    step, u, v, product = statement.formulas
    grown, shrunk = u * sp.exp(-eta * g), v * sp.exp(eta * g)
    closed = w * sp.cosh(eta * g) - ROOT * sp.sinh(eta * g)
    return prove(
        "By the addition theorem both updates are w cosh(ηg) − √(w² + β²) sinh(ηg). The parts u, v have the "
        "difference w and the product β²/4, which a step of EG± keeps; so the next step starts from the same "
        "pair of parts again.",
        (u - v, w),
        (product, u * v),
        (product, grown * shrunk),
        ADDITION,
        (sp.expand_trig(step), closed),
        stated=(sp.expand_trig(step), grown - shrunk),
    )


@PAPER.claim(
    "thm-19",
    statement=Statement(r"\text{EG}^\pm \text{ is the adaptive hypentropy update with } \beta_t = ", beta * d / total),
    source="Theorem 19 and equation (8)",
    hypotheses=(
        SCALE,
        r"\|u\|_1 + \|v\|_1 \text{ is normalized to } \beta d",
        r"C = \sum_{i=1}^d \cosh(\eta G_i^t),\ G^t = g^1 + \dots + g^t",
    ),
    uses=("thm-20",),
)
def normalized_exponentiated_gradient(statement: Statement) -> Verdict:
    """Normalized EG± moves along the mirror map of a hypentropy whose scale follows the gradients."""
    scale, sum_now = statement.formula, before + g
    former = sp.Symbol("beta0", positive=True)  # β_{t−1}
    weight = -former * sp.sinh(eta * before)
    dual_step = weight * sp.cosh(eta * g) - sp.sqrt(weight**2 + former**2) * sp.sinh(eta * g)
    plus, minus = (beta * d * sp.exp(sign * eta * sum_now) / (2 * total) for sign in (-1, 1))
    return argue(
        "EG± multiplies u by e^(−ηg) and v by e^(ηg) and normalizes, so u and v are proportional to e^(∓ηG); as "
        "e^(−ηG) + e^(ηG) = 2cosh(ηG) in each coordinate, the factor is βd/(2C), and w = u − v = β_t sinh(−ηG^t). "
        "The adaptive update gives the same by induction: from w = −β_{t−1} sinh(ηG^{t−1}) a step of scale β_{t−1} "
        "leads to −β_{t−1} sinh(ηG^t), as identities, and the inverse mirror map of scale β_t replaces β_{t−1} by β_t. "
        "No projection occurs, as ‖w‖₁ = β_t Σ|sinh(ηG_i)| < β_t C = βd.",
        (dual_step, -former * sp.sinh(eta * sum_now)),
        (sp.exp(-eta * sum_now) + sp.exp(eta * sum_now), 2 * sp.cosh(eta * sum_now)),
        (scale * total, beta * d),
        stated=(-scale * sp.sinh(eta * sum_now), plus - minus),
    )


@PAPER.claim(
    "effective-rate",
    statement=Statement(r"\text{near } w = 0 \text{ the hypentropy update is } w^{t+1} = w^t - ", beta * eta, r"\,g^t"),
    source="appendix A, on the effective learning rate",
    hypotheses=(SCALE, r"\eta g \text{ and } w \text{ small}", COORDINATE),
)
def effective_rate(statement: Statement) -> Verdict:
    """To first order in ηg and w the update is gradient descent with the learning rate βη."""
    move = eta * g
    additive = w - statement.formula * g
    second_order = w * (sp.cosh(move) - 1) - w**2 / (ROOT + beta) * sp.sinh(move)
    return argue(
        "The update minus w − βηg is w(cosh(ηg) − 1) − w²/(√(w² + β²) + β) sinh(ηg) − β(sinh(ηg) − ηg), an identity. "
        "The terms are of the orders w(ηg)², w²ηg and (ηg)³.",
        ADDITION,
        (sp.expand_trig(STEP) - additive, second_order - beta * (sp.sinh(move) - move)),
    )


@PAPER.claim(
    "log-cosh",
    statement=Statement(
        r"w^t = \nabla \phi^*(-\eta G^t) \text{ with } \phi^*(x) = ",
        sp.log(sp.cosh(first) + sp.cosh(second)),
        r" \text{ for normalized } \text{EG}^\pm,\ \beta d = 1,\ d = 2",
    ),
    source="section 6, discussion after Theorem 20",
    hypotheses=(r"G^t = g^1 + \dots + g^t", r"w^1 = 0"),
    uses=("thm-19",),
)
def log_cosh_potential(statement: Statement) -> Verdict:
    """EG± as dual averaging with log cosh; the printed index is one too small, against equation (8)."""
    slope = sp.diff(statement.formula, first)
    total_now = sp.cosh(first) + sp.cosh(second)
    plus, minus = (sp.exp(sign * first) / (2 * total_now) for sign in (1, -1))
    right = prove(
        "At x = −ηG^t the parts u and v of the next weight are e^(±x) over 2Σcosh(x_j), by normalization, and their "
        "difference is ∂φ*/∂x_i.",
        stated=Equation(slope, plus - minus, says="∂φ*/∂x₁ = u₁ − v₁"),
    )
    return refute(
        "At t = 1 the weights are still w¹ = 0, while ∇φ*(−ηg¹) is not zero: for −ηg¹ = (1, 0) its first entry is "
        "sinh(1)/(cosh(1) + 1).",
        Violation(sp.Integer(0), slope, {"x1": Fraction(1), "x2": Fraction(0)}),
        correction=Correction(r"w^{t+1} = \nabla \phi^*(-\eta G^t)", right),
    )
