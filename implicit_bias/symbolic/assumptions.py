"""Two dresses for one symbol.

Users see plain symbols, so that ``expression.subs({"x": 1})`` works; the engine computes with symbols that are declared
real (and the decay non-negative), without which few logarithms and roots simplify.
"""

from __future__ import annotations

import sympy as sp

X = sp.Symbol("x", real=True)
Z = sp.Symbol("z", real=True)
DECAY = sp.Symbol("A", nonnegative=True)


def real(expression):
    """The expression (or matrix) with every plain symbol declared real, and A non-negative."""
    return expression.xreplace(
        {s: DECAY if s.name == "A" else sp.Symbol(s.name, real=True) for s in _symbols(expression)}
    )


def plain(expression):
    """The expression (or matrix) with all assumptions dropped."""
    return expression.xreplace({s: sp.Symbol(s.name) for s in _symbols(expression)})


def initial(symbol: sp.Symbol) -> sp.Symbol:
    """The symbol of a parameter's initial value, ``m0`` for ``m``."""
    return (
        sp.Symbol(f"{symbol.name}0", positive=True) if symbol.is_positive else sp.Symbol(f"{symbol.name}0", real=True)
    )


def _symbols(expression) -> set[sp.Symbol]:
    return set(expression.free_symbols)
