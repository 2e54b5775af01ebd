"""Proof of Lemma A.1, hyperbolic form: the product of the trained m_t and w_t, without decay."""

import sympy as sp

from derivations.mask import PREPRINT, SIZES, accumulated, decay, judge, trained_weight, u0, v0
from derivations.trajectory import instances
from implicit_bias import Claim, Verdict
from implicit_bias.claims import corrected

_product, _squares = (u0**2 - v0**2) / 2, u0**2 + v0**2  # m_0 w_0 and m_0² + w_0²
_cosh, _sinh = sp.cosh(accumulated), sp.sinh(accumulated)
STATED = _product * (_cosh**2 + _cosh**2) - _squares * _sinh * _cosh
CORRECTED = _product * (_cosh**2 + _sinh**2) - _squares * _sinh * _cosh


def check() -> Verdict:
    """Hold both forms against ∇R*(−L); they differ wherever m_0 w_0 ≠ 0, so the counterexample starts off zero."""
    return judge(
        STATED,
        trained_weight().xreplace({decay: sp.Integer(0)}),
        r"m_t w_t = m_0 w_0 (\cosh^2 L + \sinh^2 L) - (m_0^2 + w_0^2) \sinh L \cosh L",
        lambda value, end, path: abs(value(path) - end["x"]),
        "|formula - m_t w_t|",
        instances(),
        corrected=CORRECTED,
    )


CLAIM = Claim(
    id="lem-a.1-hyperbolic",
    statement=r"m_t w_t = m_0 w_0 (\cosh^2 L + \cosh^2 L) - (m_0^2 + w_0^2) \sinh L \cosh L",
    source=f"{PREPRINT}, proof of Lemma A.1; here without decay",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=(corrected("lem-a.1"),),
    check=check,
)
