r"""Where the logistic loss leads: the direction of largest margin.

On separable labels the logistic loss has no minimizer: x grows for ever, like log t. Of a hyperbolic entropy a weight
that large sees only the L1 part, so the direction :math:`x_t/\|x_t\|_1` tends to

.. math:: \operatorname{argmax}_{\|x\|_1 \le 1} \min_i y_i z_i^T x,

a linear program [Pesme2024]_. It does so very slowly: the dual variables grow like log log t, and a weight that is not
yet active needs :math:`\log(1/a)` of them. No simulation gets near; what it can show is that the margin grows towards
its bound.

References:
    .. [Pesme2024] Pesme, Dragomir, Flammarion, "Implicit bias of mirror flow on separable data", NeurIPS 2024.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog
from scipy.sparse import csc_array, hstack, vstack

from implicit_bias.linear_map import OperatorMap
from implicit_bias.problem import Regression
from implicit_bias.status import Status, settle

_GAP = 1e-7  # relative, between a margin and its bound: the accuracy of the linear program
_ROUNDING = 1e-13  # a bound this small, for rows of about unit size, is zero


@dataclass(frozen=True, eq=False)
class MaxMargin:
    """The direction of largest L1 margin.

    Attributes:
        direction: x with ‖x‖₁ = 1, shape (n,); zero if none was found.
        margin: The smallest y_i z_iᵀx, which no other x with ‖x‖₁ = 1 exceeds.
        support: Indices of the observations that attain it.
        status: How the solver ended; INFEASIBLE if no x separates the labels, STALLED if rows of very different size
            leave that open or the margin inaccurate.
    """

    direction: np.ndarray
    margin: float
    support: np.ndarray
    status: Status

    def __repr__(self) -> str:
        return (
            f"MaxMargin(n={len(self.direction)}, margin={self.margin:.6g}, {len(self.support)} support vectors, "
            f"{self.status.value})"
        )


def max_margin(Z: ArrayLike, y: ArrayLike, *, throw: bool = True) -> MaxMargin:
    r"""Compute :math:`\operatorname{argmax}\{\min_i y_i z_i^Tx : \|x\|_1 \le 1\}` by linear programming (HiGHS).

    Args:
        Z: Design matrix, shape (d, n), dense or sparse.
        y: Labels −1 and 1, shape (d,).
        throw: Raise when the labels are not separable, instead of reporting it in ``status``.

    Raises:
        ValueError: If shapes do not match, or a label is not −1 or 1.
        SolverError: If no x separates the labels, if ``throw``.

    >>> max_margin([[1.0, 2.0], [1.0, -1.0]], [1.0, 1.0]).direction.round(3).tolist()
    [1.0, 0.0]
    """
    problem = Regression(Z, y, loss="logistic")
    if isinstance(problem.linear, OperatorMap):
        raise ValueError("Z: a linear program needs the entries of Z, got a LinearOperator; give an array.")
    # A common scale of Z is a scale of the margin; a power of two takes it away without rounding.
    exponent = int(np.frexp(np.max(problem.linear.row_sizes))[1])
    labelled = csc_array(problem.Z, copy=True)
    labelled.data = np.ldexp(labelled.data, -exponent)
    labelled = csc_array(labelled * problem.y[:, None])
    d, n = labelled.shape
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
    if margin > 0 and bound - margin <= _GAP * bound:
        support = np.flatnonzero(margins <= margin * (1 + _GAP))
        return MaxMargin(direction, float(np.ldexp(margin, exponent)), support, Status.CONVERGED)
    status = Status.INFEASIBLE if bound <= _ROUNDING else Status.STALLED
    return settle(MaxMargin(np.zeros(n), 0.0, np.empty(0, dtype=int), status), throw, "max_margin")
