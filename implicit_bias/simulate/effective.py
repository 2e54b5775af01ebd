r"""The effective initialization of a run: the start from which a flow would arrive where the run is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from implicit_bias.errors import UnsupportedError
from implicit_bias.potential.joint_diagonalization import joint_eigenbasis
from implicit_bias.simulate.model import FormulaModel
from implicit_bias.simulate.model import velocity as velocity_of
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import FloatArray

_RELATIVE_TOLERANCE = 1e-13  # of a step of the integrator


def pulled_back(
    parameterization: Parameterization, theta: FloatArray, accumulated_gradient: FloatArray, decay: FloatArray | float
) -> FloatArray:
    r"""The parameters from which flows of −L in ∇g and of A in −∇h lead to θ.

    .. math:: \tilde\theta = \Psi_{+L, +A}(\theta), \qquad
        \tilde\theta' = \partial g(\tilde\theta)^T L + A\nabla h(\tilde\theta) \text{ over a unit of time}

    The fields have to commute, so that the order of the flows does not matter. Quadratic forms are solved by
    exponentials in their joint eigenbasis, all others by an integrator to a relative 1e-13 a step.

    Args:
        parameterization: x = g(θ), with its regularizer if there is a decay.
        theta: θ, shape (p, n); (p,) for a coupled parameterization.
        accumulated_gradient: L, shape (n,).
        decay: A, a number or shape (n,).

    Raises:
        UnsupportedError: If the integrator fails: the flow backwards leaves every bound.
    """
    forms = diagonal_forms(parameterization)
    if forms is not None:
        return _by_exponentials(parameterization, forms, theta, accumulated_gradient, decay)
    model = FormulaModel(parameterization, len(accumulated_gradient))

    def velocity(_: float, flat: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):  # what is not finite fails in the integrator
            # The field of training, backwards: −∂gᵀ(−L) − (−A)∇h.
            return model.flat(velocity_of(model.evaluate(model.shaped(flat)), -accumulated_gradient, -decay))

    start = model.flat(theta)
    smallest = _RELATIVE_TOLERANCE * float(np.max(np.abs(start), initial=0.0))
    path = solve_ivp(velocity, (0.0, 1.0), start, "DOP853", (1.0,), rtol=_RELATIVE_TOLERANCE, atol=smallest)
    if not path.success or not np.all(np.isfinite(path.y[:, -1])):
        raise UnsupportedError(f"The effective initialization was not found: {path.message}")
    return model.shaped(path.y[:, -1])


@dataclass(frozen=True, eq=False)
class DiagonalForms:
    """Commuting quadratic forms ½ θᵀMθ in their joint eigenbasis, where their flows multiply each component.

    Attributes:
        basis: Eigenvectors as columns, shape (p, p).
        outputs: Eigenvalues of each output, shape (p,).
        decay: Eigenvalues of the regularizer, shape (p,), zero without one.
    """

    basis: FloatArray
    outputs: list[FloatArray]
    decay: FloatArray


def diagonal_forms(parameterization: Parameterization) -> DiagonalForms | None:
    """The forms of the outputs and of the regularizer, which have to commute, or None if one is not quadratic."""
    h = parameterization.regularizer
    try:
        matrices = [
            quadratic_matrix(form, parameterization)
            for form in (*parameterization.outputs, *(() if h is None else (h,)))
        ]
    except UnsupportedError:
        return None
    basis = joint_eigenbasis(np.stack(matrices))
    values = [np.diag(basis.T @ matrix @ basis) for matrix in matrices]
    count = len(parameterization.outputs)
    return DiagonalForms(basis, values[:count], np.zeros_like(values[0]) if h is None else values[-1])


def _by_exponentials(
    parameterization: Parameterization,
    forms: DiagonalForms,
    theta: FloatArray,
    accumulated_gradient: FloatArray,
    decay: FloatArray | float,
) -> FloatArray:
    basis, values, rates = forms.basis, forms.outputs, forms.decay
    components = np.tensordot(basis.T, theta, 1)
    if parameterization.separable:
        exponents = values[0][:, None] * accumulated_gradient + rates[:, None] * decay
    else:
        exponents = sum(value * push for value, push in zip(values, accumulated_gradient, strict=True)) + rates * decay
    with np.errstate(over="ignore"):
        return np.tensordot(basis, np.exp(exponents) * components, 1)


def quadratic_matrix(formula: sp.Expr, parameterization: Parameterization) -> FloatArray:
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
