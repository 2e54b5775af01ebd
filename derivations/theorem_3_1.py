"""Theorem 3.1: the potential of the mask with a time-dependent regularization."""

import sympy as sp

from derivations.mask import (
    MIRROR_MEASURE,
    PREPRINT,
    SIZES_OR_EQUAL,
    decay,
    derived,
    in_uv,
    judge,
    mirror_residual,
    u0,
    v0,
)
from derivations.theorem_2_1 import potential_with
from derivations.trajectory import REGULARIZED, instances
from implicit_bias import Claim, Verdict
from implicit_bias.claims import corrected

PREFACTOR, SCALE = sp.Rational(1, 2), 2 * u0 * v0 * sp.exp(-2 * decay)
STATED = potential_with(PREFACTOR, SCALE)


def check() -> Verdict:
    """Hold the stated potential against the derived one, on trajectories with decay.

    The prefactor is right; the scale is not, already without decay. For |w_0| = m_0, which the theorem admits, u_0 v_0
    is zero and the line has no potential; trajectories are drawn with |w_0| < m_0.
    """
    true = in_uv(derived().potential)
    return judge(
        STATED,
        true,
        rf"R_{{a_t}}(x) = {sp.latex(true)} \text{{ for }} |w_0| < m_0, \text{{ with the prefactor as stated }} "
        rf"\text{{and the scale }} {sp.latex(in_uv(derived().scale))}, \text{{ which is zero for }} |w_0| = m_0",
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
    hypotheses=(SIZES_OR_EQUAL, r"h = \sum m^2 + w^2"),
    uses=(corrected("lem-a.2"),),
    check=check,
)
