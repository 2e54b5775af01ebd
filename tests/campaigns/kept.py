"""A claim and its verdict against those that a ledger keeps, and against verdicts that it rests on."""

from __future__ import annotations

import re

from implicit_bias import Claim, Ledger, Outcome, Statement, Verdict
from implicit_bias.claims.claim import takes_used
from tests.campaigns import statements

NUMBER = re.compile(r"[-−]?\d+([.,]\d+)*(e[-+]?\d+)?")
OPEN = Verdict(Outcome.INCONCLUSIVE, "Not established.")


def unlike(claim: Claim, verdict: Verdict, kept: Claim, kept_verdict: Verdict) -> list[str]:
    """The parts of a claim and its verdict that are not as a ledger keeps them, up to numbers that rounding moves."""
    now, then = {**claim.describe(), **_words(verdict)}, {**kept.describe(), **_words(kept_verdict)}
    return [name for name in now if now[name] != then[name]]


def _words(verdict: Verdict) -> dict[str, object]:
    corrected = verdict.correction.verdict if verdict.correction else None
    return {
        "outcome": verdict.outcome,
        "evidence": NUMBER.sub("#", verdict.evidence),
        "tolerance": verdict.tolerance,
        "measures": verdict.residual not in (None, 0.0),
        "numbers": sorted(verdict.counterexample),
        "violation": verdict.violation and verdict.violation.describe(),
        "identities": [
            (each.says, each.describe()["symbols"], [*map(str, each.conditions)]) for each in verdict.identities
        ],
        "correction": corrected and _words(corrected),
    }


def unused(ledger: Ledger, name: str) -> list[str]:
    """The claims whose verdicts a check is given, and without which it holds all the same."""
    claim, used = ledger[name], statements.used(ledger, name)
    if not takes_used(claim.check, int(isinstance(claim.statement, Statement))):
        return []
    return [each for each in used if claim.verdict({**used, each: OPEN}).outcome in statements.HELD]
