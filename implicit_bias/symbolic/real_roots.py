r"""Roots of powers where they are real: :math:`(x^3)^{1/3}` is x there, which SymPy does not say of a real x.

SymPy takes the root of a negative number to be complex, so a formula with such a root is real only where its radicand
is not negative, and that says more of the parts of the radicand than their being real.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import sympy as sp

from implicit_bias.symbolic.sympy_call import sympy_call


def real_roots(expression: sp.Expr) -> sp.Expr:
    r"""The expression with the roots of odd powers taken, equal to it wherever all its roots are real.

    For odd n a radicand :math:`c\,e^n \ge 0` has :math:`\operatorname{sgn}(c)\,e \ge 0`, so that
    :math:`(c\,e^n)^{p/q} = |c|^{p/q}(\operatorname{sgn}(c)\,e)^{np/q}`; and a symbol under a root is not negative.

    Raises:
        UnsupportedError: If SymPy fails to factor a radicand.

    >>> x = sp.Symbol("x", real=True)
    >>> real_roots((x**3) ** sp.Rational(1, 3)), real_roots(sp.sqrt(x**2)), real_roots(sp.sqrt(x**2) / sp.sqrt(x))
    (x, Abs(x), sqrt(x))
    """
    under_roots = {root.base for root in expression.atoms(sp.Pow) if _is_root(root) and root.base.is_Symbol}
    positive = {symbol: sp.Dummy(symbol.name, positive=True) for symbol in under_roots}
    found = expression.xreplace(positive).replace(_is_root, _of_odd_power)
    return found.xreplace({dummy: symbol for symbol, dummy in positive.items()})


def radicands(expression: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]) -> dict[sp.Expr, sp.Expr]:
    """What the expression takes roots of, and its simplified form at values of some symbols.

    Raises:
        UnsupportedError: If SymPy fails to simplify one.
    """
    found = {root.base for root in expression.atoms(sp.Pow) if _is_root(root)}
    return {
        each: sympy_call(sp.simplify, each.xreplace(dict(values))) for each in sorted(found, key=sp.default_sort_key)
    }


def _is_root(expression: sp.Basic) -> bool:
    return isinstance(expression, sp.Pow) and expression.exp.is_Rational and not expression.exp.is_Integer


def _of_odd_power(root: sp.Pow) -> sp.Expr:
    """(c eⁿ)^(p/q) with the largest odd n that divides all exponents of the factored radicand taken out."""
    coefficient, rest = sympy_call(sp.factor, root.base).as_coeff_Mul()
    powers = {base: exponent for base, exponent in rest.as_powers_dict().items() if base != 1}
    if not powers or not coefficient.is_Rational or not all(exponent.is_Rational for exponent in powers.values()):
        return root
    n = math.gcd(*(int(exponent.p) for exponent in powers.values()))
    n //= n & -n  # without its powers of two
    inside = sp.Mul(sp.sign(coefficient), *(base ** (exponent / n) for base, exponent in powers.items()))
    return abs(coefficient) ** root.exp * inside ** (n * root.exp) if n > 1 else root
