"""The assumptions on symbols: none where users see them, real or positive inside the engine.

Users see plain symbols, so that ``expression.subs({"x": 1})`` works. The engine declares them real (and the decay
non-negative), as few logarithms and roots simplify without that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from string import ascii_letters
from typing import TypeVar

import sympy as sp

Formula = TypeVar("Formula", bound=sp.Basic | sp.MatrixBase)


class ResultSymbol(sp.Symbol):
    """A symbol that the engine adds to a result; it differs from a parameter of the same name."""

    __slots__ = ()


class Constant(sp.Symbol):
    """A positive number that training does not move; it stays positive where other symbols become plain."""

    __slots__ = ()


X = ResultSymbol("x", real=True)
Z = ResultSymbol("z", real=True)
DECAY = ResultSymbol("A", nonnegative=True)


@dataclass(frozen=True)
class ResultNames:
    """The names of the symbols in a result, which avoid the names in the user's formula.

    Attributes:
        weight: The weight, usually ``x``.
        dual: R_A'(x), usually ``z``.
        decay: ∫α dt, usually ``A``.
        suffix: Comes after a parameter's name in the name of its initial value, usually ``0``.
        scale: The scale of a hyperbolic sine, usually ``a``.
    """

    weight: str = "x"
    dual: str = "z"
    decay: str = "A"
    suffix: str = "0"
    scale: str = "a"

    @classmethod
    def beside(cls, params: Iterable[str], constants: Iterable[str] = ()) -> ResultNames:
        """Names that are not in the formula; the initial value of ``m`` is ``m0`` unless the formula has an ``m0``."""
        params, constants = set(params), set(constants)
        given = params | constants
        suffixes = ("0", "_0", *(f"_0{k}" for k in range(len(given))))
        suffix = next(s for s in suffixes if not any(name + s in given for name in params))
        taken = given | {name + suffix for name in params}

        def free(*letters: str) -> str:
            more = (f"{letters[0]}_{k}" for k in range(len(taken)))
            return next(name for name in (*letters, *ascii_letters, *more) if name not in taken)

        # Results hold initial values, so that a parameter may share the letter of the scale; a constant may not.
        return cls(free("x", "y"), free("z", "s"), free("A", "D"), suffix, free("a") if "a" in constants else "a")

    def renamed(self, other: ResultNames, params: Iterable[str]) -> dict[sp.Symbol, sp.Symbol]:
        """The symbols of these names, each with that of the other names in its place."""
        pairs = [(self.weight, other.weight), (self.dual, other.dual), (self.decay, other.decay)]
        pairs += [(self.initial(param), other.initial(param)) for param in params]
        return {sp.Symbol(old): sp.Symbol(new) for old, new in pairs if old != new}

    def initial(self, param: str) -> str:
        """The name of a parameter's initial value."""
        return param + self.suffix

    def plain(self, expression: Formula) -> Formula:
        """The engine's expression (or matrix) in plain symbols with these names."""
        return expression.xreplace({s: sp.Symbol(self._name(s)) for s in expression.free_symbols})

    def _name(self, symbol: sp.Symbol) -> str:
        if not isinstance(symbol, ResultSymbol):
            return symbol.name
        usual = {X: self.weight, Z: self.dual, DECAY: self.decay}
        return usual[symbol] if symbol in usual else symbol.name[:-1] + self.suffix


def real(expression: Formula) -> Formula:
    """The expression (or matrix) with every symbol but constants declared real."""
    return expression.xreplace({s: sp.Symbol(s.name, real=True) for s in _moving(expression)})


def plain(expression: Formula) -> Formula:
    """The expression (or matrix) with all assumptions dropped but those of constants."""
    return expression.xreplace({s: sp.Symbol(s.name) for s in _moving(expression)})


def bare(expression: Formula) -> Formula:
    """The expression (or matrix) with all assumptions dropped, as users see it."""
    return expression.xreplace({s: sp.Symbol(s.name) for s in expression.free_symbols})


def with_constants(expression: Formula, names: Iterable[str]) -> Formula:
    """The expression (or matrix) of a user with some of its plain symbols as constants."""
    return expression.xreplace({sp.Symbol(name): Constant(name, positive=True) for name in names})


def constants_in(*expressions: sp.Basic | sp.MatrixBase) -> list[Constant]:
    """The constants of some expressions (or matrices), by name."""
    found = {s for expression in expressions for s in expression.free_symbols if isinstance(s, Constant)}
    return sorted(found, key=lambda s: s.name)


def is_constant(expression: sp.Expr) -> bool:
    """Whether an expression holds no symbols but constants."""
    return not _moving(expression)


def _moving(expression: sp.Basic | sp.MatrixBase) -> set[sp.Symbol]:
    return {s for s in expression.free_symbols if not isinstance(s, Constant)}


def initial(symbol: sp.Symbol) -> sp.Symbol:
    """The symbol of a parameter's initial value."""
    assumption = {"positive": True} if symbol.is_positive else {"real": True}
    return ResultSymbol(f"{symbol.name}0", **assumption)


class _Size(sp.Function):
    """|e| of an expression such as atanh(m), which is real although SymPy cannot know it."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return _Side(self.args[0])


class _Side(sp.Function):
    """The sign of such an expression."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return 2 * sp.DiracDelta(self.args[0])


def slope(expression: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    """The derivative, also of |e| and sign(e) where SymPy cannot know that e is real."""
    derivative = sp.diff(expression, symbol)
    if not derivative.has(sp.Derivative, sp.Subs, sp.re, sp.im):
        return derivative
    known = expression.replace(sp.Abs, _Size).replace(sp.sign, _Side)
    return sp.diff(known, symbol).replace(_Size, sp.Abs).replace(_Side, sp.sign)
