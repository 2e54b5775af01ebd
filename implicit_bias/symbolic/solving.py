"""Solving one equation for one variable, step by step from the outside.

SymPy's general solver searches long and drops branches under assumptions; the equations here are nested few-term
expressions, which are undone layer by layer.
"""

from __future__ import annotations

import sympy as sp

from implicit_bias.symbolic.sympy_call import sympy_call

_MULTIPLES = (1, 2, 4)  # tried before taking exponentials, as logarithms come with halves and quarters


def solutions(expression: sp.Expr, variable: sp.Symbol, value: sp.Expr) -> list[sp.Expr]:
    """Candidates for the variable at which the expression takes a value, other branches included.

    Undoes sums, products, powers and functions in which the variable stands once. Where it stands several times, the
    equation must be linear or quadratic in the variable, in one exponential or in one function of it, if need be after
    taking exponentials of logarithms.
    """
    if expression == variable:
        return [value]
    if not expression.has(variable):
        return []
    if expression.is_Add or expression.is_Mul:
        fixed, moving = expression.as_independent(variable, as_Add=expression.is_Add)
        if moving != expression:
            return solutions(moving, variable, value - fixed if expression.is_Add else value / fixed)
    if isinstance(expression, sp.Pow) and not expression.exp.has(variable):
        root = value ** (1 / expression.exp)
        negative = [-root] if expression.exp.is_Integer and expression.exp % 2 == 0 else []
        return [found for level in (root, *negative) for found in solutions(expression.base, variable, level)]
    if isinstance(expression, sp.Function) and hasattr(expression, "inverse"):
        return solutions(expression.args[0], variable, expression.inverse()(value))
    for multiple in _MULTIPLES if expression.has(sp.log) else ():
        found = _of_kernel(sympy_call(sp.simplify, sp.exp(multiple * expression)), variable, sp.exp(multiple * value))
        if found:
            return found
    return _of_kernel(expression, variable, value)


def _of_kernel(expression: sp.Expr, variable: sp.Symbol, value: sp.Expr) -> list[sp.Expr]:
    """Solutions of an equation that is linear or quadratic in one expression that holds the variable."""
    y = sp.Dummy("y", positive=True)
    expression = sp.powsimp(sp.expand(expression))
    for kernel in _kernels(expression, variable):
        if isinstance(kernel, sp.exp):
            rate = kernel.args[0].diff(variable)
            rewritten = sp.expand(expression, power_exp=True).xreplace({variable: sp.log(y) / rate})
            rewritten = sp.powsimp(sp.expand(rewritten))
        else:
            rewritten = expression.xreplace({kernel: y})
        if rewritten.has(variable):
            continue
        numerator = sp.numer(sp.together(rewritten - value))
        if not numerator.is_polynomial(y) or not 1 <= sp.degree(numerator, y) <= 2:
            continue
        return [found for root in _roots(sp.Poly(numerator, y)) for found in solutions(kernel, variable, root)]
    return []


def _kernels(expression: sp.Expr, variable: sp.Symbol) -> list[sp.Expr]:
    """Terms in which the expression may be rational: the exponential of the slowest rate, functions, the variable."""
    slopes = {abs(e.args[0].diff(variable)) for e in expression.atoms(sp.exp)}
    rates = sorted(slope for slope in slopes - {0} if slope.is_number and slope.is_extended_real)
    slowest = [sp.exp(rates[0] * variable)] if rates else []
    functions = [
        f for f in expression.atoms(sp.Function) if f.has(variable) and hasattr(f, "inverse") and f != expression
    ]
    return [*slowest, *sorted(functions, key=sp.default_sort_key), variable]


def _roots(polynomial: sp.Poly) -> list[sp.Expr]:
    *square, slope, offset = polynomial.all_coeffs()
    if not square:
        return [sympy_call(sp.cancel, -offset / slope)]
    # Not the root of the quotient, which would change branches where the leading coefficient changes sign.
    root = sp.sqrt(sympy_call(sp.factor, slope**2 - 4 * square[0] * offset))
    return [(sign * root - slope) / (2 * square[0]) for sign in (1, -1)]
