"""The formulas of a derivation for the page, as MathML, which browsers typeset by themselves."""

from __future__ import annotations

import re
from itertools import islice
from typing import cast

import sympy as sp

from implicit_bias.display.mathml import mathml
from implicit_bias.explore.refused import first_sentence
from implicit_bias.symbolic.derivation import Derivation

MOST_CHARACTERS = 1500  # of LaTeX; nobody reads a longer formula
_LOCAL_EXPONENT = r"\frac{s\,R_A'(x_{\min}+s)}{R_A(x_{\min}+s)-R_A(x_{\min})}"


def typeset(derivation: Derivation) -> tuple[tuple[str, str], ...]:
    """Pairs of a name and a formula in MathML; without a closed form, the equations that define R."""
    return tuple((name, mathml(latex, "block")) for name, latex in _in_latex(derivation))


def _in_latex(derivation: Derivation) -> tuple[tuple[str, str], ...]:
    if not derivation.closed_form:
        # g is set anew here, as derivation.latex() is one long line.
        g = _latex(derivation.parameterization.output)
        return (
            ("flow that defines R", rf"\theta'(s) = \nabla g(\theta), \quad g = {g}"),
            ("mirror map", r"R_A'\bigl(g(\theta(s))\bigr) = s"),
            *_curve(derivation),
            ("metric", r"\frac{1}{R_A''} = \left\lVert\nabla g(\theta)\right\rVert^2"),
            ("local exponent", rf"p(s) = {_LOCAL_EXPONENT}"),
        )
    rows = (
        ("potential", "R_A(x)", derivation.potential),
        ("mirror map", "R_A'(x)", derivation.mirror_map),
        ("metric", r"\frac{1}{R_A''(x)}", derivation.metric),
        ("scale", "a", derivation.scale),
        ("minimum at", r"\operatorname{argmin} R_A", derivation.minimizer),
    )
    shown = tuple((name, f"{left} = {_latex(right)}") for name, left, right in rows if right is not None)
    return (*shown, ("local exponent", rf"p(s) = {_LOCAL_EXPONENT}"))


def _curve(derivation: Derivation) -> tuple[tuple[str, str], ...]:
    curve = derivation.inverse_mirror_map
    if curve is None:
        return ()
    along = cast("sp.Expr", curve.xreplace({sp.Symbol(derivation.names.dual): sp.Symbol("s")}))
    return (("weight along the flow", f"x(s) = {_latex(along)}"),)


def remark(derivation: Derivation) -> str:
    """One sentence on how the potential was found."""
    if derivation.proved:
        return "Every step of the derivation is proved as an identity."
    if derivation.closed_form:
        return "Closed form; some steps are checked by numbers, not proved."
    if derivation.inverse_mirror_map is not None:
        why = "the weight along the flow, x(s), has the formula above, but none was found for its inverse, which is R′."
    else:
        why = first_sentence(derivation.notes[-1]) if derivation.notes else "no formula was found."
        why = why[0].lower() + why[1:] if why.startswith("The ") else why
    return f"No closed form: {why} From a start with ∇g ≠ 0, R exists all the same and is integrated numerically."


def _latex(expression: sp.Expr) -> str:
    # A node prints as one character at least, so a formula with too many nodes is not printed at all.
    is_short = sum(1 for _ in islice(sp.preorder_traversal(expression), MOST_CHARACTERS)) < MOST_CHARACTERS
    text = sp.latex(expression, inv_trig_style="full") if is_short else ""
    text = re.sub(r"\\operatorname\{ar(sinh|cosh|tanh)\}", r"\\operatorname{arc\1}", text)  # one name in the project
    return text if 0 < len(text) <= MOST_CHARACTERS else r"\text{(too long to show)}"
