"""Formulas as functions of arrays, or of one point at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import sympy as sp
from sympy.printing.pycode import PythonCodePrinter

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
        found = np.empty((len(formulas), *values.shape[1:]))
        for k, result in enumerate(function(*values)):
            found[k] = result
        return found

    return evaluate


def compiled_at_point(
    symbols: Sequence[sp.Symbol], formulas: Sequence[sp.Expr]
) -> Callable[[Sequence[float]], Sequence[float]]:
    """The same as :func:`compiled` for p numbers, in Python's own arithmetic, which is ten times faster there."""
    on_arrays = compiled(symbols, formulas)
    printer = _RealPowers({"fully_qualified_modules": False, "allow_unknown_functions": True})
    function = sp.lambdify(list(symbols), list(formulas), modules="math", printer=printer, cse=True)

    def evaluate(values: Sequence[float]) -> Sequence[float]:
        try:
            return function(*values)
        except (ArithmeticError, ValueError):  # where NumPy finds inf or nan
            with np.errstate(all="ignore"):
                return on_arrays(np.asarray(values)).tolist()

    return evaluate


class _RealPowers(PythonCodePrinter):
    """Powers that are errors where they are not real; Python's own would be complex numbers."""

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        return f"{self._module_format('math.pow')}({self._print(expr.base)}, {self._print(expr.exp)})"
