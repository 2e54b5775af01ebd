"""Lemma A.1: the weight as a function of the accumulated gradient, without regularization."""

import sympy as sp

from derivations.mask import PREPRINT, SIZES, accumulated, judge, u0, v0, weight_without_decay
from derivations.trajectory import instances
from implicit_bias import Claim, Verdict

STATED = u0**2 * sp.exp(-2 * accumulated) - v0**2 * sp.exp(2 * accumulated)


def check() -> Verdict:
    """Hold the stated trajectory against ∇R*(−L)."""
    true = weight_without_decay()
    return judge(
        STATED,
        true,
        f"x_t = {sp.latex(true)}",
        lambda value, end, path: abs(value(path) - end["x"]),
        "|formula - m_t w_t|",
        instances(),
    )


CLAIM = Claim(
    id="lem-a.1",
    statement=rf"x_t = {sp.latex(STATED)}, \quad L = \int_0^t \nabla f(x_s)\,ds",
    source=f"{PREPRINT}, Lemma A.1",
    hypotheses=(SIZES, r"\alpha = 0"),
    check=check,
)
