r"""The largest interval of s on which a flow exists, and the interval of x that it covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import sympy as sp

from implicit_bias.symbolic.assumptions import DECAY, initial
from implicit_bias.symbolic.sympy_call import sympy_call

_ENDING_FUNCTIONS = (
    sp.tan, sp.cot, sp.coth, sp.csch, sp.asin, sp.acos, sp.acosh, sp.atanh, sp.acoth, sp.asech, sp.LambertW,
)  # fmt: skip


def time_interval(theta: sp.Matrix, levels: Sequence[sp.Expr], time: sp.Symbol) -> tuple[sp.Expr, sp.Expr] | None:
    """The ends of the open interval of times around 0 on which the flow exists, or None.

    A parameter ends where the base of a root or of a negative power, or the inside of a logarithm, reaches zero. The
    flow also ends where a level of g is zero, even if the formula of θ goes on. This finds bases that are linear in
    time and grow with a known sign; it covers no functions that end elsewhere.

    Args:
        theta: The parameters in time and the initial values.
        levels: Functions along the flow that are zero where it ends.
        time: The flow's time.
    """
    if theta.has(*_ENDING_FUNCTIONS):
        return None
    factors = [factor.as_base_exp()[0] for level in levels for factor in sp.Mul.make_args(sp.factor(level))]
    lower, upper = [-sp.oo], [sp.oo]
    for base in dict.fromkeys([*bases(theta, time), *(factor for factor in factors if factor.has(time))]):
        slope = sp.expand(base).diff(time)
        if slope.has(time):
            if base.is_positive:
                continue
            return None
        end = sp.factor_terms(sympy_call(sp.cancel, -base.xreplace({time: sp.Integer(0)}) / slope))
        without_decay = end.xreplace({DECAY: sp.Integer(0)})
        if without_decay.is_positive:
            upper.append(end)
        elif without_decay.is_negative:
            lower.append(end)
        else:
            return None
    return sp.Max(*lower), sp.Min(*upper)


def covered(curve: sp.Expr, interval: tuple[sp.Expr, sp.Expr], time: sp.Symbol) -> tuple[sp.Expr, sp.Expr] | None:
    """The limits of an increasing x(s) at both ends of its interval, or None if one of them is not found."""
    ends = []
    for end, side, infinity in zip(interval, ("+", "-"), (-sp.oo, sp.oo), strict=True):
        single = end.args if isinstance(end, (sp.Max, sp.Min)) else (end,)
        limits = {_limit(curve, time, one, side, infinity) for one in single}
        if len(limits) == 1:
            (limit,) = limits
        elif all(limit.is_finite for limit in limits):
            limit = curve.xreplace({time: end})
        else:
            return None
        if limit.has(sp.Limit, sp.AccumBounds, sp.nan, sp.I):
            return None
        ends.append(sp.factor_terms(sympy_call(sp.simplify, limit)))
    return ends[0], ends[1]


def _limit(curve: sp.Expr, time: sp.Symbol, end: sp.Expr, side: str, infinity: sp.Expr) -> sp.Expr:
    """The limit; an infinite one gets its sign from the increase of x, as SymPy may get it wrong."""
    limit = sympy_call(sp.limit, curve, time, end, side)
    return infinity if limit.has(sp.oo, -sp.oo, sp.zoo) and not limit.has(sp.Limit) else limit


def intervals(
    theta: sp.Matrix, levels: Sequence[sp.Expr], curve: sp.Expr, symbols: list[sp.Symbol], time: sp.Symbol
) -> tuple[sp.Set, sp.Set] | None:
    """The domain (an interval of x) and the dual domain (of s), by cases where signs of initial values matter."""
    start = [s for s in map(initial, symbols) if not s.is_positive]
    ends = _ends(theta, levels, curve, time) or _by_signs(theta, levels, curve, start, time)
    if ends is None:
        return None
    found = sp.Interval.open(*ends[:2]), sp.Interval.open(*ends[2:])
    return None if sp.S.EmptySet in found else found  # a curve that turns has left its interval


def _ends(theta: sp.Matrix, levels: Sequence[sp.Expr], curve: sp.Expr, time: sp.Symbol) -> list[sp.Expr] | None:
    interval = time_interval(theta, levels, time)
    if interval is None:
        return None
    reached = covered(curve, interval, time)
    return None if reached is None else [*reached, *interval]


def _by_signs(
    theta: sp.Matrix, levels: Sequence[sp.Expr], curve: sp.Expr, start: list[sp.Symbol], time: sp.Symbol
) -> list[sp.Expr] | None:
    cases = []
    for where, declared, back in by_signs(start):
        known = [level.xreplace(declared) for level in levels]
        ends = _ends(theta.xreplace(declared), known, curve.xreplace(declared), time)
        if ends is None:
            return None
        cases.append((sp.And(*where), [sp.factor_terms(end.xreplace(back)) for end in ends]))
    return [_by_case([(found[k], where) for where, found in cases]) for k in range(4)]


def by_signs(
    symbols: Sequence[sp.Symbol],
) -> Iterator[tuple[list[sp.Expr], dict[sp.Symbol, sp.Expr], dict[sp.Symbol, sp.Expr]]]:
    """Yield, for all signs of some symbols, the conditions, the symbols as sign times size, and the sizes again."""
    for signs in product((1, -1), repeat=len(symbols)):
        sizes = [sp.Dummy(s.name, positive=True) for s in symbols]
        declared = {s: sign * size for s, sign, size in zip(symbols, signs, sizes, strict=True)}
        back = {size: sign * s for s, sign, size in zip(symbols, signs, sizes, strict=True)}
        yield [s > 0 if sign > 0 else s < 0 for s, sign in zip(symbols, signs, strict=True)], declared, back


def bases(theta: sp.Matrix, time: sp.Symbol) -> list[sp.Expr]:
    """Expressions that must keep their sign in time: insides of logarithms, bases of roots and of negative powers."""
    found = [logarithm.args[0] for logarithm in theta.atoms(sp.log)]
    found += [p.base for p in theta.atoms(sp.Pow) if not (p.exp.is_Integer and p.exp.is_positive)]
    return [base for base in dict.fromkeys(found) if base.has(time)]


def _by_case(cases: list[tuple[sp.Expr, sp.Basic]]) -> sp.Expr:
    if len({value for value, _ in cases}) == 1:
        return cases[0][0]
    return sp.Piecewise(*cases[:-1], (cases[-1][0], True))
