"""Verdicts: the outcome of a check, and its evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from textwrap import shorten

from implicit_bias.claims.changes import Changes
from implicit_bias.claims.equation import Equation, Violation
from implicit_bias.claims.saved import saved_field
from implicit_bias.errors import InputError
from implicit_bias.shown import Shown


class Outcome(Enum):
    """The six things a check can conclude."""

    PROVED = "PROVED"
    """Every step is an identity that was checked by machine, and the verdict carries them."""
    ARGUED = "ARGUED"
    """An argument in words, which rests on identities that were checked by machine and that the verdict carries."""
    SUPPORTED = "SUPPORTED"
    """Numerical evidence inside a stated tolerance."""
    REFUTED = "REFUTED"
    """A counterexample that can be run again."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """A solver failed, or a residual is too large for support and too small for refutation."""
    NOT_APPLICABLE = "NOT_APPLICABLE"
    """The hypotheses do not hold in the case at hand."""


@dataclass(frozen=True)
class Correction:
    """The statement that holds instead of a refuted one.

    Attributes:
        statement: The corrected statement in LaTeX.
        verdict: The verdict on it, by the same standards.
    """

    statement: str
    verdict: Verdict

    @property
    def is_shown(self) -> bool:
        """Whether the verdict speaks for it; a refutation stands without that."""
        return self.verdict.holds


@dataclass(frozen=True)
class Verdict(Shown):
    """The conclusion of one check.

    Attributes:
        outcome: What was concluded.
        evidence: What was computed, in sentences a referee can follow.
        residual: The largest deviation found, where the check is numerical.
        tolerance: The deviation up to which the check counts as support.
        counterexample: Numbers at which a refuted statement fails, by name.
        correction: What holds instead of a refuted statement.
        tolerance_reason: Why the tolerance is as large as it is, in a sentence.
        identities: The identities that it rests on, each with how it was checked.
        violation: The counterexample in exact numbers, with the two sides of the statement that differ there.
        changes: How the check judges small changes of its statement, where somebody tried them.
        traceback: Where a check failed that raised an error, as text.
        is_broken: Whether the check gave no verdict because its code has a fault; it is INCONCLUSIVE then.

    Raises:
        InputError: If a proof or an argument comes without identities, or one of them was not checked; if an identity
            has the same expression on both sides; if a refutation comes without a counterexample, or one of its
            numbers is nan; if numerical support comes without finite numbers; or if a field has another type.
    """

    outcome: Outcome
    evidence: str
    residual: float | None = None
    tolerance: float | None = None
    counterexample: Mapping[str, float] = field(default_factory=dict)
    correction: Correction | None = None
    tolerance_reason: str = ""
    identities: tuple[Equation, ...] = field(default=(), kw_only=True)
    violation: Violation | None = field(default=None, kw_only=True)
    changes: Changes | None = field(default=None, kw_only=True)
    traceback: str = field(default="", kw_only=True)
    is_broken: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        _refuse_other_types(self)
        if self.is_broken and self.outcome is not Outcome.INCONCLUSIVE:
            raise InputError(f"A broken check is INCONCLUSIVE, not {self.outcome.value}.")
        if self.outcome in (Outcome.PROVED, Outcome.ARGUED):
            name = self.outcome.value
            if not self.identities:
                raise InputError(
                    f"A verdict of {name} needs identities= that were checked; let implicit_bias.claims.judge.prove or "
                    "argue make it."
                )
            if not all(identity.decided for identity in self.identities):
                raise InputError(f"A verdict of {name} needs identities= that say how they were decided.")
        if self.violation is not None and not self.counterexample:
            object.__setattr__(self, "counterexample", self.violation.floats())
        if self.outcome is Outcome.REFUTED and not self.counterexample:
            raise InputError("A REFUTED verdict needs a counterexample= with the numbers at which the statement fails.")
        if any(number != number for number in self.counterexample.values()):
            raise InputError(f"A counterexample needs numbers, got {dict(self.counterexample)}: that is INCONCLUSIVE.")
        if self.outcome is Outcome.SUPPORTED:
            if self.residual is None or self.tolerance is None:
                raise InputError("A SUPPORTED verdict needs residual= and tolerance=.")
            if not (math.isfinite(self.residual) and self.residual <= self.tolerance < math.inf):
                raise InputError(
                    f"A SUPPORTED verdict needs a finite residual <= a finite tolerance, got "
                    f"residual={self.residual} and tolerance={self.tolerance}: that is INCONCLUSIVE or REFUTED."
                )

    @property
    def holds(self) -> bool:
        """Whether it speaks for the statement."""
        return self.outcome in (Outcome.PROVED, Outcome.ARGUED, Outcome.SUPPORTED)

    @property
    def decides(self) -> bool:
        """Whether it speaks for the statement or against it."""
        return self.holds or self.outcome is Outcome.REFUTED

    @property
    def is_doubtful(self) -> bool:
        """Whether its check says the same of changes of the statement."""
        return self.changes is not None and not self.changes.is_seen

    @property
    def said_of_changes(self) -> str:
        """What :attr:`changes` found, in words; empty if nobody tried them."""
        return "" if self.changes is None else self.changes.in_words(refuted=self.outcome is Outcome.REFUTED)

    @property
    def label(self) -> str:
        """The outcome in a word: with a question mark if changes of the statement pass, or BROKEN for the check."""
        if self.is_broken:
            return "BROKEN"
        return f"{self.outcome.value}?" if self.is_doubtful else self.outcome.value

    def __repr__(self) -> str:
        parts = [self.label, repr(shorten(self.evidence, 120, placeholder="…"))]
        parts += [] if self.residual is None else [f"residual={self.residual:.3g}"]
        parts += [] if self.tolerance is None else [f"tolerance={self.tolerance:.3g}"]
        parts += [f"{len(self.identities)} identities"] if self.identities else []
        parts += [f"counterexample={dict(self.counterexample)}"] if self.counterexample else []
        if self.correction is not None:
            name = "corrected" if self.correction.is_shown else "correction not shown"
            parts.append(f"{name}: {self.correction.verdict.outcome.value}")
        return f"Verdict({', '.join(parts)})"

    def describe(self) -> dict[str, object]:
        """The verdict as JSON, for :meth:`read`."""
        correction = self.correction
        return {
            "outcome": self.outcome.value,
            "evidence": self.evidence,
            "residual": _number(self.residual),
            "tolerance": _number(self.tolerance),
            "tolerance_reason": self.tolerance_reason,
            "counterexample": {name: _number(value) for name, value in self.counterexample.items()},
            "correction": correction and {"statement": correction.statement, **correction.verdict.describe()},
            "identities": [identity.describe() for identity in self.identities],
            "violation": self.violation and self.violation.describe(),
            "changes": self.changes and self.changes.describe(),
            "traceback": self.traceback,
            "is_broken": self.is_broken,
        }

    @classmethod
    def read(cls, saved: object) -> Verdict:
        """The verdict that :meth:`describe` wrote down.

        Raises:
            InputError: If a field is missing, or not as :meth:`describe` writes it.
        """
        outcome = saved_field(saved, "outcome", str)
        if outcome not in Outcome.__members__:
            raise InputError(f"'outcome' is {outcome!r}, expected one of {', '.join(Outcome.__members__)}.")
        numbers = saved_field(saved, "counterexample", dict, {})
        correction = saved_field(saved, "correction", dict, None)
        violation = saved_field(saved, "violation", dict, None)
        changes = saved_field(saved, "changes", dict, None)
        return cls(
            Outcome[outcome],
            saved_field(saved, "evidence", str),
            _number(saved_field(saved, "residual", float | int, None)),
            _number(saved_field(saved, "tolerance", float | int, None)),
            {name: float(saved_field(numbers, name, float | int)) for name in numbers},
            correction and Correction(saved_field(correction, "statement", str), cls.read(correction)),
            saved_field(saved, "tolerance_reason", str, ""),
            identities=tuple(map(Equation.read, saved_field(saved, "identities", list, []))),
            violation=violation and Violation.read(violation),
            changes=None if changes is None else Changes.read(changes),
            traceback=saved_field(saved, "traceback", str, ""),
            is_broken=saved_field(saved, "is_broken", bool, False),
        )


def _refuse_other_types(verdict: Verdict) -> None:
    """Raise an InputError for fields that :meth:`Verdict.read` could not read again."""
    if not isinstance(verdict.outcome, Outcome):
        raise InputError(f"A verdict needs an outcome such as Outcome.SUPPORTED, got {verdict.outcome!r}.")
    for name in ("evidence", "tolerance_reason", "traceback"):
        if not isinstance(getattr(verdict, name), str):
            raise InputError(f"A verdict needs {name} in words, got {type(getattr(verdict, name)).__name__}.")
    for name, kind in (("correction", Correction), ("violation", Violation), ("changes", Changes)):
        value = getattr(verdict, name)
        if not (value is None or isinstance(value, kind)):
            raise InputError(f"A verdict needs {name}= to be a {kind.__name__}, got {type(value).__name__}.")
    if not all(isinstance(each, Equation) for each in verdict.identities):
        raise InputError("A verdict needs identities= to be a tuple of Equations.")
    trivial = next((each for each in verdict.identities if each.is_trivial), None)
    if trivial is not None:
        raise InputError(f"A verdict needs identities= whose sides differ, got {str(trivial.stated)[:80]} on both.")
    given = [("residual", verdict.residual), ("tolerance", verdict.tolerance)]
    for name, value in [*(each for each in given if each[1] is not None), *verdict.counterexample.items()]:
        try:
            is_number = not isinstance(value, str) and isinstance(float(value), float)  # SymPy's and NumPy's, too
        except (TypeError, ValueError, OverflowError):
            is_number = False
        if not is_number or not isinstance(name, str):
            raise InputError(f"A verdict needs a number for {name}, got {str(value)[:80]!r}.")


def _number(value: float | None) -> float | None:
    """A Python float, also for a number of SymPy or NumPy."""
    return None if value is None else float(value)
