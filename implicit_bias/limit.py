r"""Where the flow ends: the Bregman projection onto the interpolating weights.

.. math:: x^* = \operatorname{argmin} \{ R(x) : Zx = y \}

Its dual is unconstrained, smooth and convex in d variables, :math:`\min_\nu R^*(-Z^T\nu) + y^T\nu`, with gradient
:math:`y - Zx(\nu)` and Hessian :math:`Z (\nabla^2 R)^{-1} Z^T`. Newton's method solves d × d systems; along a Newton
direction the slope of the dual costs O(n), so the line search finds its zero almost for free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr, svd

from implicit_bias.potential import Potential
from implicit_bias.problem import check_system
from implicit_bias.status import Status, settle
from implicit_bias.validation import finite_array, positive_number, whole_number

_RANK_TOLERANCE = 1e-10
# Where a tiny scale leaves fewer active weights than observations, the Hessian is singular in double precision. The
# ridge keeps the step finite; the residual it leaves in such directions is below rounding, or grows until it is seen.
_RIDGE = 1e-15
_ROUNDING = 4 * 2.0**-52  # a few units in the last place, for what rounding of ν and x leaves of the residuals


@dataclass(frozen=True, eq=False)
class Projection:
    """The minimizer of a potential over the solutions of Zx = y.

    Attributes:
        x: The minimizer, shape (n,).
        dual: ν with ∇R(x) = −Zᵀν, shape (d,).
        kkt_residual: The larger of the misfit ‖Zx − y‖₂ / max(‖y‖₂, ‖Z argmin R‖₂), the rows of Z and y scaled so that
            the largest entry of each row of Z is about 1, and the distance from stationarity ‖x − ∇R*(−Zᵀν)‖₂ / ‖x‖₂,
            which is 0 unless rounding in ν made a correction of x necessary.
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
        tol: Tolerance on the KKT residual (relative, see :class:`Projection`), or what rounding of ν and x to double
            precision leaves of it, where that is more.
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
    if not isinstance(potential, Potential):
        raise ValueError(
            f"potential: expected an ib.Potential, got {type(potential).__name__}; a derivation gives one by "
            ".at(init, decay)."
        )
    if potential.size not in (None, n):
        raise ValueError(f"potential: expected {n} coordinates, one per column of Z, got {potential.size}.")
    positive_number(tol, "tol")
    whole_number(max_iterations, "max_iterations")
    given = np.zeros(d)
    if start is not None:
        given = finite_array(start, "start", ndim=1)
        if given.shape != (d,):
            raise ValueError(f"start: expected shape ({d},), one entry per row of Z, got {given.shape}.")
    # Neither the problem nor its solution depends on the scale of a row. Powers of two keep it exact.
    exponents = np.frexp(np.max(np.abs(design), axis=1))[1]
    with np.errstate(all="ignore"):  # whatever overflows is seen in the misfit, and in the status
        Z, y = np.ldexp(design, -exponents[:, None]), np.ldexp(target, -exponents)
        first = None if start is None else np.ldexp(given, exponents)
        found = _solve_scaled(Z, y, potential, tol, first, max_iterations)
        certificate = found.certificate
        if certificate is not None:
            certificate = np.ldexp(certificate, np.min(exponents) - exponents)
            certificate /= _norm(certificate)
        found = replace(found, dual=np.ldexp(found.dual, -exponents), certificate=certificate)
    return settle(found, throw, "bregman_projection")


