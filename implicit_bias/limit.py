r"""Where the flow ends: the Bregman projection onto the interpolating weights.

.. math:: x^* = \operatorname{argmin} \{ R(x) : Zx = y \}

Its dual is unconstrained, smooth and convex in d variables, :math:`\min_\nu R^*(-Z^T\nu) + y^T\nu`, with gradient
:math:`y - Zx(\nu)` and Hessian :math:`Z (\nabla^2 R)^{-1} Z^T`. Newton's method solves d × d systems; along a Newton
direction the slope of the dual costs O(n), so the line search finds its zero almost for free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr, svd

from implicit_bias.potential import Potential
from implicit_bias.problem import check_system
from implicit_bias.status import Status, settle
from implicit_bias.validation import finite_array, positive_number

_RANK_TOLERANCE = 1e-10
# Where a tiny scale leaves fewer active weights than observations, the Hessian is singular in double precision. The
# ridge keeps the step finite; the residual it leaves in such directions is below rounding, or grows until it is seen.
_RIDGE = 1e-15


@dataclass(frozen=True, eq=False)
class Projection:
    """The minimizer of a potential over the solutions of Zx = y.

    Attributes:
        x: The minimizer, shape (n,).
        dual: ν with ∇R(x) = −Zᵀν, shape (d,).
        kkt_residual: The larger of the misfit ‖Zx − y‖₂ / max(‖y‖₂, ‖Z argmin R‖₂) and the distance from stationarity
            ‖x − ∇R*(−Zᵀν)‖₂ / ‖x‖₂, which is 0 unless rounding in ν made a correction of x necessary.
        error_bound: A bound on ‖x − x*‖₂, proven in exact arithmetic, or None where the potential offers none.
        iterations: Newton steps, those on the way through easier potentials included.
        status: How the solver ended.
        certificate: For an infeasible y, a ν of unit length with Zᵀν = 0 and yᵀν ≠ 0.
    """

    x: np.ndarray
    dual: np.ndarray
    kkt_residual: float
    error_bound: float | None
    iterations: int
    status: Status
    certificate: np.ndarray | None = None

    def __repr__(self) -> str:
        return (
            f"Projection(n={len(self.x)}, kkt_residual={self.kkt_residual:.1e}, error_bound={self.error_bound}, "
            f"{self.iterations} Newton steps, {self.status.value})"
        )


def bregman_projection(
    Z: ArrayLike,
    y: ArrayLike,
    potential: Potential,
    tol: float = 1e-12,
    start: ArrayLike | None = None,
    *,
    max_iterations: int = 500,
    throw: bool = True,
) -> Projection:
    r"""Compute :math:`\operatorname{argmin}\{R(x) : Zx = y\}` by Newton's method in the dual.

    Args:
        Z: Design matrix, shape (d, n) with d < n; its rows may be linearly dependent if y is in its range.
        y: Right-hand side, shape (d,).
        potential: R, with one coordinate per column of Z.
        tol: Tolerance on the KKT residual (relative, see :class:`Projection`).
        start: A dual ν to start from, shape (d,), instead of following easier potentials.
        max_iterations: Limit on Newton steps in all.
        throw: Raise when the tolerance is not reached, instead of reporting it in ``status``.

    Raises:
        ValueError: If shapes do not match, d >= n, or data hold nan or inf.
        SolverError: If y is not in the range of Z or the tolerance is not reached, if ``throw``.

    >>> from implicit_bias.potential import HyperbolicEntropy
    >>> bregman_projection([[1.0, 2.0]], [2.0], HyperbolicEntropy(scale=1e-300)).x.round(3).tolist()
    [0.0, 1.0]
    """
    design, target = check_system(Z, y)
    d, n = design.shape
    if n <= d:
        raise ValueError(
            f"Z: expected fewer rows than columns (an underdetermined system, where the potential decides), got "
            f"shape {design.shape}."
        )
    if potential.size not in (None, n):
        raise ValueError(f"potential: expected {n} coordinates, one per column of Z, got {potential.size}.")
    positive_number(tol, "tol")
    rows, certificate = _independent_rows(design, target)
    if certificate is not None:
        x, nu = np.broadcast_to(potential.minimizer, (n,)).copy(), np.zeros(d)
        misfit = float(np.linalg.norm(design @ x - target) / np.linalg.norm(target))
        failed = Projection(x, nu, misfit, None, 0, Status.INFEASIBLE, certificate)
        return settle(failed, throw, "bregman_projection")
    solver = _DualNewton(design[rows], target[rows], tol, max_iterations)
    nu = np.zeros(len(rows))
    if start is not None:
        given = finite_array(start, "start", ndim=1)
        if given.shape != (d,):
            raise ValueError(f"start: expected shape ({d},), one entry per row of Z, got {given.shape}.")
        # Dependent rows share their multipliers: fold them into the rows that are kept.
        nu = given if len(rows) == d else np.linalg.lstsq(design[rows].T, design.T @ given, rcond=None)[0]
    else:
        nu = solver.follow(potential.relaxations(), nu)
    state = solver.solve(potential, nu, tol)
    dual = np.zeros(d)
    dual[rows] = state.nu
    return settle(solver.finish(potential, state, dual), throw, "bregman_projection")


def _independent_rows(Z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Indices of linearly independent rows that span the rest, and a certificate if y contradicts a dependency."""
    everything = np.arange(len(Z))
    scale = np.linalg.norm(Z, axis=1)
    unit = np.divide(Z, scale[:, None], out=np.zeros_like(Z), where=scale[:, None] > 0)
    if np.linalg.eigvalsh(unit @ unit.T)[0] > _RANK_TOLERANCE:
        return everything, None
    triangle, order = qr(unit.T, mode="r", pivoting=True, check_finite=False)
    rank = int(np.sum(np.abs(np.diag(triangle)) > _RANK_TOLERANCE))
    left, values, _ = svd(Z, full_matrices=True, check_finite=False)
    null = left[:, int(np.sum(values > _RANK_TOLERANCE * max(values[0], 1e-300))) :]
    contradiction = null @ (null.T @ y)
    size = np.linalg.norm(contradiction)
    if size > 1e-9 * np.linalg.norm(y):
        return everything, contradiction / size
    return np.sort(order[:rank]), None


