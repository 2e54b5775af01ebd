r"""Programs for the largest margin, :math:`\max\{\min_i b_i^Tx : x \in C\}`, and their multipliers.

HiGHS solves the linear ones. The Euclidean one is the least distance from the origin to the convex hull of the rows,
which non-negative least squares computes [Lawson1974]_. A vertex that either finds is computed again from the equations
that hold there, which takes away the solver's tolerance.

References:
    .. [Lawson1974] Lawson and Hanson, "Solving least squares problems", Prentice-Hall 1974, chapter 23.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.optimize import linprog, nnls
from scipy.sparse import csc_array, hstack, vstack

from implicit_bias.validation import FloatArray

_ACTIVE = 1e-9  # relative size above which a weight or a multiplier of a program counts as positive
_OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A weight x, shape (n,), and multipliers p >= 0, shape (d,), of a program, as accurate as its solver."""

    x: FloatArray
    multipliers: FloatArray


def largest_in_weighted_l1(labelled: csc_array, up: FloatArray, down: FloatArray) -> list[Candidate]:
    """Candidates for the largest margin over Σ up_j max(x_j, 0) + down_j max(−x_j, 0) <= 1, the most accurate last.

    Args:
        labelled: The rows b_i, shape (d, n).
        up: The cost of positive weights, shape (n,); inf where there must be none.
        down: The cost of negative weights, shape (n,); inf where there must be none.
    """
    d, n = _shape(labelled)
    can_rise, can_fall = np.flatnonzero(np.isfinite(up)), np.flatnonzero(np.isfinite(down))
    columns = csc_array(hstack([labelled[:, can_rise], -labelled[:, can_fall]]))
    cost = np.append(up[can_rise], down[can_fall])
    found = _margin_program(columns, np.append(cost, 0.0), (0, None))
    if found is None:
        return []
    x = np.zeros(n)
    x[can_rise] += found.x[: len(can_rise)]
    x[can_fall] -= found.x[len(can_rise) :]
    plain = Candidate(x, found.multipliers)
    active, rows = _positive(np.abs(x)), _positive(found.multipliers)
    block = labelled[rows][:, active].toarray()
    slopes = np.where(x > 0, np.where(np.isfinite(up), up, 0.0), np.where(np.isfinite(down), -down, 0.0))[active]
    exact, multipliers = np.zeros(n), np.zeros(d)
    exact[active] = _solved(block, np.ones(len(rows)))
    multipliers[rows] = _solved(block.T, slopes)
    return [plain, Candidate(exact, np.clip(multipliers, 0.0, None))]


def largest_in_box(labelled: csc_array) -> Candidate | None:
    """A candidate for the largest margin over |x_j| <= 1."""
    return _margin_program(labelled, None, (-1.0, 1.0))


def largest_in_linf(labelled: csc_array) -> list[Candidate]:
    """Candidates for the largest margin over |x_j| <= 1, the most accurate last."""
    plain = largest_in_box(labelled)
    if plain is None:
        return []
    rows, at_end = _positive(plain.multipliers), np.abs(plain.x) >= 1 - _ACTIVE
    x = np.where(at_end, np.sign(plain.x), plain.x)
    block = labelled[rows].toarray()
    free = np.flatnonzero(~at_end)
    # b_iᵀx = γ on the rows with a multiplier, which are one more than the free weights at a vertex.
    inner = np.column_stack([block[:, free], -np.ones(len(rows))])
    x[free] = _solved(inner, -block @ np.where(at_end, x, 0.0))[:-1]
    multipliers = np.zeros(len(plain.multipliers))
    multipliers[rows] = _solved(inner.T, np.append(np.zeros(len(free)), -1.0))
    return [plain, Candidate(x, np.clip(multipliers, 0.0, None))]


def largest_in_l2(labelled: csc_array) -> list[Candidate]:
    """Candidates for the largest margin over ‖x‖₂ <= 1, the most accurate last."""
    dense = labelled.toarray()
    triangle = np.linalg.qr(dense.T, mode="r")  # ‖Bᵀp‖₂ = ‖triangle p‖₂
    multipliers = nnls(np.vstack([triangle, np.ones(len(dense))]), np.append(np.zeros(len(triangle)), 1.0))[0]
    plain = Candidate(multipliers @ dense, multipliers)
    rows = _positive(multipliers)
    if not len(rows):
        return [plain]
    x = _solved(dense[rows], np.ones(len(rows)))  # the shortest x with b_iᵀx = 1
    exact = np.zeros(len(dense))
    exact[rows] = np.clip(_solved(dense[rows].T, x), 0.0, None)
    return [plain, Candidate(x, exact)]


def _margin_program(
    columns: csc_array, cost: FloatArray | None, bounds: tuple[float, float | None]
) -> Candidate | None:
    """Solve max γ over b_iᵀx >= γ and bounds on x, with Σ cost_j x_j <= 1 if there are costs."""
    d, n = _shape(columns)
    matrix = hstack([-columns, np.ones((d, 1))], format="csc")
    limits = np.zeros(d)
    if cost is not None:
        matrix, limits = vstack([matrix, csc_array(cost[None, :])], format="csc"), np.append(limits, 1.0)
    found = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=matrix,
        b_ub=limits,
        bounds=[bounds] * n + [(0, None)],  # x = 0 and γ = 0 are always feasible
        method="highs",
        options=_OPTIONS,
    )
    if found.x is None:
        return None
    return Candidate(found.x[:n], np.clip(-found.ineqlin.marginals[:d], 0.0, None))


def _shape(matrix: csc_array) -> tuple[int, int]:
    return cast("tuple[int, int]", matrix.shape)  # SciPy declares that it may be None


def _positive(values: FloatArray) -> np.ndarray:
    """The indices of values that are positive beyond a solver's tolerance."""
    return np.flatnonzero(values > _ACTIVE * np.max(values, initial=0.0))


def _solved(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """The shortest least-squares solution."""
    if not matrix.size:
        return np.zeros(matrix.shape[1])
    return np.linalg.lstsq(matrix, right, rcond=None)[0].astype(float, copy=False)
