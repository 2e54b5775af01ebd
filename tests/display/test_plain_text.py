"""Formulas as lines of text for a terminal."""

import json

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import derivations
from implicit_bias.display.plain_text import plain_text

CASES = {
    r"x^{2} \ge 0": "x² ≥ 0",
    r"\tfrac12 x_{t}^{2} \le -4 A_t": "1/2 x_t² ≤ −4A_t",
    r"\frac{a + b}{2 c} x": "((a + b)/(2c)) x",
    r"\left(\frac{z_{2}}{z_{1}}\right)^{\frac{1}{p - 1}}": "(z₂/z₁)^(1/(p − 1))",
    r"{x y}^2": "(xy)²",
    r"\nabla R_{a_t}(x_t) = -Z^T \nu": "∇R_(a_t)(x_t) = −Zᵀν",
    r"R_{A}''(x) \ne 0": "R_A′′(x) ≠ 0",
    r"\|x\|_1 < \|y - z\|_2^2": "‖x‖₁ < ‖y − z‖₂²",
    r"\lim_{t\to\infty} \sum_{i=1}^n x_i": "lim_(t→∞) ∑_(i=1)ⁿ x_i",
    r"\sqrt{x^2 + 1} + \sqrt[3]{y}": "√(x² + 1) + ³√y",
    r"\tilde\theta, \bar{x}, \hat y, \dot m": "θ\u0303, x\u0304, y\u0302, ṁ".replace("ṁ", "m\u0307"),
    r"\operatorname{argmin}\{R(x) : Zx = y\}": "argmin{R(x) : Zx = y}",
    r"\frac{d}{dt} |u| = 2 u v": "(d/dt) |u| = 2uv",
    r"x_2/x_1 \to 0,\quad \text{as for } n = 2": "x₂/x₁ → 0, as for n = 2",
    r"\text{50\% in words}": "50% in words",
    "f = g": "f = g",
    r"\unknown{x": r"\unknown{x",  # as it was written where it cannot be read
}


@pytest.mark.parametrize(("latex", "text"), CASES.items())
def test_a_formula_reads_as_text(latex, text):
    assert plain_text(latex) == text


def test_every_statement_of_the_ledger_is_text():
    """No backslash is left, and brackets that were balanced stay so."""
    claims = json.loads(derivations.SAVED.read_text(encoding="utf-8"))["claims"].values()
    statements = [each["statement"] for each in claims]
    statements += [each["correction"]["statement"] for each in claims if "correction" in each]
    assert len(statements) > 300
    for each in statements:
        text = plain_text(each)
        assert "\\" not in text, each
        assert "  " not in text, each
        assert text.count("(") == text.count(")"), each
        assert "\n" not in text, each


x, y = sp.symbols("x y", positive=True)
FORMULAS = st.recursive(
    st.sampled_from([x, y, sp.Integer(2), sp.Rational(-3, 4)]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] * pair[1]),
        st.tuples(inner, st.sampled_from([2, -1, sp.Rational(1, 2), 3])).map(
            lambda pair: pair[0] ** pair[1] if pair[0] != 0 else x
        ),
        inner.map(sp.sin),
        inner.map(sp.Abs),
    ),
    max_leaves=6,
)


@given(FORMULAS, FORMULAS)
def test_different_formulas_stay_different(first, second):
    """What LaTeX tells apart, text tells apart as well: no bracket, sign or power is lost."""
    if sp.latex(first) != sp.latex(second):
        assert plain_text(sp.latex(first)) != plain_text(sp.latex(second))
