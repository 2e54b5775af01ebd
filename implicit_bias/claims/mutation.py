"""Small changes of a formula, nearly all of which make a true statement false."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from implicit_bias.claims.domain import fraction

if TYPE_CHECKING:
    from implicit_bias.claims.tree import Tree

FACTORS = (Fraction(2), Fraction(1, 2), Fraction(-1))


def mutants(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """A formula with one constant doubled, halved or negated, or one exponent moved by one, each time.

    The whole formula is doubled, halved and negated, too.

    Yields:
        What was changed, and the changed formula.
    """
    for factor in FACTORS:
        yield f"all × {factor}", ["Mul", str(factor), tree]
    for change, changed in _inside(tree):
        if changed != tree:
            yield change, changed


def _inside(tree: Tree) -> Iterator[tuple[str, Tree]]:
    match tree:
        case str():
            for factor in FACTORS:
                changed = str(fraction(tree) * factor)
                yield f"{tree} → {changed}", changed
        case ["Pow", base, str() as exponent]:
            for change, changed in _inside(base):
                yield change, ["Pow", changed, exponent]
            for step in (1, -1):
                moved = str(fraction(exponent) + step)
                yield f"power {exponent} → {moved}", ["Pow", base, moved]
        case ["Symbol", _]:
            return
        case [name, *arguments]:
            for place, argument in enumerate(arguments):
                for change, changed in _inside(argument):
                    yield change, [name, *arguments[:place], changed, *arguments[place + 1 :]]
