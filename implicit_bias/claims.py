r"""Claims: statements of a theory that can be checked, and the ledger of their verdicts.

A claim that fails is not an exception but a result: its verdict carries a counterexample, and what holds instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from implicit_bias.errors import InputError
from implicit_bias.shown import Shown
from implicit_bias.verdict import Outcome, Verdict


@dataclass(frozen=True)
class Claim(Shown):
    """A statement with a check.

    Attributes:
        id: A short name, unique in a ledger, such as ``thm-2.1``.
        statement: What is claimed, in LaTeX.
        source: Where it is claimed.
        hypotheses: What it assumes, in LaTeX or words.
        uses: Ids of the claims it rests on.
        check: Computes the verdict.
        figure: A picture that shows it, as a path from the root of the repository that holds the claim.

    Raises:
        InputError: If the id or the statement is empty, a tuple is a string, or ``check`` cannot be called.

    >>> from implicit_bias import Outcome, Verdict
    >>> claim = Claim("two", "1 + 1 = 2", "arithmetic", check=lambda: Verdict(Outcome.PROVED, "counted"))
    >>> claim.verdict().outcome.value
    'PROVED'
    """

    id: str
    statement: str
    source: str
    hypotheses: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    check: Callable[[], Verdict] = None  # type: ignore[assignment]
    figure: str | None = None

    def __post_init__(self) -> None:
        if not self.id or not self.statement:
            raise InputError("Claim: expected a non-empty id and statement.")
        for name in ("hypotheses", "uses"):
            if isinstance(getattr(self, name), str):
                raise InputError(f"Claim {self.id}: expected {name}= to be a tuple of strings, got a string.")
        if not callable(self.check):
            raise InputError(f"Claim {self.id}: expected check= to be a function that returns a Verdict.")

    def verdict(self) -> Verdict:
        """Run the check.

        Raises:
            TypeError: If the check returns anything but a Verdict.
        """
        result = self.check()
        if not isinstance(result, Verdict):
            raise TypeError(f"Claim {self.id}: its check returned {type(result).__name__}, expected a Verdict.")
        return result


class Ledger(Shown, Mapping[str, Claim]):
    """Claims by id, in the order in which they rest on one another.

    Args:
        claims: The claims, in any order.

    Raises:
        InputError: If two claims share an id, one uses an unknown claim, or they use each other in a circle.
    """

    def __init__(self, claims: Iterable[Claim]) -> None:
        given: dict[str, Claim] = {}
        for claim in claims:
            if claim.id in given:
                raise InputError(f"Ledger: two claims are called {claim.id!r}.")
            given[claim.id] = claim
        self._claims: dict[str, Claim] = {}
        for name in given:
            self._add(name, given, ())

    def _add(self, name: str, given: Mapping[str, Claim], path: tuple[str, ...]) -> None:
        if name in path:
            raise InputError(f"Ledger: these claims use each other in a circle: {' -> '.join((*path, name))}.")
        if name not in given:
            raise InputError(f"Ledger: {path[-1]!r} uses {name!r}, which is not in the ledger.")
        if name not in self._claims:
            for used in given[name].uses:
                self._add(used, given, (*path, name))
            self._claims[name] = given[name]

    def __getitem__(self, name: str) -> Claim:
        return self._claims[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._claims)

    def __len__(self) -> int:
        return len(self._claims)

    def __repr__(self) -> str:
        names = list(self)
        return f"Ledger({len(names)} claims: {', '.join([*names[:5], *(['…'] if len(names) > 5 else [])])})"

    def differences(self, verdicts: Mapping[str, Verdict], recorded: Mapping[str, str]) -> list[str]:
        """Sentences on every verdict that differs from the recorded outcome, and on entries without a partner.

        Args:
            verdicts: Verdicts just computed, of all or some of the claims.
            recorded: Outcomes by id; a correction's outcome stands under ``id/correction``.
        """
        found = outcomes(verdicts)
        sentences = [
            f"{name}: recorded {recorded.get(name, 'nothing')}, found {outcome}"
            for name, outcome in found.items()
            if recorded.get(name) != outcome
        ]
        covered = set(verdicts)
        sentences += [
            f"{name}: recorded {outcome}, but there is no such claim"
            for name, outcome in recorded.items()
            if name.removesuffix("/correction") not in self
            or (name.removesuffix("/correction") in covered and name not in found)
        ]
        return sentences


def outcomes(verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    """The outcomes by id, those of corrections under ``id/correction``: what a repository records."""
    table: dict[str, str] = {}
    for name, verdict in verdicts.items():
        table[name] = verdict.outcome.value
        if verdict.correction is not None:
            table[f"{name}/correction"] = verdict.correction.verdict.outcome.value
    return table


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
        refuted_above: Above it the statement is REFUTED; in between, and for what is not finite, INCONCLUSIVE, as nan
            and inf tell of a computation that failed.
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
