r"""The point where the flow ends: the Bregman projection onto the interpolating weights, or onto margins of 1.

.. math:: x^* = \operatorname{argmin} \{ R(x) : Zx = y \} \quad\text{or}\quad
    \operatorname{argmin} \{ R(x) : y_i z_i^Tx \ge 1 \}

Newton's method finds it on the dual, which is smooth and convex in d variables: unconstrained for equations, with
non-negative multipliers for inequalities.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, known_options
from implicit_bias.limit.margin_projection import project_coupled_onto_margins, project_onto_margins
from implicit_bias.limit.projection import (
    Projection,
    System,
    check_interpolates,
    check_tolerance,
    check_underdetermined,
)
from implicit_bias.limit.separability import INSEPARABLE
from implicit_bias.potential import Potential, SeparablePotential
from implicit_bias.problem import Regression
from implicit_bias.status import Status, settle
from implicit_bias.validation import finite_array, whole_number


@known_options
def bregman_projection(
    problem: Regression,
    potential: Potential,
    *,
    constraint: Literal["=", ">="] = "=",
    tol: float = 1e-12,
    start: ArrayLike | None = None,
    max_iterations: int = 500,
    throw: bool = True,
) -> Projection:
    r"""Compute :math:`\operatorname{argmin}\{R(x) : Zx = y\}` by Newton's method in the dual.

    With ``constraint=">="`` and labels −1 and 1 in y it is :math:`\operatorname{argmin}\{R(x) : y_i z_i^Tx \ge 1\}`
    [Moroshko2020]_, by a projected Newton method.

    Args:
        problem: Z, shape (d, n) with d < n, and y, shape (d,), under the squared loss. Rows may be linearly dependent
            if y is in the range of Z. For a LinearOperator, d products give the rows; if these take more than a quarter
            of a gigabyte, conjugate gradients replace the factorization. Inequalities take any d and any loss with
            labels, and need the entries of Z.
        potential: R, with one coordinate per column of Z.
        constraint: ``"="`` or ``">="``.
        tol: Tolerance on the KKT residual, which is relative (see :class:`Projection`); at most 0.01. If rounding ν and
            x to double precision leaves a larger residual, that counts as converged.
        start: A dual ν to start from, shape (d,); by default the solver follows a sequence of easier potentials.
        max_iterations: Limit on Newton steps in all.
        throw: Raise if the tolerance is not reached, instead of reporting it in ``status``.

    Raises:
        InputError: If shapes do not match, for equations d >= n or the loss is not squared, for inequalities y has
            other entries than −1 and 1, or the two products of an operator, with Z and Zᵀ, do not belong to one matrix.
        UnsupportedError: If inequalities are asked for with an operator that is too large.
        SolverError: If y is not in the range of Z, no x separates the labels, or the tolerance is not reached, if
            ``throw``.

    References:
        .. [Moroshko2020] Moroshko et al., "Implicit bias in deep linear classification: initialization scale vs
           training accuracy", NeurIPS 2020.

    >>> from implicit_bias.potential import HyperbolicEntropy
    >>> bregman_projection(Regression([[1.0, 2.0]], [2.0]), HyperbolicEntropy(scale=1e-300)).x.round(3).tolist()
    [0.0, 1.0]
    """
    if not isinstance(constraint, str) or constraint not in ("=", ">="):
        got = repr(constraint) if isinstance(constraint, str) else type(constraint).__name__
        raise InputError(f"constraint: expected '=' or '>=', got {got}.")
    if constraint == "=":
        check_interpolates(problem, "bregman_projection")
    else:
        _check_labels(problem)
    d, n = problem.d, problem.n
    if not isinstance(potential, Potential):
        raise InputError(
            f"potential: expected an ib.Potential, got {type(potential).__name__}; a derivation gives one by "
            ".at(init, decay)."
        )
    if potential.size not in (None, n):
        raise InputError(f"potential: expected {n} coordinates, one per column of Z, got {potential.size}.")
    check_tolerance(tol)
    if whole_number(max_iterations, "max_iterations") < 0:
        raise InputError(f"max_iterations: expected an integer >= 0, got {max_iterations}.")
    given = None
    if start is not None:
        given = finite_array(start, "start", ndim=1)
        if given.shape != (d,):
            raise InputError(f"start: expected shape ({d},), one entry per row of Z, got {given.shape}.")
    if constraint == ">=":
        with np.errstate(all="ignore"):
            if isinstance(potential, SeparablePotential):
                found = project_onto_margins(problem, potential, tol, given, max_iterations)
            else:
                found = project_coupled_onto_margins(problem, potential, tol, given, max_iterations)
        return settle(found, throw, "bregman_projection", _ADVICE_ON_MARGINS.get(found.status))
    check_underdetermined(problem)
    system = System(problem.linear, problem.y)
    with np.errstate(all="ignore"):  # an overflow shows up in the misfit and the status
        if isinstance(potential, SeparablePotential):
            found = system.project(potential, tol, given, max_iterations)
        else:
            found = system.project_coupled(potential, tol, given, max_iterations)
    lacks_a_way = found.status is Status.STALLED and _lacks_a_way(potential)
    return settle(found, throw, "bregman_projection", _START_FROM_EASIER if lacks_a_way else None)


_ADVICE_ON_MARGINS = {
    Status.INFEASIBLE: INSEPARABLE,
    Status.STALLED: (
        "Rounding errors stop further progress, or no x in the domain of the potential has margins of 1: loosen tol, "
        "rescale Z, or compare with the domain."
    ),
}
_START_FROM_EASIER = (
    "Rounding errors stop further progress, or Newton's method starts too far from the solution, as the potential has "
    "no relaxations: loosen tol, rescale Z and y, or define relaxations() if the potential is your own."
)


def _lacks_a_way(potential: Potential) -> bool:
    """Whether a potential is finite on the whole line, and its class names no easier ones on the way to it."""
    if not isinstance(potential, SeparablePotential):
        return False
    if type(potential).relaxations is not SeparablePotential.relaxations:
        return False
    low, high = potential.domain
    return bool(np.all(np.isneginf(low)) and np.all(np.isposinf(high)))


def _check_labels(problem: Regression) -> None:
    """Raise ``InputError`` unless the problem fits inequalities."""
    if not isinstance(problem, Regression):
        raise InputError(
            "problem: expected an ib.Regression(Z, y, loss='logistic') with labels −1 and 1, got "
            f"{type(problem).__name__}."
        )
    if not np.all(np.abs(problem.y) == 1):
        k = int(np.flatnonzero(np.abs(problem.y) != 1)[0])
        raise InputError(f"y: constraint '>=' expects labels -1 and 1, got {problem.y[k]:g} at index {k}.")
