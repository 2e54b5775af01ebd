"""Formulas as they are typed, derived once each."""

from __future__ import annotations

import re
from functools import lru_cache

from implicit_bias.errors import NotCommutingError
from implicit_bias.explore.refused import RefusedError, refusals
from implicit_bias.symbolic.derivation import Derivation, derive
from implicit_bias.symbolic.formulas import CONSTANTS, FUNCTIONS
from implicit_bias.symbolic.parameterization import Parameterization

TIME_LIMIT = 8.0  # seconds for a closed form; without one the potential is numerical
MOST_PARAMETERS = 4  # each has two sliders
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*", re.ASCII)


def parameters_of(formula: str) -> list[str]:
    """The names in a formula that are neither functions nor constants, in the order in which they appear."""
    names = dict.fromkeys(_NAME.findall(formula))
    return [name for name in names if name not in FUNCTIONS and name not in CONSTANTS]


def derived(formula: str, regularizer: str | None) -> Derivation:
    """The derivation of a formula as typed, from a cache if it was derived before.

    Raises:
        RefusedError: For a formula that cannot be read or a regularizer that does not commute.
    """
    with refusals("formula"):
        if not formula.strip():
            raise RefusedError("formula", "Type a formula for one weight, such as m*w.")
        return _derived(formula.strip(), (regularizer or "").strip() or None)


@lru_cache(maxsize=128)
def _derived(formula: str, regularizer: str | None) -> Derivation:
    # The parser refuses a longer formula; its names need not be looked for.
    names = parameters_of(formula[:1001])
    if len(names) > MOST_PARAMETERS:
        raise RefusedError(
            "formula",
            f"There is room for {MOST_PARAMETERS} parameters, and this has {len(names)}: {', '.join(names)[:80]}.",
        )
    if not names:
        # A constant, or no formula at all: the parser says which, and names the part that is wrong.
        names = ["m"]
    parameterization = Parameterization(formula, names)
    if regularizer is None:
        return derive(parameterization, time_limit=TIME_LIMIT)
    with refusals("regularizer"):
        decaying = parameterization.with_regularizer(regularizer)
        try:
            return derive(decaying, time_limit=TIME_LIMIT)
        except NotCommutingError as error:
            others = tuple(map(str, error.alternatives))
            raise RefusedError("regularizer", _not_commuting(regularizer, error, others), others) from error


def _not_commuting(h: str, error: NotCommutingError, others: tuple[str, ...]) -> str:
    """Why a regularizer does not fit, and which ones would."""
    witness = getattr(error.report, "witness", None) or {}
    where = ", ".join(f"{name} = {value:g}" for name, value in witness.items())
    sentence = f"Decay by {h} leaves no potential, as [∇g, ∇h] ≠ 0" + (f" at {where}" if where else "")
    return sentence + (f"; every combination of these commutes: {', '.join(others)}." if others else ".")
