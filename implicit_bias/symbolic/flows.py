r"""Flows of vector fields in closed form: :math:`\theta' = F(\theta)`, :math:`\theta(0) = \theta_0`."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import initial


def solve_flow(field: sp.Matrix, symbols: Sequence[sp.Symbol], time: sp.Symbol) -> sp.Matrix:
    """The flow of a vector field after ``time``, in the initial values of the parameters.

    Covered are affine fields F(θ) = Mθ + b, through the matrix exponential of the augmented matrix.

    Args:
        field: The components of F, one per parameter.
        symbols: The parameters, declared real.
        time: The symbol of the flow's time, declared real.

    Raises:
        UnsupportedError: If the field is not affine.
    """
    jacobian = field.jacobian(symbols)
    if jacobian.free_symbols & set(symbols):
        raise UnsupportedError(
            f"The field {tuple(field)} is not affine in {', '.join(map(str, symbols))}: only affine fields have a "
            "closed-form flow here."
        )
    size = len(symbols)
    offset = field.xreplace(dict.fromkeys(symbols, sp.Integer(0)))
    augmented = sp.zeros(size + 1, size + 1)
    augmented[:size, :size] = jacobian
    augmented[:size, size] = offset
    propagator = (augmented * time).exp()
    start = sp.Matrix([*(initial(s) for s in symbols), 1])
    return (propagator * start)[:size, :].applyfunc(sp.simplify)
