r"""The flow of one parameter by itself, :math:`\theta' = \varphi(\theta)`, by separation of variables."""

from __future__ import annotations

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import initial
from implicit_bias.symbolic.solving import solutions
from implicit_bias.symbolic.sympy_call import sympy_call
from implicit_bias.symbolic.zero_test import vanishes


def scalar_flow(component: sp.Expr, symbol: sp.Symbol, time: sp.Symbol) -> sp.Expr:
    r"""The solution of :math:`\theta' = \varphi(\theta)`, where :math:`\int d\theta/\varphi` grows like time.

    Where that integral cannot be inverted, the same is tried for :math:`y = \int\varphi\,d\theta`, which follows
    :math:`y' = \varphi^2`: in the direction of a gradient it is the function itself.

    Args:
        component: φ in the symbol alone.
        symbol: The parameter.
        time: The symbol of the flow's time.

    Raises:
        UnsupportedError: If neither has a closed form.
    """
    power = _power_flow(component, symbol, time)
    if power is not None:
        return power
    found = _separated(component, symbol, time, initial(symbol))
    return _through_the_primitive(component, symbol, time) if found is None else found


def _power_flow(component: sp.Expr, symbol: sp.Symbol, time: sp.Symbol) -> sp.Expr | None:
    """The flow of θ' = c θ^k: θ^(1−k) moves at the constant rate (1 − k) c."""
    start = initial(symbol)
    exponent = (
        sympy_call(sp.simplify, symbol * sp.diff(component, symbol) / component) if component != 0 else sp.Integer(0)
    )
    coefficient = sympy_call(sp.simplify, component / symbol**exponent)
    if not exponent.is_Rational or coefficient.has(symbol):
        return None
    if exponent == 1:
        return start * sp.exp(coefficient * time)
    return start * (1 + (1 - exponent) * coefficient * start ** (exponent - 1) * time) ** (1 / (1 - exponent))


def _separated(velocity: sp.Expr, variable: sp.Symbol, time: sp.Symbol, start: sp.Expr) -> sp.Expr | None:
    clock = real_logarithms(
        sympy_call(sp.integrate, sp.expand(sympy_call(sp.simplify, 1 / velocity)), variable), variable, start
    )
    if clock.has(sp.Integral, sp.Piecewise):
        return None
    for found in solutions(clock, variable, clock.xreplace({variable: start}) + time):
        if vanishes(found.xreplace({time: sp.Integer(0)}) - start, proof_time=0).holds:
            return sympy_call(sp.simplify, found)
    return None


def _through_the_primitive(component: sp.Expr, symbol: sp.Symbol, time: sp.Symbol) -> sp.Expr:
    y, start = sp.Dummy("y", real=True), initial(symbol)
    primitive = sympy_call(sp.integrate, component, symbol)
    if not primitive.has(sp.Integral):
        for branch in solutions(primitive, symbol, y):
            if not vanishes(branch.xreplace({y: primitive}) - symbol, proof_time=0).holds:
                continue
            velocity = sympy_call(sp.simplify, component.xreplace({symbol: branch}) ** 2)
            moved = _separated(velocity, y, time, primitive.xreplace({symbol: start}))
            if moved is not None:
                return sympy_call(sp.simplify, branch.xreplace({y: moved}))
    raise UnsupportedError(f"No closed form of the flow of the field {component} of {symbol} was found.")


def real_logarithms(expression: sp.Expr, variable: sp.Symbol, start: sp.Expr) -> sp.Expr:
    """An antiderivative with log(−f) for every log(f) where f is negative; they differ by a constant."""
    negated = {}
    for logarithm in expression.atoms(sp.log):
        inside = logarithm.args[0].xreplace({variable: start})
        # At the start of the dual flow, which is 0, it may be a number.
        if inside.is_negative or (inside.free_symbols and vanishes(inside + sp.Abs(inside), proof_time=0).holds):
            negated[logarithm] = sp.log(-logarithm.args[0])
    return expression.xreplace(negated)
