"""One step of HAM, and of the mask that its factor comes from, to first order in the learning rate."""

from __future__ import annotations

import sympy as sp

from derivations.ham import NOTES, PAPER, README
from implicit_bias import Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import argue

theta, g = sp.symbols("theta g", real=True)  # a weight, and the loss's slope in it
size, eta, rate, time = sp.symbols("v eta Lambda t", positive=True)
alpha, beta = sp.symbols("alpha beta", nonnegative=True)

STEP = (
    r"\theta_{k+1} = \theta_{k+1/2}\, e^{-\eta(\alpha\, \mathrm{sgn}(\theta_{k+1/2}) \nabla f(\theta_k) + \beta)},\ "
    r"\theta_{k+1/2} = \theta_k - \eta \nabla f(\theta_k)",
    r"\alpha, \beta \ge 0",
)
SIGNS = (1, -1)


def stepped(sign: int) -> sp.Expr:
    """A weight of this sign after a step so small that it keeps the sign."""
    return (sign * size - eta * g) * sp.exp(-eta * (alpha * sign * g + beta))


def at_start(path: sp.Expr) -> sp.Expr:
    """The slope of a path in η at η = 0."""
    return sp.diff(path, eta).xreplace({eta: sp.Integer(0)})


@PAPER.claim(
    "flow",
    statement=Statement(
        r"\lim_{\eta \to 0} \frac{\theta_{k+1} - \theta_k}{\eta} = ",
        -(1 + alpha * sp.Abs(theta)) * g - beta * theta,
        r",\ \text{ so for } \eta \to 0 \text{ the steps follow } "
        r"d\theta_t = -(1 + \alpha|\theta_t|) \nabla f(\theta_t)\, dt - \beta \theta_t\, dt",
    ),
    source=f"the algorithm in {README}; its flow {NOTES}",
    hypotheses=(*STEP, r"\nabla f \text{ locally Lipschitz}"),
)
def flow_of_the_steps(statement: Statement) -> Verdict:
    """Differentiate a step in the learning rate, for weights of both signs."""
    above, below = (
        Equation(statement.formula.subs(theta, s * size), at_start(stepped(s)), says=f"the slope in η, sign {s}")
        for s in SIGNS
    )
    return argue(
        "A small step keeps the sign of a weight other than 0, and its slope in η is the field; at θ = 0 the factor "
        "is e^(O(η)), so the slope is −g. The field is locally Lipschitz, and the step differs from η times it by "
        "O(η²), so that steps follow the flow on bounded times as one-step methods do.",
        below,
        stated=above,
    )


@PAPER.claim(
    "exponential-update",
    statement=Statement(
        r"\theta_{k+1} = \theta_k\, e^{",
        -eta * (2 * sp.sign(theta) * g + 4 * beta),
        r"} \text{ differs from a step of gradient descent on } f(m \odot w) + \beta(\|m\|^2 + \|w\|^2) \text{ by } "
        r"O(\eta^2)",
    ),
    source=NOTES,
    hypotheses=(r"m_k = \mathrm{sgn}(\theta_k)\, w_k = \sqrt{|\theta_k|}", r"\text{learning rate } \eta"),
)
def update_of_the_mask(statement: Statement) -> Verdict:
    """Take one step of gradient descent on both factors, and compare slopes in η."""
    slopes, bends = [], []
    for sign in SIGNS:
        m, w = sp.sqrt(size), sign * sp.sqrt(size)
        after = (m - eta * (g * w + 2 * beta * m)) * (w - eta * (g * m + 2 * beta * w))
        exponent = statement.formula.subs(theta, sign * size)
        slopes.append(
            Equation(at_start(sign * size * sp.exp(exponent)), at_start(after), says=f"slopes in η, sign {sign}")
        )
        bend = 2 * sign * size * (sign * g + 2 * beta) ** 2
        bends.append(Equation(bend, at_start(sp.diff(after, eta)), says=f"the second derivative, sign {sign}"))
    return argue(
        "Both start at θ_k with the same slope in η, so they differ by O(η²). By no less: the second derivative of the "
        "mask's step is 2θ(sgn(θ)g + 2β)², half of that of the update.",
        slopes[1],
        *bends,
        stated=slopes[0],
    )


@PAPER.claim(
    "rate",
    statement=Statement(
        r"f(\theta_t) - f^* \le (f(\theta_0) - f^*)\, e^{",
        -2 * rate * time,
        r"},\ \text{ the bound of gradient flow, for } d\theta_t = -(1 + \alpha|\theta_t|) \nabla f(\theta_t)\, dt",
    ),
    source=f"that HAM converges at least as fast as gradient descent, {NOTES}; the factor 2Λ derived here",
    hypotheses=(
        r"\alpha \ge 0,\ \beta = 0",
        r"\|\nabla f\|^2 \ge 2\Lambda (f - f^*) \text{ (Polyak–Łojasiewicz), } \Lambda > 0",
    ),
    uses=("flow",),
)
def rate_of_convergence(statement: Statement) -> Verdict:
    """Bound the loss along the flow; a quadratic at α = 0 attains the bound."""
    loss = rate * size**2 / 2
    fallen = rate * (size * sp.exp(-rate * time)) ** 2 / 2
    speed = (1 + alpha * sp.Abs(theta)) * g
    return argue(
        "f falls at the speed Σ (1 + α|θ_i|)(∂_i f)² ≥ ‖∇f‖² ≥ 2Λ(f − f*), and Grönwall's lemma gives the bound. "
        "Equality holds for f = Λθ²/2 and α = 0.",
        Equation(speed * g - g**2, alpha * sp.Abs(theta) * g**2, says="the excess over gradient flow is at least 0"),
        stated=Equation(
            loss * sp.exp(statement.formula) * (1 + g),
            fallen + g * fallen,
            says="the loss of the quadratic along its flow (times 1 + g)",
        ),
    )
