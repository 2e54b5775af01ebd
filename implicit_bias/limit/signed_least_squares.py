r"""Least squares over weights of given signs, with a bound on the distance to the exact minimizer.

The minimizer of ‖Zx − y‖ over :math:`\{x : \sigma_i x_i \ge 0,\ x_i = 0 \text{ where } \sigma_i = 0\}` is found by
adding weights to a support one by one [LawsonHanson1974]_. For any x̂ in that cone and the minimizer x, with
h = x̂ − x and :math:`c = Z^T(y - Z\hat x)`, optimality of x gives

.. math:: \|Zh\|^2 \le \langle -c, h \rangle \le \|c'\|\,\|h\|,

where c' is c on the support of x̂, and the positive part of :math:`\sigma_i c_i` elsewhere. If the columns on which both
may differ have a smallest singular value s, then :math:`\|h\| \le \|c'\|/s^2` and :math:`\|Zh\| \le \|c'\|/s`.

If these columns depend on each other, the minimizer may still be unique, as −h has the sign σ wherever x̂ is zero.
Where some u has :math:`\sigma_i z_i^Tu \ge m > 0` on those weights and is orthogonal to the columns of the others, then
:math:`m\sum_{\hat x_i=0}|h_i| \le \|u\|\,\|Zh\|`, and the columns on the support of x̂ bound the rest of h. So there
is an s again, with :math:`\|Zh\| \ge s\|h\|` for all such h. By duality such a u exists unless h may move freely.

References:
    .. [LawsonHanson1974] Lawson, Hanson, "Solving Least Squares Problems", Prentice-Hall 1974, chapter 23.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from implicit_bias.careful_sum import SMALLEST, UNIT_ROUNDOFF, sum_error
from implicit_bias.linear_map import EntriesMap
from implicit_bias.validation import BoolArray, FloatArray

_ROUNDING = 1e-12  # of weights of columns of about unit size, relative to the largest
_LEAST_SUPPORT = 1e-6  # of products with columns of about unit size; the solver does not tell less from zero


@dataclass(frozen=True, eq=False)
class SignedFit:
    """The minimizer over weights of given signs.

    Attributes:
        x: The weights, shape (n,).
        residual: y − Zx, shape (d,).
        residual_error: A bound on the distance of ``residual`` to that of the exact minimizer.
        error_bound: A bound on the distance of x to the exact minimizer; inf if minimizers may lie far
            apart.
        push: Zᵀ residual, by which weights grow, shape (n,).
        push_error: A bound on its distance to that of the exact minimizer, shape (n,).
        is_held: Where x is not zero, or may not be zero in the exact minimizer, shape (n,).
    """

    x: FloatArray
    residual: FloatArray
    residual_error: float
    error_bound: float
    push: FloatArray
    push_error: FloatArray
    is_held: BoolArray


def signed_least_squares(linear: EntriesMap, y: FloatArray, signs: FloatArray, start: FloatArray) -> SignedFit | None:
    """Minimize ‖Zx − y‖ over x with the given signs.

    Args:
        linear: Z, shape (d, n), with entries of moderate size.
        y: Shape (d,), of moderate size.
        signs: 1, −1, or 0 for weights that stay zero, shape (n,).
        start: Weights of these signs, from which to begin, shape (n,).

    Returns:
        The minimizer with its bounds, or None if rounding keeps the support from settling.
    """
    chosen = np.flatnonzero(signs)
    columns = linear.columns(chosen) * signs[chosen]
    unit = np.ldexp(1.0, np.frexp(np.max(np.abs(columns), axis=0))[1])  # powers of two, so that this rounds nothing
    columns = columns / unit
    found = _nonnegative(columns, y, np.abs(start[chosen]) * unit)
    if found is None:
        return None
    x = np.zeros(linear.shape[1])
    x[chosen] = signs[chosen] * found / unit + 0.0  # no −0
    fit = _bounded(linear, y, x, chosen, columns, unit)
    if not np.isfinite(fit.error_bound):  # the bounds hold for any x, and are better where fewer weights are not zero
        x[chosen] = np.where(found > _ROUNDING * np.max(found), x[chosen], 0.0)
        fit = _bounded(linear, y, x, chosen, columns, unit)
    is_rounding = (x != 0) & (np.abs(x) <= fit.error_bound)
    if np.isfinite(fit.error_bound) and np.any(is_rounding):
        fit = _bounded(linear, y, np.where(is_rounding, 0.0, x), chosen, columns, unit)
    return fit


def _nonnegative(columns: FloatArray, y: FloatArray, start: FloatArray) -> FloatArray | None:
    """The minimizer of ‖Cw − y‖ over w >= 0, begun at ``start``."""
    w, is_positive = start.copy(), start > 0
    rounding = sum_error(columns.shape[0] + columns.shape[1])
    for _ in range(10 * len(w) + 10):
        while True:  # each round takes a weight from the support
            aim = np.zeros(len(w))
            aim[is_positive] = np.linalg.lstsq(columns[:, is_positive], y, rcond=None)[0]
            is_falling = is_positive & (aim <= 0)
            if not np.any(is_falling):
                break
            # How far towards the aim each of them may go; one that was just added goes nowhere.
            shares = np.full(len(w), np.inf)
            shares[is_falling] = np.where(w > 0, w / np.where(w > aim, w - aim, 1.0), 0.0)[is_falling]
            w = np.maximum(w + float(np.min(shares)) * (aim - w), 0.0)
            is_positive &= (w > 0) & (shares > np.min(shares))
            w[~is_positive] = 0.0
        w = aim
        push = columns.T @ (y - columns @ w)
        doubt = rounding * (np.abs(columns).T @ (np.abs(y) + np.abs(columns) @ w))
        is_better = ~is_positive & (push > doubt)
        if not np.any(is_better):
            return w
        is_positive[np.argmax(np.where(is_better, push, 0.0))] = True
    return None


def _bounded(
    linear: EntriesMap, y: FloatArray, x: FloatArray, chosen: np.ndarray, columns: FloatArray, unit: FloatArray
) -> SignedFit:
    """Bounds at x; ``columns`` are those of the weights that may be non-zero, times their signs, over ``unit``."""
    d, n = linear.shape
    product = linear.careful_apply(x)
    plain = y - product.high
    residual = plain - product.low
    doubt = product.error + UNIT_ROUNDOFF * (np.abs(plain) + np.abs(residual)) + SMALLEST
    rounding = 1.01 * sum_error(d)
    push = columns.T @ residual
    push_doubt = rounding * (np.abs(columns).T @ np.abs(residual)) + 1.01 * (np.abs(columns).T @ doubt) + d * SMALLEST
    all_push, norms = linear.adjoint(residual), linear.column_norms(np.ones(d))
    all_doubt = rounding * linear.absolute_adjoint(np.abs(residual)) + d * SMALLEST
    is_on = x[chosen] != 0
    is_free = is_on
    while True:
        slope = np.where(is_on, np.abs(push) + push_doubt, np.maximum(push + push_doubt, 0.0))
        defect = 1.01 * float(np.linalg.norm(slope[is_free]))
        least = _smallest_stretch(columns[:, is_free], is_on[is_free])
        residual_error = defect / least if least > 0 else np.inf
        residual_error = 1.01 * (residual_error + float(np.linalg.norm(doubt)))
        push_error = 1.01 * (norms * residual_error) + all_doubt if np.isfinite(residual_error) else np.full(n, np.inf)
        # Weights whose push is certainly inward are zero in the exact minimizer, too.
        may_grow = is_free | (push >= -push_error[chosen] / unit)
        if np.array_equal(may_grow, is_free):
            break
        is_free = may_grow
    is_held = np.zeros(n, dtype=bool)
    is_held[chosen[is_free]] = True
    error = defect / least**2 / float(np.min(unit[is_free])) if least > 0 and np.any(is_free) else 0.0
    bound = 1.01 * error if least > 0 else np.inf
    return SignedFit(x, residual, residual_error, bound, all_push, push_error, is_held)


def _smallest_singular_value(columns: FloatArray) -> float:
    """A lower bound on the smallest singular value of columns of about unit size; zero if it is within rounding."""
    d, many = columns.shape
    if not many:
        return 1.0
    if many > d:
        return 0.0
    values = np.linalg.svd(columns, compute_uv=False)
    return max(0.0, float(values[-1] - 10 * sum_error(d) * np.sqrt(many) * values[0]))


def _smallest_stretch(columns: FloatArray, is_on: BoolArray) -> float:
    """A lower bound on ‖Ch‖/‖h‖ over all h that are not negative where ``is_on`` is false; zero if none is found."""
    least = _smallest_singular_value(columns)
    if least > 0 or np.all(is_on):
        return least
    on, off = columns[:, is_on], columns[:, ~is_on]
    least = _smallest_singular_value(on)
    u = supporting(on, off) if least > 0 else None
    if u is None:
        return 0.0
    rounding = sum_error(len(u)) * (np.abs(u) @ np.abs(columns))
    smallest = float(np.min(u @ off - rounding[~is_on]))
    askew = float(np.linalg.norm(np.abs(u @ on) + rounding[is_on])) / least if np.any(is_on) else 0.0
    # With m Σh_off <= ‖u‖ ‖Ch‖ + askew·least ‖h_on‖ and least ‖h_on‖ <= ‖Ch‖ + width Σh_off:
    width = 1.01 * float(np.max(np.linalg.norm(off, axis=0)))
    remaining = smallest - 1.01 * askew * width
    if not remaining > 0:
        return 0.0
    sum_off = 1.01 * (float(np.linalg.norm(u)) + askew) / remaining
    return 0.99 / (sum_off + (1.01 + width * sum_off) / least)


def supporting(on: FloatArray, off: FloatArray) -> FloatArray | None:
    """A u orthogonal to the columns ``on`` up to rounding, whose products with ``off`` are positive, or None."""
    d, many = off.shape
    found = linprog(
        np.append(np.zeros(d), -1.0),
        A_ub=np.column_stack([-off.T, np.ones(many)]),
        b_ub=np.zeros(many),
        A_eq=np.column_stack([on.T, np.zeros(on.shape[1])]) if on.shape[1] else None,
        b_eq=np.zeros(on.shape[1]) if on.shape[1] else None,
        bounds=[(-1.0, 1.0)] * (d + 1),
        method="highs",
    )
    if found.x is None or not found.x[-1] > _LEAST_SUPPORT:
        return None
    u = found.x[:-1]
    if not on.shape[1]:
        return u
    basis = np.linalg.qr(on)[0]
    return u - basis @ (basis.T @ u)
