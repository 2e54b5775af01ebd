r"""Where fields are not smooth, and whether a flow crosses such points.

A function such as :math:`|e|`, :math:`e^{3/2}` or :math:`\log e` is smooth on either side of e = 0 only: e is a
*level* of the formula. Levels are read off the formula; numbers of many digits, at random points with e = 0, tell how a
field behaves there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any

import mpmath as mp
import sympy as sp

from implicit_bias.symbolic.assumptions import Constant, constants_in, plain, real, slope
from implicit_bias.symbolic.compiled import with_many_digits

_DIGITS = 90
# A field is compared with itself on both sides of a level, at two distances from it.
_DISTANCE, _SHORT_DISTANCE = mp.mpf("1e-12"), mp.mpf("1e-36")
_STEEPENING_RATIO = 1.5  # of the difference quotients, above which they are unbounded
_JUMP_RATIO = 0.9  # of the gaps, above which there is a jump
_VANISHING_RATIO = 0.9  # of the speeds, below which they vanish on the level
_CROSSING_TOLERANCE = mp.mpf("1e-6")  # of the part across a level, relative to the field; it may vanish slowly
_APART = 1e-9  # a point where another level is smaller lies on both
_POINTS_ON_A_LEVEL = 4
_DRAWS_OF_CONSTANTS = 3
_MAX_ATTEMPTS = 40

Digits = Any  # a number of mpmath, whose type is made at run time
Point = list[Digits]
Field = Callable[..., list]


def levels(formulas: Sequence[sp.Expr]) -> list[sp.Expr]:
    """Expressions on whose zeros the formulas may not be smooth, in plain symbols, if they may have zeros.

    >>> u, v = sp.symbols("u v")
    >>> levels([sp.Abs(u * v) + sp.sqrt(v), sp.exp(u)])
    [u, v]
    """
    found: dict[sp.Expr, None] = {}
    for formula in formulas:
        for node in sp.preorder_traversal(real(formula)):
            for level in _of(node):
                for factor in sp.Mul.make_args(sp.factor_terms(level)):
                    base = factor.as_base_exp()[0]
                    if base.free_symbols and not (base.is_positive or base.is_negative or isinstance(base, sp.Abs)):
                        found[plain(base)] = None
    return sorted(found, key=sp.default_sort_key)


def _of(node: sp.Basic) -> tuple[sp.Expr, ...]:
    if isinstance(node, sp.Pow) and not (node.exp.is_Integer and node.exp > 0):
        return (node.base,)
    if isinstance(node, (sp.Abs, sp.sign, sp.DiracDelta, sp.log)):
        return (node.args[0],)
    if isinstance(node, (sp.asin, sp.acos, sp.atanh)):
        return (1 - node.args[0], 1 + node.args[0])
    if isinstance(node, sp.acosh):
        return (node.args[0] - 1,)
    if isinstance(node, sp.tan):
        return (sp.cos(node.args[0]),)
    return ()


@dataclass(frozen=True)
class Crossing:
    """A point on a level, and how a field behaves across it.

    Attributes:
        point: The parameters.
        is_smooth: Whether the field is defined on both sides and Lipschitz there, so that it has one flow.
        goes_on: Whether it has one flow although it is not smooth, as it is continuous and crosses.
        leaves: Whether it does not run along the level, so that the flow leaves one side.
        crosses: Whether it points through the level in one direction, with a speed that does not vanish on the way.
    """

    point: dict[sp.Symbol, float]
    is_smooth: bool
    goes_on: bool
    leaves: bool
    crosses: bool = False

    @property
    def is_passed(self) -> bool:
        """Whether the field has one flow there."""
        return self.is_smooth or self.goes_on

    def is_crossed_by(self, other: Crossing) -> bool:
        """Whether this field is not smooth at the point where the flow of the other one leads through the level."""
        return not self.is_smooth and other.is_passed and other.crosses


def ends_of_flow(
    formula: sp.Expr, field: sp.Matrix, symbols: Sequence[sp.Symbol], *, through_jumps: bool = False
) -> list[sp.Expr]:
    """The levels of a formula at which the flow of a field, such as its gradient, ends; all in plain symbols.

    Beyond such a level the formula is not real, or the field jumps there, or several flows go on from it. A level on
    which no point was found counts as one.

    Args:
        formula: The formula.
        field: The field, a column.
        symbols: The parameters.
        through_jumps: Whether the flow goes on where the field jumps but crosses in one direction, as the fields of
            steepest descent do. These rest where two levels meet, and no other flow gets there.
    """
    known = levels([formula, *field])

    def is_passed(level: sp.Expr) -> bool:
        found = [crossing for (crossing,) in crossings(level, [field], symbols)]
        if not through_jumps:
            return bool(found) and all(one.is_passed for one in found)
        others = [other for other in known if other != level]
        alone = [one for one in found if all(abs(other.evalf(subs=one.point)) > _APART for other in others)]
        return bool(alone) and all(one.is_passed or one.crosses for one in alone)

    return [level for level in known if not is_passed(level)]


def crossings(
    level: sp.Expr, fields: Sequence[sp.Matrix], symbols: Sequence[sp.Symbol]
) -> Iterator[tuple[Crossing, ...]]:
    """Points where an expression changes sign, each with the behaviour of every field there; none if none is found."""
    constants = constants_in(level, *fields)
    if constants:
        for numbers in _draws(constants):
            known = [field.xreplace(numbers) for field in fields]
            at = {constant: float(number) for constant, number in numbers.items()}
            for found in crossings(level.xreplace(numbers), known, symbols):
                yield tuple(replace(crossing, point=crossing.point | at) for crossing in found)
        return
    with mp.workdps(_DIGITS):
        height = _function(symbols, [level])
        normal = _function(symbols, [slope(real(level), real(s)) for s in symbols])
        functions = [_function(symbols, list(field)) for field in fields]
        for one, other in islice(_points(height, len(symbols)), _POINTS_ON_A_LEVEL):
            yield tuple(_crossing(one, other, normal, field, symbols) for field in functions)


def _draws(constants: Sequence[Constant]) -> Iterator[dict[sp.Symbol, sp.Rational]]:
    """Yield positive numbers for all constants, a few times; every other time they are less than 1."""
    generator = random.Random(0)  # noqa: S311
    for k in range(_DRAWS_OF_CONSTANTS):
        yield {constant: sp.Rational(generator.randint(1, 4 if k % 2 else 20), 5) for constant in constants}


def _function(symbols: Sequence[sp.Symbol], formulas: Sequence[sp.Expr]) -> Field:
    """The values at a point, None where one is not a finite real number.

    Point masses, which derivatives of formulas that jump have, become jumps, which are seen as well.
    """
    plain_formulas = [plain(f).replace(sp.DiracDelta, sp.sign) for f in formulas]
    compiled = with_many_digits([plain(symbol) for symbol in symbols], plain_formulas)

    def values(point: Point) -> Point | None:
        try:
            found = [mp.mpmathify(value) for value in compiled(*point)]
        except (ArithmeticError, ValueError):
            return None
        if any(isinstance(value, mp.mpc) and value.imag != 0 for value in found):
            return None
        found = [mp.re(value) for value in found]
        return found if all(map(mp.isfinite, found)) else None

    return values


def _points(height: Field, size: int) -> Iterator[tuple[Point, Point]]:
    """Points just below and just above a level, the simplest ones first."""
    generator = random.Random(0)  # noqa: S311
    for attempt in range(_MAX_ATTEMPTS):
        span = 1 if attempt < _MAX_ATTEMPTS // 4 else 3
        low, high = ([mp.mpf(generator.randint(-4 * span, 4 * span)) / span for _ in range(size)] for _ in "ab")
        if attempt < _MAX_ATTEMPTS // 2:  # along one axis, so that the other parameters keep simple values
            axis = attempt % size
            low = [high[k] if k != axis else low[k] for k in range(size)]
        below, above = height(low), height(high)
        if below is None or above is None or mp.sign(below[0]) * mp.sign(above[0]) >= 0:
            continue
        sign = mp.sign(below[0])
        for _ in range(4 * _DIGITS):
            middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
            value = height(middle)
            if value is None:
                break
            low, high = (middle, high) if mp.sign(value[0]) == sign else (low, middle)
        else:
            yield low, high


def _crossing(low: Point, high: Point, normal: Field, field: Field, symbols: Sequence[sp.Symbol]) -> Crossing:
    steepest = normal(low) or normal(high) or [mp.mpf(1)] * len(low)
    length = mp.norm(steepest) or mp.mpf(1)
    direction = [component / length for component in steepest]
    middle = [mp.chop((a + b) / 2, mp.mpf(10) ** -(_DIGITS // 2)) for a, b in zip(low, high, strict=True)]
    at = {symbol: float(value) for symbol, value in zip(symbols, middle, strict=True)}

    def at_distances(distance: Digits) -> list[Point] | None:
        steps = [s * distance for s in (-1, -0.5, 0.5, 1)]
        found = [field([a + s * d for a, d in zip(low, direction, strict=True)]) for s in steps]
        return None if any(values is None for values in found) else [values for values in found if values is not None]

    far, near = at_distances(_DISTANCE), at_distances(_SHORT_DISTANCE)
    if far is None or near is None:
        return Crossing(at, is_smooth=False, goes_on=False, leaves=True)
    far_gap, gap = _largest_gap(far), _largest_gap(near)
    below, above = near[0], near[-1]
    size = mp.norm(below) + mp.norm(above)
    noise = mp.mpf(10) ** -(_DIGITS // 2) * size
    is_smooth = gap / _SHORT_DISTANCE <= _STEEPENING_RATIO * far_gap / _DISTANCE + noise / _SHORT_DISTANCE
    through = [mp.fdot(values, direction) for values in (below, above)]
    leaves = [abs(speed) > _CROSSING_TOLERANCE * size for speed in through]
    # A speed that vanishes on the level, like √|u|, leads to it in finite time, and then on at any time.
    keeps_speed = abs(through[0]) > _VANISHING_RATIO * abs(mp.fdot(far[0], direction))
    is_continuous = gap <= _JUMP_RATIO * far_gap
    crosses = bool(keeps_speed and all(leaves) and through[0] * through[1] > 0)
    return Crossing(
        at,
        is_smooth=bool(is_smooth),
        goes_on=bool(is_continuous and crosses),
        leaves=any(leaves),
        crosses=crosses,
    )


def _largest_gap(values: Sequence[Point]) -> Digits:
    """The largest distance of neighbours among four points across a level: 1/u² and √|u| are even, and not smooth."""
    return max(mp.norm([b - a for a, b in zip(one, other, strict=True)]) for one, other in pairwise(values))
