"""Values of trees in ball arithmetic: the true value is inside the ball, whatever rounding does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from implicit_bias.claims.domain import fraction
from implicit_bias.errors import InputError, require

require("judge", "flint")

import flint  # noqa: E402 - the check for it comes before its import
from flint import arb  # noqa: E402

if TYPE_CHECKING:
    from implicit_bias.claims.tree import Tree

LEAST_BITS = 256
MOST_BITS = 8192
RELATIVE_RADIUS = arb("1e-30")  # of a side's ball, at most, against the larger side


def _sign(ball: arb) -> arb:
    return ball.sgn() if ball.is_finite() else ball - ball  # arb gives [-1, 1] for what is no number


_OF_ONE: dict[str, Callable[[arb], arb]] = {
    "Abs": abs, "exp": arb.exp, "log": arb.log, "LambertW": arb.lambertw, "sign": _sign,
    "sin": arb.sin, "cos": arb.cos, "tan": arb.tan, "cot": arb.cot, "asin": arb.asin, "acos": arb.acos,
    "atan": arb.atan, "sinh": arb.sinh, "cosh": arb.cosh, "tanh": arb.tanh, "coth": arb.coth, "sech": arb.sech,
    "csch": arb.csch, "asinh": arb.asinh, "acosh": arb.acosh, "atanh": arb.atanh,
}  # fmt: skip


def enclosure(tree: Tree, numbers: Mapping[str, Fraction], bits: int) -> arb:
    """A ball around the value of a tree at some numbers; not finite where it is no real number.

    Raises:
        InputError: If it is no tree, or a symbol has no number.
    """
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        return _value(tree, {name: _ball(number) for name, number in numbers.items()})
    finally:
        flint.ctx.prec = before


def _ball(number: Fraction) -> arb:
    return arb(flint.fmpq(number.numerator, number.denominator))


def _value(tree: Tree, numbers: Mapping[str, arb]) -> arb:
    match tree:
        case str():
            return _ball(fraction(tree))
        case ["Symbol", str() as name] if name in numbers:
            return numbers[name]
        case ["pi"]:
            return arb.pi()
        case ["E"]:
            return arb(1).exp()
        case ["Pow", base, exponent]:
            return _power(_value(base, numbers), exponent, numbers)
        case ["Add", *arguments] if arguments:
            return sum((_value(argument, numbers) for argument in arguments), arb(0))
        case ["Mul", *arguments] if arguments:
            product = arb(1)
            for argument in arguments:
                product *= _value(argument, numbers)
            return product
        case ["Max" | "Min" as name, *arguments] if arguments:
            first, *others = (_value(argument, numbers) for argument in arguments)
            for other in others:
                first = first.max(other) if name == "Max" else first.min(other)
            return first
        case ["log", argument, base]:
            return _value(argument, numbers).log() / _value(base, numbers).log()
        case [str() as name, argument] if name in _OF_ONE:
            return _OF_ONE[name](_value(argument, numbers))
    raise InputError(f"Expected the tree of an expression whose symbols have numbers, got {str(tree)[:80]}.")


def _power(base: arb, exponent: Tree, numbers: Mapping[str, arb]) -> arb:
    """Powers of exact zero, and integer powers and roots without a logarithm, which zero and negative numbers lack."""
    power = fraction(exponent) if isinstance(exponent, str) else None
    if power is None:
        return base ** _value(exponent, numbers)
    if power.denominator == 1:
        raised = base ** abs(power.numerator)
        return raised if power >= 0 else 1 / raised
    if power.denominator == 2:
        return base.sqrt() ** power.numerator if power > 0 else 1 / base.sqrt() ** -power.numerator
    if base == 0 and power > 0:
        return arb(0)
    return base ** _ball(power)
