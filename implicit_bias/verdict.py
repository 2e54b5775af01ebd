"""What a check can conclude, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from textwrap import shorten

from implicit_bias.errors import InputError
from implicit_bias.shown import Shown


class Outcome(Enum):
    """The five things a check can conclude."""

    PROVED = "PROVED"
    """An exact symbolic identity, simplified to zero."""
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
    """What holds instead of a refuted statement.

    Attributes:
        statement: The corrected statement in LaTeX.
        verdict: The verdict on it, by the same standards.
    """

    statement: str
    verdict: Verdict


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

    Raises:
        InputError: If a refutation comes without a counterexample, one of its numbers is nan, or numerical support
            comes without finite numbers.
    """

    outcome: Outcome
    evidence: str
    residual: float | None = None
    tolerance: float | None = None
    counterexample: Mapping[str, float] = field(default_factory=dict)
    correction: Correction | None = None
    tolerance_reason: str = ""

    def __post_init__(self) -> None:
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

    def __repr__(self) -> str:
        parts = [self.outcome.value, repr(shorten(self.evidence, 120, placeholder="…"))]
        parts += [] if self.residual is None else [f"residual={self.residual:.3g}"]
        parts += [] if self.tolerance is None else [f"tolerance={self.tolerance:.3g}"]
        parts += [f"counterexample={dict(self.counterexample)}"] if self.counterexample else []
        parts += [] if self.correction is None else [f"corrected: {self.correction.verdict.outcome.value}"]
        return f"Verdict({', '.join(parts)})"
