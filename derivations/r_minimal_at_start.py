"""Without decay the potential is least at the initial weight."""

import sympy as sp

from derivations.mask import PREPRINT, SIZES, decay, derived, in_uv, prove, u0, v0
from implicit_bias import Claim, Outcome, Verdict

STATED = (u0**2 - v0**2) / 2  # m_0 w_0


def check() -> Verdict:
    """Evaluate ∇R* at slope zero; the potential is strictly convex, so there is no other critical point."""
    start = in_uv(derived().inverse_mirror_map).xreplace({sp.Symbol("z"): sp.Integer(0), decay: sp.Integer(0)})
    if not in_uv(derived().metric).is_positive:
        return Verdict(Outcome.INCONCLUSIVE, "The sign of the metric is open.")
    return prove(
        "∇R*(0) − m₀w₀ simplifies to zero at A = 0, so R'(x₀) = 0, and R'' > 0 makes x₀ the only minimum.",
        stated=start.rewrite(sp.exp) - STATED,
    )


CLAIM = Claim(
    id="r-minimal-at-start",
    statement=r"\operatorname{argmin} R = x_0 = m_0 w_0",
    source=f"{PREPRINT}, on the minimum of R",
    hypotheses=(SIZES, r"A = 0"),
    check=check,
)
