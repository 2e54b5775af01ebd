"""Equation 9: the potential decreases in its scale."""

import sympy as sp

from derivations.mask import PREPRINT, SIZES, decay, derived, in_uv, x
from implicit_bias import Claim, Outcome, Verdict
from implicit_bias.symbolic.zero_test import simplified_to_zero


def check() -> Verdict:
    """Differentiate along the decay, which moves a and leaves u_0/v_0: ∂R/∂a = (∂R/∂A) / (∂a/∂A)."""
    potential, scale = in_uv(derived().potential), in_uv(derived().scale)
    slope = sp.diff(potential, decay) / sp.diff(scale, decay)
    negative = -sp.sqrt(x**2 + scale**2) / (2 * scale)
    if not simplified_to_zero(slope - negative):
        return Verdict(Outcome.INCONCLUSIVE, f"∂R/∂a = {slope} was not brought to a form with a sign.")
    if not negative.is_negative:
        return Verdict(Outcome.INCONCLUSIVE, f"The sign of {negative} is open.")
    return Verdict(
        Outcome.PROVED,
        "∂R/∂a + √(x² + a²)/(2a) simplifies to zero, and a > 0 makes the slope negative for every x.",
    )


CLAIM = Claim(
    id="eq-9",
    statement=r"\frac{\partial R_a}{\partial a} = -\frac12 \sum_i \frac{\sqrt{x_i^2 + a_i^2}}{a_i} < 0",
    source=f"{PREPRINT}, equation 9",
    hypotheses=(SIZES, r"u_0/v_0 \text{ fixed}"),
    check=check,
)
