"""After Theorem 2.3: the inverse Hessian, by which the flow of x preconditions the gradient."""

import sympy as sp

from derivations.mask import PREPRINT, SIZES, decay, derived, in_uv, judge, u0, v0, x
from derivations.trajectory import instances
from implicit_bias import Claim, Verdict
from implicit_bias.claims import corrected

STATED = sp.sqrt(x**2 + 4 * u0**2 * v0**2)


def check() -> Verdict:
    """Hold the stated inverse Hessian against the velocity on trajectories; it is right at x = 0 and only there."""
    true = in_uv(derived().metric).xreplace({decay: sp.Integer(0)})
    gap = sp.factor(sp.expand(true**2 - STATED**2))
    return judge(
        STATED,
        true,
        rf"(\nabla^2 R)^{{-1}} = {sp.latex(true)}, \text{{ whose square exceeds the stated one's by }} {sp.latex(gap)}",
        lambda value, end, metric: abs(value(metric) * end["slope"] + end["x_velocity"]),
        "|formula f'(x_t) + x_t'|",
        instances(),
    )


CLAIM = Claim(
    id="inverse-hessian",
    statement=rf"(\nabla^2 R(x))^{{-1}} = {sp.latex(STATED)}",
    source=f"{PREPRINT}, after Theorem 2.3",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=(corrected("thm-2.1"),),
    check=check,
)
