"""The equations that a derivation rests on, and how each was established."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import sympy as sp

from implicit_bias.claims.verdict import Outcome
from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.real_roots import radicands, real_roots
from implicit_bias.symbolic.time_limit import Deadline, each_within
from implicit_bias.symbolic.zero_test import QUICK_TRIALS, TRIALS, all_proved, by_numbers, proved, simplified_to_zero

# Shares of the time that is left:
_NUMBERS_SHARE = 0.5
_FIRST_PROOFS_SHARE = 0.25  # for a first attempt at all proofs together
_SECOND_PROOF_SHARE = 1 / 3  # for a second attempt at one of them
_REAL_ROOTS_SHARE = 1 / 3  # for a third, with the roots of odd powers taken


@dataclass(frozen=True)
class Identity:
    """One equation that a derivation rests on.

    Attributes:
        name: The statement in words.
        equation: The equation in LaTeX.
        residual: Left side minus right side, before any simplification.
        outcome: PROVED if SymPy simplified the residual to zero, SUPPORTED if it vanishes to 50 digits at random
            points. Both speak of where the residual's roots and logarithms are real.
    """

    name: str
    equation: str
    residual: sp.Expr
    outcome: Outcome


class Statement(NamedTuple):
    """An equation that is not checked yet: what it says, its LaTeX, and expressions that must vanish."""

    name: str
    equation: str
    residuals: Sequence[sp.Expr]


def checked(
    statements: Sequence[Statement],
    conditions: Sequence[sp.Expr],
    deadline: Deadline,
    origin: Mapping[sp.Symbol, sp.Expr] = MappingProxyType({}),
) -> list[Identity]:
    """Check every statement and return it as an identity, in the symbols of the engine.

    Args:
        statements: The equations to check.
        conditions: Expressions that are positive on the region of interest.
        deadline: When SymPy must be done. What it cannot prove in its share of the time is supported by numbers.
        origin: The values of the variables where the flow starts; the symbols of initial values stay.

    Raises:
        UnsupportedError: If a statement fails, or the time does not suffice for the numbers.
    """
    pending = [(statement, residual) for statement in statements for residual in statement.residuals if residual != 0]
    # Numbers for all of them come first, so that one hard proof does not cost the whole derivation.
    deadline.run("Checking the derivation", _outcomes, pending, conditions, QUICK_TRIALS, share=_NUMBERS_SHARE)
    proofs = all_proved(
        [residual for _, residual in pending], _FIRST_PROOFS_SHARE * deadline.remaining / max(len(pending), 1)
    )
    unproved = [pair for pair, is_proved in zip(pending, proofs, strict=True) if not is_proved]
    supports = deadline.run("Checking the derivation", _outcomes, unproved, conditions, TRIALS, share=_NUMBERS_SHARE)
    outcomes: dict[str, Outcome] = {}
    for (statement, residual), outcome in zip(unproved, supports, strict=True):
        if proved(residual, _SECOND_PROOF_SHARE * deadline.remaining):
            continue
        (is_zero,) = each_within(
            _REAL_ROOTS_SHARE * deadline.remaining, _is_zero_in_region, [(residual, conditions, origin)]
        )
        if is_zero is not True:
            if outcome is Outcome.INCONCLUSIVE:
                raise UnsupportedError(
                    f"The derivation could not be checked ({statement.name}): no closed form is given."
                )
            outcomes[statement.name] = outcome
    return [
        Identity(name, equation, sp.Add(*residuals), outcomes.get(name, Outcome.PROVED))
        for name, equation, residuals in statements
    ]


def _is_zero_in_region(residual: sp.Expr, conditions: Sequence[sp.Expr], origin: Mapping[sp.Symbol, sp.Expr]) -> bool:
    """Whether SymPy simplifies the residual to zero once roots and |c| are taken as for real roots and c > 0.

    Only if the roots are real for every start, as their radicands are positive there.
    """
    positive = {c: sp.Dummy(c.name, positive=True) for c in conditions if isinstance(c, sp.Symbol)}
    at_the_start = {symbol: value.xreplace(positive) for symbol, value in origin.items()}
    try:
        if not all(each.is_positive for each in radicands(residual.xreplace(positive), at_the_start).values()):
            return False
        rooted = real_roots(residual.xreplace(positive))
        return simplified_to_zero(rooted.xreplace({sp.Abs(c): c for c in conditions}))
    except UnsupportedError:  # nothing is proved then
        return False


def _outcomes(pending: Sequence[tuple[Statement, sp.Expr]], conditions: Sequence[sp.Expr], most: int) -> list[Outcome]:
    """Test every residual by numbers; raise if one is refuted."""
    outcomes = [by_numbers(residual, conditions, most).outcome for _, residual in pending]
    for (statement, _), outcome in zip(pending, outcomes, strict=True):
        if outcome is Outcome.REFUTED:
            raise UnsupportedError(f"The derivation failed its own check ({statement.name}): no closed form is given.")
    return outcomes
