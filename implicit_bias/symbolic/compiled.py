"""Formulas as NumPy functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import sympy as sp


def compiled(symbols: Sequence[sp.Symbol], formulas: Sequence[sp.Expr]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of values stacked as (p, ...) that stacks the formulas' values as (k, ...).

    The formulas come from the whitelist of :mod:`implicit_bias.symbolic.formulas`; nothing else may be compiled.
    """
    function = sp.lambdify(list(symbols), list(formulas), modules="numpy", cse=True)

    def evaluate(values: np.ndarray) -> np.ndarray:
        return np.stack([np.broadcast_to(result, values.shape[1:]) for result in function(*values)])

    return evaluate
