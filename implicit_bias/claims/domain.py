"""Declarations of the symbols of an identity, and exact numbers that fit them, without SymPy."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction

from implicit_bias.errors import InputError

# From the narrowest; a symbol that declares nothing is read as real. The others come beside one of these.
KINDS = ("positive", "negative", "nonnegative", "nonpositive", "real")
BESIDE = ("integer", "nonzero")
RELATIONS = ("!=", ">")  # of the left side of a counterexample to the right one
SEED = 20260815
_FRACTION = re.compile(r"-?[0-9]{1,4200}(/[0-9]{1,4200})?")  # Python reads 4,300 digits at most
_SPECIAL = (Fraction(0), Fraction(1, 300), Fraction(40))  # beyond the sizes that are drawn at random
_SPECIAL_INTEGERS = (0, 11, 23)
_ONE_IN = 4  # draws of a symbol is special


def fraction(text: object) -> Fraction:
    """The number that a ledger stores as text.

    Raises:
        InputError: If it is no fraction such as ``"-1/2"``.
    """
    if isinstance(text, str) and _FRACTION.fullmatch(text):
        numerator, _, denominator = text.partition("/")
        if denominator == "" or int(denominator):
            return Fraction(int(numerator), int(denominator or 1))
    raise InputError(f"Expected a fraction such as '-1/2', got {str(text)[:80]!r}.")


def declarations(name: str, kinds: object) -> list[str]:
    """The declarations of a symbol as a ledger stores them: one of KINDS, and then any of BESIDE.

    Raises:
        InputError: If it is anything else.
    """
    match kinds:
        case [str() as first, *others] if first in KINDS and all(each in BESIDE for each in others):
            return [first, *others]
    raise InputError(f"{name}: expected what a symbol is declared to be, such as ['positive'], got {str(kinds)[:80]}.")


def fits(kinds: Collection[str], number: Fraction) -> bool:
    """Whether a symbol of these kinds may stand for a number."""
    signs = {"positive": number > 0, "negative": number < 0, "nonnegative": number >= 0, "nonpositive": number <= 0}
    return (
        all(holds for kind, holds in signs.items() if kind in kinds)
        and ("integer" not in kinds or number.denominator == 1)
        and ("nonzero" not in kinds or number != 0)
    )


def is_generic(number: Fraction) -> bool:
    """Whether a number was drawn at random, or is whole: the others are edges, where quotients of zeros may arise."""
    return number not in _SPECIAL


def points(symbols: Mapping[str, Collection[str]]) -> Iterator[dict[str, Fraction]]:
    """Random fractions of the declared kinds, without end: of sizes from 1/16 to 8, and at times 0, 1/300 or 40."""
    generator = random.Random(SEED)  # noqa: S311
    while True:
        yield {name: _drawn(kinds, generator) for name, kinds in symbols.items()}


def _drawn(kinds: Collection[str], generator: random.Random) -> Fraction:
    while True:
        is_special = generator.randrange(_ONE_IN) == 0
        if "integer" in kinds:
            size = Fraction(generator.choice(_SPECIAL_INTEGERS) if is_special else generator.randint(1, 6))
        else:
            size = generator.choice(_SPECIAL) if is_special else Fraction(round(2 ** generator.uniform(6, 13)), 1009)
        value = -size if {"negative", "nonpositive"} & {*kinds} else size
        if not {*KINDS[:4]} & {*kinds}:
            value *= generator.choice((1, -1))
        if fits(kinds, value):
            return value
