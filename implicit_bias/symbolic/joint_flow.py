r"""Where gradient flow with a commuting regularizer is: the flow of ∇g after the flow of −∇h."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from implicit_bias.symbolic.assumptions import DECAY, Z, initial
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
        UnsupportedError: If SymPy finds no formula for one of them.
    """
    by_loss = solve_flow(sp.Matrix([sp.diff(g, s) for s in symbols]), symbols, Z)
    theta = by_loss.as_mutable()
    # Where the fields are multiples of each other, decay is a flow back.
    pulls = [_multiple(h, g, symbol) for symbol in symbols]
    others = [k for k, pull in enumerate(pulls) if pull is None]
    for k, pull in enumerate(pulls):
        if pull is not None:
            theta[k] = sp.factor_terms(by_loss[k].xreplace({Z: Z - pull * DECAY}))
    if others:
        remaining = [symbols[k] for k in others]
        by_decay = solve_flow(sp.Matrix([-sp.diff(h, s) for s in remaining]), remaining, DECAY)
        start = {initial(s): value for s, value in zip(remaining, by_decay, strict=True)}
        for k in others:
            theta[k] = sp.expand(by_loss[k].xreplace(start))
    return JointFlow(symbols, theta)


def _multiple(h: sp.Expr, g: sp.Expr, symbol: sp.Symbol) -> sp.Expr | None:
    """The constant c with ∂h = c ∂g for a parameter on its own, else None."""
    pull, slope = sp.diff(h, symbol), sp.diff(g, symbol)
    if slope == 0 or (pull.free_symbols | slope.free_symbols) - {symbol}:
        return None
    quotient = sympy_call(sp.simplify, pull / slope)
    return None if quotient.has(symbol) else quotient
