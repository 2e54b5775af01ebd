r"""A proven bound on the distance from a computed weight to the exact minimizer.

Let ν be any dual, :math:`\bar x = \nabla R^*(-\tilde Z^T\nu)` its exact weight and :math:`\tilde x` any exact solution
of :math:`\tilde Z\tilde x = \tilde y`. Then, as :math:`\tilde x - x^*` is in the kernel of :math:`\tilde Z` and
:math:`\nabla R(x^*) - \nabla R(\bar x)` in the range of its transpose,

.. math:: D(\tilde x, x^*) + D(x^*, \bar x) = D(\tilde x, \bar x) =: G .

So :math:`D(x^*, \bar x) \le G`, and the potential turns that into a distance. We know :math:`\bar x` and
:math:`\tilde x` only up to rounding. Each term below bounds how far they may be off, so the final bound holds for the
doubles that the solver returns. If few weights are active, G bounds the others linearly, and the equations bound the
active ones.

For inequalities :math:`Bx \ge b` with multipliers :math:`\mu \ge 0` and :math:`\bar x = \nabla R^*(B^T\mu)`, optimality
says :math:`\langle\nabla R(x^*), \tilde x - x^*\rangle \ge 0` for every feasible :math:`\tilde x`. Hence

.. math:: D(x^*, \bar x) + \mu^T(Bx^* - b) \le D(\tilde x, \bar x) + \mu^T(B\tilde x - b),

which is the duality gap. Its last term vanishes if :math:`\tilde x` solves the equations of all rows with a multiplier;
what remains is to check that it satisfies the other inequalities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicit_bias.careful_sum import UNIT_ROUNDOFF, CarefulSum, sum_error
from implicit_bias.limit.dual_newton import DualNewton
from implicit_bias.limit.inequalities import Inequalities
from implicit_bias.limit.row_basis import RowBasis
from implicit_bias.linear_map import CombinedRowsMap, EntriesMap, LinearMap
from implicit_bias.norm import norm
from implicit_bias.potential import SeparablePotential
from implicit_bias.validation import FloatArray, IntArray

_UNDERFLOW = 16 * 2.0**-1074  # error of one term of a divergence by underflow
_SLACK = 1.001  # covers the rounding of the few operations that add up a bound


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A dual variable and its weight, computed as accurately as doubles allow.

    Attributes:
        nu: ν, shape (r,).
        z: −Z̃ᵀν, shape (n,), computed in nearly twice the precision and then rounded.
        x: ∇R*(z), shape (n,).
        metric: The derivative of x in z, shape (n,).
        wobble: A bound on |x − x̄| for the exact weight x̄ of ν, shape (n,); inf if the potential gives no bound.
        residual: ỹ − Z̃x, shape (r,), computed in nearly twice the precision.
        doubt: A bound on the error of the residual, shape (r,).
    """

    nu: FloatArray
    z: FloatArray
    x: FloatArray
    metric: FloatArray
    wobble: FloatArray
    residual: FloatArray
    doubt: FloatArray


def evaluate(
    rows: RowBasis, potential: SeparablePotential, nu: FloatArray, product: CarefulSum | None = None
) -> Evaluation:
    """Compute the weight of a dual variable and its residual, with bounds on their errors.

    Args:
        rows: The conditions Z̃x = ỹ.
        potential: R.
        nu: ν, shape (r,).
        product: −Z̃ᵀν, shape (n,), if the caller knows it better.
    """
    product = rows.linear.careful_adjoint(-nu) if product is None else product
    z = product.high + product.low
    x = potential.inverse_gradient_at(z)
    wobble = potential.response_error(z, product.error + UNIT_ROUNDOFF * np.abs(z), x)
    wobble = np.full(len(x), np.inf) if wobble is None else wobble
    reached = rows.linear.careful_apply(x)
    missing = rows.y - reached.high
    rest = rows.y_tail - reached.low
    residual = missing + rest
    doubt = reached.error + rows.y_doubt
    doubt = doubt + UNIT_ROUNDOFF * (np.abs(missing) + np.abs(rest) + np.abs(residual))
    return Evaluation(nu, z, x, potential.metric_at(x), wobble, residual, doubt)


def error_bound(
    rows: RowBasis,
    solver: DualNewton,
    potential: SeparablePotential,
    at: Evaluation,
    x: FloatArray,
    residual: FloatArray,
    inequalities: Inequalities | None = None,
) -> float:
    """A proven bound on ‖x − x*‖₂; inf if none is known.

    Args:
        rows: The conditions Z̃x = ỹ.
        solver: A solver that is linearized at the dual variable or near it.
        potential: R.
        at: The dual variable and its weight.
        x: The weight whose error we bound, shape (n,).
        residual: ỹ − Z̃x, shape (r,).
        inequalities: What x* satisfies instead of all conditions, if these are active inequalities.
    """
    if not (np.all(np.isfinite(at.wobble)) and rows.is_exact and rows.smallest > 0):
        return np.inf
    solution = _in_the_metric(solver, at) or _shortest(rows, solver, at)
    if inequalities is not None and not inequalities.hold_near(at.x, solution.shift, solution.width):
        return np.inf
    gap = _largest_divergence(potential, at, solution)
    apart = potential.separation(at.x, gap) if gap < np.inf else None
    if apart is None:
        return np.inf
    moved = np.abs(x - at.x)
    bound = norm(moved) + norm(at.wobble) + float(np.max(apart))
    if gap > 0:
        exceeded = 0.0 if inequalities is None else inequalities.exceeded * gap
        bound = min(bound, _active_bound(rows, potential, at, gap, moved, residual, exceeded))
    return _SLACK * bound if np.isfinite(bound) else np.inf


