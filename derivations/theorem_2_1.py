"""Theorem 2.1: the potential of the mask without regularization."""

import sympy as sp

from derivations.mask import (
    MIRROR_MEASURE,
    PREPRINT,
    SIZES,
    decay,
    derived,
    in_uv,
    judge,
    mirror_residual,
    u0,
    v0,
    x,
)
from derivations.trajectory import instances
from implicit_bias import Claim, Verdict
from implicit_bias.claims import corrected


def potential_with(prefactor: sp.Expr, scale: sp.Expr) -> sp.Expr:
    """The form of the preprint's potentials; Theorem 3.1 prints it with other constants."""
    return prefactor * (x * sp.asinh(x / scale) - sp.sqrt(x**2 + scale**2) - x * sp.log(u0 / v0))


PREFACTOR, SCALE = sp.Rational(1, 4), 2 * u0 * v0
STATED = potential_with(PREFACTOR, SCALE)


def check() -> Verdict:
    """Hold the stated potential against the derived one at A = 0."""
    true = in_uv(derived().potential).xreplace({decay: sp.Integer(0)})
    return judge(STATED, true, f"R(x) = {sp.latex(true)}", mirror_residual, MIRROR_MEASURE, instances())


CLAIM = Claim(
    id="thm-2.1",
    statement=rf"d\nabla R(x_t) = -\nabla f(x_t)\,dt \text{{ with }} R(x) = {sp.latex(STATED)}",
    source=f"{PREPRINT}, Theorem 2.1 and equation 2",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=(corrected("lem-a.1"),),
    check=check,
)
