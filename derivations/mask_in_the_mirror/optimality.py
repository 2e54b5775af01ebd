"""Where training ends: Theorems 2.4 and 3.3, and the conditions of optimality in the proof of Theorem A.2."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.setting import (
    DECAY,
    POTENTIAL,
    SIZES,
    accumulated,
    along_flow,
    argue,
    decay,
    derived,
    in_uv,
    m,
    prove,
    slope,
    u0,
    v0,
    w,
)
from derivations.ours.optimality import ENDS_OPTIMAL, TOLERANCE, distance_to_projection, mirror_identities
from implicit_bias import Correction, Outcome, Statement, Verdict
from implicit_bias.claims import corrected
from implicit_bias.claims.equation import Equation
from implicit_bias.schedule import Geometric, Schedule

INTERPOLATES = r"x_t \text{ converges, and its limit has } Zx = Y"


@PAPER.claim(
    "thm-2.4",
    statement=r"\lim_{t\to\infty} x_t = \operatorname{argmin}\{R(x) : Zx = Y\}",
    source=(
        "Theorem 2.4, with the convergence that the theorem of Li et al. assumes on which it rests; for the potential of "
        "the flow, not for the R printed in Theorem 2.1"
    ),
    hypotheses=(SIZES, r"\alpha = 0", r"f(x) = \tilde f(Zx - Y), \ n > d", INTERPOLATES, POTENTIAL),
    uses=(corrected("thm-2.1"),),
)
def theorem_2_4() -> Verdict:
    """Derive the conditions of optimality at the end, and compare a flow with the projection."""
    return optimal_end(None)


@PAPER.claim(
    "thm-3.3",
    statement=r"\lim_{t\to\infty} x_t = \operatorname{argmin}\{R_{a_\infty}(x) : Zx = Y\}",
    source=(
        "Theorem 3.3, with convergence to a point where Zx = Y as in Theorem 2.4; for the potential of the flow, not "
        "for the R_a printed in Theorem 3.1"
    ),
    hypotheses=(
        SIZES,
        r"h = \sum m^2 + w^2",
        DECAY,
        r"f(x) = \tilde f(Zx - Y), \ n > d",
        INTERPOLATES,
        POTENTIAL,
    ),
    uses=(corrected("thm-3.1"),),
)
def theorem_3_3() -> Verdict:
    """Derive the conditions of optimality at the end, and compare a flow with the projection at the total decay."""
    return optimal_end(Geometric(0.5, 0.5))


def optimal_end(schedule: Schedule | None) -> Verdict:
    """The verdict on the limit, whose numbers come from a flow under a schedule."""
    distance, numbers = distance_to_projection(schedule)
    if not distance <= TOLERANCE:
        return Verdict(Outcome.INCONCLUSIVE, f"The argument does not fit the numbers. {numbers}", distance, TOLERANCE)
    return argue(
        f"{ENDS_OPTIMAL}Nothing else about f̃ enters. That the limit has Zx = Y does: f̃(r) = ‖r − 1‖² ends elsewhere. "
        f"See ours/limit for a hypothesis on f̃ that suffices. {numbers}",
        *mirror_identities(),
    )


entry, residual = sp.symbols("Z nu", real=True)


@PAPER.claim(
    "thm-a.2",
    statement=Statement(
        r"\nabla R_{a_t}(x_t)_i = ",
        entry * residual,
        r", \quad Z\nu = \big(Z^T \nu\big)_i, \ \nu = \int_0^t \nabla \tilde f(Z x_s - y)\,ds",
    ),
    source="proof of Theorem A.2",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2", r"f(x) = \tilde f(Zx - y)"),
    uses=(corrected("lem-a.1"),),
)
def theorem_a_2(statement: Statement) -> Verdict:
    """Apply ∇R* to both sides: x_t has to be ∇R*(Zᵀν), and the flows of m ± w say what it is for L = Zᵀν."""
    growth = {m + w: accumulated + 2 * decay, m - w: -accumulated + 2 * decay}
    flows = [
        Equation(
            along_flow(part * sp.exp(rate)),
            -slope * sp.diff(part * sp.exp(rate), accumulated),
            "constant along the flow, with L' = f'",
        )
        for part, rate in growth.items()
    ]
    weight = (u0**2 * sp.exp(-2 * accumulated) - v0**2 * sp.exp(2 * accumulated)) * sp.exp(-4 * decay) / 2
    weight = weight.subs(accumulated, entry * residual)

    def both_sides(stated: sp.Expr) -> Equation:
        mapped = in_uv(derived().inverse_mirror_map).subs(sp.Symbol("z"), stated)
        return Equation(mapped, weight, "∇R* of the stated side is x_t = (u² − v²)/2")

    minus = -entry * residual
    evidence = "(m ± w) e^(±L + 2A) stay constant along the flow, and L = Zᵀν by the chain rule."
    return prove(
        evidence,
        Equation(m * w, ((m + w) ** 2 - (m - w) ** 2) / 4, "x"),
        *flows,
        stated=both_sides(statement.formula),
        correction=Correction(
            r"\nabla R_{a_t}(x_t) = -Z^T \int_0^t \nabla \tilde f(Z x_s - y)\,ds",
            prove(evidence, *flows, stated=both_sides(minus)),
        ),
    )
