"""The gradient of the potential is Lipschitz, with the constant that the metric's minimum sets."""

import sympy as sp

from derivations import theorem_2_1
from derivations.mask import POTENTIAL, PREPRINT, SIZES, decay, derived, in_uv, prove, u0, v0, x
from implicit_bias import Claim, Outcome, Verdict

STATED = 1 / (2 * u0 * v0)


def least_metric() -> tuple[sp.Expr, sp.Expr]:
    """The metric at x = 0 and by how much the square of the metric exceeds the square of that."""
    metric = in_uv(derived().metric)
    least = sp.powdenest(metric.xreplace({x: sp.Integer(0)}))
    return least, sp.expand(metric**2 - least**2)


def check() -> Verdict:
    """Show that 1/R'' is least at x = 0 and compare the value there."""
    least, excess = least_metric()
    if not excess.is_nonnegative:
        return Verdict(Outcome.INCONCLUSIVE, f"The sign of {excess} is open.")
    return prove(
        f"(1/R'')² exceeds its value at x = 0 by {excess} ≥ 0, and 1/R''(0) − 2u₀v₀ simplifies to zero at A = 0; the "
        "Hessian is diagonal, so its largest entry is the Lipschitz constant, which is attained at x = 0. The R "
        "printed in Theorem 2.1 has R''(0) = 1/(8u₀v₀) instead (an identity, too).",
        sp.diff(theorem_2_1.STATED, x, 2).xreplace({x: sp.Integer(0)}) - 1 / (8 * u0 * v0),
        stated=1 / least.xreplace({decay: sp.Integer(0)}) - STATED,
    )


CLAIM = Claim(
    id="lipschitz",
    statement=r"\nabla R \text{ is Lipschitz with the constant } 1/\min_i 2 u_{0,i} v_{0,i}",
    source=f"{PREPRINT}, after Theorem 2.1; for the potential of the flow, not for the R printed there",
    hypotheses=(SIZES, r"A = 0", POTENTIAL),
    check=check,
)
