r"""Where gradient flow with a commuting regularizer is: the flow of ∇g after the flow of −∇h."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import DECAY, Z, constants_in, initial, slope
from implicit_bias.symbolic.flows import solve_flow
from implicit_bias.symbolic.sympy_call import sympy_call


@dataclass(frozen=True)
class JointFlow:
    """θ(s, A): the flow of ∇g for time s after the flow of −∇h for time A, with s written z."""

    symbols: list[sp.Symbol]
    theta: sp.Matrix

    def along(self, expression):
        """A function (or column of functions) of θ, evaluated on the flow."""
        return expression.xreplace(dict(zip(self.symbols, self.theta, strict=True)))


def joint_flow(g: sp.Expr, h: sp.Expr, symbols: list[sp.Symbol]) -> JointFlow:
    """Solve the flows of ∇g and −∇h, which commute.

    Raises:
        UnsupportedError: If SymPy finds no formula for one of them, or g or h jumps.
    """
    rise, pull = (sp.Matrix([slope(function, s) for s in symbols]) for function in (g, h))
    if rise.has(sp.DiracDelta) or pull.has(sp.DiracDelta):
        raise UnsupportedError("A formula that jumps has no flow.")
    by_loss = solve_flow(rise, symbols, Z)
    theta = by_loss.as_mutable()
    # Where the fields are multiples of each other, decay runs the flow backwards.
    factors = [_factor(*slopes) for slopes in zip(pull, rise, symbols, strict=True)]
    others = [k for k, factor in enumerate(factors) if factor is None]
    for k, factor in enumerate(factors):
        if factor is not None:
            theta[k] = sp.factor_terms(by_loss[k].xreplace({Z: Z - factor * DECAY}))
    if others:
        remaining = [symbols[k] for k in others]
        by_decay = solve_flow(-pull.extract(others, [0]), remaining, DECAY)
        start = {initial(s): value for s, value in zip(remaining, by_decay, strict=True)}
        for k in others:
            theta[k] = sp.expand(by_loss[k].xreplace(start))
    return JointFlow(symbols, theta)


def _factor(pull: sp.Expr, rise: sp.Expr, symbol: sp.Symbol) -> sp.Expr | None:
    """The constant c with ∂h = c ∂g for a parameter on its own, else None."""
    if rise == 0 or (pull.free_symbols | rise.free_symbols) - {symbol, *constants_in(pull, rise)}:
        return None
    quotient = sympy_call(sp.simplify, pull / rise)
    return None if quotient.has(symbol) else quotient
