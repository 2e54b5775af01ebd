"""Theorem 2.1: the potential of the mask without regularization."""

import sympy as sp

from derivations.mask import (
    MIRROR_MEASURE,
    PREPRINT,
    SIZES,
    Instance,
    decay,
    derived,
    in_uv,
    judge,
    mirror_residual,
    u0,
    v0,
    x,
)
from implicit_bias import Claim, Verdict

_scale = 2 * u0 * v0
STATED = (x * sp.asinh(x / _scale) - sp.sqrt(x**2 + _scale**2) - x * sp.log(u0 / v0)) / 4


def check() -> Verdict:
    """Hold the stated potential against the derived one at A = 0."""
    true = in_uv(derived().potential).xreplace({decay: sp.Integer(0)})
    return judge(STATED, true, f"R(x) = {sp.latex(true)}", mirror_residual, MIRROR_MEASURE, Instance())


CLAIM = Claim(
    id="thm-2.1",
    statement=rf"d\nabla R(x_t) = -\nabla f(x_t)\,dt \text{{ with }} R(x) = {sp.latex(STATED)}",
    source=f"{PREPRINT}, Theorem 2.1 and equation 2",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=("lem-a.1",),
    check=check,
)
