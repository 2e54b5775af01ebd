r"""The limit of the logistic loss: the direction of largest margin in the geometry of the optimizer.

On separable labels the logistic loss has no minimizer: x grows for ever, like log t, and only its direction has a
limit,

.. math:: \operatorname{argmax}\{\min_i y_i z_i^T x : \phi(x) \le 1\} .

φ is the L2 norm for gradient descent, the L∞ norm for sign descent, and for the mirror flow of a potential R its
*horizon function*, whose unit ball is the limit of the sublevel sets of R [Pesme2024]_. For every hyperbolic entropy
that is the L1 norm. Convergence is very slow there: the dual variables grow like log log t, and a weight becomes active
only when they reach about :math:`\log(1/a)`.

References:
    .. [Pesme2024] Pesme, Dragomir, Flammarion, "Implicit bias of mirror flow on separable data", NeurIPS 2024.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csc_array

from implicit_bias.careful_sum import SMALLEST, UNIT_ROUNDOFF
from implicit_bias.errors import InputError, UnsupportedError, did_you_mean, known_options
from implicit_bias.limit.margin_programs import Candidate, largest_in_l2, largest_in_linf, largest_in_weighted_l1
from implicit_bias.limit.separability import INSEPARABLE, certified, inseparable
from implicit_bias.linear_map import LinearMap, OperatorMap, linear_map
from implicit_bias.potential import Potential, SeparablePotential
from implicit_bias.problem import Regression
from implicit_bias.status import SolverError, Status, settle
from implicit_bias.validation import FloatArray, IntArray

Norm = Literal["l1", "l2", "linf"]
_LARGEST_GAP = 1e-9  # relative to the margin
_SUPPORT = 1e-7  # relative excess over the margin up to which an observation counts as part of the support
_SLACK = 1 + 16 * UNIT_ROUNDOFF  # of norms, whose sums are rounded once


@dataclass(frozen=True, eq=False)
class MaxMargin:
    """The direction of largest margin.

    Attributes:
        direction: x with φ(x) = 1 up to rounding, shape (n,); zero if none was found.
        margin: The smallest y_i z_iᵀx.
        gap: A proven bound, rounding included: no x with φ(x) = 1 has a margin above margin + gap, and that of the
            direction divided by its exact φ is at least margin − gap. At most 1e-9 of the margin if the status is
            CONVERGED; inf if no direction was found.
        support: Indices of the observations whose margin is the smallest.
        multipliers: p >= 0 with Σp = 1, shape (d,), which prove the bound: φ°(Σ p_i y_i z_i), with the dual norm φ°, is
            at least every margin.
        status: How the solver ended: INFEASIBLE if no x separates the labels, STALLED if the rows differ so much in
            size, or are so close to being inseparable, that the solver cannot decide, or that the margin is inaccurate.
        certificate: If no x separates the labels, p >= 0 with Σp = 1, shape (d,): the doubles nearest to weights with
            which the rows y_i z_i cancel exactly, which was checked in whole numbers. If all margins y_i z_iᵀx were
            positive, their average with these weights would be positive too.
    """

    direction: FloatArray
    margin: float
    gap: float
    support: IntArray
    multipliers: FloatArray
    status: Status
    certificate: FloatArray | None = None

    def __repr__(self) -> str:
        return (
            f"MaxMargin(n={len(self.direction)}, margin={self.margin:.6g}, gap={self.gap:.1e}, {len(self.support)} "
            f"support vectors, {self.status.value})"
        )


@known_options
def max_margin(problem: Regression, geometry: Norm | Potential = "l1", *, throw: bool = True) -> MaxMargin:
    r"""Compute :math:`\operatorname{argmax}\{\min_i y_i z_i^Tx : \phi(x) \le 1\}`.

    L1 and L∞ are linear programs (HiGHS), L2 is non-negative least squares (SciPy).

    Args:
        problem: Z, shape (d, n), dense or sparse, and labels −1 and 1 in y, shape (d,), under the logistic or the
            exponential loss.
        geometry: φ: ``"l1"``, ``"l2"``, ``"linf"``, or a potential for its horizon function. That is the norm which a
            potential names in its attribute ``horizon``; where it names none and the slopes of R are bounded, it is the
            recession function :math:`\lim_{t\to\infty} R(tx)/t`. Weights that cannot grow in the domain of R stay zero.
        throw: Raise if the labels are not separable or the margin is inaccurate, instead of reporting it in ``status``.

    Raises:
        InputError: If the loss has a minimizer, Z is an operator, or there is no such geometry.
        UnsupportedError: If a potential's horizon function is not known.
        SolverError: If no x separates the labels or the margin is inaccurate, if ``throw``.

    >>> labelled = Regression([[1.0, 2.0], [1.0, -1.0]], [1.0, 1.0], loss="logistic")
    >>> float(max_margin(labelled).margin), max_margin(labelled, "linf").direction.round(3).tolist()[0]
    (1.0, 1.0)
    """
    if not isinstance(problem, Regression):
        raise InputError(
            "problem: expected an ib.Regression(Z, y, loss='logistic') with labels −1 and 1, got "
            f"{type(problem).__name__}."
        )
    if problem.kind == "squared":
        raise InputError(
            f"problem: expected the logistic or the exponential loss, got {problem!r}: only there weights grow for "
            "ever."
        )
    if isinstance(problem.linear, OperatorMap):
        raise InputError("Z: a margin needs the entries of Z, got a LinearOperator; give an array.")
    gauge = _gauge(geometry, problem.n)
    # Scaling Z by a power of two scales the margin, and rounds only entries that underflow.
    exponent = int(np.frexp(np.max(problem.linear.row_sizes))[1])
    labelled = csc_array(problem.Z, copy=True)
    labelled.data = np.ldexp(labelled.data, -exponent)
    if np.any((abs(labelled).max(axis=1).toarray().ravel() == 0) & (problem.linear.row_sizes > 0)):
        raise InputError(
            "Z: the sizes of its rows differ by more than floating-point numbers do; multiply rows by positive numbers."
        )
    labelled, given = csc_array(labelled * problem.y[:, None]), csc_array(csc_array(problem.Z) * problem.y[:, None])
    candidates = gauge.candidates(labelled)
    found = _best(linear_map(labelled), gauge, candidates, exponent)
    if found is not None:
        return settle(found, throw, "max_margin")
    proofs = (certified(given, each.multipliers) for each in candidates)
    certificate = next((proof for proof in proofs if proof is not None), None)
    certificate = inseparable(given) if certificate is None else certificate
    status = Status.STALLED if certificate is None else Status.INFEASIBLE
    nothing = np.empty(0, dtype=int)
    failed = MaxMargin(np.zeros(problem.n), 0.0, np.inf, nothing, np.zeros(problem.d), status, certificate)
    if throw and certificate is not None:
        raise SolverError(f"max_margin ended as infeasible. {INSEPARABLE}", failed)
    return settle(failed, throw, "max_margin")


@dataclass(frozen=True, eq=False)
class _Gauge:
    """A norm φ, or a gauge that differs for positive and negative weights.

    Attributes:
        candidates: Solves the program for labelled rows.
        size: φ(x), right to a few roundings.
        dual_size: The largest wᵀx over φ(x) <= 1 and all w between two bounds, right to a few roundings.
    """

    candidates: Callable[[csc_array], list[Candidate]]
    size: Callable[[FloatArray], float]
    dual_size: Callable[[FloatArray, FloatArray], float]


def _euclidean(x: FloatArray) -> float:
    exponent = int(np.frexp(np.max(np.abs(x), initial=0.0))[1])
    return math.ldexp(math.sqrt(math.fsum(np.square(np.ldexp(x, -exponent)))), exponent)


def _farthest(low: FloatArray, high: FloatArray) -> FloatArray:
    return np.maximum(np.abs(low), np.abs(high))


_L2 = _Gauge(largest_in_l2, _euclidean, lambda low, high: _euclidean(_farthest(low, high)))
_LINF = _Gauge(
    largest_in_linf,
    lambda x: float(np.max(np.abs(x), initial=0.0)),
    lambda low, high: math.fsum(_farthest(low, high)),
)


def _weighted_l1(up: FloatArray, down: FloatArray) -> _Gauge:
    """The gauge Σ up_j max(x_j, 0) + down_j max(−x_j, 0); where a cost is inf, there is no such weight."""

    def size(x: FloatArray) -> float:
        cost = np.where(x > 0, up, down)
        return math.fsum(np.where(x == 0, 0.0, cost) * np.abs(x))

    def dual_size(low: FloatArray, high: FloatArray) -> float:
        return float(np.max(np.maximum(high / up, -low / down), initial=0.0))

    return _Gauge(lambda labelled: largest_in_weighted_l1(labelled, up, down), size, dual_size)


def _gauge(geometry: Norm | Potential, n: int) -> _Gauge:
    """The gauge that was asked for."""
    if isinstance(geometry, Potential):
        return _horizon(geometry, n)
    if not isinstance(geometry, str):
        raise InputError(
            f"geometry: expected 'l1', 'l2', 'linf' or an ib.Potential, got {type(geometry).__name__}; a derivation "
            "gives a potential by .at(init, decay)."
        )
    if geometry == "l1":
        return _weighted_l1(np.ones(n), np.ones(n))
    if geometry == "l2":
        return _L2
    if geometry == "linf":
        return _LINF
    hint = did_you_mean(geometry.replace("-", ""), ("l1", "l2", "linf"))
    raise InputError(f"geometry: expected 'l1', 'l2', 'linf' or an ib.Potential, got {geometry!r}{hint}.")


def _horizon(potential: Potential, n: int) -> _Gauge:
    """The gauge of a potential's horizon function."""
    name = type(potential).__name__
    if potential.size not in (None, n):
        raise InputError(
            f"geometry: expected a potential with {n} coordinates, one per column of Z, got {potential!r}."
        )
    if not isinstance(potential, SeparablePotential):
        raise UnsupportedError(f"geometry: the horizon function of {name} is not known; give 'l1', 'l2' or 'linf'.")
    low, high = (np.broadcast_to(end, (n,)) for end in potential.domain)
    is_whole = bool(np.all(np.isneginf(low)) and np.all(np.isposinf(high)))
    if potential.horizon in ("l2", "linf") and is_whole:
        return _gauge(potential.horizon, n)
    least, most = (np.broadcast_to(end, (n,)) for end in potential.dual_domain)
    if potential.horizon == "l1":
        up, down = np.ones(n), np.ones(n)
    elif np.all(np.isfinite(least)) and np.all(np.isfinite(most)) and np.all(least < 0) and np.all(most > 0):
        up, down = np.array(most), -np.array(least)
    else:
        raise UnsupportedError(
            f"geometry: the horizon function of {name} is not known, as its slopes are not bounded; give 'l1', 'l2' or "
            "'linf', or set the attribute horizon of a potential of your own to one of these."
        )
    up, down = np.where(np.isposinf(high), up, np.inf), np.where(np.isneginf(low), down, np.inf)
    if not np.any(np.isfinite(up) | np.isfinite(down)):
        raise UnsupportedError(f"geometry: the domain of {name} is bounded, so no direction has a margin that grows.")
    return _weighted_l1(up, down)


