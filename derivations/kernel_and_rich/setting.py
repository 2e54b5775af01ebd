"""The weights of the paper, one coordinate each: every formula of it acts coordinate by coordinate."""

from __future__ import annotations

import sympy as sp

alpha, omega = sp.symbols("alpha omega", positive=True)  # the scale α and the shape w_0 of the initialization
beta = sp.Symbol("beta", real=True)
size = sp.Symbol("b", positive=True)  # |β|, where a formula is even
z = sp.Symbol("z", real=True)
dual = sp.Symbol("s", real=True)


def q(point: sp.Expr) -> sp.Expr:
    """∫₀ᶻ arcsinh(u/2) du, the antiderivative of a table."""
    return point * sp.asinh(point / 2) - sp.sqrt(point**2 + 4) + 2


def potential(scale: sp.Expr, weight: sp.Expr) -> sp.Expr:
    """Q of one coordinate, scale · q(weight/scale), where the scale is α² or α²w_0²."""
    return 2 * scale - sp.sqrt(4 * scale**2 + weight**2) + weight * sp.asinh(weight / (2 * scale))
