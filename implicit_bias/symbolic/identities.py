"""The equations that a derivation rests on, and how each was established."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.time_limit import Deadline
from implicit_bias.symbolic.zero_test import proved, vanishes
from implicit_bias.verdict import Outcome

_RESERVE = 4  # at first, all proofs together get a quarter of the time that is left
_SHARE = 3  # then each gets a third


@dataclass(frozen=True)
class Identity:
    """One equation that a derivation rests on.

    Attributes:
        name: What it says in words.
        equation: The equation in LaTeX.
        residual: Left side minus right side, before any simplification.
        outcome: PROVED if SymPy simplified the residual to zero, SUPPORTED if it vanishes to 50 digits at random
            points.
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


def checked(statements: Sequence[Statement], conditions: Sequence[sp.Expr], deadline: Deadline) -> list[Identity]:
    """Every statement as an identity, in the symbols of the engine.

    Args:
        statements: What must hold.
        conditions: Expressions that are positive on the region of interest.
        deadline: When SymPy must be done. What it cannot prove in its share of the time is supported by numbers.

    Raises:
        UnsupportedError: If a statement fails, or the time does not suffice for the numbers.
    """
    pending = [(statement, residual) for statement in statements for residual in statement.residuals if residual != 0]
    outcomes: dict[str, Outcome] = {}
    unproved = []
    for left, (statement, residual) in zip(range(len(pending), 0, -1), pending, strict=True):
        step = f"Checking that {statement.name}"
        # Numbers for all of them come first, so that one hard proof does not cost the whole derivation.
        test = deadline.run(
            step, vanishes, residual, _real(residual, conditions), deadline.remaining / (_RESERVE * left)
        )
        if test.outcome is Outcome.REFUTED:
            raise UnsupportedError(f"The derivation failed its own check ({statement.name}): no closed form is given.")
        if test.outcome is not Outcome.PROVED:
            unproved.append((statement.name, residual, test.outcome))
    for name, residual, outcome in unproved:
        if not proved(residual, deadline.remaining / _SHARE):
            if outcome is Outcome.INCONCLUSIVE:
                raise UnsupportedError(f"The derivation could not be checked ({name}): no closed form is given.")
            outcomes[name] = outcome
    return [
        Identity(name, equation, sp.Add(*residuals), outcomes.get(name, Outcome.PROVED))
        for name, equation, residuals in statements
    ]


def _real(residual: sp.Expr, conditions: Sequence[sp.Expr]) -> list[sp.Expr]:
    """The conditions, and those without which a logarithm or root would be complex: there is nothing to check there."""
    inside = [logarithm.args[0] for logarithm in residual.atoms(sp.log)]
    inside += [power.base for power in residual.atoms(sp.Pow) if power.exp.is_Rational and not power.exp.is_Integer]
    return [*conditions, *(e for e in dict.fromkeys(inside) if e.free_symbols and not e.is_positive)]
