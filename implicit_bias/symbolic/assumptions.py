"""Two dresses for one symbol.

Users see plain symbols, so that ``expression.subs({"x": 1})`` works; the engine computes with symbols that are declared
real (and the decay non-negative), without which few logarithms and roots simplify.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from string import ascii_letters

import sympy as sp


class ResultSymbol(sp.Symbol):
    """A symbol of the engine's own, which is no parameter although one may print alike."""

    __slots__ = ()


X = ResultSymbol("x", real=True)
Z = ResultSymbol("z", real=True)
DECAY = ResultSymbol("A", nonnegative=True)


@dataclass(frozen=True)
class ResultNames:
    """What the symbols of a result are called: other letters where a formula of the user's has taken the usual ones.

    Attributes:
        weight: The weight, usually ``x``.
        dual: R_A'(x), usually ``z``.
        decay: ∫α dt, usually ``A``.
        suffix: What the name of an initial value has behind that of its parameter, usually ``0``.
    """

    weight: str = "x"
    dual: str = "z"
    decay: str = "A"
    suffix: str = "0"

    @classmethod
    def beside(cls, params: Iterable[str]) -> ResultNames:
        """Names that no parameter has; the initial value of ``m`` is ``m0`` unless there is a parameter ``m0``."""
        params = set(params)
        suffixes = ("0", "_0", *(f"_0{k}" for k in range(len(params))))
        suffix = next(s for s in suffixes if not any(name + s in params for name in params))
        taken = params | {name + suffix for name in params}

        def free(*letters: str) -> str:
            more = (f"{letters[0]}_{k}" for k in range(len(taken)))
            return next(name for name in (*letters, *ascii_letters, *more) if name not in taken)

        return cls(free("x", "y"), free("z", "s"), free("A", "D"), suffix)

    def initial(self, param: str) -> str:
        """The name of a parameter's initial value."""
        return param + self.suffix

    def plain(self, expression):
        """An expression (or matrix) of the engine in plain symbols of these names."""
        return expression.xreplace({s: sp.Symbol(self._name(s)) for s in expression.free_symbols})

    def _name(self, symbol: sp.Symbol) -> str:
        if not isinstance(symbol, ResultSymbol):
            return symbol.name
        usual = {X: self.weight, Z: self.dual, DECAY: self.decay}
        return usual[symbol] if symbol in usual else symbol.name[:-1] + self.suffix


def real(expression):
    """The expression (or matrix) with every plain symbol declared real."""
    return expression.xreplace({s: sp.Symbol(s.name, real=True) for s in expression.free_symbols})


def plain(expression):
    """The expression (or matrix) with all assumptions dropped."""
    return expression.xreplace({s: sp.Symbol(s.name) for s in expression.free_symbols})


def initial(symbol: sp.Symbol) -> sp.Symbol:
    """The symbol of a parameter's initial value."""
    dress = {"positive": True} if symbol.is_positive else {"real": True}
    return ResultSymbol(f"{symbol.name}0", **dress)


class _Size(sp.Function):
    """|e| of an e that is real although SymPy cannot know it, such as atanh(m)."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return _Side(self.args[0])


class _Side(sp.Function):
    """The sign of such an e."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return 2 * sp.DiracDelta(self.args[0])


def slope(expression: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    """The derivative, also of |e| and sign(e) where SymPy cannot know that e is real."""
    derivative = sp.diff(expression, symbol)
    if not derivative.has(sp.Derivative, sp.Subs, sp.re, sp.im):
        return derivative
    known = expression.replace(sp.Abs, _Size).replace(sp.sign, _Side)
    return sp.diff(known, symbol).replace(_Size, sp.Abs).replace(_Side, sp.sign)
