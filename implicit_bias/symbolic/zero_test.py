"""Deciding whether a symbolic expression vanishes, and saying how sure the answer is.

First cheap numbers try to disprove it; only then SymPy tries to simplify it to zero. What neither decides is checked
at random points to 50 digits: that is support, not proof.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import sympy as sp

from implicit_bias.claims.verdict import Outcome
from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.sympy_call import sympy_call
from implicit_bias.symbolic.time_limit import each_within

DIGITS = 50
TRIALS = 20
_INTEGER_POINTS = 8  # the other points have signs, without which |x| − x would pass for zero
_TRUSTED_BITS = 66  # 20 digits
QUICK_TRIALS = 3  # enough to disprove nearly everything that is false, before SymPy works for seconds


@dataclass(frozen=True)
class ZeroTest:
    """Whether an expression vanishes.

    Attributes:
        outcome: PROVED (simplified to zero), SUPPORTED (zero to 50 digits at random points), REFUTED (non-zero at the
            witness) or INCONCLUSIVE (no point could be evaluated).
        witness: Values by symbol at which the expression is non-zero.
        value: The value there.
        points: How many random points were evaluated.
    """

    outcome: Outcome
    witness: Mapping[sp.Symbol, sp.Rational] | None = None
    value: sp.Expr | None = None
    points: int = 0

    @property
    def holds(self) -> bool:
        """Whether it vanishes, as far as symbols or 50 digits can tell."""
        return self.outcome in (Outcome.PROVED, Outcome.SUPPORTED)


def by_numbers(expression: sp.Expr, conditions: Sequence[sp.Expr] = (), most: int = TRIALS) -> ZeroTest:
    """Test at points where all conditions are positive: REFUTED, SUPPORTED, or INCONCLUSIVE without any point.

    Points at which a root, a logarithm or another function of the expression is not real are left out, as two imaginary
    roots have a real product.

    Args:
        expression: A SymPy expression in symbols assumed real, or of one sign.
        conditions: Expressions that are positive on the region of interest.
        most: How many points are tried.
    """
    points = 0
    region = (*conditions, *_where_real(expression))
    for point in islice(_sample(sorted(expression.free_symbols, key=str), region), most):
        value = _evaluate(expression, point)
        if value is None:
            continue
        points += 1
        # Cancellation between the terms costs digits; 20 of the 50 are kept in reserve.
        if abs(value) > sp.Float(10) ** (20 - DIGITS) * _magnitude(expression, point) and _is_stable(
            value, _evaluate(expression, point, 2 * DIGITS)
        ):
            return ZeroTest(Outcome.REFUTED, point, value, points)
    return ZeroTest(Outcome.SUPPORTED if points else Outcome.INCONCLUSIVE, points=points)


def _where_real(expression: sp.Expr) -> list[sp.Expr]:
    """Expressions that are positive where all parts of an expression are real."""
    inside: list[sp.Expr] = [node.args[0] for node in expression.atoms(sp.log)]
    inside += [node.base for node in expression.atoms(sp.Pow) if node.exp.is_Rational and not node.exp.is_Integer]
    inside += [node.args[0] - 1 for node in expression.atoms(sp.acosh)]
    inside += [1 - node.args[0] ** 2 for node in expression.atoms(sp.asin, sp.acos, sp.atanh)]
    return [e for e in dict.fromkeys(inside) if e.free_symbols and not e.is_positive]


def vanishes(expression: sp.Expr, conditions: Sequence[sp.Expr] = (), proof_time: float = math.inf) -> ZeroTest:
    """Decide whether ``expression`` is zero wherever it is real and all ``conditions`` are positive.

    Args:
        expression: A SymPy expression in symbols assumed real, or of one sign.
        conditions: Expressions that are positive on the region of interest.
        proof_time: Seconds for SymPy to simplify it to zero; after that, numbers alone decide.
    """
    if expression == 0:
        return ZeroTest(Outcome.PROVED)
    test = by_numbers(expression, conditions, QUICK_TRIALS)
    if test.outcome is Outcome.REFUTED:
        return test
    if proof_time > 0 and proved(expression, proof_time):
        return ZeroTest(Outcome.PROVED, points=test.points)
    return by_numbers(expression, conditions)


def proved(expression: sp.Expr, seconds: float) -> bool:
    """Whether SymPy simplifies the expression to zero in some seconds."""
    return all_proved([expression], seconds)[0]


def all_proved(expressions: Sequence[sp.Expr], seconds: float) -> list[bool]:
    """Whether SymPy simplifies each expression to zero in some seconds."""
    answers = each_within(seconds, simplified_to_zero, [(expression,) for expression in expressions])
    return [answer is True for answer in answers]


@lru_cache(maxsize=1024)
def simplified_to_zero(expression: sp.Expr) -> bool:
    """Whether SymPy simplifies the expression to zero, by ever stronger means."""
    for simplification in (
        sp.expand,
        lambda e: sp.expand(sp.numer(sp.together(e.rewrite(sp.exp)))),  # in a tenth of the time that simplify takes
        lambda e: sp.simplify(e.rewrite(sp.exp)),
        sp.simplify,
        lambda e: sp.simplify(sp.expand_log(e.rewrite(sp.log), force=False)),
    ):
        try:
            if sympy_call(simplification, expression) == 0:
                return True
        except UnsupportedError:  # the next simplification may succeed
            continue
    return False


def _sample(symbols: Sequence[sp.Symbol], conditions: Sequence[sp.Expr]) -> Iterator[dict[sp.Symbol, sp.Rational]]:
    """Small positive integers first, so that a witness is easy to check by hand, then random signed fractions."""
    generator = random.Random(0)  # noqa: S311
    involved = sorted(set(symbols).union(*(c.free_symbols for c in conditions)), key=str)
    found = 0
    for trial in range(50 * TRIALS):
        if trial < _INTEGER_POINTS:
            values = [sp.Integer(generator.randint(1, 1 + trial)) for _ in involved]
        else:
            values = [sp.Rational(generator.randint(-400, 400), 97) for _ in involved]
        point = {s: _as_declared(s, value) for s, value in zip(involved, values, strict=True)}
        if all((value := _evaluate(c, point)) is not None and value > 0 for c in conditions):
            found += 1
            yield point
        if found >= TRIALS or (not involved and found):
            return


def _as_declared(symbol: sp.Symbol, value: sp.Rational) -> sp.Rational:
    """A value with the sign that a symbol is declared to have."""
    if symbol.is_integer:
        value = sp.Integer(round(value))
    sign = -1 if symbol.is_nonpositive else 1
    if value == 0 and symbol.is_nonzero:
        return sp.Integer(sign)
    turned = (symbol.is_nonnegative or symbol.is_nonpositive) and sign * value < 0
    return -value if turned else value


def _evaluate(expression: sp.Expr, point: Mapping[sp.Symbol, sp.Rational], digits: int = DIGITS) -> sp.Expr | None:
    """The value to some digits, or None where it is not a finite real number."""
    exact = expression.xreplace(dict(point))
    try:
        value = exact.evalf(digits, maxn=2 * digits)
    except OverflowError:
        return None
    if value.is_Float and value._prec < _TRUSTED_BITS:
        return sp.Integer(0)  # SymPy lost nearly all digits although it worked with more of them: the terms cancel
    if not (value.is_Float or value.is_Rational):
        value = exact.evalf(digits, maxn=2 * digits, chop=True)  # roots of real numbers may pass through complex ones
    return value if value.is_Float or value.is_Rational else None


def _is_stable(value: sp.Expr, again: sp.Expr | None) -> bool:
    """Whether more digits give the same value, unlike the sine of a rounding error."""
    return again is not None and abs(value - again) < abs(value) / 2


def _magnitude(expression: sp.Expr, point: Mapping[sp.Symbol, sp.Rational]) -> sp.Expr:
    """The size of the terms that add up, the yardstick for what counts as zero."""
    values = (_evaluate(term, point) for term in sp.Add.make_args(expression))
    return max((abs(v) for v in values if v is not None), default=sp.Integer(1))
