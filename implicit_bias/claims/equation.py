"""An identity that a verdict rests on, and the numbers at which a refuted statement fails, both as data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import sympy as sp

from implicit_bias.claims.domain import RELATIONS, fits, fraction
from implicit_bias.claims.saved import saved_field
from implicit_bias.claims.tree import declared, described, exact, expression, tree
from implicit_bias.errors import InputError


@dataclass(frozen=True)
class Equation:
    """Two expressions that are equal wherever the conditions hold; one is stated, the other one derived.

    Attributes:
        stated: The side that the statement, or a step of its proof, gives.
        derived: The side that was found by another way.
        says: What the equation says, in words.
        conditions: Expressions that are positive where it holds, beyond what its symbols declare.
        decided: How it was checked; empty before.

    Raises:
        InputError: If a side is no exact expression, two symbols share a name, or ``says`` is no text.
        UnsupportedError: If a side holds anything that cannot be evaluated in ball arithmetic.
    """

    stated: sp.Expr
    derived: sp.Expr
    says: str = ""
    conditions: tuple[sp.Expr, ...] = ()
    decided: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.says, str):
            raise InputError(f"Equation: expected says= to be text, got {self.says!r}.")
        sides = [exact(side) for side in (self.stated, self.derived, *self.conditions)]
        stated, derived, *conditions = _without_dummies(sides)
        object.__setattr__(self, "stated", stated)
        object.__setattr__(self, "derived", derived)
        object.__setattr__(self, "conditions", tuple(conditions))
        self.symbols  # noqa: B018 - refuses two symbols of one name
        for side in (stated, derived, *conditions):
            tree(side)

    @property
    def is_trivial(self) -> bool:
        """Whether both sides are the same expression: such an equation holds, and nothing is left to check in it."""
        return self.stated == self.derived

    @property
    def residual(self) -> sp.Expr:
        """The stated side minus the derived one."""
        return self.stated - self.derived

    @property
    def symbols(self) -> dict[str, sp.Symbol]:
        """The symbols of all sides, by name and in the order of names."""
        return _by_name((self.stated, self.derived, *self.conditions))

    def describe(self) -> dict[str, object]:
        """The equation as JSON, for :meth:`read`."""
        return {
            "says": self.says,
            "stated": tree(self.stated),
            "derived": tree(self.derived),
            "symbols": {name: described(symbol) for name, symbol in self.symbols.items()},
            "conditions": [tree(condition) for condition in self.conditions],
            "decided": self.decided,
        }

    @classmethod
    def read(cls, saved: object) -> Equation:
        """The equation that :meth:`describe` wrote down.

        Raises:
            InputError: If a field is missing, or not as :meth:`describe` writes it.
        """
        symbols = _symbols(saved)
        return cls(
            expression(saved_field(saved, "stated", str | list), symbols),
            expression(saved_field(saved, "derived", str | list), symbols),
            saved_field(saved, "says", str, ""),
            tuple(expression(each, symbols) for each in saved_field(saved, "conditions", list, [])),
            saved_field(saved, "decided", str),
        )


@dataclass(frozen=True)
class Violation:
    """Exact numbers at which a statement fails: there its left side differs from the right one, or exceeds it.

    Attributes:
        left: The left side of the statement.
        right: The right side, or what was derived for it.
        numbers: Fractions by the name of the symbol.
        relation: ``"!="`` where the statement says that both sides are equal, ``">"`` where it says that the left one
            is at most the right one.

    Raises:
        InputError: If a symbol has no number, or two symbols share a name.
        UnsupportedError: If a side holds anything that cannot be evaluated in ball arithmetic.
    """

    left: sp.Expr
    right: sp.Expr
    numbers: Mapping[str, Fraction]
    relation: Literal["!=", ">"] = "!="

    def __post_init__(self) -> None:
        left, right = _without_dummies([exact(self.left), exact(self.right)])
        object.__setattr__(self, "left", left)
        object.__setattr__(self, "right", right)
        unset = next((name for name, value in self.numbers.items() if value is None), None)
        if unset is not None:
            raise InputError(
                f"Violation: expected a number for {unset}, got None. A search that finds nothing has no smallest "
                "instance: return ib.Verdict(ib.Outcome.INCONCLUSIVE, ...) then."
            )
        object.__setattr__(self, "numbers", {name: Fraction(value) for name, value in self.numbers.items()})
        missing = [name for name in _by_name((left, right)) if name not in self.numbers]
        if missing:
            raise InputError(f"Violation: expected a number for each symbol; {', '.join(missing)} has none.")
        if self.relation not in RELATIONS:
            raise InputError(
                f"Violation: expected the relation '!=' or '>', got {self.relation!r}; where a paper has "
                "left >= right, give Violation(right, left, numbers, '>')."
            )
        for side in (left, right):
            tree(side)
        for name, symbol in _by_name((left, right)).items():
            if not fits(described(symbol), self.numbers[name]):
                raise InputError(
                    f"Violation: {name} is declared to be {' and '.join(described(symbol))}, got {self.numbers[name]}."
                )

    def floats(self) -> dict[str, float]:
        """The numbers to double precision; inf beyond its range."""
        return {name: _float(value) for name, value in self.numbers.items()}

    def describe(self) -> dict[str, object]:
        """The violation as JSON, for :meth:`read`."""
        symbols = _by_name((self.left, self.right))
        return {
            "left": tree(self.left),
            "right": tree(self.right),
            "relation": self.relation,
            "symbols": {name: described(symbol) for name, symbol in symbols.items()},
            "numbers": {name: str(value) for name, value in self.numbers.items()},
        }

    @classmethod
    def read(cls, saved: object) -> Violation:
        """The violation that :meth:`describe` wrote down.

        Raises:
            InputError: If a field is missing, or not as :meth:`describe` writes it.
        """
        symbols = _symbols(saved)
        numbers = {name: fraction(value) for name, value in saved_field(saved, "numbers", dict).items()}
        left, right = (expression(saved_field(saved, side, str | list), symbols) for side in ("left", "right"))
        return cls(left, right, numbers, saved_field(saved, "relation", str))


def _float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _symbols(saved: object) -> dict[str, sp.Symbol]:
    return {name: declared(name, kinds) for name, kinds in saved_field(saved, "symbols", dict).items()}


def _by_name(expressions: Sequence[sp.Expr]) -> dict[str, sp.Symbol]:
    found: dict[str, sp.Symbol] = {}
    for symbol in sorted(_free(expressions), key=str):
        if symbol.name in found:
            raise InputError(f"Two symbols are called {symbol.name}, with different assumptions; rename one of them.")
        found[symbol.name] = symbol
    return found


def _without_dummies(expressions: Sequence[sp.Expr]) -> list[sp.Expr]:
    """The expressions with symbols in the place of dummies, under names that no other symbol has."""
    free = _free(expressions)
    dummies = sorted((each for each in free if isinstance(each, sp.Dummy)), key=lambda each: each.dummy_index)
    taken = {each.name for each in free if not isinstance(each, sp.Dummy)}
    renamed: dict[sp.Symbol, sp.Symbol] = {}
    for dummy in dummies:
        name = dummy.name
        while name in taken:
            name += "'"
        taken.add(name)
        renamed[dummy] = sp.Symbol(name, **dummy._assumptions_orig)
    return [each.xreplace(dict(renamed)) for each in expressions]  # pyright: ignore[reportReturnType] - SymPy's types


def _free(expressions: Sequence[sp.Expr]) -> set[sp.Symbol]:
    return {symbol for each in expressions for symbol in each.free_symbols if isinstance(symbol, sp.Symbol)}
