"""Equation 9: the potential decreases in its scale."""

import sympy as sp

from derivations.mask import PREPRINT, SIZES, decay, derived, in_uv, x
from implicit_bias import Claim, Outcome, Verdict
from implicit_bias.symbolic.zero_test import simplified_to_zero


def check() -> Verdict:
    """Differentiate along the decay, which moves a and leaves u_0/v_0: ∂R/∂a = (∂R/∂A) / (∂a/∂A)."""
    potential, scale = in_uv(derived().potential), in_uv(derived().scale)
    fall = sp.diff(scale, decay)
    slope = sp.diff(potential, decay) / fall
    stated = -(x**2 * scale + scale**3) / (2 * scale**2 * sp.sqrt(scale**2 + x**2))  # |a| = a
    if not simplified_to_zero(slope - stated):
        return Verdict(Outcome.INCONCLUSIVE, f"∂R/∂a = {slope} was not shown to equal {stated}.")
    if not (stated.is_negative and fall.is_negative):
        return Verdict(Outcome.INCONCLUSIVE, f"The sign of {stated} or of {fall} is open.")
    return Verdict(
        Outcome.PROVED,
        "∂R/∂a + (x²a + a³)/(2a²√(a² + x²)) simplifies to zero, and a > 0 makes the slope negative for every x. With "
        "α ≥ 0, ∂a/∂A < 0 gives da_t/dt ≤ 0.",
    )


CLAIM = Claim(
    id="eq-9",
    statement=(
        r"\frac{dR_a}{da} = -\frac12 \sum_i \frac{x_i^2 |a_i| + |a_i|^3}{a_i^2 \sqrt{a_i^2 + x_i^2}} \le 0, \quad "
        r"\frac{da_t}{dt} \le 0"
    ),
    source=f"{PREPRINT}, equation 9",
    hypotheses=(SIZES, r"u_0/v_0 \text{ fixed}", r"a > 0", r"\alpha_t \ge 0"),
    check=check,
)
