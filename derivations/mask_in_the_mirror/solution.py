"""The trained weight as a function of the accumulated gradient and the decay: Lemma A.1."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.judging_before import judge
from derivations.mask_in_the_mirror.setting import SIZES, accumulated, decay, trained_weight, u0, v0
from derivations.mask_in_the_mirror.trajectory import instances
from implicit_bias import Verdict
from implicit_bias.claims import corrected
from implicit_bias.claims.judge import quarters

LEMMA_A_1 = u0**2 * sp.exp(-2 * accumulated - 4 * decay) - v0**2 * sp.exp(2 * accumulated - 4 * decay)


@PAPER.claim(
    "lem-a.1",
    statement=rf"x_t = {sp.latex(LEMMA_A_1)}, \quad L = \int_0^t \nabla f(x_s)\,ds, \ A = \int_0^t \alpha_s\,ds",
    source="Lemma A.1",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2"),
)
def lemma_a_1() -> Verdict:
    """Hold the stated trajectory against ∇R_A*(−L), with and without decay."""
    true = trained_weight()
    return judge(
        LEMMA_A_1,
        true,
        f"x_t = {sp.latex(true)}",
        lambda value, end, path: abs(value(path) - end["x"]),
        "|formula - m_t w_t|",
        instances(alpha=quarters(0, 1)),
    )


_product, _squares = (u0**2 - v0**2) / 2, u0**2 + v0**2  # m_0 w_0 and m_0² + w_0²
_cosh, _sinh = sp.cosh(accumulated), sp.sinh(accumulated)
HYPERBOLIC = _product * (_cosh**2 + _cosh**2) - _squares * _sinh * _cosh
HYPERBOLIC_CORRECTED = _product * (_cosh**2 + _sinh**2) - _squares * _sinh * _cosh


@PAPER.claim(
    "lem-a.1-hyperbolic",
    statement=r"m_t w_t = m_0 w_0 (\cosh^2 L + \cosh^2 L) - (m_0^2 + w_0^2) \sinh L \cosh L",
    source="proof of Lemma A.1; here without decay",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=(corrected("lem-a.1"),),
)
def lemma_a_1_hyperbolic() -> Verdict:
    """Hold both forms against ∇R*(−L); they differ wherever m_0 w_0 ≠ 0, so the counterexample starts off zero."""
    return judge(
        HYPERBOLIC,
        trained_weight().xreplace({decay: sp.Integer(0)}),
        r"m_t w_t = m_0 w_0 (\cosh^2 L + \sinh^2 L) - (m_0^2 + w_0^2) \sinh L \cosh L",
        lambda value, end, path: abs(value(path) - end["x"]),
        "|formula - m_t w_t|",
        instances(),
        corrected=HYPERBOLIC_CORRECTED,
    )
