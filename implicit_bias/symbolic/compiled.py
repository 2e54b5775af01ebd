"""Formulas as NumPy functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import sympy as sp

from implicit_bias.errors import UnsupportedError


def compiled(symbols: Sequence[sp.Symbol], formulas: Sequence[sp.Expr]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of values stacked as (p, ...) that stacks the formulas' values as (k, ...).

    The formulas come from the whitelist of :mod:`implicit_bias.symbolic.formulas`; nothing else may be compiled.

    Raises:
        UnsupportedError: If a formula holds a point mass.
    """
    if any(formula.has(sp.DiracDelta) for formula in formulas):
        raise UnsupportedError("The formula jumps, so it has no gradient flow: use one that is continuous.")
    function = sp.lambdify(list(symbols), list(formulas), modules="numpy", cse=True)

    def evaluate(values: np.ndarray) -> np.ndarray:
        return np.stack([np.broadcast_to(result, values.shape[1:]) for result in function(*values)])

    return evaluate
