"""The Lipschitz constant of the gradient of the potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import sympy as sp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.judging_before import Violation, judge_constant
from derivations.mask_in_the_mirror.potential import THEOREM_2_1
from derivations.mask_in_the_mirror.setting import POTENTIAL, SIZES, decay, derived, in_uv, prove, u0, v0, x
from derivations.mask_in_the_mirror.trajectory import Instance, instances
from implicit_bias import Outcome, Verdict
from implicit_bias.claims.judge import quarters

LIPSCHITZ = 1 / (2 * u0 * v0)


def least_metric() -> tuple[sp.Expr, sp.Expr]:
    """The metric at x = 0 and by how much the square of the metric exceeds the square of that."""
    metric = in_uv(derived().metric)
    least = sp.powdenest(metric.xreplace({x: sp.Integer(0)}))
    return least, sp.expand(metric**2 - least**2)


@PAPER.claim(
    "lipschitz",
    statement=r"\nabla R \text{ is Lipschitz with the constant } 1/\min_i 2 u_{0,i} v_{0,i}",
    source="after Theorem 2.1; for the potential of the flow, not for the R printed there",
    hypotheses=(SIZES, r"A = 0", POTENTIAL),
)
def lipschitz() -> Verdict:
    """The gradient of the potential is Lipschitz, with the constant that the metric's minimum sets.

    Show that 1/R'' is least at x = 0 and compare the value there.
    """
    least, excess = least_metric()
    if not excess.is_nonnegative:
        return Verdict(Outcome.INCONCLUSIVE, f"The sign of {excess} is open.")
    return prove(
        f"(1/R'')² exceeds its value at x = 0 by {excess} ≥ 0, and 1/R''(0) − 2u₀v₀ simplifies to zero at A = 0; the "
        "Hessian is diagonal, so its largest entry is the Lipschitz constant, which is attained at x = 0. The R "
        "printed in Theorem 2.1 has R''(0) = 1/(8u₀v₀) instead (an identity, too).",
        sp.diff(THEOREM_2_1, x, 2).xreplace({x: sp.Integer(0)}) - 1 / (8 * u0 * v0),
        stated=1 / least.xreplace({decay: sp.Integer(0)}) - LIPSCHITZ,
    )


REMARK_2_1_LIPSCHITZ = 2 * u0 * v0  # the scale a = m_0² of Remark 2.1


@PAPER.claim(
    "rem-2.1-lipschitz",
    statement=r"\nabla R \text{ has the Lipschitz constant } L_R = a, \text{ in whichever of three readings of } R",
    source="Remark 2.1, last line",
    hypotheses=(r"w_0 = 0", r"m_0 = \sqrt{a}", r"\alpha = 0"),
    uses=("lipschitz", "rem-2.1"),
)
def remark_2_1_lipschitz(used: Mapping[str, Verdict]) -> Verdict:
    """Compare the stated constant with difference quotients of ∇R, in each of three readings of R.

    They are the potential of the flow, whose ∇R = −L is read off at the ends of trajectories, the entropy that the
    remark writes down, and the R of Theorem 2.1, a quarter of it.
    """
    return judge_constant(
        REMARK_2_1_LIPSCHITZ,
        LIPSCHITZ,
        used["lipschitz"],
        r"L_R = 1/(2u_0v_0) = 1/a \text{ for the potential of the flow and } a = 2u_0v_0 = m_0^2",
        _quotients,
        instances(target=quarters(0.25, 2)).map(lambda instance: replace(instance, w0=0.0)),
    )


def _quotients(instance: Instance) -> Violation:
    end, a = instance.end(), instance.m0**2  # the trajectory starts at x = 0 and L = 0
    entropy = float(np.arcsinh(end["x"] / a) / end["x"])
    quotients = {"flow": abs(end["L"] / end["x"]), "entropy": entropy, "theorem_2_1": entropy / 4}
    return Violation(
        min(quotients.values()) - a,
        f"|R'(x) − R'(0)|/|x| at the end x of a trajectory of m and w from w_0 = 0, m_0 = √a: {quotients['flow']:.4f} "
        f"for the potential of the flow, {quotients['entropy']:.4f} for the entropy of Remark 2.1, "
        f"{quotients['theorem_2_1']:.4f} for the R of Theorem 2.1; stated at most a = {a:g}. The largest quotients are "
        "1/a, 1/a and 1/(4a).",
        instance.numbers() | {f"quotient_{name}": value for name, value in quotients.items()} | {"stated": a},
    )
