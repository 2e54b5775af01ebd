r"""Where the flow ends: the Bregman projection onto the interpolating weights.

.. math:: x^* = \operatorname{argmin} \{ R(x) : Zx = y \}

It is found by Newton's method on its dual, which is unconstrained, smooth and convex in d variables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.limit.dual_newton import ROUNDING as _ROUNDING
from implicit_bias.limit.dual_newton import DualNewton, DualState
from implicit_bias.limit.independent_rows import contradiction, independent_rows
from implicit_bias.norm import norm
from implicit_bias.potential import Potential
from implicit_bias.problem import check_system
from implicit_bias.status import Status, settle
from implicit_bias.validation import finite_array, positive_number, whole_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INVERSE_ITERATIONS = 4
_FEASIBLE = 1e-3


@dataclass(frozen=True, eq=False)
class Projection:
    """The minimizer of a potential over the solutions of Zx = y.

    Attributes:
        x: The minimizer, shape (n,).
        dual: ν with ∇R(x) = −Zᵀν, shape (d,).
        kkt_residual: The larger of the misfit ‖Zx − y‖₂ / max(‖y‖₂, ‖Z argmin R‖₂), the rows of Z and y scaled so that
            the largest entry of each row of Z is about 1, and the distance from stationarity ‖x − ∇R*(−Zᵀν)‖₂ / ‖x‖₂,
            which is 0 unless rounding in ν made a correction of x necessary.
        error_bound: A bound on ‖x − x*‖₂, proven in exact arithmetic, with an estimate of what rounding adds.
            None where the potential offers none or no x was found that nearly satisfies Zx = y.
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
        bound = None if self.error_bound is None else f"{self.error_bound:.1e}"
        return (
            f"Projection(n={len(self.x)}, kkt_residual={self.kkt_residual:.1e}, error_bound={bound}, "
            f"{self.iterations} Newton steps, {self.status.value})"
        )

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the weights x_i against i.

        Args:
            ax: Where to draw; by default pyplot's current axes, so that several calls share one plot.
            options: Passed to matplotlib's ``Axes.plot``.
        """
        from implicit_bias.display.projection import plot

        return plot(self, ax, **options)

    def _repr_html_(self) -> str:
        from implicit_bias.display.projection import html

        return html(self)


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
        Z: Design matrix, shape (d, n) with d < n: an array, a sparse array of SciPy, or a SciPy ``LinearOperator``, for
            which conjugate gradients replace the factorization. Rows may be linearly dependent if y is in the range.
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
    system = System(Z, y)
    d, n = system.shape
    if not isinstance(potential, Potential):
        raise ValueError(
            f"potential: expected an ib.Potential, got {type(potential).__name__}; a derivation gives one by "
            ".at(init, decay)."
        )
    if potential.size not in (None, n):
        raise ValueError(f"potential: expected {n} coordinates, one per column of Z, got {potential.size}.")
    positive_number(tol, "tol")
    whole_number(max_iterations, "max_iterations")
    given = None
    if start is not None:
        given = finite_array(start, "start", ndim=1)
        if given.shape != (d,):
            raise ValueError(f"start: expected shape ({d},), one entry per row of Z, got {given.shape}.")
    with np.errstate(all="ignore"):  # whatever overflows is seen in the misfit, and in the status
        found = system.project(potential, tol, given, max_iterations)
    return settle(found, throw, "bregman_projection")


class System:
    """Zx = y, its rows scaled to unit size and without those that depend on others.

    Neither the problem nor its solution depends on the scale of a row. Powers of two keep it exact.

    Raises:
        ValueError: If shapes do not match, d >= n, or data hold nan or inf.
    """

    def __init__(self, Z: ArrayLike, y: ArrayLike) -> None:
        linear, target = check_system(Z, y)
        d, n = self.shape = linear.shape
        if n <= d:
            raise ValueError(
                "Z: expected fewer rows than columns (an underdetermined system, where the potential decides), got "
                f"shape {self.shape}."
            )
        self._exponents = np.frexp(linear.row_sizes)[1]
        self._linear = linear.scaled_rows(-self._exponents)
        self._y = np.ldexp(target, -self._exponents)
        self._rows, self.certificate = np.arange(d), None
        with np.errstate(all="ignore"):
            if linear.has_gram:
                self._rows, self.certificate = independent_rows(self._linear, self._y)
        self._kept, self._amplification = self._linear, 1.0
        if len(self._rows) < d:
            self._kept = self._linear.rows(self._rows)
            factor = self._linear.triangle()
            combinations = np.linalg.lstsq(factor[:, self._rows], factor, rcond=None)[0]
            # The misfit of a dependent row is a combination of those of the others.
            self._amplification = max(1.0, float(np.linalg.norm(combinations, ord=2)))

    @property
    def is_trivial(self) -> bool:
        """Whether nothing is left to solve: y contradicts a dependency of rows, or all rows are zero."""
        return self.certificate is not None or not len(self._rows)

    def newton(self, max_iterations: int) -> DualNewton:
        """The solver for the independent rows."""
        return DualNewton(self._kept, self._y[self._rows], max_iterations)

    def project(self, potential: Potential, tol: float, start: np.ndarray | None, max_iterations: int) -> Projection:
        """The projection from a dual start of shape (d,), or by way of easier potentials."""
        if self.is_trivial:
            return self._trivial(potential)
        solver = self.newton(max_iterations)
        first = None if start is None else self.inner_dual(start)
        state = self.solve(solver, potential, tol, first)
        found = self.finish(solver, potential, state, tol)
        if not self._linear.has_gram and found.status is not Status.CONVERGED:
            certificate = contradiction(self._linear, self._y)
            if certificate is not None:
                found = replace(found, status=Status.INFEASIBLE, certificate=self._outer_certificate(certificate))
        return found

    def finish(self, solver: DualNewton, potential: Potential, state: DualState, tol: float) -> Projection:
        """The result for a dual state, measured on all rows."""
        found = _measured(solver, potential, state, tol)
        dropped = np.setdiff1d(np.arange(self.shape[0]), self._rows)
        if len(dropped) and found.status is Status.CONVERGED:
            rest = self._linear.rows(dropped)
            misfit = norm(rest.apply(found.x) - self._y[dropped]) / solver.reference(potential)
            is_feasible = misfit <= tol or misfit <= solver.noise(potential, found.x)
            status = found.status if is_feasible else Status.STALLED
            # Where a row that was left out is not met, there is no x* to be near to.
            bound = found.error_bound if is_feasible else None
            found = replace(found, kkt_residual=max(found.kkt_residual, misfit), error_bound=bound, status=status)
        return replace(found, dual=self.outer_dual(found.dual))

    def inner_dual(self, nu: np.ndarray) -> np.ndarray:
        """The multipliers of the scaled, independent rows that stand for multipliers of the rows as given."""
        scaled = np.ldexp(nu, self._exponents)
        if len(self._rows) == self.shape[0]:
            return scaled
        # Dependent rows share their multipliers: fold them into the rows that are kept.
        factor = self._linear.triangle()
        return np.linalg.lstsq(factor[:, self._rows], factor @ scaled, rcond=None)[0]

    def outer_dual(self, nu: np.ndarray) -> np.ndarray:
        """The multipliers of the rows as given."""
        dual = np.zeros(self.shape[0])
        dual[self._rows] = nu
        return np.ldexp(dual, -self._exponents)

    def solve(self, solver: DualNewton, potential: Potential, tol: float, start: np.ndarray | None) -> DualState:
        """Solve from a dual start of the inner system, or from easier potentials where there is none or it fails."""
        origin, tol = np.zeros(len(self._rows)), tol / self._amplification
        if start is None:
            return solver.solve(potential, solver.follow(potential.relaxations(), origin), tol)
        state = solver.solve(potential, start, tol)
        if not state.converged:  # so far off that the easier potentials are the better way
            second = solver.solve(potential, solver.follow(potential.relaxations(), origin), tol)
            state = second if second.misfit < state.misfit else state
        return state

    def _trivial(self, potential: Potential) -> Projection:
        """The result for a contradictory y, or for Z = 0 and y = 0."""
        d, n = self.shape
        x = np.broadcast_to(potential.minimizer, (n,)).copy()
        if self.certificate is None:
            return Projection(x, np.zeros(d), 0.0, 0.0, 0, Status.CONVERGED)
        misfit = norm(self._linear.apply(x) - self._y) / norm(self._y)
        return Projection(x, np.zeros(d), misfit, None, 0, Status.INFEASIBLE, self._outer_certificate(self.certificate))

    def _outer_certificate(self, nu: np.ndarray) -> np.ndarray:
        """A certificate for the rows as given, of unit length, without entries that are rounding errors."""
        clean = np.where(np.abs(nu) > 1e-12 * np.max(np.abs(nu)), nu, 0.0)
        certificate = np.ldexp(clean, np.min(self._exponents) - self._exponents)
        return certificate / norm(certificate)


def _measured(solver: DualNewton, potential: Potential, state: DualState, tol: float) -> Projection:
    r"""Measure what remains, after one correction of x if its misfit is not yet good enough.

    The error bound rests on weak duality. Correcting x in the metric gives an x̂ with Zx̂ = y. Then
    R(x̂) − R(x*) = D(x̂, x*), as x̂ − x* is in ker Z and ∇R(x*) in the range of Zᵀ, and D(x̂, x(ν)) is the duality gap
    between x̂ and ν, so D(x̂, x*) <= D(x̂, x(ν)). The potential turns this into a distance. What rounding leaves of
    y − Zx̂ enters through the size of the correction it would need, and that of random errors of its size.
    """
    if not np.isfinite(state.misfit):
        return Projection(state.x, state.nu, np.inf, None, solver.iterations, Status.NOT_FINITE)
    reference = solver.reference(potential)
    solver.linearize(state)
    feasible = state.x + solver.correction(state, state.residual)
    corrected_misfit = norm(solver.y - solver.linear.apply(feasible)) / reference
    x, misfit = state.x, state.misfit
    if misfit > tol and corrected_misfit < misfit:
        x, misfit = feasible, corrected_misfit
    size = norm(x) or 1.0
    shift = norm(x - state.x) / size
    is_feasible = misfit <= tol or misfit <= solver.noise(potential, x)
    # What rounding of ν does to x; far from a solution that would be an excuse, hence the limit.
    is_stationary = shift <= tol or shift <= min(norm(solver.blur(state)) / size, 1e-8)
    status = Status.CONVERGED if is_feasible and is_stationary else Status.STALLED
    if status is not Status.CONVERGED and solver.iterations >= solver.max_iterations:
        status = Status.MAX_ITERATIONS
    # Of a correction that is nowhere near feasible, duality says nothing.
    bound = _error_bound(solver, potential, state, x, feasible) if corrected_misfit < _FEASIBLE else None
    return Projection(x, state.nu, max(misfit, shift), bound, solver.iterations, status)


def _error_bound(
    solver: DualNewton, potential: Potential, state: DualState, x: np.ndarray, feasible: np.ndarray
) -> float | None:
    """A bound on ‖x − x*‖₂ as :func:`_measured` explains it, with an estimate of what rounding adds."""
    gap = float(np.sum(potential._divergence_terms(feasible, state.x)))
    bound = potential.separation(feasible, max(gap, 0.0))
    if bound is None:
        return None
    leftover = solver.y - solver.linear.apply(feasible)
    # Of the unknown signs of rounding errors, take those that the weakest direction of the Hessian makes most of.
    noise = _ROUNDING * solver.linear.absolute_apply(np.abs(feasible))
    weakest = np.random.default_rng(0).standard_normal(len(noise))
    for _ in range(_INVERSE_ITERATIONS):
        weakest = solver.solve_hessian(weakest / norm(weakest))
    shifts = [norm(solver.correction(state, residual)) for residual in (leftover, np.copysign(noise, weakest))]
    # Large multipliers, which nearly dependent rows have, make x(ν) inaccurate as well.
    bound += norm(x - feasible) + 2 * sum(shifts) + norm(solver.blur(state))
    return bound if np.isfinite(bound) else None
