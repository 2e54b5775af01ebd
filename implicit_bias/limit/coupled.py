r"""Newton's method on the dual for potentials that couple their coordinates, whose metric is a matrix.

The dual is the one in :mod:`implicit_bias.limit.dual_newton`, with the Hessian :math:`Z (\nabla^2 R)^{-1} Z^T`. Such
potentials have few coordinates, so all matrices are dense.
"""

from __future__ import annotations

import numpy as np

from implicit_bias.limit.dual_newton import zero_of_increasing
from implicit_bias.linear_map import LinearMap
from implicit_bias.norm import norm
from implicit_bias.potential import Potential
from implicit_bias.validation import FloatArray

_SMALLEST_EIGENVALUE = 1e-13  # of the Hessian, relative to the largest; a step in the other directions would be noise
_ROUGH_TOLERANCE = 1e-3  # on the misfit of a potential on the way to another


def follow(linear: LinearMap, y: FloatArray, potential: Potential, max_iterations: int) -> tuple[FloatArray, int]:
    """A start ν for a potential by way of the easier ones that lead to it, and the number of steps taken."""
    nu, previous, steps = np.zeros(len(y)), None, 0
    for easier in potential.relaxations():
        # The next one needs only a rough start.
        current, _, _, count = newton(linear, y, easier, nu, _ROUGH_TOLERANCE, max_iterations - steps)
        nu = current if previous is None else current + 2 * (current - previous)
        previous, steps = current, steps + count
    return nu, steps


def newton(
    linear: LinearMap, y: FloatArray, potential: Potential, nu: FloatArray, tol: float, max_iterations: int
) -> tuple[FloatArray, FloatArray, float, int]:
    """Solve Zx = y in the dual, for rows of Z that are scaled to size 1.

    Returns:
        The dual variable ν, its weight x, the misfit ‖Zx − y‖ relative to max(‖y‖, ‖Z argmin R‖), and the number of
        steps. If rounding or the limit on steps ended the iteration, the misfit is above the tolerance.
    """
    d = len(y)
    Z = linear.adjoint(np.eye(d))
    reference = max(norm(y), norm(Z @ potential.minimizer)) or 1.0
    x, misfit = _misfit(Z, y, potential, nu, reference)
    for k in range(max_iterations):
        if misfit <= tol:
            return nu, x, misfit, k
        metric = potential.respond(-nu @ Z)[1]
        values, vectors = np.linalg.eigh(Z @ metric @ Z.T)
        keep = values > _SMALLEST_EIGENVALUE * values[-1]
        residual = (y - Z @ x) / reference
        step = -(vectors[:, keep] / values[keep]) @ (vectors[:, keep].T @ residual) * reference
        moved = nu + step * _line_search(Z, y, potential, nu, step, reference, float(step @ residual))
        x_moved, misfit_moved = _misfit(Z, y, potential, moved, reference)
        is_rounding = not misfit_moved < misfit and misfit <= 1e3 * tol
        if is_rounding or not np.isfinite(misfit_moved):
            return nu, x, misfit, k
        nu, x, misfit = moved, x_moved, misfit_moved
    return nu, x, misfit, max_iterations


def _line_search(
    Z: FloatArray,
    y: FloatArray,
    potential: Potential,
    nu: FloatArray,
    step: FloatArray,
    reference: float,
    at_zero: float,
) -> float:
    """A multiple of the step at which the slope of the dual has fallen to a quarter of its start."""

    def slope(size: float) -> float:
        x = potential.respond(-(nu + size * step) @ Z)[0]
        value = float(step @ ((y - Z @ x) / reference))
        return value if np.isfinite(value) else np.inf

    return zero_of_increasing(slope, slope(1.0), 0.25 * abs(at_zero))


def _misfit(
    Z: FloatArray, y: FloatArray, potential: Potential, nu: FloatArray, reference: float
) -> tuple[FloatArray, float]:
    x = potential.respond(-nu @ Z)[0]
    return x, norm(y - Z @ x) / reference
