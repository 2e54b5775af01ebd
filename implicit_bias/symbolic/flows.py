r"""Flows of vector fields in closed form: :math:`\theta' = F(\theta)`, :math:`\theta(0) = \theta_0`."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from sympy.utilities.iterables import connected_components

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import initial
from implicit_bias.symbolic.separation import scalar_flow
from implicit_bias.symbolic.sympy_call import sympy_call


def solve_flow(field: sp.Matrix, symbols: Sequence[sp.Symbol], time: sp.Symbol) -> sp.Matrix:
    """The flow of a vector field after ``time``, in the initial values of the parameters.

    Parameters that do not act on each other are solved apart: groups whose field is affine, F(θ) = Mθ + b, by the
    matrix exponential of the augmented matrix, and single parameters by separation of variables.

    Args:
        field: The components of F, one per parameter.
        symbols: The parameters, declared real.
        time: The symbol of the flow's time, declared real.

    Raises:
        UnsupportedError: If a group is of neither kind.
    """
    jacobian = field.jacobian(symbols)
    order = range(len(symbols))
    coupled = [(i, j) for i in order for j in order if i != j and field[i].has(symbols[j])]
    flow = sp.zeros(len(symbols), 1)
    for group in connected_components((list(order), coupled)):
        own = [symbols[i] for i in group]
        component = field.extract(group, [0])
        if not jacobian.extract(group, group).free_symbols & set(own):
            moved = _affine_flow(component, own, time)
        elif len(group) == 1:
            moved = [scalar_flow(component[0], own[0], time)]
        else:
            raise UnsupportedError(
                f"The field {tuple(component)} of {', '.join(map(str, own))} is neither affine nor decoupled: no "
                "closed-form flow."
            )
        for index, value in zip(group, moved, strict=True):
            flow[index] = value
    return flow


def _affine_flow(field: sp.Matrix, symbols: Sequence[sp.Symbol], time: sp.Symbol) -> list[sp.Expr]:
    size = len(symbols)
    augmented = sp.zeros(size + 1, size + 1)
    augmented[:size, :size] = field.jacobian(symbols)
    augmented[:size, size] = field.xreplace(dict.fromkeys(symbols, sp.Integer(0)))
    propagator = sympy_call(sp.Matrix.exp, augmented * time)
    if propagator.subs(time, 0).has(sp.nan, sp.zoo):  # SymPy may leave quotients such as t/t, which have no value at 0
        propagator = propagator.applyfunc(lambda entry: sympy_call(sp.cancel, entry))
    start = sp.Matrix([*(initial(s) for s in symbols), 1])
    return [sympy_call(sp.expand, moved) for moved in (propagator * start)[:size, :]]
