"""The potential of the mask, its Hessian and its minimum: Theorems 2.1 and 3.1 and what follows them."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
from hypothesis import strategies as st
from scipy.optimize import brentq

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.judging_before import MIRROR_MEASURE, judge, mirror_residual
from derivations.mask_in_the_mirror.setting import (
    POTENTIAL,
    SIZES,
    SIZES_OR_EQUAL,
    decay,
    derived,
    in_uv,
    prove,
    u0,
    v0,
    x,
)
from derivations.mask_in_the_mirror.trajectory import REGULARIZED, Instance, instances
from implicit_bias import Outcome, Verdict
from implicit_bias.claims import corrected


def potential_with(prefactor: sp.Expr, scale: sp.Expr) -> sp.Expr:
    """The form of the preprint's potentials; Theorem 3.1 prints it with other constants."""
    return prefactor * (x * sp.asinh(x / scale) - sp.sqrt(x**2 + scale**2) - x * sp.log(u0 / v0))


PREFACTOR_2_1, SCALE_2_1 = sp.Rational(1, 4), 2 * u0 * v0
THEOREM_2_1 = potential_with(PREFACTOR_2_1, SCALE_2_1)


@PAPER.claim(
    "thm-2.1",
    statement=rf"d\nabla R(x_t) = -\nabla f(x_t)\,dt \text{{ with }} R(x) = {sp.latex(THEOREM_2_1)}",
    source="Theorem 2.1 and equation 2",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=(corrected("lem-a.1"),),
)
def theorem_2_1() -> Verdict:
    """Hold the stated potential against the derived one at A = 0."""
    true = in_uv(derived().potential).xreplace({decay: sp.Integer(0)})
    return judge(THEOREM_2_1, true, f"R(x) = {sp.latex(true)}", mirror_residual, MIRROR_MEASURE, instances())


PREFACTOR_3_1, SCALE_3_1 = sp.Rational(1, 2), 2 * u0 * v0 * sp.exp(-2 * decay)
THEOREM_3_1 = potential_with(PREFACTOR_3_1, SCALE_3_1)


@PAPER.claim(
    "thm-3.1",
    statement=(
        rf"d\nabla R_{{a_t}}(x_t) = -\nabla f(x_t)\,dt \text{{ with }} R_{{a_t}}(x) = {sp.latex(THEOREM_3_1)}, "
        r"\ A = \int_0^t \alpha_s\,ds"
    ),
    source="Theorem 3.1",
    hypotheses=(SIZES_OR_EQUAL, r"h = \sum m^2 + w^2"),
    uses=(corrected("lem-a.2"),),
)
def theorem_3_1() -> Verdict:
    """Hold the stated potential against the derived one, on trajectories with decay.

    The prefactor is right; the scale is not, already without decay. For |w_0| = m_0, which the theorem admits, u_0 v_0
    is zero and the line has no potential; trajectories are drawn with |w_0| < m_0.
    """
    true = in_uv(derived().potential)
    return judge(
        THEOREM_3_1,
        true,
        rf"R_{{a_t}}(x) = {sp.latex(true)} \text{{ for }} |w_0| < m_0, \text{{ with the prefactor as stated }} "
        rf"\text{{and the scale }} {sp.latex(in_uv(derived().scale))}, \text{{ which is zero for }} |w_0| = m_0",
        mirror_residual,
        MIRROR_MEASURE,
        instances(alpha=REGULARIZED),
    )


INVERSE_HESSIAN = sp.sqrt(x**2 + 4 * u0**2 * v0**2)


