"""The potentials that the flow of a parameterization has, asked for when somebody wants to know."""

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
    """The potentials of flows from given starts, derived when they are first asked for.

    Attributes:
        parameterization: x = g(θ) with its regularizer.
        init: Initial values by name: one of shape (n,), or () where the weights share their parameters; with one more
            axis in front where there are runs.
    """

    parameterization: Parameterization
    init: Mapping[str, FloatArray]

    def __call__(self, run: int | None = None) -> Family:
        """The family of a run's start.

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
    """The potential of a coupled parameterization whose outputs are commuting quadratic forms.

    Args:
        parameterization: x = g(θ) with its regularizer, which has to be such a form, too.
        init: One number for each parameter.

    Raises:
        UnsupportedError: If a formula is no quadratic form, or the forms do not commute.
    """
    h = parameterization.regularizer
    forms = [_matrix(output, parameterization) for output in parameterization.outputs]
    decaying = None if h is None else _matrix(h, parameterization)
    start = [float(init[name]) for name in parameterization.params]
    try:
        return QuadraticForms(forms, decaying, theta0=start)
    except InputError as error:
        raise UnsupportedError(f"These dynamics have no potential that is known here: {error}") from error


def _matrix(formula: sp.Expr, parameterization: Parameterization) -> FloatArray:
    """M of a form ½ θᵀMθ."""
    symbols = list(parameterization.symbols)
    hessian = sp.hessian(formula, symbols)
    theta = sp.Matrix(symbols)
    if hessian.free_symbols or sp.expand((theta.T * hessian * theta)[0] / 2 - formula) != 0:
        raise UnsupportedError(
            f"{formula} is no quadratic form, and potentials of coupled parameterizations are known for commuting "
            "quadratic forms alone."
        )
    return np.array(hessian.tolist(), dtype=float)
