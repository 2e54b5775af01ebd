"""Proofs by identities that SymPy simplifies to zero."""

from __future__ import annotations

import sympy as sp

from implicit_bias import Outcome, Verdict
from implicit_bias.symbolic.zero_test import vanishes


def prove(evidence: str, *steps: sp.Expr, stated: sp.Expr | None = None) -> Verdict:
    """PROVED if all identities simplify to zero.

    Args:
        evidence: What follows from the identities, and by which argument.
        steps: Left side minus right side of each identity that the argument uses. One that fails spoils the proof,
            not the statement: INCONCLUSIVE.
        stated: The same for an identity that is the statement itself: REFUTED where it does not vanish.
    """
    for residual in (*steps, *(() if stated is None else (stated,))):
        test = vanishes(residual)
        if test.witness and residual is stated:
            numbers = {str(s): float(value) for s, value in test.witness.items()} | {"deviation": float(test.value)}
            return Verdict(Outcome.REFUTED, f"{residual} does not vanish.", abs(float(test.value)), 0.0, numbers)
        if test.outcome is not Outcome.PROVED:
            return Verdict(Outcome.INCONCLUSIVE, f"{residual} was not simplified to zero.")
    return Verdict(Outcome.PROVED, evidence)
