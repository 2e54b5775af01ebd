"""The statement of a claim, whose text is printed from the very formulas that its check reads."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from fractions import Fraction

import sympy as sp

from implicit_bias.claims.mutation import mutants
from implicit_bias.claims.tree import expression, symbols_of, tree
from implicit_bias.errors import InputError


class Statement(str):
    r"""A statement in LaTeX that holds the formulas which it prints.

    A claim that is given such a statement hands it to its check, so that the text and the formula that is checked
    cannot drift apart.

    Args:
        parts: LaTeX as text, and expressions of SymPy, which are printed in their places; whole numbers and fractions
            are taken for expressions.

    Attributes:
        formulas: The expressions, in their order.

    Raises:
        InputError: If no part is an expression, or one is neither text nor an expression, such as a decimal.

    >>> x = sp.Symbol("x", positive=True)
    >>> statement = Statement(r"\nabla R(x) = ", sp.log(x))
    >>> statement.formula, str(statement)
    (log(x), '\\nabla R(x) = \\log{\\left(x \\right)}')
    """

    __slots__ = ("formulas", "parts")
    formulas: tuple[sp.Expr, ...]
    parts: tuple[str | sp.Expr, ...]

    def __new__(cls, *parts: str | sp.Expr | int | Fraction) -> Statement:
        """Print the parts one after another."""
        read = tuple(map(_part, parts))
        formulas = tuple(part for part in read if isinstance(part, sp.Basic))
        if not formulas:
            raise InputError("Statement: expected at least one expression of SymPy among its parts; else use text.")
        made = super().__new__(cls, "".join(part if isinstance(part, str) else sp.latex(part) for part in read))
        made.parts, made.formulas = read, formulas
        return made

    @property
    def formula(self) -> sp.Expr:
        """The only formula.

        Raises:
            InputError: If there are several.
        """
        if len(self.formulas) != 1:
            raise InputError(f"Statement: expected one formula, got {len(self.formulas)}; read .formulas.")
        return self.formulas[0]

    def mutants(self) -> Iterator[tuple[str, Statement]]:
        """Small changes: a constant or a whole formula doubled, halved or negated, or a power moved by one.

        Nearly all of them make a true statement false.

        Yields:
            What was changed, and the changed statement.

        Raises:
            UnsupportedError: If a formula holds anything that cannot be evaluated in ball arithmetic.
        """
        for place, part in enumerate(self.parts):
            if isinstance(part, str):
                continue
            symbols = symbols_of(part)
            for change, changed in mutants(tree(part)):
                made = expression(changed, symbols, evaluate=True)
                if made != part:
                    yield change, Statement(*self.parts[:place], made, *self.parts[place + 1 :])


def _part(part: str | sp.Expr | int | Fraction) -> str | sp.Expr:
    """Text or an expression."""
    if isinstance(part, (str, sp.Basic)):
        return part
    if isinstance(part, numbers.Rational) and not isinstance(part, bool):
        return sp.Rational(int(part.numerator), int(part.denominator))
    instead = "; write a decimal as a fraction, as in Fraction(1, 10)" if isinstance(part, numbers.Real) else ""
    raise InputError(f"Statement: expected text, expressions of SymPy and exact numbers, got {part!r}{instead}.")
