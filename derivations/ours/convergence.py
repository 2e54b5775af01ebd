"""The flow of the mask converges, for quasi-convex losses and finite decay, with bounds for convex ones."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from derivations.mask_in_the_mirror import PAPER as PREPRINT
from derivations.mask_in_the_mirror.setting import (
    DECAY,
    SIZES,
    argue,
    decay,
    derived,
    in_uv,
    prove,
    slope,
    strength,
    u0,
    v0,
    weight_velocity,
    x,
)
from derivations.ours import PAPER
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import corrected
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import Step

POINT = sp.Symbol("q", real=True)  # against which the divergence is taken; a minimizer x* for the bounds
ESTABLISHED = (Outcome.PROVED, Outcome.ARGUED)
scale = sp.Symbol("a", positive=True)


def divergence_change() -> sp.Expr:
    """The time derivative of D_{R_A}(q, x_t) − R_A(q) for one weight, from the derived potential."""
    potential, (velocity, _) = in_uv(derived().potential), weight_velocity()
    lyapunov = -potential - sp.diff(potential, x) * (POINT - x)
    return sp.diff(lyapunov, x) * velocity + sp.diff(lyapunov, decay) * strength


def lyapunov_identities() -> tuple[Step, ...]:
    """How D_{R_A}(q, x_t) − R_A(q) and R_A(q) change, and how the loss does; the metric is at least 2a."""
    metric, potential = in_uv(derived().metric), in_uv(derived().potential)
    return (
        Equation(divergence_change(), -strength * metric - slope * (x - POINT), "change of D(q, x_t) − R(q)"),
        Equation(sp.diff(potential, decay), metric, "decay raises R by the metric"),
        Equation(slope * weight_velocity()[0], -metric * slope**2 - 4 * strength * x * slope, "change of the loss"),
        (metric**2, 4 * x**2 + 4 * in_uv(derived().scale) ** 2),
        Equation(divergence(), _grouped(), "D(q, x), which grows like |x|/2"),
    )


def divergence() -> sp.Expr:
    """D_R(q, x) of one weight, from the derived potential."""
    potential = in_uv(derived().potential)
    return potential.xreplace({x: POINT}) - potential - sp.diff(potential, x) * (POINT - x)


def _grouped() -> sp.Expr:
    a = in_uv(derived().scale)
    return (POINT * (sp.asinh(POINT / a) - sp.asinh(x / a)) - sp.sqrt(POINT**2 + a**2) + sp.sqrt(x**2 + a**2)) / 2


@PAPER.claim(
    "lyapunov",
    statement=Statement(
        r"\frac{d}{dt}\big(D_{R_{a_t}}(q, x_t) - R_{a_t}(q)\big) = \sum_i ",
        -2 * strength * sp.sqrt(x**2 + scale**2) - slope * (x - POINT),
        r" \text{ for every } q, \text{ with } slope = \partial_i f, \ a = ",
        u0 * v0 * sp.exp(-4 * decay),
    ),
    hypotheses=(SIZES, r"h = \sum m^2 + w^2", "f is differentiable"),
    uses=(corrected("mask-in-the-mirror/thm-3.1"),),
)
def lyapunov(statement: Statement) -> Verdict:
    """How the distance to any point changes along the flow: by the decay and the slope of the loss towards it."""
    change, found = statement.formulas
    return prove(
        "The derivative of D_{R_A}(q, x_t) − R_A(q) along the flow of x, by the derived potential.",
        (found, in_uv(derived().scale)),
        *weight_velocity()[1],
        stated=Equation(change.subs(scale, found), divergence_change(), "the change of D(q, x_t) − R(q)"),
    )


CONVERGES = (
    r"x_t \text{ is bounded and converges to a critical point of } f; \text{ if } f \text{ is convex, or "
    r"} \|\nabla f\|_2^2 \ge \lambda (f - f^*), \text{ to a minimizer}"
)
QUASI_CONVEX = r"f \text{ quasi-convex, } \nabla f \text{ locally Lipschitz, } \operatorname{argmin} f \ne \emptyset"


@PAPER.claim(
    "convergence",
    statement=CONVERGES,
    source=f"{PREPRINT.citation}, Theorem 3.2, for |w_0| < m_0 alone",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2", DECAY, QUASI_CONVEX),
    uses=("lyapunov", "mirror-mirror/decay-monotone"),
)
def convergence(used: Mapping[str, Verdict]) -> Verdict:
    """Bound the path by a Lyapunov function, show that ∇f vanishes at its end, and that the end is one point.

    Where the loss stays above its minimum, a ball in a lower level set makes the path finite; at the minimum every
    cluster point is a minimizer, and the distance to it falls.
    """
    if not all(verdict.outcome in ESTABLISHED for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "The identities of the Lyapunov function are not established.")
    return argue(
        "Let M = (∇²R_{a_t})⁻¹ = diag 2√(x² + a²) and W^q = D_{R_{a_t}}(q, x_t) + R_{a_∞}(q) − R_{a_t}(q) ≥ 0, since R "
        "grows with the decay. Then dW^q/dt = −α tr M − ⟨∇f, x_t − q⟩ for every q. Quasi-convexity says that "
        "f(y) ≤ f(x) implies ⟨∇f(x), x − y⟩ ≥ 0. "
        "(1) For a minimizer q this makes W^q fall. So D_{R_{a_t}}(q, x_t) ≤ W^q at time 0; it grows like |x|/2 in "
        "each weight, uniformly in a between a_∞ > 0 and a_0. So x_t stays in a compact set, the flow exists for all "
        "times, and M, ∇f and its Lipschitz constant are bounded on the way. "
        "(2) df/dt = −⟨∇f, M∇f⟩ − 4α⟨x, ∇f⟩ ≤ −2 min a_∞ ‖∇f‖² + Cα. So f(x_t) − C∫_0^t α falls, f(x_t) converges, "
        "and ∫‖∇f‖² dt < ∞. As |x'| ≤ C(1 + α), t ↦ ∇f(x_t) is uniformly continuous, hence ∇f(x_t) → 0: every "
        "cluster point is critical. "
        "(3) If lim f(x_t) > min f, take c between them. The open set {f < c} is not empty and holds a closed ball "
        "around some z of radius r > 0, and f(x_t) > c from a time T on. For y = z + r∇f/‖∇f‖, ⟨∇f, x_t − y⟩ ≥ 0 says "
        "⟨∇f, x_t − z⟩ ≥ r‖∇f‖, so dW^z/dt ≤ −r‖∇f‖ and ∫_T^∞ ‖∇f‖ dt ≤ W^z_T/r. With |x'| ≤ C(‖∇f‖ + α) the path has "
        "finite length, so x_t converges. "
        "(4) If lim f(x_t) = min f, a cluster point z is a minimizer, so W^z falls. Along a sequence of times "
        "D_{R_{a_t}}(z, x_t) → 0, and R_{a_t}(z) → R_{a_∞}(z), so W^z → 0. Hence D_{R_{a_t}}(z, x_t) → 0 and, with R'' "
        "bounded below on the compact set, x_t → z. "
        "(5) For convex f, or with the inequality between ‖∇f‖² and f − f*, a critical point is a minimizer.",
        *lyapunov_identities(),
        *weight_velocity()[1],
    )


@PAPER.claim(
    "loss-bound",
    statement=Statement(
        r"t\,(f(x_t) - f(x^*)) \le D_R(x^*, x_0) = \sum_i ",
        (POINT * (sp.asinh(POINT / scale) - sp.log(u0 / v0)) - sp.sqrt(POINT**2 + scale**2) + (u0**2 + v0**2) / 2) / 2,
        r", \quad q = x_i^*, \ a = u_0 v_0",
    ),
    hypotheses=(SIZES, r"\alpha = 0", r"f \text{ convex, } \nabla f \text{ locally Lipschitz, with minimizer } x^*"),
    uses=("convergence", "lyapunov"),
)
def loss_bound(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Integrate the Lyapunov identity without decay."""
    if not all(verdict.outcome in ESTABLISHED for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "Convergence, or the Lyapunov function, is not established.")
    still = {strength: sp.Integer(0), decay: sp.Integer(0)}
    return argue(
        "dD_R(x*, x_t)/dt = −⟨∇f, x_t − x*⟩ ≤ −(f(x_t) − f(x*)) for convex f, and f(x_t) falls: so "
        "t(f(x_t) − f(x*)) ≤ ∫_0^t (f(x_s) − f(x*)) ds ≤ D_R(x*, x_0).",
        Equation(divergence_change().xreplace(still), -slope * (x - POINT), "change of D(q, x_t)"),
        *weight_velocity()[1],
        *least_identities(),
        stated=Equation(statement.formula.subs(scale, u0 * v0), growth_from_start(), "R(q) − R(x_0)"),
    )


