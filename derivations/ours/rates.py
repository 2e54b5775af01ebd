"""How fast the loss falls once regularization has ended: what holds instead of equation 5."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER as PREPRINT
from derivations.mask_in_the_mirror.setting import (
    SIZES,
    along_flow,
    argue,
    decay,
    derived,
    in_uv,
    m,
    slope,
    strength,
    u0,
    v0,
    w,
    weight_velocity,
    x,
)
from derivations.ours import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import Step

rate, since, sigma = sp.symbols("lambda t sigma", positive=True)  # λ of the PL inequality, a flow time, σ

# A weight that f = x²/2 pulls to zero, by its scale a, by S = ∫ a ds, and by c = log(m_0/w_0).
scale, area, offset = sp.symbols("a S c", positive=True)
FALLING = scale / sp.sinh(offset + 2 * area)


def falling_weight() -> tuple[Equation, ...]:
    """That FALLING solves the flow for f = x²/2 under any strength: with a' = −4αa and S' = a, u and v solve theirs."""
    ratio = sp.coth((offset + 2 * area) / 2)  # u/v
    squares = {"u": scale * ratio, "v": scale / ratio}

    def along(quantity: sp.Expr) -> sp.Expr:
        return scale * sp.diff(quantity, area) - 4 * strength * scale * sp.diff(quantity, scale)

    return (
        Equation(along(squares["u"]), -2 * squares["u"] * (FALLING + 2 * strength), "u² = a coth(c/2 + S) falls"),
        Equation(along(squares["v"]), 2 * squares["v"] * (FALLING - 2 * strength), "v² = a tanh(c/2 + S) moves"),
        Equation(FALLING, (squares["u"] - squares["v"]) / 2, "x = (u² − v²)/2"),
        Equation(along_flow((m + w) ** 2 / 2), -((m + w) ** 2) * (slope + 2 * strength), "u² by the flow of m and w"),
        Equation(along_flow((m - w) ** 2 / 2), (m - w) ** 2 * (slope - 2 * strength), "v² by the flow of m and w"),
    )


def linear_rate(bound: sp.Expr, value: sp.Expr) -> tuple[Step, ...]:
    """That a bound, as a function of σ, λ and t, is the one that df/dt ≤ −σλ(f − f*) gives, and that it is sharp.

    Args:
        bound: The bound on the excess, relative to the first one.
        value: σ in terms of a scale a, for one weight.
    """
    weight = FALLING.xreplace({area: scale * since})
    fallen = (weight / weight.xreplace({since: sp.Integer(0)})) ** 2
    approach = (1 - sp.exp(-2 * offset)) / (1 - sp.exp(-2 * offset - 4 * scale * since))
    return (
        Equation(bound.subs({sigma: value, rate: 2}) * approach**2, fallen, "f = x²/2 reaches the bound for c → ∞"),
        (sp.diff(bound, since), -sigma * rate * bound),
        (in_uv(derived().metric) ** 2, 4 * x**2 + 4 * u0**2 * v0**2 * sp.exp(-8 * decay)),
        *falling_weight(),
    )


@PAPER.claim(
    "rate-after-decay",
    statement=Statement(
        r"f(x_{T+t}) - f^* \le (f(x_T) - f^*)\, ",
        sp.exp(-sigma * rate * since),
        r", \quad \sigma = \min_i ",
        2 * u0 * v0 * sp.exp(-4 * decay),
        r" \text{ at } A = A_\infty, \text{ and no larger } \sigma \text{ will do}",
    ),
    source=f"what holds instead of {PREPRINT.citation}, equation 5",
    hypotheses=(
        SIZES,
        r"h = \sum m^2 + w^2",
        r"\|\nabla f\|_2^2 \ge \lambda (f - f^*)",
        r"\alpha_t = 0 \text{ for } t \ge T",
    ),
    uses=("mask-in-the-mirror/sigma",),
)
def rate_after_decay(statement: Statement) -> Verdict:
    """The linear rate of the loss once regularization has ended.

    Derive it from the least value of the metric. A loss for which λ = 2 is sharp comes as close to it as one likes.
    """
    bound, least = statement.formulas
    at_zero = sp.powdenest(in_uv(derived().metric).xreplace({x: sp.Integer(0)}))
    return argue(
        "After T, df/dt = −Σ (∂_i f)²/R'', and 1/R'' = 2√(x² + a²) is at least σ, its value at x = 0: so "
        "df/dt ≤ −σ‖∇f‖² ≤ −σλ(f − f*), and Grönwall's lemma gives the rate. The loss f = x²/2 has λ = 2, and its "
        "fall over the bound tends to 1 as the first weight tends to zero (c → ∞).",
        (least, at_zero),
        *linear_rate(bound, least.subs({u0: scale / v0, decay: 0})),
        *weight_velocity()[1],
    )
