r"""The limit of the logistic loss: the direction of largest margin.

On separable labels the logistic loss has no minimizer: x grows for ever, like log t. For such large weights a
hyperbolic entropy acts like the L1 norm, so the direction :math:`x_t/\|x_t\|_1` tends to

.. math:: \operatorname{argmax}_{\|x\|_1 \le 1} \min_i y_i z_i^T x,

which a linear program computes [Pesme2024]_. Convergence is very slow: the dual variables grow like log log t, and a
weight becomes active only when they reach about :math:`\log(1/a)`. No simulation gets that far, but it can show that
the margin grows towards its bound.

References:
    .. [Pesme2024] Pesme, Dragomir, Flammarion, "Implicit bias of mirror flow on separable data", NeurIPS 2024.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csc_array, hstack, vstack

from implicit_bias.careful_sum import UNIT_ROUNDOFF
from implicit_bias.errors import InputError
from implicit_bias.linear_map import OperatorMap
from implicit_bias.problem import Regression
from implicit_bias.status import SolverError, Status, settle
from implicit_bias.validation import FloatArray, IntArray

_MARGIN_TOLERANCE = 1e-7  # relative gap between a margin and its bound: the accuracy of the linear program
_ZERO_MULTIPLIER = 1e-9  # relative to the largest: the linear program does not tell smaller multipliers from zero
_ROUNDINGS = 8


@dataclass(frozen=True, eq=False)
class MaxMargin:
    """The direction of largest L1 margin.

    Attributes:
        direction: x with ‖x‖₁ = 1, shape (n,); zero if none was found.
        margin: The smallest y_i z_iᵀx; no other x with ‖x‖₁ = 1 has a margin larger by more than 1e-7 of it.
        support: Indices of the observations whose margin is the smallest.
        status: How the solver ended: INFEASIBLE if no x separates the labels, STALLED if the rows differ so much in
            size that the solver cannot decide, or that the margin is inaccurate.
        certificate: If no x separates the labels, p >= 0 with Σp = 1, shape (d,), for which every entry of
            Σ p_i y_i z_i is zero within the rounding of its own terms. If all margins y_i z_iᵀx were positive, their
            average with the weights p would be positive too.
    """

    direction: FloatArray
    margin: float
    support: IntArray
    status: Status
    certificate: FloatArray | None = None

    def __repr__(self) -> str:
        return (
            f"MaxMargin(n={len(self.direction)}, margin={self.margin:.6g}, {len(self.support)} support vectors, "
            f"{self.status.value})"
        )


def max_margin(problem: Regression, *, throw: bool = True) -> MaxMargin:
    r"""Compute :math:`\operatorname{argmax}\{\min_i y_i z_i^Tx : \|x\|_1 \le 1\}` by linear programming (HiGHS).

    Args:
        problem: Z, shape (d, n), dense or sparse, and labels −1 and 1 in y, shape (d,), under the logistic loss.
        throw: Raise if the labels are not separable or the margin is inaccurate, instead of reporting it in ``status``.

    Raises:
        InputError: If the loss is not logistic, or Z is an operator.
        SolverError: If no x separates the labels or the margin is inaccurate, if ``throw``.

    >>> max_margin(Regression([[1.0, 2.0], [1.0, -1.0]], [1.0, 1.0], loss="logistic")).direction.round(3).tolist()
    [1.0, 0.0]
    """
    if not isinstance(problem, Regression):
        raise InputError(
            "problem: expected an ib.Regression(Z, y, loss='logistic') with labels −1 and 1, got "
            f"{type(problem).__name__}."
        )
    if problem.kind != "logistic":
        raise InputError(f"problem: expected the logistic loss, got {problem!r}: only there weights grow for ever.")
    if isinstance(problem.linear, OperatorMap):
        raise InputError("Z: a linear program needs the entries of Z, got a LinearOperator; give an array.")
    # Scaling Z by a power of two scales the margin and rounds nothing.
    exponent = int(np.frexp(np.max(problem.linear.row_sizes))[1])
    labelled = csc_array(problem.Z, copy=True)
    labelled.data = np.ldexp(labelled.data, -exponent)
    labelled = csc_array(labelled * problem.y[:, None])
    d, n = problem.d, problem.n
    # The largest γ with y_i z_iᵀ(x₊ − x₋) >= γ and Σ x₊ + x₋ <= 1; x = 0 and γ = 0 are always feasible.
    found = linprog(
        np.append(np.zeros(2 * n), -1.0),
        A_ub=vstack(
            [hstack([-labelled, labelled, np.ones((d, 1))]), csc_array(np.append(np.ones(2 * n), 0.0)[None, :])],
            format="csc",
        ),
        b_ub=np.append(np.zeros(d), 1.0),
    )
    if found.x is None:
        failed = MaxMargin(np.zeros(n), 0.0, np.empty(0, dtype=int), Status.STALLED)
        return settle(failed, throw, "max_margin")
    x = found.x[:n] - found.x[n : 2 * n]
    size = float(np.sum(np.abs(x)))
    direction = x / size if size else x
    margins = labelled @ direction
    margin = float(np.min(margins))
    # Weak duality: a convex combination of the labelled rows bounds every margin by its largest entry.
    weights = np.clip(-found.ineqlin.marginals[:d], 0.0, None)
    bound = float(np.max(np.abs(weights @ labelled)) / np.sum(weights)) if np.any(weights) else np.inf
    if margin > 0 and bound - margin <= _MARGIN_TOLERANCE * bound:
        support = np.flatnonzero(margins <= margin * (1 + _MARGIN_TOLERANCE))
        return MaxMargin(direction, float(np.ldexp(margin, exponent)), support, Status.CONVERGED)
    certificate = _certified(labelled, weights)
    status = Status.STALLED if certificate is None else Status.INFEASIBLE
    failed = MaxMargin(np.zeros(n), 0.0, np.empty(0, dtype=int), status, certificate)
    if throw and certificate is not None:
        raise SolverError(
            "max_margin ended as infeasible. No x separates the labels: with the weights in result.certificate, "
            "rows y_i z_i cancel. Check the labels, or add features.",
            failed,
        )
    return settle(failed, throw, "max_margin")


def _certified(labelled: csc_array, weights: FloatArray) -> FloatArray | None:
    """Weights that prove that no x separates the labels, checked in every column, or None."""
    largest = float(np.max(weights, initial=0.0))
    if not 0 < largest < np.inf:
        return None
    support = np.flatnonzero(weights > _ZERO_MULTIPLIER * largest)
    rows = labelled.tocsr()[support].toarray()
    # The weights are as accurate as the linear program. The null vector of these rows is accurate to rounding.
    sizes = np.max(np.abs(rows), axis=1, keepdims=True)
    null = np.linalg.svd((rows / np.where(sizes > 0, sizes, 1.0)).T)[2][-1] / np.where(sizes > 0, sizes, 1.0)[:, 0]
    for candidate in (weights[support], null * np.sign(np.sum(null))):
        share = candidate / np.sum(candidate)
        rounding = _ROUNDINGS * (len(support) + 1) * UNIT_ROUNDOFF * (np.abs(share) @ np.abs(rows))
        if np.all(share >= 0) and np.all(np.abs(share @ rows) <= rounding):
            certificate = np.zeros(len(weights))
            certificate[support] = share
            return certificate
    return None
