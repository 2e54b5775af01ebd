"""The trained weight as a function of the accumulated gradient and the decay: Lemma A.1."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.judging import DECAYING, judge
from derivations.mask_in_the_mirror.setting import (
    REGULARIZER,
    SIZES,
    START,
    WEIGHT,
    accumulated,
    closed_form,
    decay,
    prove,
    trained_weight,
    u0,
    v0,
)
from implicit_bias import Correction, Statement, Verdict
from implicit_bias.claims import Equation, corrected

LEMMA_A_1 = u0**2 * sp.exp(-2 * accumulated - 4 * decay) - v0**2 * sp.exp(2 * accumulated - 4 * decay)


@PAPER.claim(
    "lem-a.1",
    statement=Statement("x_t = ", LEMMA_A_1, r", \quad L = \int_0^t \nabla f(x_s)\,ds, \ A = \int_0^t \alpha_s\,ds"),
    source="Lemma A.1",
    hypotheses=(SIZES, REGULARIZER),
)
def lemma_a_1(statement: Statement) -> Verdict:
    """Hold the stated weight against the product of m and w, in closed form and integrated."""
    stated = statement.formula
    return judge(
        Equation(stated, WEIGHT, "x_t as stated against m_t w_t"),
        *closed_form(),
        evidence="The stated weight is m_t w_t.",
        correction=lambda: Correction(
            f"x_t = {sp.latex(WEIGHT)}",
            prove("It is the derived ∇R*(−L), and solves the flow.", (WEIGHT, trained_weight()), *closed_form()),
        ),
        deviation=lambda value, end: abs(value(stated) - end["x"]),
        trajectory=DECAYING,
    )


_squares, _cosh, _sinh = u0**2 + v0**2, sp.cosh(accumulated), sp.sinh(accumulated)  # m_0² + w_0², cosh L, sinh L
WITHOUT_DECAY = WEIGHT.xreplace({decay: sp.Integer(0)})


@PAPER.claim(
    "lem-a.1-hyperbolic",
    statement=Statement(
        r"m_t w_t = m_0 w_0 (\cosh^2 L + \cosh^2 L) - (m_0^2 + w_0^2) \sinh L \cosh L = ",
        START * (_cosh**2 + _cosh**2) - _squares * _sinh * _cosh,
    ),
    source="proof of Lemma A.1, at A = 0",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=(corrected("lem-a.1"),),
)
def lemma_a_1_hyperbolic(statement: Statement) -> Verdict:
    """Hold the form against the product of m and w; they differ wherever m_0 w_0 ≠ 0."""
    stated = statement.formula
    right = START * (_cosh**2 + _sinh**2) - _squares * _sinh * _cosh
    return judge(
        Equation(stated, WITHOUT_DECAY, "the hyperbolic form against m_t w_t"),
        *closed_form(),
        evidence="The stated form is m_t w_t.",
        correction=lambda: Correction(
            r"m_t w_t = m_0 w_0 (\cosh^2 L + \sinh^2 L) - (m_0^2 + w_0^2) \sinh L \cosh L",
            prove("Both forms of the weight agree.", (right, WITHOUT_DECAY), *closed_form()),
        ),
        deviation=lambda value, end: abs(value(stated) - end["x"]),
    )