def _best(rows: LinearMap, gauge: _Gauge, candidates: list[Candidate], exponent: int) -> MaxMargin | None:
    """The direction with the largest proven margin and the multipliers with the smallest bound, or None."""
    directions = [_direction(rows, gauge, each.x) for each in candidates]
    directions = [each for each in directions if each is not None]
    bounds = [_bound(rows, gauge, each.multipliers) for each in candidates]
    bounds = [each for each in bounds if each is not None]
    if not directions or not bounds:
        return None
    direction, margins, least = max(directions, key=lambda each: each[2])
    multipliers, most = min(bounds, key=lambda each: each[1])
    margin = float(np.min(margins))
    gap = max(most - margin, margin - least) * _SLACK + SMALLEST
    status = Status.CONVERGED if gap <= _LARGEST_GAP * margin else Status.STALLED
    support = np.flatnonzero(margins <= margin * (1 + _SUPPORT))
    return MaxMargin(
        direction, math.ldexp(margin, exponent), math.ldexp(gap, exponent) + 2 * SMALLEST, support, multipliers, status
    )


def _direction(rows: LinearMap, gauge: _Gauge, x: FloatArray) -> tuple[FloatArray, FloatArray, float] | None:
    """A weight of size one, its margins, and a lower bound on the margin of the exact unit weight; None if negative."""
    size = gauge.size(x)
    if not 0 < size < np.inf:
        return None
    direction = x / size
    found = rows.careful_apply(direction)
    margins = found.high + found.low
    underflow = SMALLEST * float(np.sum(np.abs(direction)))
    least = float(np.min(margins - found.error - UNIT_ROUNDOFF * np.abs(margins))) - underflow
    return (direction, margins, least / (gauge.size(direction) * _SLACK)) if least > 0 else None


def _bound(rows: LinearMap, gauge: _Gauge, multipliers: FloatArray) -> tuple[FloatArray, float] | None:
    """Multipliers that add up to about one, and the bound on every margin that they prove; None if they are zero."""
    total = math.fsum(multipliers)
    if not 0 < total < np.inf:
        return None
    share = multipliers / total
    found = rows.careful_adjoint(share)
    combined = found.high + found.low
    unsure = found.error + UNIT_ROUNDOFF * np.abs(combined) + SMALLEST
    size = gauge.dual_size(combined - unsure, combined + unsure)
    return share, size * _SLACK * _SLACK / math.fsum(share)
