r"""Newton's method on the dual for potentials that couple their coordinates, whose metric is a matrix.

The dual is the one in :mod:`implicit_bias.limit.dual_newton`, with the Hessian :math:`Z (\nabla^2 R)^{-1} Z^T`. Such
potentials have few coordinates, so all matrices are dense. For inequalities Zx >= y the dual has ν <= 0, and a step
goes to the minimizer of its quadratic model over all such ν, which non-negative least squares finds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from implicit_bias.limit.dual_newton import zero_of_increasing
from implicit_bias.linear_map import LinearMap
from implicit_bias.norm import norm
from implicit_bias.potential import Potential
from implicit_bias.validation import FloatArray

_SMALLEST_EIGENVALUE = 1e-13  # of the Hessian, relative to the largest; a step in the other directions would be noise
_MOST_HALVINGS = 60
_MOST_WITHOUT_GAIN = 25  # steps in a row
_ROUGH_TOLERANCE = 1e-3  # on the misfit of a potential on the way to another


@dataclass(frozen=True, eq=False)
class CoupledState:
    """Where Newton's method ended.

    Attributes:
        nu: The dual variable ν.
        x: Its weight ∇R*(−Zᵀν).
        misfit: ‖Zx − y‖ relative to max(‖y‖, ‖Z argmin R‖); for inequalities of those rows alone that have a
            multiplier or are not satisfied.
        steps: How many steps were taken.
    """

    nu: FloatArray
    x: FloatArray
    misfit: float
    steps: int


def solve(
    linear: LinearMap,
    y: FloatArray,
    potential: Potential,
    start: FloatArray | None,
    tol: float,
    max_iterations: int,
    is_at_least: bool = False,
) -> CoupledState:
    """Solve Zx = y, or Zx >= y, in the dual, for rows of Z that are scaled to size 1.

    If rounding or the limit on steps ended the iteration, the misfit is above the tolerance.

    Args:
        linear: Z.
        y: Right-hand side.
        potential: R.
        start: ν to start from. Without one, or if that fails, a sequence of easier potentials leads to a start.
        tol: Tolerance on the misfit.
        max_iterations: Limit on the steps in all.
        is_at_least: Whether the conditions are Zx >= y.
    """
    first = None if start is None else newton(linear, y, potential, start, tol, max_iterations, is_at_least)
    if first is not None and first.misfit <= tol:
        return first
    spent = 0 if first is None else first.steps
    nu, previous = np.zeros(len(y)), None
    for easier in potential.relaxations():
        # The next one needs only a rough start.
        current = newton(linear, y, easier, nu, _ROUGH_TOLERANCE, max_iterations - spent, is_at_least)
        nu = current.nu if previous is None else current.nu + 2 * (current.nu - previous)
        previous, spent = current.nu, spent + current.steps
    second = newton(linear, y, potential, nu, tol, max_iterations - spent, is_at_least)
    best = first if first is not None and first.misfit <= second.misfit else second
    return replace(best, steps=spent + second.steps)


def newton(
    linear: LinearMap,
    y: FloatArray,
    potential: Potential,
    nu: FloatArray,
    tol: float,
    max_iterations: int,
    is_at_least: bool = False,
) -> CoupledState:
    """Newton's method from a dual variable, for one potential; of all its states the one of least misfit."""
    Z = linear.adjoint(np.eye(len(y)))
    reference = max(norm(y), norm(Z @ potential.minimizer)) or 1.0

    def state(nu: FloatArray, steps: int) -> CoupledState:
        x = potential.respond(-nu @ Z)[0]
        residual = y - Z @ x
        counts = (nu < 0) | ~(residual <= 0) if is_at_least else np.ones(len(y), dtype=bool)
        return CoupledState(nu, x, norm(residual[counts]) / reference, steps)

    now = state(np.minimum(nu, 0.0) if is_at_least else nu, 0)
    for _ in range(_MOST_HALVINGS):  # a start may lie where exponentials overflow
        if np.isfinite(now.misfit):
            break
        now = state(now.nu / 2, 0)
    best = now
    while now.misfit > tol and now.steps < max_iterations and now.steps - best.steps < _MOST_WITHOUT_GAIN:
        metric = potential.respond(-now.nu @ Z)[1]
        values, vectors = np.linalg.eigh(Z @ metric @ Z.T)
        residual = (y - Z @ now.x) / reference
        if is_at_least:
            step = _step_of_inequalities(values, vectors, residual * reference, now.nu)
            shrinks = step > 0
            largest = max(1.0, float(np.min(-now.nu[shrinks] / step[shrinks], initial=np.inf)))
        else:
            keep = values > _SMALLEST_EIGENVALUE * values[-1]
            step = -(vectors[:, keep] / values[keep]) @ (vectors[:, keep].T @ residual) * reference
            largest = np.inf
        size = _line_search(Z, y, potential, now.nu, step, reference, float(step @ residual), largest)
        moved = now.nu + size * step
        moved = state(np.minimum(moved, 0.0) if is_at_least else moved, now.steps + 1)
        is_rounding = not moved.misfit < now.misfit and now.misfit <= 1e3 * tol
        if is_rounding or not np.isfinite(moved.misfit):
            break
        # The dual falls in every step, but the misfit need not; if it does not for long, rounding has stopped it.
        now, best = moved, moved if moved.misfit < best.misfit else best
    return replace(best, steps=now.steps)


def _step_of_inequalities(values: FloatArray, vectors: FloatArray, residual: FloatArray, nu: FloatArray) -> FloatArray:
    """The step from ν to the minimizer of the dual's quadratic model over ν <= 0, from eigenvalues of its Hessian.

    With H = AᵀA and μ = −ν that is non-negative least squares of Aμ against A⁻ᵀ(Hμ₀ + r), whose support is then solved
    for again: there the residual keeps the digits that it loses beside Hμ₀.
    """
    root = np.sqrt(np.maximum(values, _SMALLEST_EIGENVALUE * values[-1]))
    factor = root[:, None] * vectors.T
    target = vectors.T @ residual / root - factor @ nu
    size = norm(target) or 1.0
    try:
        found = size * nnls(factor, target / size)[0]
    except (RuntimeError, ValueError):  # it has reached its limit on iterations, or numbers left their range
        return np.minimum(nu - residual, 0.0) - nu
    step, on = -found - nu, found > 0
    hessian = factor[:, on].T @ factor
    finer = -np.linalg.solve(hessian[:, on], residual[on] + hessian[:, ~on] @ step[~on])
    if np.all(nu[on] + finer < 0):
        step[on] = finer
    return step


def _line_search(
    Z: FloatArray,
    y: FloatArray,
    potential: Potential,
    nu: FloatArray,
    step: FloatArray,
    reference: float,
    at_zero: float,
    largest: float,
) -> float:
    """A multiple of the step at which the slope of the dual has fallen to a quarter of its start, or the largest."""

    def slope(size: float) -> float:
        x = potential.respond(-(nu + size * step) @ Z)[0]
        value = float(step @ ((y - Z @ x) / reference))
        return value if np.isfinite(value) else np.inf

    return zero_of_increasing(slope, slope(1.0), 0.25 * abs(at_zero), largest)
