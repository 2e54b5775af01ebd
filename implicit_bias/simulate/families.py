"""The potentials of the flows of a parameterization, derived when they are first needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from implicit_bias.errors import InputError, NotCommutingError, UnsupportedError
from implicit_bias.potential import QuadraticForms
from implicit_bias.potential.family import Family
from implicit_bias.symbolic.derivation import Derivation, derive
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import FloatArray


@dataclass(frozen=True, eq=False)
class DerivedFamilies:
    """The potentials of flows from given starts, derived when they are first needed.

    Attributes:
        parameterization: x = g(θ) with its regularizer.
        init: Initial values by name, each of shape (n,), or () if the weights share their parameters; with an axis
            (runs,) in front if there are several runs.
    """

    parameterization: Parameterization
    init: Mapping[str, FloatArray]

    def __call__(self, run: int | None = None) -> Family:
        """The family of potentials of a run, from its start.

        Raises:
            UnsupportedError: If the flow has no potential, or none is known.
            DomainError: If the start lies outside the region of the derivation.
        """
        init = {name: value if run is None else value[run] for name, value in self.init.items()}
        if not self.parameterization.separable:
            return quadratic_forms(self.parameterization, init).decayed
        return self._derivation.family(init)

    @cached_property
    def _derivation(self) -> Derivation:
        try:
            return derive(self.parameterization)
        except NotCommutingError as error:
            raise UnsupportedError(f"These dynamics have no potential: {error}") from error


def quadratic_forms(parameterization: Parameterization, init: Mapping[str, FloatArray]) -> QuadraticForms:
    """The potential of a coupled parameterization with commuting quadratic forms as outputs.

    Args:
        parameterization: x = g(θ) with its regularizer, which has to be a quadratic form too.
        init: One number for each parameter.

    Raises:
        UnsupportedError: If a formula is not a quadratic form, or the forms do not commute.
    """
    h = parameterization.regularizer
    forms = [_matrix(output, parameterization) for output in parameterization.outputs]
    decaying = None if h is None else _matrix(h, parameterization)
    start = [float(init[name]) for name in parameterization.params]
    try:
        return QuadraticForms(forms, decaying, theta0=start)
    except InputError as error:
        raise UnsupportedError(f"No potential of these dynamics is known: {error}") from error


def _matrix(formula: sp.Expr, parameterization: Parameterization) -> FloatArray:
    """The matrix M of a form ½ θᵀMθ."""
    symbols = list(parameterization.symbols)
    hessian = sp.hessian(formula, symbols)
    theta = sp.Matrix(symbols)
    if hessian.free_symbols or sp.expand((theta.T * hessian * theta)[0] / 2 - formula) != 0:
        raise UnsupportedError(
            f"{formula} is not a quadratic form; potentials of coupled parameterizations are known only for commuting "
            "quadratic forms."
        )
    return np.array(hessian.tolist(), dtype=float)
