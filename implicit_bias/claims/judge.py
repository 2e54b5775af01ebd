"""How checks come to verdicts: by identities, by a search for a counterexample, and by the size of a residual."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Generic, TypeVar

import sympy as sp

from implicit_bias.claims.verdict import Outcome, Verdict
from implicit_bias.errors import require
from implicit_bias.symbolic.zero_test import vanishes

if TYPE_CHECKING:  # an extra
    from hypothesis.strategies import SearchStrategy

TRIES = 60  # a search ends after as many instances without a failure
T = TypeVar("T", bound=Hashable)


def prove(evidence: str, *steps: sp.Expr, stated: sp.Expr | None = None) -> Verdict:
    """PROVED if all identities simplify to zero.

    Args:
        evidence: What follows from the identities, and by which argument.
        steps: Left side minus right side of each identity that the argument uses. If one fails, the proof
            fails, but the statement may still hold: INCONCLUSIVE.
        stated: The same for an identity that is the statement itself: REFUTED if it does not vanish.
    """
    for residual in (*steps, *(() if stated is None else (stated,))):
        test = vanishes(residual)
        if residual is stated and test.witness and test.value is not None:
            deviation = float(test.value)
            numbers = {str(s): float(value) for s, value in test.witness.items()} | {"deviation": deviation}
            return Verdict(Outcome.REFUTED, f"{residual} does not vanish.", abs(deviation), 0.0, numbers)
        if test.outcome is not Outcome.PROVED:
            return Verdict(Outcome.INCONCLUSIVE, f"{residual} was not simplified to zero.")
    return Verdict(Outcome.PROVED, evidence)


@dataclass(frozen=True)
class Search(Generic[T]):
    """How a search ended.

    Attributes:
        smallest: The failing instance after shrinking, or None if none failed.
        tried: All instances that were computed.
    """

    smallest: T | None
    tried: tuple[T, ...]


def search(instances: SearchStrategy[T], fails: Callable[[T], bool]) -> Search[T]:
    """Look for an instance that fails, and shrink it until no part can be made simpler.

    The search depends on no clock and no stored state, so it ends the same way every time.

    Args:
        instances: Draws instances, all with equally many parts; of each part it offers the simplest value first.
        fails: Whether an instance is a counterexample.

    Raises:
        MissingPackageError: If Hypothesis is not installed.
    """
    require("judge", "hypothesis")
    from hypothesis import Phase, find, settings
    from hypothesis.errors import NoSuchExample

    known: dict[T, bool] = {}

    def failed(instance: T) -> bool:
        if instance not in known:
            known[instance] = fails(instance)
        return known[instance]

    fixed = settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=TRIES,
        phases=(Phase.generate, Phase.shrink),
    )
    try:
        smallest = find(instances, failed, settings=fixed)
    except NoSuchExample:
        smallest = None
    return Search(smallest, tuple(known))


def quarters(least: float, largest: float) -> SearchStrategy[float]:
    """The multiples of ¼ between two bounds, both included: whole numbers first, then halves, then quarters.

    Within each of these the numbers nearest to zero come first.

    Raises:
        MissingPackageError: If Hypothesis is not installed.
    """
    require("judge", "hypothesis")
    from hypothesis.strategies import sampled_from

    found = [Fraction(k, 4) for k in range(round(4 * least), round(4 * largest) + 1)]
    found.sort(key=lambda value: (value.denominator, abs(value), value < 0))
    return sampled_from([float(value) for value in found])


def from_residual(
    residual: float,
    tolerance: float,
    evidence: str,
    *,
    refuted_above: float = float("inf"),
    tolerance_reason: str = "",
    **counterexample: float,
) -> Verdict:
    """The verdict that a numerical residual allows.

    Args:
        residual: The largest deviation found.
        tolerance: Up to here the statement is SUPPORTED.
        evidence: What was computed.
        refuted_above: Above it the statement is REFUTED. In between it is INCONCLUSIVE, and so are nan and inf, which
            mean that a computation failed.
        tolerance_reason: Why the tolerance is as large as it is.
        counterexample: The numbers of the instance with the largest deviation; without them nothing is refuted.
    """
    is_finite = math.isfinite(residual)
    if is_finite and residual <= tolerance:
        return Verdict(Outcome.SUPPORTED, evidence, residual, tolerance, tolerance_reason=tolerance_reason)
    refuted = is_finite and residual > refuted_above and bool(counterexample)
    return Verdict(
        Outcome.REFUTED if refuted else Outcome.INCONCLUSIVE,
        evidence,
        residual,
        tolerance,
        counterexample if refuted else {},
        tolerance_reason=tolerance_reason,
    )
