"""Lemma A.2: the scale a_t under regularization."""

import sympy as sp

from derivations.mask import PREPRINT, SIZES, accumulated, decay, derived, in_uv, judge, u0, v0
from derivations.trajectory import REGULARIZED, instances
from implicit_bias import Claim, Verdict
from implicit_bias.claims import corrected

STATED = 2 * u0 * v0 * sp.exp(-2 * decay)


def check() -> Verdict:
    """Hold the stated scale against x_t = a_t sinh(log(u_0/v_0) − 2 L_t) on trajectories."""
    true = in_uv(derived().scale)
    sine = sp.sinh(sp.log(u0 / v0) - 2 * accumulated)
    return judge(
        STATED,
        true,
        f"a_t = {sp.latex(true)}",
        lambda value, end, scale: abs(value(scale) * value(sine) - end["x"]),
        "|a_t sinh(log(u_0/v_0) - 2 L_t) - m_t w_t|",
        instances(alpha=REGULARIZED),
    )


CLAIM = Claim(
    id="lem-a.2",
    statement=rf"x_t = a_t \sinh(\log(u_0/v_0) - 2L_t) \text{{ with }} a_t = {sp.latex(STATED)}",
    source=f"{PREPRINT}, Lemma A.2; its own proof, by x_t e^(4A), contradicts this a_t",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2"),
    uses=(corrected("lem-a.1"),),
    check=check,
)
