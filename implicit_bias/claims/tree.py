"""Expressions as nested lists, which need no SymPy to be read: a ledger stores its identities this way.

A number is a string such as ``"-1/2"``; everything else is a list that begins with a name: ``["Symbol", "x"]``,
``["pi"]``, or an operation and its arguments, such as ``["Add", ["Symbol", "x"], "1"]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

import sympy as sp

from implicit_bias.claims.domain import BESIDE, KINDS, declarations, fraction
from implicit_bias.errors import InputError, UnsupportedError

Tree: TypeAlias = str | list["Tree"]

OPERATIONS = {
    kind.__name__: kind
    for kind in (
        sp.Add, sp.Mul, sp.Pow, sp.Max, sp.Min, sp.Abs, sp.sign, sp.exp, sp.log, sp.LambertW,
        sp.sin, sp.cos, sp.tan, sp.cot, sp.asin, sp.acos, sp.atan,
        sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch, sp.asinh, sp.acosh, sp.atanh,
    )
}  # fmt: skip
MOST_DIGITS = 4000  # of a number; Python reads 4,300 at most
CONSTANTS = {"pi": sp.pi, "E": sp.E}
SEVERAL = ("Add", "Mul", "Max", "Min")  # operations with any number of arguments
# What a symbol may be declared to be beyond that: it is then read as any real number.
_RATIONAL = {"rational": True, "algebraic": True, "irrational": False, "transcendental": False}


def exact(value: sp.Expr | int | Fraction) -> sp.Expr:
    """The value as an expression of SymPy.

    Raises:
        InputError: If it is neither an expression nor a whole number nor a fraction.
    """
    if isinstance(value, sp.Expr):
        return value
    if isinstance(value, (int, Fraction)):
        return sp.Rational(value)
    raise InputError(f"Expected an expression of SymPy, a whole number or a fraction, got {value!r}.")


def tree(expression: sp.Basic) -> Tree:
    """The tree of an expression.

    Raises:
        UnsupportedError: If it holds anything but exact numbers, symbols and the operations of this module.
    """
    match expression:
        case sp.Rational():
            if max(abs(expression.p), expression.q) >= 10**MOST_DIGITS:
                raise UnsupportedError(
                    f"A number of more than {MOST_DIGITS} digits cannot be stored as an identity; write it as a power."
                )
            return str(expression)
        case sp.Symbol():
            described(expression)
            return ["Symbol", expression.name]
    for name, value in CONSTANTS.items():
        if expression is value:
            return [name]
    name = type(expression).__name__
    if OPERATIONS.get(name) is not type(expression):
        raise UnsupportedError(
            f"{str(expression)[:80]} ({name}) cannot be stored as an identity; expected exact numbers, symbols and "
            f"{', '.join(OPERATIONS)}. Write one decimal as a fraction, and one equation for each entry of a matrix."
        )
    if (
        len(expression.args) != {"Pow": 2}.get(name, 1)
        and name not in SEVERAL
        and (name, len(expression.args)) != ("log", 2)
    ):
        raise UnsupportedError(f"{str(expression)[:80]}: {name} is known with one argument alone.")
    return [name, *map(tree, expression.args)]


def expression(node: Tree, symbols: Mapping[str, sp.Symbol], evaluate: bool = False) -> sp.Expr:
    """The expression of a tree, put together by SymPy's public classes alone; no text is evaluated.

    Args:
        node: The tree.
        symbols: The symbols by name.
        evaluate: Whether SymPy may bring it into its own form; otherwise it has the structure of the tree.

    Raises:
        InputError: If it is no tree of this module.
    """
    match node:
        case str():
            return sp.Rational(fraction(node))
        case ["Symbol", str() as name] if name in symbols:
            return symbols[name]
        case [str() as name] if name in CONSTANTS:
            return CONSTANTS[name]
        case [str() as name, *arguments] if name in OPERATIONS and arguments:
            made = [expression(argument, symbols, evaluate) for argument in arguments]
            return OPERATIONS[name](*made) if evaluate else OPERATIONS[name](*made, evaluate=False)
    raise InputError(f"Expected the tree of an expression, got {str(node)[:80]}.")


def symbols_of(expression: sp.Basic) -> dict[str, sp.Symbol]:
    """The symbols of an expression by name, one of each name."""
    return {symbol.name: symbol for symbol in expression.free_symbols if isinstance(symbol, sp.Symbol)}


def described(symbol: sp.Symbol) -> list[str]:
    """The declarations of a symbol, as :func:`declared` reads them.

    Raises:
        UnsupportedError: If it is declared to be something else, such as even or imaginary.
    """
    kind = next((kind for kind in KINDS if getattr(symbol, f"is_{kind}")), "real")
    beside = [name for name in BESIDE if getattr(symbol, f"is_{name}")]
    kinds = [kind, *(name for name in beside if name == "integer" or kind not in ("positive", "negative"))]
    # Not by what was written at its birth, as SymPy may put an equal symbol of another one in its place.
    implied = _RATIONAL | declared(symbol.name, kinds).assumptions0
    strange = [name for name, holds in symbol.assumptions0.items() if implied.get(name) is not holds]
    if strange:
        raise UnsupportedError(
            f"{symbol.name} is declared to be {', '.join(strange)}; the symbols of an identity may be "
            f"{', '.join((*KINDS, *BESIDE))}. Say the rest by conditions=, or by the formula."
        )
    return kinds


def declared(name: str, kinds: object) -> sp.Symbol:
    """The symbol that :func:`described` wrote down.

    Raises:
        InputError: If something else than the kinds of this module is declared.
    """
    return sp.Symbol(name, **dict.fromkeys(declarations(name, kinds), True))
