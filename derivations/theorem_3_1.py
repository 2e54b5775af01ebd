"""Theorem 3.1: the potential of the mask with a time-dependent regularization."""

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
)
from derivations.theorem_2_1 import potential_with_scale
from derivations.trajectory import REGULARIZED, instances
from implicit_bias import Claim, Verdict

STATED = potential_with_scale(2 * u0 * v0 * sp.exp(-2 * decay))


def check() -> Verdict:
    """Hold the stated potential against the derived one, on trajectories with decay."""
    true = in_uv(derived().potential)
    return judge(
        STATED,
        true,
        f"R_{{a_t}}(x) = {sp.latex(true)}",
        mirror_residual,
        MIRROR_MEASURE,
        instances(alpha=REGULARIZED),
    )


CLAIM = Claim(
    id="thm-3.1",
    statement=(
        rf"d\nabla R_{{a_t}}(x_t) = -\nabla f(x_t)\,dt \text{{ with }} R_{{a_t}}(x) = {sp.latex(STATED)}, "
        r"\ A = \int_0^t \alpha_s\,ds"
    ),
    source=f"{PREPRINT}, Theorem 3.1",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2"),
    uses=("lem-a.2",),
    check=check,
)
