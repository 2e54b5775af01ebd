"""Lemma A.1: the weight as a function of the accumulated gradient and the decay."""

import sympy as sp

from derivations.mask import PREPRINT, SIZES, accumulated, decay, judge, trained_weight, u0, v0
from derivations.trajectory import instances
from implicit_bias import Claim, Verdict
from implicit_bias.claims.judge import quarters

STATED = u0**2 * sp.exp(-2 * accumulated - 4 * decay) - v0**2 * sp.exp(2 * accumulated - 4 * decay)


def check() -> Verdict:
    """Hold the stated trajectory against ∇R_A*(−L), with and without decay."""
    true = trained_weight()
    return judge(
        STATED,
        true,
        f"x_t = {sp.latex(true)}",
        lambda value, end, path: abs(value(path) - end["x"]),
        "|formula - m_t w_t|",
        instances(alpha=quarters(0, 1)),
    )


CLAIM = Claim(
    id="lem-a.1",
    statement=rf"x_t = {sp.latex(STATED)}, \quad L = \int_0^t \nabla f(x_s)\,ds, \ A = \int_0^t \alpha_s\,ds",
    source=f"{PREPRINT}, Lemma A.1",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2"),
    check=check,
)
