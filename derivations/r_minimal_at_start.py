"""Without decay the potential is least at the initial weight."""

import sympy as sp

from derivations import theorem_2_1
from derivations.mask import POTENTIAL, PREPRINT, SIZES, decay, derived, in_uv, prove, u0, v0, x
from implicit_bias import Claim, Outcome, Verdict

STATED = (u0**2 - v0**2) / 2  # m_0 w_0


def check() -> Verdict:
    """Evaluate ∇R* at slope zero; the potential is strictly convex, so there is no other critical point.

    The R that Theorem 2.1 prints is least elsewhere, at u_0² − v_0²: the statement holds for the derived R only.
    """
    start = in_uv(derived().inverse_mirror_map).xreplace({sp.Symbol("z"): sp.Integer(0), decay: sp.Integer(0)})
    if not in_uv(derived().metric).is_positive:
        return Verdict(Outcome.INCONCLUSIVE, "The sign of the metric is open.")
    return prove(
        "∇R*(0) − m₀w₀ simplifies to zero at A = 0, so R'(x₀) = 0, and R'' > 0 makes x₀ the only minimum. The slope of "
        "the R printed in Theorem 2.1 vanishes at u₀² − v₀² = 2m₀w₀ instead (identities, too).",
        sp.diff(theorem_2_1.STATED, x) - (sp.asinh(x / (2 * u0 * v0)) - sp.log(u0 / v0)) / 4,
        2 * u0 * v0 * sp.sinh(sp.log(u0 / v0)).rewrite(sp.exp) - (u0**2 - v0**2),
        stated=start.rewrite(sp.exp) - STATED,
    )


CLAIM = Claim(
    id="r-minimal-at-start",
    statement=r"\operatorname{argmin} R = x_0 = m_0 w_0",
    source=f"{PREPRINT}, after Theorem 2.1; for the potential of the flow, not for the R printed there",
    hypotheses=(SIZES, r"A = 0", POTENTIAL),
    check=check,
)
