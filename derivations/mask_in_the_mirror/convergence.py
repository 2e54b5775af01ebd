"""Convergence of the weights: Theorems 2.2 and 3.2 and Lemma A.3."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.setting import (
    DECAY,
    SIZES,
    SIZES_OR_EQUAL,
    along_flow,
    argue,
    decay,
    m,
    slope,
    strength,
    w,
    weight_velocity,
    x,
)
from derivations.ours.convergence import (
    ESTABLISHED,
    POINT,
    QUASI_CONVEX,
    convergence,
    divergence_change,
    lyapunov_identities,
)
from implicit_bias import Correction, Outcome, Verdict
from implicit_bias.claims import corrected
from implicit_bias.claims.equation import Equation, Violation
from implicit_bias.claims.judge import refute


@PAPER.claim(
    "thm-2.2",
    statement=r"x_t \text{ converges to a critical point of } f; \text{ if } f \text{ is convex, to a minimizer}",
    source="Theorem 2.2, in the setting of Theorem 2.1",
    hypotheses=(SIZES, r"\alpha = 0", QUASI_CONVEX),
    uses=(corrected("thm-2.1"),),
)
def theorem_2_2() -> Verdict:
    """Take the divergence from a minimizer, which bounds the path, and then from a cluster point."""
    still = {strength: sp.Integer(0), decay: sp.Integer(0)}
    _, _, loss, metric, growth = lyapunov_identities()
    return argue(
        "Quasi-convexity says that f(y) ≤ f(x) implies ⟨∇f(x), x − y⟩ ≥ 0, and dD_R(q, x_t)/dt = −⟨∇f, x_t − q⟩ for "
        "every q. For a minimizer q, D_R(q, x_t) falls; it grows like |x|/2 in each weight, so x_t stays in a compact "
        "set and the flow exists for all times. f(x_t) falls, so a cluster point z has f(z) ≤ f(x_t) for all t, and "
        "D_R(z, x_t) falls, too. It tends to zero along a sequence of times, hence altogether, and x_t → z. As "
        "df/dt = −⟨∇f, M∇f⟩ with M ≥ 2 min a and f is bounded below, ∫‖∇f‖² dt < ∞, and ∇f(x_t) → ∇f(z) must be zero. "
        "A critical point of a convex f is a minimizer.",
        Equation(divergence_change().xreplace(still), -slope * (x - POINT), "change of D(q, x_t)"),
        loss,
        metric,
        growth,
        *weight_velocity()[1],
    )


@PAPER.claim(
    "lem-a.3",
    statement=(
        r"x_t \text{ is bounded and converges to a critical point of } f, \text{ as } D_{R_{a_t}}(x^*, x_t) \le W_t, "
        r"\text{ which falls}"
    ),
    source="Lemma A.3; with x^* a minimizer of f, which W_t needs",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2", DECAY, QUASI_CONVEX),
    uses=(corrected("thm-3.1"), "ours/lyapunov", "ours/convergence"),
)
def lemma_a_3(used: Mapping[str, Verdict]) -> Verdict:
    """Rest on the convergence that is argued in full, and on the identity of the Lyapunov function."""
    if not all(verdict.outcome in ESTABLISHED for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "The potential, convergence or the Lyapunov function is not established.")
    return argue(
        "Take W_t = D_{R_{a_t}}(x*, x_t) + R_{a_∞}(x*) − R_{a_t}(x*): the last two terms add up to at least 0, as R "
        "grows with the decay, and dW/dt = −α tr (∇²R)⁻¹ − ⟨∇f, x_t − x*⟩ ≤ 0, as a quasi-convex f has "
        "⟨∇f(x), x − x*⟩ ≥ 0. So x_t is bounded. W_t alone does not give convergence to one "
        "critical point; ours/convergence argues it.",
        *lyapunov_identities(),
        *weight_velocity()[1],
    )


time = sp.Symbol("t", nonnegative=True)
STUCK = 1 / (2 * sp.exp(2 * time) - 1)  # from m_0 = w_0 = 1 on f = (x + 1)²/2, without decay


_CONVERGES = (
    r"x_t \text{ converges to a critical point of } f; \text{ if } f \text{ is convex, or quasi-convex with } "
    r"\|\nabla f\|_2^2 \ge \lambda (f - f^*), \text{ to a minimizer}"
)


@PAPER.claim(
    "thm-3.2",
    statement=_CONVERGES,
    source="Theorem 3.2",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2", DECAY, QUASI_CONVEX),
    uses=("ours/convergence",),
)
def theorem_3_2(used: Mapping[str, Verdict]) -> Verdict:
    """Where there is a potential, for |w_0| < m_0, it is what we show in detail."""
    return used["ours/convergence"]


@PAPER.claim(
    "thm-3.2-balanced",
    statement=_CONVERGES,
    source="Theorem 3.2 where a balanced start is admitted as in Theorem 3.1",
    hypotheses=(SIZES_OR_EQUAL, r"h = \sum m^2 + w^2", DECAY, QUASI_CONVEX),
    uses=("ours/convergence",),
)
def theorem_3_2_balanced(used: Mapping[str, Verdict]) -> Verdict:
    """Refute it for |w_0| = m_0, which the setting admits, by a weight that cannot become negative."""
    pull = x + 1
    return refute(
        "The setting admits |w_0| = m_0, and there a weight keeps its sign. For m_0 = w_0 = 1, α = 0 and the convex "
        "f = (x + 1)²/2 with minimizer −1, m = w and x_t = 1/(2e^(2t) − 1) tends to 0, where f' = 1: no critical "
        "point. For |w_0| < m_0 the theorem holds.",
        Violation(pull, sp.Integer(0), {"x": 0}),
        Equation(sp.diff(STUCK, time), -2 * STUCK * pull.subs(x, STUCK), "x_t solves x' = −2x f'(x)"),
        (along_flow(m * w).subs({w: m, strength: 0}), -2 * m**2 * slope),
        Equation(along_flow(m - w), (slope - 2 * strength) * (m - w), "m = w stays"),
        correction=Correction(
            rf"\text{{for }} {SIZES}: \ {convergence.statement}",
            used["ours/convergence"],
        ),
    )