@dataclass
class _State:
    nu: np.ndarray
    z: np.ndarray
    x: np.ndarray
    residual: np.ndarray
    misfit: float
    converged: bool


class _DualNewton:
    """Newton's method on the dual of one system, with an exact line search."""

    def __init__(self, Z: np.ndarray, y: np.ndarray, tol: float, max_iterations: int) -> None:
        self.Z, self.y = Z, y
        self.tol, self.max_iterations = tol, max_iterations
        self.iterations = 0

    def follow(self, potentials: list[Potential], nu: np.ndarray) -> np.ndarray:
        """A start for the potential that the given easier ones lead to."""
        previous = None
        for potential in potentials:
            current = self.solve(potential, nu, 1e-3).nu  # a rough start is all the next one needs
            nu = current if previous is None else current + 2 * (current - previous)
            previous = current
        return nu

    def solve(self, potential: Potential, nu: np.ndarray, tol: float) -> _State:
        """Minimize the dual from ``nu`` until the misfit is below ``tol`` or rounding stops it."""
        reference = self._reference(potential)
        state = self._evaluate(potential, nu, reference, tol)
        best, since_best = state, 0
        while not state.converged and self.iterations < self.max_iterations and since_best < 25:
            self.iterations += 1
            step = self._newton_step(potential._metric(state.x), -state.residual)
            step *= self._line_search(potential, state, step)
            state = self._evaluate(potential, state.nu + step, reference, tol)
            # The misfit need not fall in every step, as the dual does; a long time without a gain means rounding.
            best, since_best = (state, 0) if state.misfit < best.misfit else (best, since_best + 1)
        return best

    def finish(self, potential: Potential, state: _State, dual: np.ndarray) -> Projection:
        r"""Measure what remains, after one correction of x if its misfit is not yet good enough.

        The error bound rests on weak duality. Correcting x in the metric gives an x̂ with Zx̂ = y. Then
        R(x̂) − R(x*) = D(x̂, x*), as x̂ − x* is in ker Z and ∇R(x*) in the range of Zᵀ, and D(x̂, x(ν)) is the duality
        gap between x̂ and ν, so D(x̂, x*) <= D(x̂, x(ν)). The potential turns this into a distance. What rounding leaves
        of y − Zx̂ enters through the size of the correction it would need.
        """
        reference = self._reference(potential)
        step = self._correction(potential, state.x, state.residual)
        feasible = state.x + step
        leftover = self.y - self.Z @ feasible
        corrected_misfit = float(np.linalg.norm(leftover)) / reference
        x, misfit = state.x, state.misfit
        if misfit > self.tol and corrected_misfit < misfit:
            x, misfit = feasible, corrected_misfit
        shift = float(np.linalg.norm(x - state.x)) / (float(np.linalg.norm(x)) or 1.0)
        residual = max(misfit, shift)
        status = Status.CONVERGED if residual <= self.tol else Status.STALLED
        if status is not Status.CONVERGED and self.iterations >= self.max_iterations:
            status = Status.MAX_ITERATIONS
        gap = float(np.sum(potential._divergence_terms(feasible, state.x)))
        bound = potential.separation(feasible, max(gap, 0.0))
        if bound is not None:
            bound += float(np.linalg.norm(x - feasible))
            bound += 2 * float(np.linalg.norm(self._correction(potential, feasible, leftover)))
        return Projection(x, dual, residual, bound, self.iterations, status)

    def _correction(self, potential: Potential, x: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """The smallest change of x, in the metric at x, that removes the residual y − Zx."""
        metric = potential._metric(x)
        return -metric * (self.Z.T @ self._newton_step(metric, -residual))

    def _reference(self, potential: Potential) -> float:
        start = np.broadcast_to(potential.minimizer, (self.Z.shape[1],))
        return max(float(np.linalg.norm(self.y)), float(np.linalg.norm(self.Z @ start))) or 1.0

    def _evaluate(self, potential: Potential, nu: np.ndarray, reference: float, tol: float) -> _State:
        z = -(nu @ self.Z)
        x = potential._inverse_gradient(z)
        with np.errstate(all="ignore"):
            residual = self.y - self.Z @ x
            misfit = float(np.linalg.norm(residual)) / reference
        return _State(nu, z, x, residual, misfit, misfit <= tol)

    def _newton_step(self, metric: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """−H⁻¹·(−gradient) for H = Z diag(metric) Zᵀ, computed relative to the largest entry of H."""
        weight = float(np.max(metric))
        hessian = (self.Z * (metric / weight)) @ self.Z.T
        diagonal = np.arange(len(hessian))
        size = float(np.max(hessian[diagonal, diagonal]))
        ridge = _RIDGE
        while True:
            hessian[diagonal, diagonal] += ridge * size
            try:
                return cho_solve(cho_factor(hessian, lower=True, check_finite=False), gradient / weight)
            except LinAlgError:
                ridge *= 10

    def _line_search(self, potential: Potential, state: _State, step: np.ndarray) -> float:
        """A multiple of the step at which the slope of the dual has fallen to a fraction of its start."""
        motion = -(step @ self.Z)
        fixed = float(self.y @ step)

        def slope(size: float) -> float:
            with np.errstate(all="ignore"):
                value = fixed + float(motion @ potential._inverse_gradient(state.z + size * motion))
            return value if np.isfinite(value) else np.inf

        return _zero_of_increasing(slope, float(state.residual @ step))


def _zero_of_increasing(slope: Callable[[float], float], at_zero: float) -> float:
    """A t > 0 with |slope(t)| <= |slope(0)| / 4 for an increasing slope that is negative at 0."""
    goal, low, high, size = 0.25 * abs(at_zero), 0.0, np.inf, 1.0
    for _ in range(80):
        value = slope(size)
        if abs(value) <= goal:
            break
        low, high = (size, high) if value < 0 else (low, size)
        if high == np.inf:
            size *= 4
        elif low == 0:
            size = high / 16 if high > 1e-3 else high**2
        else:
            size = np.sqrt(low * high) if high > 4 * low else 0.5 * (low + high)
    return size