@PAPER.claim(
    "inverse-hessian",
    statement=rf"(\nabla^2 R(x))^{{-1}} = {sp.latex(INVERSE_HESSIAN)}",
    source="after Theorem 2.3",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=(corrected("thm-2.1"),),
)
def inverse_hessian() -> Verdict:
    """Hold the stated inverse Hessian against the velocity on trajectories; it is right at x = 0 and only there."""
    true = in_uv(derived().metric).xreplace({decay: sp.Integer(0)})
    gap = sp.factor(sp.expand(true**2 - INVERSE_HESSIAN**2))
    return judge(
        INVERSE_HESSIAN,
        true,
        rf"(\nabla^2 R)^{{-1}} = {sp.latex(true)}, \text{{ whose square exceeds the stated one's by }} {sp.latex(gap)}",
        lambda value, end, metric: abs(value(metric) * end["slope"] + end["x_velocity"]),
        "|formula f'(x_t) + x_t'|",
        instances(),
    )


MINIMUM_WITHOUT_DECAY = (u0**2 - v0**2) / 2  # m_0 w_0


@PAPER.claim(
    "r-minimal-at-start",
    statement=r"\operatorname{argmin} R = x_0 = m_0 w_0",
    source="after Theorem 2.1; for the potential of the flow, not for the R printed there",
    hypotheses=(SIZES, r"A = 0", POTENTIAL),
)
def minimal_at_start() -> Verdict:
    """Without decay the potential is least at the initial weight.

    Evaluate ∇R* at slope zero; the potential is strictly convex, so there is no other critical point.

    The R that Theorem 2.1 prints is least elsewhere, at u_0² − v_0²: the statement holds for the derived R only.
    """
    start = in_uv(derived().inverse_mirror_map).xreplace({sp.Symbol("z"): sp.Integer(0), decay: sp.Integer(0)})
    if not in_uv(derived().metric).is_positive:
        return Verdict(Outcome.INCONCLUSIVE, "The sign of the metric is open.")
    return prove(
        "∇R*(0) − m₀w₀ simplifies to zero at A = 0, so R'(x₀) = 0, and R'' > 0 makes x₀ the only minimum. The slope of "
        "the R printed in Theorem 2.1 vanishes at u₀² − v₀² = 2m₀w₀ instead (identities, too).",
        sp.diff(THEOREM_2_1, x) - (sp.asinh(x / (2 * u0 * v0)) - sp.log(u0 / v0)) / 4,
        2 * u0 * v0 * sp.sinh(sp.log(u0 / v0)).rewrite(sp.exp) - (u0**2 - v0**2),
        stated=start.rewrite(sp.exp) - MINIMUM_WITHOUT_DECAY,
    )


MINIMUM = sp.exp(-2 * decay) * (u0**2 - v0**2) / 2


@PAPER.claim(
    "minimum-position",
    statement=r"\operatorname{argmin} R_{a_t} = e^{-2A} m_0 w_0",
    source="after Theorem 3.1",
    hypotheses=(SIZES_OR_EQUAL, r"h = \sum m^2 + w^2"),
    uses=(corrected("thm-3.1"),),
)
def minimum_position() -> Verdict:
    """Hold the stated minimizer against the weight at L_t = 0: there x_t is the minimizer.

    The R_{a_t} printed in Theorem 3.1 has neither: its minimum lies at 2e^{−2A} m_0 w_0.
    """
    true = in_uv(derived().minimizer)
    return judge(
        MINIMUM,
        true,
        rf"\operatorname{{argmin}} R_{{a_t}} = {sp.latex(true)} = e^{{-4A}} m_0 w_0 \text{{ for }} |w_0| < m_0",
        lambda value, end, minimizer: abs(value(minimizer) - end["x"]),
        "|formula - m_t w_t| where L_t = 0",
        instances(alpha=REGULARIZED, target=st.none()).filter(lambda instance: instance.w0 != 0).map(_without_push),
    )


def _without_push(instance: Instance) -> Instance:
    """The same trajectory, but towards a target for which the accumulated gradient ends at zero.

    A weight that decays towards zero lies first beyond a target between its initial value and zero, then short of it.
    """

    def accumulated(target: float) -> float:
        return replace(instance, target=target).end()["L"]

    return replace(instance, target=brentq(accumulated, 0.0, instance.m0 * instance.w0, xtol=1e-15))