def growth_from_start() -> sp.Expr:
    """R(q) − R(x_0) without decay, which is D_R(q, x_0), as R'(x_0) = 0; see :func:`least_identities`."""
    return in_uv(derived().potential).xreplace({x: POINT, decay: sp.Integer(0)}) + (u0**2 + v0**2) / 4


def least_identities() -> tuple[Equation, ...]:
    """That R'(x_0) = 0 and R(x_0) = −(u_0² + v_0²)/4."""
    start = (u0**2 - v0**2) / 2
    return (
        Equation(sp.sinh(sp.log(u0 / v0)).rewrite(sp.exp), start / (u0 * v0), "arcsinh(x_0/a) = log(u_0/v_0)"),
        Equation(start**2 + (u0 * v0) ** 2, ((u0**2 + v0**2) / 2) ** 2, "√(x_0² + a²) = (u_0² + v_0²)/2"),
    )


total = sp.Symbol("A_oo", nonnegative=True)


@PAPER.claim(
    "loss-integral",
    statement=Statement(
        r"\int_0^\infty (f(x_t) - f(x^*))\,dt \le D_{R_{a_0}}(x^*, x_0) + R_{a_\infty}(x^*) - R_{a_0}(x^*) = \sum_i ",
        (POINT * (sp.asinh(POINT / scale) - sp.log(u0 / v0)) - sp.sqrt(POINT**2 + scale**2) + (u0**2 + v0**2) / 2) / 2,
        r", \quad q = x_i^*, \ a = ",
        u0 * v0 * sp.exp(-4 * total),
    ),
    hypotheses=(
        SIZES,
        DECAY,
        r"f \text{ convex, } \nabla f \text{ locally Lipschitz, with minimizer } x^*",
        r"h = \sum m^2 + w^2",
    ),
    uses=("convergence", "lyapunov", "mirror-mirror/decay-monotone"),
)
def loss_integral(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Integrate the Lyapunov identity under decay."""
    if not all(verdict.outcome in ESTABLISHED for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "Convergence, or the Lyapunov function, is not established.")
    bound, last = statement.formulas
    potential = in_uv(derived().potential)
    growth = potential.xreplace({x: POINT, decay: total}) - potential.xreplace({x: POINT, decay: sp.Integer(0)})
    return argue(
        "W_t = D_{R_{a_t}}(x*, x_t) + R_{a_∞}(x*) − R_{a_t}(x*) is at least 0, as D ≥ 0 and R grows with the decay, "
        "and dW/dt ≤ −⟨∇f, x_t − x*⟩ ≤ −(f(x_t) − f(x*)) for convex f. Integrate from 0 to ∞.",
        *lyapunov_identities()[:2],
        *weight_velocity()[1],
        *least_identities(),
        stated=Equation(bound.subs(scale, last), growth_from_start() + growth, "W_0"),
    )