def _solve_scaled(
    Z: np.ndarray, y: np.ndarray, potential: Potential, tol: float, start: np.ndarray | None, max_iterations: int
) -> Projection:
    """The projection for a Z whose rows all have a largest entry of about 1, or are zero."""
    d, n = Z.shape
    rows, certificate = _independent_rows(Z, y)
    if certificate is not None or not len(rows):
        x = np.broadcast_to(potential.minimizer, (n,)).copy()
        if certificate is None:  # Z = 0 and y = 0
            return Projection(x, np.zeros(d), 0.0, 0.0, 0, Status.CONVERGED)
        misfit = _norm(Z @ x - y) / _norm(y)
        return Projection(x, np.zeros(d), misfit, None, 0, Status.INFEASIBLE, certificate)
    solver = _DualNewton(Z[rows], y[rows], tol, max_iterations)
    if start is None:
        nu = solver.follow(potential.relaxations(), np.zeros(len(rows)))
    elif len(rows) == d:
        nu = start
    else:  # dependent rows share their multipliers: fold them into the rows that are kept
        nu = np.linalg.lstsq(Z[rows].T, Z.T @ start, rcond=None)[0]
    state = solver.solve(potential, nu, tol)
    if start is not None and not state.converged:  # so far off that the easier potentials are the better way
        second = solver.solve(potential, solver.follow(potential.relaxations(), np.zeros(len(rows))), tol)
        state = second if second.misfit < state.misfit else state
    dual = np.zeros(d)
    dual[rows] = state.nu
    found = solver.finish(potential, state, dual)
    dropped = np.setdiff1d(np.arange(d), rows)
    if len(dropped) and found.status is Status.CONVERGED:
        misfit = _norm(Z[dropped] @ found.x - y[dropped]) / solver.reference(potential)
        status = found.status if misfit <= max(tol, solver.noise(potential, found.x)) else Status.STALLED
        found = replace(found, kkt_residual=max(found.kkt_residual, misfit), status=status)
    return found


def _norm(vector: np.ndarray) -> float:
    """‖vector‖₂, also where its square leaves the floating-point range."""
    size = float(np.max(np.abs(vector), initial=0.0))
    return size * float(np.linalg.norm(vector / size)) if 0 < size < np.inf else size


