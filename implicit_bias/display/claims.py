"""Claims and ledgers: what is stated. Verdicts take long and are left to those who ask."""

from __future__ import annotations

from collections.abc import Mapping

from implicit_bias.claims import Claim
from implicit_bias.display.card import Html, card, displayed, folded, joined, line, rows, text
from implicit_bias.display.mathml import words_or_mathml


def claim_html(claim: Claim) -> Html:
    """Statement, source and hypotheses."""
    return card(text(claim.id), line(displayed(claim.statement)), rows(_details(claim)))


def ledger_html(ledger: Mapping[str, Claim]) -> Html:
    """All claims, in the order in which they rest on one another; each opens on a click."""
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
        lines.append((text("rests on"), text(", ".join(claim.uses))))
    return lines
