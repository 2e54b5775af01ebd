r"""All formulas that follow from :math:`x(s) = a\sinh(r s + b)`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from implicit_bias.symbolic.assumptions import X, Z


@dataclass(frozen=True)
class SineFormulas:
    """The formulas for symbols a > 0 (the scale) and b (the shift) and a given rate."""

    rate: sp.Expr
    scale: sp.Symbol
    shift: sp.Symbol
    potential: sp.Expr
    mirror_map: sp.Expr
    inverse_mirror_map: sp.Expr
    conjugate: sp.Expr
    metric: sp.Expr

    @classmethod
    @lru_cache
    def of(cls, rate: sp.Expr) -> SineFormulas:
        """The formulas of one rate."""
        a, b = sp.Symbol("a", positive=True), sp.Symbol("b", real=True)
        mirror_map = (sp.asinh(X / a) - b) / rate
        inverse = a * sp.sinh(rate * Z + b)
        conjugate = sp.integrate(inverse, Z)
        # The integral of the mirror map by Legendre's transform, x s − R*(s) at s = R'(x), instead of by parts.
        potential = sp.expand(sp.simplify(X * mirror_map - conjugate.xreplace({Z: mirror_map})))
        metric = sp.simplify(1 / sp.diff(mirror_map, X))
        return cls(rate, a, b, potential, mirror_map, inverse, conjugate, metric)
