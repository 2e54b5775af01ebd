"""A verdict, with what holds instead of a refuted statement."""

from __future__ import annotations

from implicit_bias.claims.verdict import Verdict
from implicit_bias.display.card import Html, badge, card, displayed, joined, line, rows, text


def html(verdict: Verdict) -> Html:
    """The card."""
    return card(joined([text("Verdict"), badge(verdict.outcome)]), _contents(verdict))


def _contents(verdict: Verdict) -> Html:
    """Evidence and numbers, without the outcome."""
    lines = [(text("evidence"), text(verdict.evidence))]
    if verdict.residual is not None:
        tolerance = "" if verdict.tolerance is None else f" (tolerance {verdict.tolerance:.3g})"
        lines.append((text("residual"), text(f"{verdict.residual:.3g}{tolerance}")))
    if verdict.tolerance_reason:
        lines.append((text("tolerance"), text(verdict.tolerance_reason)))
    if verdict.counterexample:
        numbers = ", ".join(f"{name} = {value:.6g}" for name, value in verdict.counterexample.items())
        lines.append((text("counterexample"), text(numbers)))
    correction = verdict.correction
    if correction is not None:
        statement, found = line(displayed(correction.statement)), _contents(correction.verdict)
        lines.append((text("holds instead"), card(badge(correction.verdict.outcome), statement, found)))
    return rows(lines)
