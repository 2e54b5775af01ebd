"""Cards of claims, ledgers and verdicts. Showing a claim does not run its check, which may take long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from implicit_bias.claims import Claim, corrected
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.verdict import Verdict
from implicit_bias.display.card import Html, badge, card, displayed, folded, formula, joined, line, rows, text
from implicit_bias.display.equation import domain_latex, identity_latex, numbers_latex, violation_latex
from implicit_bias.display.mathml import words_or_mathml


def claim_html(claim: Claim) -> Html:
    """Statement, source and hypotheses."""
    return card(text(claim.id), line(displayed(claim.statement)), rows(_details(claim)))


def ledger_html(ledger: Mapping[str, Claim]) -> Html:
    """All claims, each after those that it rests on; each opens on a click."""
    entries = (
        folded(
            joined([Html(f"<strong>{text(claim.id)}</strong>"), text(f" {claim.source}")]),
            Html(line(displayed(claim.statement)) + rows(_details(claim))),
        )
        for claim in ledger.values()
    )
    return card(text(f"Ledger of {len(ledger)} claims"), *entries)


def _details(claim: Claim) -> list[tuple[Html, Html]]:
    lines = [(text("source"), text(claim.source))]
    if claim.hypotheses:
        parts = [Html(words_or_mathml(hypothesis)) for hypothesis in claim.hypotheses]
        lines.append((text("assumes"), joined(parts, "; ")))
    if claim.uses:
        uses = (f"{name} (as corrected)" if isinstance(name, corrected) else name for name in claim.uses)
        lines.append((text("rests on"), text(", ".join(uses))))
    return lines


def verdict_html(verdict: Verdict) -> Html:
    """Outcome, evidence and numbers."""
    return card(joined([text("Verdict"), badge(verdict.outcome, verdict.label)]), _contents(verdict))


def _identities(identities: Sequence[Equation]) -> Html:
    """How many there are; they open on a click, each with its domain."""
    lines = (
        line(
            joined(
                [
                    text(identity.says),
                    displayed(identity_latex(identity)),
                    *([text("for"), joined(map(formula, domain), ", ")] if (domain := domain_latex(identity)) else []),
                ]
            )
        )
        for identity in identities
    )
    return folded(text(f"{len(identities)}, checked by machine"), joined(lines))


def _contents(verdict: Verdict) -> Html:
    """Evidence and numbers, without the outcome."""
    lines = [(text("evidence"), text(verdict.evidence))]
    if verdict.residual is not None:
        tolerance = "" if verdict.tolerance is None else f" (tolerance {verdict.tolerance:.3g})"
        lines.append((text("residual"), text(f"{verdict.residual:.3g}{tolerance}")))
    if verdict.tolerance_reason:
        lines.append((text("tolerance"), text(verdict.tolerance_reason)))
    if verdict.counterexample:
        numbers = [text(f"{name} = {value:.6g}") for name, value in verdict.counterexample.items()]
        if verdict.violation is not None:
            numbers = [formula(each) for each in numbers_latex(verdict.violation)]
            lines.append((text("refuted, as"), displayed(violation_latex(verdict.violation))))
        lines.append((text("counterexample"), joined(numbers, ", ")))
    if verdict.identities:
        lines.append((text("identities"), _identities(verdict.identities)))
    if verdict.changes is not None and verdict.changes.number:
        lines.append((text("changed"), text(verdict.said_of_changes)))
    if verdict.traceback:
        lines.append(
            (text("traceback"), folded(text("what was raised"), Html(f"<pre>{text(verdict.traceback)}</pre>")))
        )
    correction = verdict.correction
    if correction is not None:
        statement, found = line(displayed(correction.statement)), _contents(correction.verdict)
        name = "holds instead" if correction.is_shown else "proposed instead, but not shown"
        lines.append((text(name), card(badge(correction.verdict.outcome), statement, found)))
    return rows(lines)
