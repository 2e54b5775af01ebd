"""How a check judges its statement after small changes of it."""

from __future__ import annotations

from dataclasses import dataclass

from implicit_bias.claims.saved import saved_field
from implicit_bias.errors import InputError


@dataclass(frozen=True)
class Changes:
    """What a check says of its statement after small changes, nearly all of which make a true statement false.

    Attributes:
        number: How many changed statements there are.
        passed: The changes after which the check still says that the statement holds, or refutes it by the very same
            numbers and formulas: what was changed, and the changed statement in LaTeX.
        undecided: On how many of them the check gave no verdict in the time allowed.

    Raises:
        InputError: If more of them passed or stayed undecided than there are.

    >>> Changes(2).in_words(), Changes(3, (("7 → 14", "y = 14 x"),)).is_seen
    ('The check noticed each of 2 small changes of the statement.', False)
    """

    number: int
    passed: tuple[tuple[str, str], ...] = ()
    undecided: int = 0

    def __post_init__(self) -> None:
        if self.number < 0 or self.undecided < 0 or len(self.passed) + self.undecided > self.number:
            raise InputError(
                f"Changes: expected at most {self.number} in all, got {len(self.passed)} that passed and "
                f"{self.undecided} undecided."
            )

    @property
    def is_seen(self) -> bool:
        """Whether no change passed."""
        return not self.passed

    def in_words(self, *, refuted: bool = False) -> str:
        """What was found on a statement that holds, or on a refuted one, without the list of changes that passed."""
        again = "gives the same refutation" if refuted else "also passes"
        late = f" {self.undecided} of {self.number} were not decided in time." if self.undecided else ""
        decided = self.number - self.undecided
        if not decided:
            return f"None of {self.number} small changes of the statement could be decided." if self.number else ""
        if self.is_seen:
            return f"The check noticed {_each(decided)} of the statement.{late}"
        if len(self.passed) == decided:
            return (
                f"The check {again} for {_each(decided)} of the statement, so it hardly depends on what is "
                f"stated.{late}"
            )
        each, they = ("it", "it") if len(self.passed) == 1 else ("each", "them")
        why = f"it does not see {they}" if refuted else f"either {each} is true as well, or the check does not see it"
        return f"The check {again} for {len(self.passed)} of {decided} small changes of the statement: {why}.{late}"

    def describe(self) -> dict[str, object]:
        """The changes as JSON, for :meth:`read`."""
        return {"number": self.number, "passed": [list(each) for each in self.passed], "undecided": self.undecided}

    @classmethod
    def read(cls, saved: object) -> Changes:
        """The changes that :meth:`describe` wrote down.

        Raises:
            InputError: If a field is missing, or not as :meth:`describe` writes it.
        """
        passed = saved_field(saved, "passed", list)
        if not all(isinstance(each, list) and len(each) == 2 for each in passed):
            raise InputError(f"'passed' is {str(passed)[:80]}, expected pairs of texts.")
        return cls(
            saved_field(saved, "number", int),
            tuple((str(change), str(statement)) for change, statement in passed),
            saved_field(saved, "undecided", int),
        )


def _each(number: int) -> str:
    return "the one small change" if number == 1 else f"each of {number} small changes"
