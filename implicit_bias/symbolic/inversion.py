r"""Inverting s ↦ x(s), the weight reached by the flow of ∇g after time s."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from implicit_bias.claims.verdict import Outcome
from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import Constant
from implicit_bias.symbolic.sympy_call import sympy_call
from implicit_bias.symbolic.zero_test import by_numbers


@dataclass(frozen=True)
class SineForm:
    r""":math:`x(s) = a\sinh(r s + b)`: scale, rate and shift, under positivity conditions on the initial values.

    Attributes:
        scale: a, positive on the region.
        log_scale: log a as a sum of real logarithms, which stays finite where a underflows.
        rate: r, positive.
        shift: b, real on the region.
        conditions: Expressions in the initial values that must be positive.
    """

    scale: sp.Expr
    log_scale: sp.Expr
    rate: sp.Expr
    shift: sp.Expr
    conditions: tuple[sp.Expr, ...]


def exponential_terms(expression: sp.Expr, time: sp.Symbol) -> dict[sp.Expr, sp.Expr] | None:
    r"""Write an expression as :math:`\sum_k c_k e^{\lambda_k s}`: coefficients by exponent, else None."""
    expression = sp.Integer(0) + expression  # a plain number becomes a SymPy one
    moving_exponentials = any(e.has(time) for e in expression.atoms(sp.exp, sp.sinh, sp.cosh))
    if expression.has(time) and not moving_exponentials:
        return None
    terms: dict[sp.Expr, sp.Expr] = {}
    for term in sp.Add.make_args(sp.expand(expression.rewrite(sp.exp), power_exp=True, mul=True)):
        coefficient, moving = term.as_independent(time, as_Add=False)
        exponent = sp.expand(sp.log(moving), force=True) if moving != 1 else sp.Integer(0)
        exponent = sympy_call(sp.simplify, exponent)
        rate = sp.diff(exponent, time)
        if rate.has(time):
            return None
        constant = sympy_call(sp.simplify, exponent - rate * time)
        terms[rate] = terms.get(rate, sp.Integer(0)) + coefficient * sp.exp(constant)
    return {rate: sympy_call(sp.factor, value) for rate, value in terms.items() if not _is_zero(value)}


def _is_zero(value: sp.Expr) -> bool:
    """Whether SymPy simplifies it to zero; numbers say sooner that it is not."""
    return by_numbers(value).outcome is not Outcome.REFUTED and sympy_call(sp.simplify, value) == 0


def invert(curve: sp.Expr, time: sp.Symbol) -> SineForm:
    r"""Recognize :math:`x(s) = c_+e^{rs} - c_-e^{-rs}` with positive :math:`c_\pm` and solve it for s.

    Such a curve is :math:`a\sinh(rs+b)` with :math:`a = 2\sqrt{c_+c_-}` and :math:`b = \frac12\log(c_+/c_-)`.

    Args:
        curve: x(s) in ``time`` and the initial values.
        time: The flow time s.

    Raises:
        UnsupportedError: If the curve has another form.
    """
    terms = exponential_terms(curve, time)
    if terms is None or len(terms) != 2 or sum(terms) != 0 or not all(rate.is_extended_real for rate in terms):
        raise UnsupportedError(f"x(s) = {curve} is not of the form a·sinh(r s + b), whose inverse is known.")
    rate = next((rate for rate in terms if rate.is_positive), None)
    if rate is None:
        raise UnsupportedError(f"x(s) = {curve} rises at a rate whose sign is not known: no closed-form inverse here.")
    rising, falling = terms[rate], sympy_call(sp.factor, -terms[-rate])
    try:
        root, conditions = _positive_root(rising * falling)
        quotient, more = _positive_root(sympy_call(sp.cancel, rising / falling))
        return SineForm(
            scale=sp.factor_terms(sp.expand(2 * root)),
            log_scale=_log_of_positive(2 * root),
            rate=rate,
            shift=_tidy_log(quotient),
            conditions=tuple(dict.fromkeys((*conditions, *more))),
        )
    except sp.PolynomialError:
        raise UnsupportedError(
            f"x(s) has the coefficients {rising} and {falling}, whose signs are not decided by polynomials in the "
            "initial values: no closed-form inverse here."
        ) from None


def _log_of_positive(product: sp.Expr) -> sp.Expr:
    """The logarithm of a positive product as a sum of real logarithms of its factors."""
    total = sp.Integer(0)
    for factor in sp.Mul.make_args(sympy_call(sp.factor, product)):
        base, power = factor.as_base_exp()
        if isinstance(factor, sp.exp):
            total += factor.args[0]
        elif factor.free_symbols:
            total += power * sp.log(_leading_positive(base))
        else:
            total += sp.log(abs(factor))
    return total


def _tidy_log(quotient: sp.Expr) -> sp.Expr:
    """The logarithm of a positive quotient, without the minus signs that numerator and denominator share.

    Exponentials leave the logarithm, so that none can overflow.
    """
    exponent = sp.Integer(0)
    others = []
    for factor in sp.Mul.make_args(sympy_call(sp.factor, quotient)):
        base, power = factor.as_base_exp()
        if base == sp.E:
            exponent += power
        else:
            others.append(factor)
    numerator, denominator = sp.fraction(sp.Mul(*others))
    if numerator.free_symbols and denominator.free_symbols:
        return exponent + sp.log(_leading_positive(numerator) / _leading_positive(denominator))
    return exponent + sp.log(numerator / denominator)


def _positive_root(expression: sp.Expr) -> tuple[sp.Expr, tuple[sp.Expr, ...]]:
    """The square root of a product of squares, with each |e| replaced by e and e > 0 noted as a condition."""
    root = sp.sqrt(sympy_call(sp.factor, expression))
    conditions = []
    for magnitude in sorted(root.atoms(sp.Abs), key=str):
        inner = _leading_positive(magnitude.args[0])
        conditions.append(inner)
        root = root.xreplace({magnitude: inner})
    return root, tuple(conditions)


def _leading_positive(expression: sp.Expr) -> sp.Expr:
    """The expression or its negative, such that the first symbol, constants last, enters with a positive sign."""
    first = min(expression.free_symbols, key=lambda s: (isinstance(s, Constant), s.name))
    leading = sp.Poly(expression, first).LC()
    return -expression if leading.could_extract_minus_sign() else expression