@dataclass(frozen=True, eq=False)
class _Solution:
    """An exact solution of Z̃x = ỹ: each weight plus its shift, give or take its width; both have shape (n,)."""

    shift: FloatArray
    width: FloatArray


def _in_the_metric(solver: DualNewton, at: Evaluation) -> _Solution | None:
    r"""A solution near the correction that is smallest in the metric, or None if the Hessian is too ill-conditioned.

    The change :math:`WZ^TH^{-1}\rho` removes a remaining residual ρ. It moves weight j by at most
    :math:`w_j \|D^{-1}z_j\|\,\|D^{-1}\rho\| / \lambda`, where D scales H to a unit diagonal and λ is the smallest
    eigenvalue of the scaled H.
    """
    linear = solver.linear
    smallest = solver.smallest_eigenvalue() - _tail_of(linear, np.sqrt(solver.weights), 1 / solver.scaling)
    if not (smallest > 0 and isinstance(linear, EntriesMap)):
        return None
    shift, left = np.zeros_like(at.x), at.residual
    doubt = at.doubt / solver.scaling
    root = np.sqrt(solver.weights)
    for _ in range(2):
        step = solver.correction(left)
        left = left - linear.apply(step)
        shift = shift + step
        length = norm(np.divide(step, root, out=np.zeros_like(step), where=root > 0))
        doubt = doubt + 2 * _product_error(linear) * length + UNIT_ROUNDOFF * np.abs(left / solver.scaling)
    missing = norm(np.abs(left / solver.scaling) + doubt) / smallest
    width = solver.weights * linear.column_norms(1 / solver.scaling) * (1.01 * missing)
    return _Solution(shift, at.wobble + width + 2 * UNIT_ROUNDOFF * np.abs(shift))


def _shortest(rows: RowBasis, solver: DualNewton, at: Evaluation) -> _Solution:
    """A solution near the correction that is smallest in the metric, plus the shortest correction of what it leaves."""
    shift = solver.correction(at.residual)
    left = at.residual - rows.linear.apply(shift)
    rest = rows.least_change(left)
    left = left - rows.linear.apply(rest)
    doubt = (at.doubt + 2 * UNIT_ROUNDOFF * np.abs(at.residual)) / rows.lengths
    doubt = doubt + 2 * _product_error(rows.linear) * (norm(shift) + norm(rest))
    missing = norm(np.abs(left / rows.lengths) + doubt) / np.sqrt(rows.smallest)
    shift = shift + rest
    return _Solution(shift, at.wobble + missing + 2 * UNIT_ROUNDOFF * np.abs(shift))


def _product_error(linear: LinearMap) -> float:
    """A bound on the error of a plain product Z̃c, relative to the length of a row times that of c."""
    error = sum_error(linear.shape[1])
    return error + 4 * UNIT_ROUNDOFF if isinstance(linear, CombinedRowsMap) else error


def _tail_of(linear: LinearMap, root: FloatArray, scale: FloatArray) -> float:
    """How much the tail of combined rows may lower the smallest eigenvalue of their weighted Gram matrix."""
    if not isinstance(linear, CombinedRowsMap):
        return 0.0
    off = norm((np.abs(linear.tail) + linear.doubt) * root * scale[:, None])
    return 2.1 * off * np.sqrt(len(scale)) + off * off


def _largest_divergence(potential: SeparablePotential, at: Evaluation, solution: _Solution) -> float:
    """The largest D(x̃, x̄) of a solution x̃ in its interval; D is convex in x̃, so an end attains it."""
    shift, width = solution.shift, solution.width
    # A quarter more covers the rounding of x + shift, which is several times smaller than the width.
    margin = 0.25 * np.abs(shift) + 1.25 * width
    # The weight of ν may be off by the wobble. We accept that if it changes the metric by at most a thousandth.
    metrics = (potential.metric_at(at.x + sign * at.wobble) for sign in (-1.0, 1.0))
    near = np.maximum(*(np.abs(metric - at.metric) for metric in metrics)) <= 1e-3 * at.metric
    low, high = potential.domain
    ends = [at.x + (shift - margin), at.x + (shift + margin)]
    if not np.all(near | (width == 0)) or any(np.any((end <= low) | (end >= high)) for end in ends):
        return np.inf
    terms = np.maximum(*(potential.divergence_terms_at(end, at.x) for end in ends))
    gap = 1.01 * float(np.sum(terms)) + _UNDERFLOW * np.count_nonzero(margin)
    return gap if gap >= 0 else np.inf


