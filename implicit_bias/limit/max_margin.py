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
from scipy.sparse import csc_array, hstack

from implicit_bias.linear_map import OperatorMap
from implicit_bias.problem import Regression
from implicit_bias.status import Status, settle


@dataclass(frozen=True, eq=False)
class MaxMargin:
    """The direction of largest L1 margin.

    Attributes:
        direction: x with ‖x‖₁ = 1, shape (n,); zero if the labels are not separable.
        margin: The smallest y_i z_iᵀx, which no other x with ‖x‖₁ = 1 exceeds.
        support: Indices of the observations that attain it.
        status: How the solver ended; INFEASIBLE if no x separates the labels.
    """

    direction: np.ndarray
    margin: float
    support: np.ndarray
    status: Status


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
    labelled = csc_array(problem.Z) * problem.y[:, None]
    # The least ‖x‖₁ with margin 1, in x = x₊ − x₋; dividing by it gives the direction.
    found = linprog(np.ones(2 * problem.n), A_ub=-hstack([labelled, -labelled], format="csc"), b_ub=-np.ones(problem.d))
    if found.status != 0:
        status = Status.INFEASIBLE if found.status == 2 else Status.STALLED
        failed = MaxMargin(np.zeros(problem.n), 0.0, np.empty(0, dtype=int), status)
        return settle(failed, throw, "max_margin")
    x = found.x[: problem.n] - found.x[problem.n :]
    direction = x / np.sum(np.abs(x))
    margins = labelled @ direction
    margin = float(np.min(margins))
    support = np.flatnonzero(margins <= margin * (1 + 1e-9))  # the accuracy of the linear program
    return MaxMargin(direction, margin, support, Status.CONVERGED)