def _independent_rows(Z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Indices of linearly independent rows that span the rest, and a certificate if y contradicts a dependency."""
    everything = np.arange(len(Z))
    scale = np.linalg.norm(Z, axis=1)
    scale[scale == 0] = 1.0
    unit = Z / scale[:, None]
    if np.linalg.eigvalsh(unit @ unit.T)[0] > _RANK_TOLERANCE:
        return everything, None
    triangle, order = qr(unit.T, mode="r", pivoting=True, check_finite=False)  # pyright: ignore[reportAssignmentType]
    rank = int(np.sum(np.abs(np.diag(triangle)) > _RANK_TOLERANCE))
    left = svd(unit, full_matrices=True, check_finite=False)[0]
    null = left[:, rank:]
    target = y / scale
    contradiction = null @ (null.T @ target)
    if _norm(contradiction) > 1e-9 * _norm(target):
        certificate = contradiction / _norm(contradiction) / scale
        return everything, certificate / _norm(certificate)
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
        self.column_size = np.max(np.abs(Z), axis=0)
        self.columns = Z / np.where(self.column_size > 0, self.column_size, 1.0)
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
        reference = self.reference(potential)
        state = self._evaluate(potential, nu, reference, tol)
        for _ in range(60):
            if np.isfinite(state.misfit):
                break
            state = self._evaluate(potential, state.nu / 2, reference, tol)
        best, since_best = state, 0
        while not state.converged and self.iterations < self.max_iterations and since_best < 25:
            if not np.isfinite(state.misfit):
                break
            self.iterations += 1
            step = self._newton_step(potential._metric(state.x), -state.residual)
            step = step * self._line_search(potential, state, step, reference)
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
        if not np.isfinite(state.misfit):
            return Projection(state.x, dual, np.inf, None, self.iterations, Status.NOT_FINITE)
        reference = self.reference(potential)
        step = self._correction(potential, state.x, state.residual)
        feasible = state.x + step
        leftover = self.y - self.Z @ feasible
        corrected_misfit = _norm(leftover) / reference
        x, misfit = state.x, state.misfit
        if misfit > self.tol and corrected_misfit < misfit:
            x, misfit = feasible, corrected_misfit
        size = _norm(x) or 1.0
        shift = _norm(x - state.x) / size
        # What rounding of ν does to x; far from a solution that would be an excuse, hence the limit.
        blur = _ROUNDING * _norm(self.blur(potential, state)) / size
        is_feasible = misfit <= max(self.tol, self.noise(potential, x))
        is_stationary = shift <= max(self.tol, min(blur, 1e-8))
        residual = max(misfit, shift)
        status = Status.CONVERGED if is_feasible and is_stationary else Status.STALLED
        if status is not Status.CONVERGED and self.iterations >= self.max_iterations:
            status = Status.MAX_ITERATIONS
        gap = float(np.sum(potential._divergence_terms(feasible, state.x)))
        bound = potential.separation(feasible, max(gap, 0.0))
        if bound is not None:
            bound += _norm(x - feasible) + 2 * _norm(self._correction(potential, feasible, leftover))
        return Projection(x, dual, residual, bound, self.iterations, status)

    def _correction(self, potential: Potential, x: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """The smallest change of x, in the metric at x, that removes the residual y − Zx."""
        metric = potential._metric(x)
        return -metric * (self.Z.T @ self._newton_step(metric, -residual))

    def reference(self, potential: Potential) -> float:
        """The size of a misfit that counts as 1."""
        start = np.broadcast_to(potential.minimizer, (self.Z.shape[1],))
        return max(_norm(self.y), _norm(self.Z @ start)) or 1.0

    def noise(self, potential: Potential, x: np.ndarray) -> float:
        """The misfit that rounding makes of a perfect x."""
        return _ROUNDING * _norm(np.abs(self.Z) @ np.abs(x)) / self.reference(potential)

    def blur(self, potential: Potential, state: _State) -> np.ndarray:
        """How far relative errors of size 1 in the terms of Zᵀν move x."""
        return potential._metric(state.x) * (np.abs(state.nu) @ np.abs(self.Z))

    def _evaluate(self, potential: Potential, nu: np.ndarray, reference: float, tol: float) -> _State:
        z = -(nu @ self.Z)
        x = potential._inverse_gradient(z)
        residual = self.y - self.Z @ x
        misfit = _norm(residual) / reference
        return _State(nu, z, x, residual, misfit, misfit <= tol)

    def _newton_step(self, metric: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """H⁻¹·gradient for H = Z diag(metric) Zᵀ, with H scaled to a unit diagonal."""
        curvature = metric * self.column_size * self.column_size
        weight = float(np.max(curvature))
        direction = gradient / weight if weight > 0 else gradient
        if weight == 0 or not np.all(np.isfinite(direction)):
            return gradient  # H underflows: any descent direction will do until x has grown
        hessian = (self.columns * (curvature / weight)) @ self.columns.T
        diagonal = np.arange(len(hessian))
        size = np.sqrt(hessian[diagonal, diagonal])
        size[size == 0] = 1.0
        hessian /= size[:, None] * size
        ridge = _RIDGE
        while True:
            hessian[diagonal, diagonal] += ridge
            try:
                return cho_solve(cho_factor(hessian, lower=True, check_finite=False), direction / size) / size
            except LinAlgError:
                ridge *= 10

    def _line_search(self, potential: Potential, state: _State, step: np.ndarray, reference: float) -> float:
        """A multiple of the step at which the slope of the dual has fallen to a fraction of its start.

        Slopes are taken relative to the reference, so that large data do not overflow in them. A slope below its own
        rounding counts as zero: the step along directions that no active weight sees is all noise, and must not keep
        the rest of the step from being taken.
        """
        motion = -(step @ self.Z)
        blurred = np.abs(state.x) + self.blur(potential, state)
        noise = _ROUNDING * float(np.abs(step) @ np.abs(self.y / reference) + np.abs(motion) @ (blurred / reference))
        fixed = float((self.y / reference) @ step)

        def slope(size: float) -> float:
            value = fixed + float(motion @ (potential._inverse_gradient(state.z + size * motion) / reference))
            return value if np.isfinite(value) else np.inf

        at_zero = float((state.residual / reference) @ step)
        return _zero_of_increasing(slope, max(0.25 * abs(at_zero), noise))


def _zero_of_increasing(slope: Callable[[float], float], goal: float) -> float:
    """A t > 0 with |slope(t)| <= goal for an increasing slope that is negative at 0."""
    low, high, size = 0.0, np.inf, 1.0
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
            size = np.sqrt(low) * np.sqrt(high) if high > 4 * low else 0.5 * (low + high)
    return size