def _active_bound(
    rows: RowBasis,
    potential: SeparablePotential,
    at: Evaluation,
    gap: float,
    moved: FloatArray,
    residual: FloatArray,
    exceeded: FloatArray | float = 0.0,
) -> float:
    r"""A bound if few weights are active: the gap bounds the inactive weights, and least squares the active ones.

    For an inactive weight and any t, convexity gives
    :math:`D(\bar x + s, \bar x) \ge D(\bar x + t, \bar x) + \kappa(|s| - t)` with
    :math:`\kappa = |R'(\bar x + t) - R'(\bar x)|`. All inactive weights share the gap, so
    :math:`\sum w_i|s_i| \le (G + \sum m_i) / \min_i(\kappa_i/w_i)` with
    :math:`m_i = \kappa_i t_i - D_i(\bar x + t_i)`. For the active weights,
    :math:`Z_S(x - x^*)_S = -r - Z_I(x - x^*)_I` with the residual r of x. If the conditions are active inequalities,
    x* may exceed them a little, which counts as residual.
    """
    linear = rows.linear
    order = np.argsort(-at.metric, kind="stable")
    tail = np.cumsum(at.metric[order][::-1])[::-1]
    count = int(np.sum(tail > gap))  # the metrics of the remaining weights add up to less than the gap
    if count > len(rows.y):  # more than the equations determine: cut at the widest gap of the metrics
        metric = at.metric[order[: len(rows.y) + 1]]
        count = 1 + int(np.argmin(metric[1:] / metric[:-1]))
    if count == 0 or not isinstance(linear, EntriesMap):
        return np.inf
    active, others = order[:count], order[count:]
    entries = linear.columns(active) / rows.lengths[:, None]
    sizes = np.linalg.norm(entries, axis=0)
    if not np.all(sizes > 0):
        return np.inf
    smallest = float(np.linalg.svd(entries / sizes, compute_uv=False)[-1]) - 8 * len(rows.y) * UNIT_ROUNDOFF * count
    if isinstance(linear, CombinedRowsMap):
        off = (np.abs(linear.tail[:, active]) + linear.doubt[:, active]) / rows.lengths[:, None]
        smallest -= 1.01 * norm(off / sizes)
    if smallest <= 0:
        return np.inf
    columns = 1.01 * linear.column_norms(1 / rows.lengths)
    inactive_sum, weighted_sum = 0.0, 0.0
    if len(others):
        inactive_sum, weighted_sum = _inactive_sums(potential, at, gap, others, columns[others])
        known = moved[others] + at.wobble[others]
        inactive_sum += float(np.sum(known))
        weighted_sum += float(np.sum(columns[others] * known))
    doubt = (at.doubt + exceeded + 2 * UNIT_ROUNDOFF * np.abs(residual)) / rows.lengths
    missing = np.abs(residual / rows.lengths) + doubt + 2 * _product_error(linear) * norm(moved)
    return (norm(missing) + weighted_sum) / (smallest * float(np.min(sizes))) + inactive_sum


def _inactive_sums(
    potential: SeparablePotential, at: Evaluation, gap: float, others: IntArray, columns: FloatArray
) -> tuple[float, float]:
    """Bounds on Σ|s_i| and Σ w_i|s_i| over the inactive weights; :func:`_active_bound` explains them."""
    apart = potential.separation(at.x, gap / len(others))
    if apart is None:
        return np.inf, np.inf
    t = np.maximum(apart[others], 16 * at.wobble[others])
    center, wobble, z = at.x[others], at.wobble[others], at.z[others]
    # The gradient is as inexact as the weight divided by the metric.
    metric = at.metric[others]
    blur = np.where(metric > np.finfo(float).smallest_normal, 4 * wobble / np.where(metric > 0, metric, 1.0), 0.0)
    slope, missed = np.full(len(others), np.inf), np.zeros(len(others))
    low, high = (np.broadcast_to(end, at.x.shape)[others] for end in potential.domain)
    whole = np.array(at.x)
    for sign in (-1.0, 1.0):
        end = center + sign * t
        inside = (end > low) & (end < high)
        whole[others] = np.where(inside, end, center)
        gradient = potential.gradient_at(whole)[others]
        kappa = sign * (gradient - z) - 64 * UNIT_ROUNDOFF * (np.abs(gradient) + np.abs(z) + 1) - blur
        below = (1 - 4 * wobble / t - 1e-6) * potential.divergence_terms_at(whole, at.x)[others]
        slope = np.where(inside, np.minimum(slope, kappa), slope)
        missed = np.where(inside, np.maximum(missed, kappa * (t + wobble) - below), missed)
    if not np.all(slope > 0):
        return np.inf, np.inf
    budget = gap + 1.01 * float(np.sum(missed))
    return budget / float(np.min(slope)), budget / float(np.min(slope / np.maximum(columns, 1e-300)))
