r"""Flows of vector fields in closed form: :math:`\theta' = F(\theta)`, :math:`\theta(0) = \theta_0`."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import initial


def solve_flow(field: sp.Matrix, symbols: Sequence[sp.Symbol], time: sp.Symbol) -> sp.Matrix:
    """The flow of a vector field after ``time``, in the initial values of the parameters.

    Covered are affine fields F(θ) = Mθ + b, through the matrix exponential of the augmented matrix, and fields whose
    components are powers of their own parameter, F_i = c θ_i^k, by separation of variables.

    Args:
        field: The components of F, one per parameter.
        symbols: The parameters, declared real.
        time: The symbol of the flow's time, declared real.

    Raises:
        UnsupportedError: If the field is of neither kind.
    """
    jacobian = field.jacobian(symbols)
    if jacobian.free_symbols & set(symbols):
        return sp.Matrix([_power_flow(f, s, symbols, time) for f, s in zip(field, symbols, strict=True)])
    size = len(symbols)
    offset = field.xreplace(dict.fromkeys(symbols, sp.Integer(0)))
    augmented = sp.zeros(size + 1, size + 1)
    augmented[:size, :size] = jacobian
    augmented[:size, size] = offset
    propagator = (augmented * time).exp()
    start = sp.Matrix([*(initial(s) for s in symbols), 1])
    return (propagator * start)[:size, :].applyfunc(sp.simplify)


def _power_flow(component: sp.Expr, symbol: sp.Symbol, symbols: Sequence[sp.Symbol], time: sp.Symbol) -> sp.Expr:
    """The flow of θ' = c θ^k: θ^(1−k) moves at the constant rate (1 − k) c."""
    start = initial(symbol)
    exponent = sp.simplify(symbol * sp.diff(component, symbol) / component) if component != 0 else sp.Integer(0)
    coefficient = sp.simplify(component / symbol**exponent)
    if not exponent.is_Rational or coefficient.free_symbols & set(symbols):
        raise UnsupportedError(
            f"The field component {component} is neither affine nor a power of {symbol} alone: no closed-form flow."
        )
    if exponent == 1:
        return start * sp.exp(coefficient * time)
    return start * (1 + (1 - exponent) * coefficient * start ** (exponent - 1) * time) ** (1 / (1 - exponent))
