"""A parameterization: its formulas."""

from __future__ import annotations

import sympy as sp

from implicit_bias.display.card import Html, card, displayed, formula, line, rows, text
from implicit_bias.symbolic import Parameterization
from implicit_bias.symbolic.assumptions import ResultNames


def latex(parameterization: Parameterization) -> str:
    """One equation, or several below each other in an ``aligned`` block."""
    lines = [f"{left} &= {right}" for left, right in _equations(parameterization)]
    if len(lines) == 1:
        return lines[0].replace("&", "")
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def html(parameterization: Parameterization) -> Html:
    """Formulas and parameters."""
    if parameterization.separable:
        kind = "separable: every weight has parameters of its own"
    else:
        kind = f"coupled: {len(parameterization.outputs)} weights share their parameters"
    parameters = ", ".join(sp.latex(symbol) for symbol in parameterization.symbols)
    equations = [line(displayed(f"{left} = {right}")) for left, right in _equations(parameterization)]
    return card(
        text("Parameterization"),
        *equations,
        rows([(text("parameters"), formula(parameters)), (text("kind"), text(kind))]),
    )


def _equations(parameterization: Parameterization) -> list[tuple[str, str]]:
    weight = ResultNames.beside(parameterization.params).weight
    count = len(parameterization.outputs)
    names = [weight] if parameterization.separable else [f"{weight}_{{{i + 1}}}" for i in range(count)]
    return [(name, sp.latex(output)) for name, output in zip(names, parameterization.outputs, strict=True)]
