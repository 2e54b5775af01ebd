"""Where training ends: Theorems 2.4 and 3.3, and the conditions of optimality in the proof of Theorem A.2."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.potential import THEOREM_2_1, THEOREM_3_1
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
    x,
)
from derivations.ours.convergence import ESTABLISHED
from derivations.ours.optimality import (
    ENDS_OPTIMAL,
    TOLERANCE,
    TOLERANCE_REASON,
    distance_to_projection,
    mirror_identities,
)
from implicit_bias import Correction, Outcome, Statement, Verdict
from implicit_bias.claims import corrected
from implicit_bias.claims.equation import Equation, Violation
from implicit_bias.claims.judge import agreed, refute
from implicit_bias.schedule import Geometric, Schedule

INTERPOLATES = r"x_t \text{ converges, and its limit has } Zx = Y"


@PAPER.claim(
    "thm-2.4",
    statement=r"\lim_{t\to\infty} x_t = \operatorname{argmin}\{R(x) : Zx = Y\}",
    source=(
        "Theorem 2.4, with the convergence that the theorem of Li et al. assumes on which it rests; for the potential "
        "of the flow, not for the R printed in Theorem 2.1"
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
    argued = argue(
        f"{ENDS_OPTIMAL}Nothing else about f̃ enters. That the limit has Zx = Y does: f̃(r) = ‖r − 1‖² ends elsewhere. "
        f"See ours/thm-3.3 for a hypothesis on f̃ that suffices. {numbers}",
        *mirror_identities(),
    )
    return agreed(argued, lambda: distance, TOLERANCE, TOLERANCE_REASON)


first_entry, second_entry, dual = sp.symbols("Z_1 Z_2 nu", real=True)
NUMBERS = {"Z_1": 1, "Z_2": 2, "nu": -1, "u0": 1, "v0": 1, "A": 0}


@PAPER.claim(
    "thm-2.4-of-eq-2",
    statement=Statement(
        r"\lim_{t\to\infty} x_t = \operatorname{argmin}\{R(x) : Zx = Y\} \text{ with } R(x) = \sum_i ", THEOREM_2_1
    ),
    source="Theorem 2.4, with the R of equation 2",
    hypotheses=(SIZES, r"\alpha = 0", r"f(x) = \tilde f(Zx - Y), \ n > d", INTERPOLATES),
    uses=("ours/thm-3.3",),
)
def theorem_2_4_of_equation_2(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Hold the conditions of optimality for the printed R against the end of the flow, for two weights."""
    return misses(statement.formula, used["ours/thm-3.3"])


@PAPER.claim(
    "thm-3.3-of-thm-3.1",
    statement=Statement(
        r"\lim_{t\to\infty} x_t = \operatorname{argmin}\{R_{a_\infty}(x) : Zx = Y\} \text{ with } R_{a_\infty}(x) = "
        r"\sum_i ",
        THEOREM_3_1,
        r" \text{ at } A = A_\infty",
    ),
    source="Theorem 3.3, with the R_{a_t} printed in Theorem 3.1",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2", DECAY, r"f(x) = \tilde f(Zx - Y), \ n > d", INTERPOLATES),
    uses=("ours/thm-3.3",),
)
def theorem_3_3_of_theorem_3_1(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """The same instance, with no decay, where Theorem 3.1 prints twice the scale of the flow."""
    return misses(statement.formula, used["ours/thm-3.3"])


def misses(potential: sp.Expr, instead: Verdict) -> Verdict:
    """Refute that the flow ends at the argmin of a potential, for f = (Z_1 x_1 + Z_2 x_2 − Y)²/2.

    Args:
        potential: The potential of one weight.
        instead: The verdict on what holds with the potential of the flow.
    """
    if instead.outcome not in ESTABLISHED:
        return Verdict(Outcome.INCONCLUSIVE, f"What holds instead is not established: {instead.evidence}")
    entries = (first_entry, second_entry)
    ends = [weight_at(entry * dual) for entry in entries]
    slopes = [sp.diff(potential, x).xreplace({x: end}) for end in ends]
    curve = sum(entry * end for entry, end in zip(entries, ends, strict=True))
    return refute(
        "x_i = (u_0² e^(−2Z_iν) − v_0² e^(2Z_iν))/2 with ν' = Zx − Y. As Zx falls with ν, ν tends to the root of Zx = "
        "Y, here to −1, for Z = (1, 2), u_0 = v_0 = 1 and Y = Zx there. At the argmin (R'(x_1), R'(x_2)) is a "
        "multiple of Z, so Z_2 R'(x_1) = Z_1 R'(x_2); for the printed R it is not.",
        Violation(second_entry * slopes[0], first_entry * slopes[1], NUMBERS),
        *flows(),
        Equation(
            sp.diff(curve, dual),
            -sum(entry**2 * (u0**2 * sp.exp(-2 * entry * dual) + v0**2 * sp.exp(2 * entry * dual)) for entry in entries)
            * sp.exp(-4 * decay),
            "Zx falls with ν",
        ),
        correction=Correction(
            r"\lim_{t\to\infty} x_t = \operatorname{argmin}\{R_{a_\infty}(x) : Zx = Y\} \text{ with the potential of "
            r"the flow, if } \tilde f \text{ is convex and least at zero alone}",
            instead,
        ),
    )


def weight_at(total: sp.Expr) -> sp.Expr:
    """X = (u² − v²)/2 where L has a value."""
    weight = (u0**2 * sp.exp(-2 * accumulated) - v0**2 * sp.exp(2 * accumulated)) * sp.exp(-4 * decay) / 2
    return weight.subs(accumulated, total)


def flows() -> tuple[Equation, ...]:
    """That (m ± w) e^(±L + 2A) stay constant along the flow, so that weight_at(L) is x."""
    growth = {m + w: accumulated + 2 * decay, m - w: -accumulated + 2 * decay}
    constant = (
        Equation(
            along_flow(part * sp.exp(rate)),
            -slope * sp.diff(part * sp.exp(rate), accumulated),
            "constant along the flow, with L' = f'",
        )
        for part, rate in growth.items()
    )
    return (Equation(m * w, ((m + w) ** 2 - (m - w) ** 2) / 4, "x"), *constant)


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
    weight = weight_at(entry * residual)

    def both_sides(stated: sp.Expr) -> Equation:
        mapped = in_uv(derived().inverse_mirror_map).subs(sp.Symbol("z"), stated)
        return Equation(mapped, weight, "∇R* of the stated side is x_t = (u² − v²)/2")

    minus = -entry * residual
    evidence = "(m ± w) e^(±L + 2A) stay constant along the flow, and L = Zᵀν by the chain rule."
    return prove(
        evidence,
        *flows(),
        stated=both_sides(statement.formula),
        correction=Correction(
            r"\nabla R_{a_t}(x_t) = -Z^T \int_0^t \nabla \tilde f(Z x_s - y)\,ds",
            prove(evidence, *flows(), stated=both_sides(minus)),
        ),
    )
