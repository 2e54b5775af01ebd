"""Heavy ball with a fixed momentum moves the balance by (1 + β)/2 of what the flow of second order does."""

from __future__ import annotations

import numpy as np
import sympy as sp

from derivations.momentum_flow import PAPER
from derivations.momentum_flow.flow import DATA, HEAVY_BALL, NETWORK, STARTS, TARGETS, beta, integrated
from implicit_bias import Statement, Verdict
from implicit_bias.claims import Equation, corrected, judge
from implicit_bias.claims.verdict import Correction

rest = sp.Symbol("s", positive=True)  # 1 − β
z = sp.Symbol("z", real=True)  # γg
OBSERVED = "corollary of momentum-flow/balance and momentum-flow/discretization; an observation of ours"
LONG_RUN = (
    r"\text{under a constant slope } g \text{ heavy ball multiplies } |w_+ w_-| \text{ by } "
    r"e^{-c\gamma^2 g^2 + O(\gamma^3 g^3)} \text{ a step in the long run, } c = "
)


def second_order(rate: sp.Expr) -> sp.Expr:
    """Half the second derivative at z = 0."""
    return sp.diff(rate, z, 2).subs(z, 0) / 2


def of_heavy_ball() -> sp.Expr:
    """Log of the larger root of r² − (1 + β − z) r + β, of w₊, and of that of w₋, where z is −z."""

    def root(at: sp.Expr) -> sp.Expr:
        return (2 - rest - at + sp.sqrt(rest**2 - 2 * (2 - rest) * at + at**2)) / 2

    return sp.log(root(z)) + sp.log(root(-z))


def of_the_flow() -> sp.Expr:
    """ε(p₊ + p₋) for the slower roots of λp² + p ± g, with λ = γ/s² and ε = γ/s, in z = γg."""

    def root(at: sp.Expr) -> sp.Expr:
        return rest * (sp.sqrt(1 - 4 * at / rest**2) - 1) / 2

    return root(z) + root(-z)


def coefficient_of_heavy_ball(stated: sp.Expr) -> Equation:
    """The second-order coefficient of heavy ball against a stated one."""
    derived = -second_order(of_heavy_ball())  # left as it is, so that there is something to check
    return Equation(stated.subs(beta, 1 - rest), derived, "c of heavy ball, with s = 1 − β", (1 - rest,))


@PAPER.claim(
    "continuous-gain",
    statement=Statement(LONG_RUN, 2 / (1 - beta) ** 3, r"\text{, as for the flow}"),
    source=OBSERVED,
    hypotheses=(HEAVY_BALL, NETWORK, r"\beta \text{ fixed}"),
    uses=("balance", "discretization"),
)
def continuous_gain(statement: Statement) -> Verdict:
    """Expand the characteristic roots of heavy ball and of the flow to second order in the step.

    The flow's coefficient is the stated one; that of heavy ball is smaller unless β → 1.
    """
    stated = statement.formula
    true = (1 + beta) / (1 - beta) ** 3
    correction = Correction(
        Statement(LONG_RUN, true, r"\text{: } (1 + \beta)/2 \text{ of what the flow gives}"),
        judge.prove(
            "The larger characteristic root of each factor was expanded to second order; so were the flow's rates, "
            "whose coefficient is 2/(1 + β) times as large.",
            (2 * coefficient_of_heavy_ball(true).stated / (2 - rest), -second_order(of_the_flow())),
            stated=coefficient_of_heavy_ball(true),
        ),
    )
    return judge.prove(
        "The stated coefficient is that of the flow.",
        stated=coefficient_of_heavy_ball(stated),
        correction=correction,
    )


TIME = 12.0
MASSES = {0.0: 0.02, 0.5: 0.04, 0.75: 0.08}
GAIN_TOLERANCE = 0.03
GAIN_REASON = "The next order in the step is a few hundredths of the gain at these steps."


@PAPER.claim(
    "heavy-ball-gain",
    statement=Statement(
        r"\log\frac{|w_+ w_-|(0)}{|w_+ w_-|(\infty)} \text{ of heavy ball is } ",
        (1 + beta) / 2,
        r"\text{ of that of the flow with } \lambda = \gamma/(1 - \beta)^2, \text{ up to higher orders in } \gamma",
    ),
    source=f"{OBSERVED}, measured on regression",
    hypotheses=(HEAVY_BALL, NETWORK, r"\beta \text{ fixed}", "no factor passes zero"),
    uses=(corrected("continuous-gain"),),
)
def heavy_ball_gain(statement: Statement) -> Verdict:
    """Run heavy ball and integrate the flow on one problem; compare what both do to the scale."""
    quotients, stated = {}, {}
    u, v = STARTS
    for momentum, mass in MASSES.items():
        step = mass * (1 - momentum) ** 2
        trained = heavy_ball(u, v, step, momentum, round(TIME * (1 - momentum) / step))
        flow = integrated(lambda at: DATA.T @ (DATA @ at - TARGETS) / 2, u, v, mass, TIME)
        quotients[momentum] = float(np.sum(trained) / np.sum(mass * flow.squares))
        stated[momentum] = float(statement.formula.subs(beta, momentum))
    evidence = "Three weights, two observations. Quotient of the gains, summed over the weights: " + ", ".join(
        f"{quotients[each]:.4f} for β = {each:g}, λ = {mass:g}" for each, mass in MASSES.items()
    )
    return judge.from_residual(
        max(abs(quotients[each] / stated[each] - 1) if stated[each] else np.inf for each in MASSES),
        GAIN_TOLERANCE,
        f"{evidence}.",
        tolerance_reason=GAIN_REASON,
    )


def heavy_ball(u: np.ndarray, v: np.ndarray, step: float, momentum: float, steps: int) -> np.ndarray:
    """The logarithm of the first |u² − v²| over the last, for the loss ‖Zx − y‖²/4 of two observations."""
    state = np.stack([u, v])
    move = np.zeros_like(state)
    hessian, offset = DATA.T @ DATA / 2, DATA.T @ TARGETS / 2
    for _ in range(steps):
        g = hessian @ (state[0] * state[1]) - offset
        move = momentum * move - step * g * state[::-1]
        state = state + move
    return np.log(np.abs(u**2 - v**2) / np.abs(state[0] ** 2 - state[1] ** 2))
