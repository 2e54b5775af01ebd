r"""The type of bias: the leading term of a potential as its scale a goes to zero or to infinity.

For a start at x = 0 the potential is even, and one term of :math:`R_a(x) - R_a(0)` dominates: a multiple of :math:`|x|`
(L1) for small scales and of :math:`x^2` (L2) for large ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from implicit_bias.symbolic.assumptions import X, plain
from implicit_bias.symbolic.identities import Identity
from implicit_bias.symbolic.sine_formulas import SineFormulas
from implicit_bias.symbolic.worker import call
from implicit_bias.symbolic.zero_test import vanishes

_LIMIT_SECONDS = 60.0  # of computing, for one limit


@dataclass(frozen=True)
class LeadingTerm:
    """A term that dominates R(x) − R(0).

    Attributes:
        expression: The term, in ``x`` and the scale ``a``.
        exponent: p, where it is proportional to |x|^p: 1 for L1, 2 for L2.
        identity: The limit that shows that it dominates.
    """

    expression: sp.Expr
    exponent: sp.Expr
    identity: Identity


def small_scale(rate: sp.Expr) -> LeadingTerm:
    """The leading term for a → 0 where x(s) = a·sinh(r s)."""
    return call(_LIMIT_SECONDS, _leading_term, rate, sp.Integer(0))


def large_scale(rate: sp.Expr) -> LeadingTerm:
    """The leading term for a → ∞ where x(s) = a·sinh(r s)."""
    return call(_LIMIT_SECONDS, _leading_term, rate, sp.oo)


def _leading_term(rate: sp.Expr, end: sp.Expr) -> LeadingTerm:
    """Find the term as a limit of the mirror map, and check it as a limit of the potential."""
    formulas = SineFormulas.of(rate)
    x, a = sp.Symbol("x", positive=True), formulas.scale
    order = sp.log(1 / a) if end == 0 else 1 / a
    start = {formulas.shift: sp.Integer(0)}
    slope = formulas.mirror_map.xreplace(start | {X: x}).rewrite(sp.log)
    rise = formulas.potential.xreplace(start | {X: x}) - formulas.potential.xreplace(start | {X: sp.Integer(0)})
    leading = sp.integrate(sp.limit(slope / order, a, end), x) * order
    residual = sp.limit(sp.expand(rise.rewrite(sp.log) / leading), a, end) - 1
    term = plain(leading.xreplace({x: sp.Abs(X)}))
    identity = Identity(
        f"R(x) − R(0) is {term} to leading order",
        rf"\lim_{{a\to {sp.latex(end)}}}\frac{{R_a(x)-R_a(0)}}{{{sp.latex(term)}}}=1",
        residual,
        vanishes(residual).outcome,
    )
    return LeadingTerm(term, sp.simplify(x * sp.diff(leading, x) / leading), identity)
