"""A report on a Lie bracket."""

from __future__ import annotations

import sympy as sp

from implicit_bias.display.card import Html, badge, card, displayed, formula, rows, text
from implicit_bias.symbolic import CommutingReport


def html(report: CommutingReport) -> Html:
    """The bracket, what was concluded, and a witness where it does not vanish."""
    bracket = rf"[\nabla {_name(report.fields[0])}, \nabla {_name(report.fields[1])}]"
    lines = [(text("outcome"), badge(report.outcome))]
    if not report.holds:
        components = ", ".join(sp.latex(component) for component in report.bracket)
        lines.append((formula(bracket), displayed(rf"\left( {components} \right)")))
    if report.witness is not None:
        where = ", ".join(f"{name} = {value:g}" for name, value in report.witness.items())
        values = ", ".join(f"{float(value):g}" for value in report.bracket.subs(report.witness))
        lines.append((text("witness"), text(f"({values}) at {where}")))
    return card(formula(f"{bracket} = 0"), rows(lines))


def _name(field: str) -> str:
    """``g1`` as LaTeX."""
    return field[0] + (f"_{{{field[1:]}}}" if field[1:] else "")
