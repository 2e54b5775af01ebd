"""A system Zx = y with rows scaled and made independent, the projection onto it, and how that is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from implicit_bias.careful_sum import SMALLEST, UNIT_ROUNDOFF
from implicit_bias.errors import InputError
from implicit_bias.limit.coupled import solve
from implicit_bias.limit.dual_newton import DualNewton, DualState
from implicit_bias.limit.error_bound import Evaluation, error_bound, evaluate
from implicit_bias.limit.row_basis import contradiction, row_basis
from implicit_bias.linear_map import DenseMap, EntriesMap, LinearMap, OperatorMap
from implicit_bias.norm import norm
from implicit_bias.potential import Potential, SeparablePotential
from implicit_bias.problem import Regression
from implicit_bias.shown import Shown
from implicit_bias.status import Status
from implicit_bias.validation import FloatArray, positive_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LARGEST_TOLERANCE = 1e-2  # with a larger one, "converged" would mean nothing
_DEPENDENT_ROUNDINGS = 4  # for each row, of a misfit relative to the data
_MOST_ENTRIES = 2**25  # of an operator whose rows are stored: a quarter of a gigabyte
_MOST_REFINEMENTS = 4
_SUBNORMAL = 16 * SMALLEST  # the rounding of each weight where weights are subnormal, which Newton's steps add up
_PROBE_TOLERANCE = 1e-8  # relative difference allowed between an operator's two products


@dataclass(frozen=True, eq=False)
class Projection(Shown):
    """The minimizer of a potential over the solutions of Zx = y, or over the x with y_i z_iᵀx >= 1.

    Attributes:
        x: The minimizer, shape (n,).
        dual: ν with ∇R(x) = −Zᵀν, shape (d,).
        kkt_residual: The larger of two numbers. One is the misfit ‖Zx − y‖₂ / max(‖y‖₂, ‖Z argmin R‖₂), after rows are
            scaled so that the largest entry of each row of Z is about 1, and nearly dependent rows are replaced by what
            they add to the others. The other is the distance from stationarity ‖x − ∇R*(−Zᵀν)‖₂ / ‖x‖₂, which is 0
            unless rounding in ν made a correction of x necessary.
        error_bound: A proven bound on ‖x − x*‖₂ whatever the status, if the doubles in Z, y and the potential are taken
            as exact. It covers the rounding of every step, provided that exp and sinh are right to four units in the
            last place, and LAPACK's eigenvalues to as many units as twenty times the square of their number. It is inf
            for potentials without :meth:`~implicit_bias.SeparablePotential.separation`, for rows that depend on others
            within rounding but not exactly, for a y outside the range of Z, and for a LinearOperator whose rows are too
            large to be stored.
        iterations: Newton steps, including those for easier potentials on the way.
        status: How the solver ended.
        certificate: If no x solves Zx = y, a ν of unit length, shape (d,), with Zᵀν = 0 and yᵀν ≠ 0: every entry of Zᵀν
            is within the rounding of its own terms, and yᵀν is not. If no x separates the labels, p >= 0 with Σp = 1:
            the doubles nearest to weights with which the rows y_i z_i cancel exactly.
        multipliers: For inequalities μ = −yν >= 0, shape (d,), with ∇R(x) = Σ μ_i y_i z_i; None for equations.
        remaining: Of :meth:`Trajectory.limit <implicit_bias.Trajectory.limit>`, how far x is from the last record,
            ‖x_k − x‖₂; else None. A flow without decay has that far to go, and ends in x. Steps that a run still makes
            move its potential, and with it the end; ``error_bound`` says nothing of that.
    """

    x: FloatArray
    dual: FloatArray
    kkt_residual: float
    error_bound: float
    iterations: int
    status: Status
    certificate: FloatArray | None = None
    multipliers: FloatArray | None = None
    remaining: float | None = None

    def __repr__(self) -> str:
        of_run = ""
        if self.remaining is not None:
            of_run = f"; where a flow without decay from the last record, {self.remaining:.2g} away, would end"
        return (
            f"Projection(n={len(self.x)}, kkt_residual={self.kkt_residual:.1e}, error_bound={self.error_bound:.1e}, "
            f"{self.iterations} Newton steps, {self.status.value}{of_run})"
        )

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the weights x_i against i.

        Args:
            ax: Where to draw; by default pyplot's current axes, so that several calls share one plot.
            options: Passed to matplotlib's ``Axes.plot``.
        """
        return self._display.plot(self, ax, **options)


def check_interpolates(problem: Regression, what: str) -> None:
    """Raise ``InputError`` unless the problem's flow ends where Zx = y."""
    if not isinstance(problem, Regression):
        raise InputError(
            f"problem: expected an ib.Regression, as in ib.Regression(Z, y), got {type(problem).__name__}."
        )
    if problem.kind != "squared":
        raise InputError(
            f"problem: {what} covers the squared loss, whose flow ends where Zx = y, got the {problem.kind} loss; "
            "ib.max_margin gives its limit on separable labels."
        )


def check_underdetermined(problem: Regression) -> None:
    """Raise ``InputError`` unless there are fewer equations than weights."""
    if problem.n <= problem.d:
        raise InputError(
            "Z: expected fewer rows than columns (an underdetermined system, where the potential decides), got "
            f"shape {problem.linear.shape}."
        )


def check_tolerance(tol: float) -> None:
    """Raise ``InputError`` unless a tolerance on the KKT residual is positive and small enough to mean something."""
    if positive_number(tol, "tol") > _LARGEST_TOLERANCE:
        raise InputError(f"tol: expected a relative tolerance of at most {_LARGEST_TOLERANCE:g}, got {tol:g}.")


class System:
    """Zx = y with rows scaled to unit size and made independent.

    Neither the problem nor its solution depends on the scale of a row, and scaling by powers of two is exact.

    Raises:
        InputError: If an operator contradicts itself.
    """

    def __init__(self, linear: LinearMap, target: FloatArray) -> None:
        self.shape = linear.shape
        if isinstance(linear, OperatorMap):
            linear = with_entries(linear)
        self._exponents = np.frexp(linear.row_sizes)[1]
        self._linear = linear.scaled_rows(-self._exponents)
        with np.errstate(all="ignore"):
            self._y = np.ldexp(target, -self._exponents)
            self.basis = row_basis(self._linear, self._y)
            if np.any(np.ldexp(self._y, self._exponents) != target):  # an entry left the floating-point range
                self.basis = replace(self.basis, is_exact=False)

    @property
    def is_trivial(self) -> bool:
        """Whether there is nothing to solve: y contradicts a dependency of rows, or all rows are zero."""
        return self.basis.certificate is not None or not len(self.basis.kept)

    def newton(self, max_iterations: int) -> DualNewton:
        """A solver for the independent conditions."""
        return DualNewton(self.basis.linear, self.basis.y, max_iterations)

    def project(
        self, potential: SeparablePotential, tol: float, start: FloatArray | None, max_iterations: int
    ) -> Projection:
        """The projection, from a dual start of shape (d,) or by way of easier potentials."""
        if self.is_trivial:
            return self._trivial(potential)
        solver = self.newton(max_iterations)
        first = None if start is None else self.inner_dual(start)
        state = self.solve(solver, potential, tol, first)
        found = self.finish(solver, potential, state, tol)
        if not isinstance(self._linear, EntriesMap) and found.status is not Status.CONVERGED:
            certificate = contradiction(self._linear, self._y)
            if certificate is not None:
                found = replace(
                    found,
                    status=Status.INFEASIBLE,
                    certificate=self._outer_certificate(certificate),
                    error_bound=np.inf,
                )
        return found

    def project_coupled(
        self, potential: Potential, tol: float, start: FloatArray | None, max_iterations: int
    ) -> Projection:
        """The projection for a potential whose metric is a matrix; its error bound is inf."""
        if self.basis.certificate is not None:
            x = potential.minimizer
            misfit = norm(self._linear.apply(x) - self._y) / norm(self._y)
            certificate = self._outer_certificate(self.basis.certificate)
            return Projection(x, np.zeros(self.shape[0]), misfit, np.inf, 0, Status.INFEASIBLE, certificate)
        linear, y = self.basis.linear, self.basis.y
        first = None if start is None else self.inner_dual(start)
        found = solve(linear, y, potential, first, tol, max_iterations)
        nu, x, misfit, count = found.nu, found.x, found.misfit, found.steps
        is_near = _is_near(linear, y, x)
        status = Status.CONVERGED if misfit <= tol and is_near else Status.STALLED
        if status is not Status.CONVERGED and is_near and count >= max_iterations:
            status = Status.MAX_ITERATIONS
        return self._on_all_rows(Projection(x, self.outer_dual(nu), misfit, np.inf, count, status), tol)

    def finish(self, solver: DualNewton, potential: SeparablePotential, state: DualState, tol: float) -> Projection:
        """The result at a dual state, with its misfit on all rows."""
        found = self._on_all_rows(self._measured(solver, potential, state, tol), tol)
        return replace(found, dual=self.outer_dual(found.dual))

    def evaluated(self, potential: SeparablePotential, nu: FloatArray) -> Evaluation:
        """The weight of a dual variable of the independent conditions, with bounds on its errors."""
        return evaluate(self.basis, potential, nu)

    def bounded(
        self, solver: DualNewton, potential: SeparablePotential, at: Evaluation, x: FloatArray, residual: FloatArray
    ) -> float:
        """A bound on the distance of x to the minimizer."""
        return error_bound(self.basis, solver, potential, at, x, residual)

    def _on_all_rows(self, found: Projection, tol: float) -> Projection:
        """The result with its misfit on the rows that depend on others, too, which nothing has been solved for."""
        dropped = self.basis.dropped
        if not len(dropped) or not isinstance(self._linear, EntriesMap) or found.status is not Status.CONVERGED:
            return found
        misfit = norm(self._linear.rows(dropped).apply(found.x) - self._y[dropped])
        misfit /= max(norm(self._y), norm(self._linear.absolute_apply(np.abs(found.x)))) or 1.0
        # Rounding of the entries may have moved a row this far from those it depends on.
        is_met = self.basis.is_consistent and misfit <= max(tol, _DEPENDENT_ROUNDINGS * len(self._y) * UNIT_ROUNDOFF)
        status = found.status if is_met else Status.STALLED
        return replace(found, kkt_residual=max(found.kkt_residual, misfit), status=status)

    def inner_dual(self, nu: FloatArray) -> FloatArray:
        """Turn multipliers of the given rows, shape (d,), into those of the independent conditions."""
        scaled = np.ldexp(nu, self._exponents)
        if self.basis.combination is None or not isinstance(self._linear, EntriesMap):
            return scaled
        factor = self._linear.triangle()
        return np.linalg.lstsq(factor @ self.basis.combination.T, factor @ scaled, rcond=None)[0].astype(float)

    def outer_dual(self, nu: FloatArray) -> FloatArray:
        """Turn multipliers of the independent conditions into those of the given rows, shape (d,)."""
        scaled = nu if self.basis.combination is None else nu @ self.basis.combination
        return np.ldexp(scaled, -self._exponents)

    def solve(
        self, solver: DualNewton, potential: SeparablePotential, tol: float, start: FloatArray | None
    ) -> DualState:
        """Solve from a dual start of the inner system; without one, or if that fails, by way of easier potentials."""
        origin = np.zeros(len(self.basis.kept))
        if start is None:
            return solver.solve(potential, solver.follow(potential.relaxations(), origin), tol)
        state = solver.solve(potential, start, tol)
        if not state.converged:  # the start was too far off: easier potentials may lead there
            second = solver.solve(potential, solver.follow(potential.relaxations(), origin), tol)
            state = second if second.misfit < state.misfit else state
        return state

    def _measured(self, solver: DualNewton, potential: SeparablePotential, state: DualState, tol: float) -> Projection:
        """Measure the misfit and the error bound, after a correction of x if its misfit is too large."""
        if not np.isfinite(state.misfit):
            return Projection(state.x, state.nu, np.inf, np.inf, solver.iterations, Status.NOT_FINITE)
        reference = solver.reference(potential)
        state = self._refined(solver, potential, state, tol)
        solver.linearize(state)
        # The correction needs the factorization anyway; a last step with it costs little and improves the bound much.
        polished = solver.evaluate(potential, state.nu - solver.solve_hessian(state.residual), reference, tol)
        if polished.misfit <= state.misfit:
            state = polished
        at = self.evaluated(potential, state.nu)
        correction = solver.correction(at.residual)
        moved = (at.x + correction) - at.x
        left = at.residual - solver.linear.apply(moved)
        x, residual = at.x, at.residual
        if norm(residual) > tol * reference and norm(left) < norm(residual):
            x, residual = at.x + moved, left
        elif np.any(np.abs(residual) > tol * np.abs(solver.y)):
            # The terms of different rows may differ in size; take the correction if it helps the worst row.
            terms = np.abs(solver.y) + solver.linear.absolute_apply(np.abs(at.x))
            terms = np.where(terms > 0, terms, 1.0)
            worst, corrected = np.max(np.abs(residual) / terms), np.max(np.abs(left) / terms)
            if worst > tol and corrected < worst:
                x, residual = at.x + moved, left
        misfit = norm(residual) / reference
        size = norm(x) or 1.0
        shift = norm(x - at.x) / size
        is_feasible = misfit <= tol or misfit <= solver.noise(potential, x)
        # Rounding of ν may move x this far; the limit 1e-8 keeps that from excusing an x far from the solution.
        is_stationary = shift <= tol or shift <= min(norm(solver.blur(state)) / size, 1e-8)
        is_near = _is_near(solver.linear, solver.y, x)
        if np.all(np.abs(residual) <= _SUBNORMAL * solver.linear.absolute_apply(np.ones(len(x)))):
            is_feasible = is_near = True
        status = Status.CONVERGED if is_feasible and is_stationary and is_near else Status.STALLED
        if status is not Status.CONVERGED and solver.iterations >= solver.max_iterations:
            status = Status.MAX_ITERATIONS
        bound = self.bounded(solver, potential, at, x, residual)
        return Projection(x, state.nu, max(misfit, shift), bound, solver.iterations, status)

    def _refined(self, solver: DualNewton, potential: SeparablePotential, state: DualState, tol: float) -> DualState:
        """Refine a state if misfits are relative to a minimizer that is far larger than the solution."""
        reference, data = solver.reference(potential), norm(solver.y)
        for _ in range(_MOST_REFINEMENTS):
            if not state.converged or data >= reference:
                break
            size = max(data, norm(solver.linear.absolute_apply(np.abs(state.x))))
            if norm(state.residual) <= tol * size:
                break
            finer = solver.solve(potential, state.nu, tol * size / reference)
            if not finer.misfit < state.misfit:
                break
            state = finer
        return state

    def _trivial(self, potential: SeparablePotential) -> Projection:
        """The result for a contradictory y, or for Z = 0 and y = 0."""
        d, n = self.shape
        x = np.broadcast_to(potential.minimizer, (n,)).copy()
        if self.basis.certificate is None:
            wobble = potential.response_error(np.zeros(n), np.zeros(n), x)
            bound = np.inf if wobble is None else norm(wobble)
            return Projection(x, np.zeros(d), 0.0, bound, 0, Status.CONVERGED)
        misfit = norm(self._linear.apply(x) - self._y) / norm(self._y)
        certificate = self._outer_certificate(self.basis.certificate)
        return Projection(x, np.zeros(d), misfit, np.inf, 0, Status.INFEASIBLE, certificate)

    def _outer_certificate(self, nu: FloatArray) -> FloatArray:
        """A certificate for the rows as given, of unit length."""
        certificate = np.ldexp(nu, np.min(self._exponents) - self._exponents)
        return certificate / norm(certificate)


def _is_near(linear: LinearMap, y: FloatArray, x: FloatArray) -> bool:
    """Whether Zx is near y, relative to y and the terms of Zx, which may be far smaller than the minimizer.

    If no x in the domain satisfies Zx = y, weights may shrink towards its end for ever, and the misfit with them.
    """
    size = max(norm(y), norm(linear.absolute_apply(np.abs(x))))
    return norm(y - linear.apply(x)) <= _LARGEST_TOLERANCE * size


def with_entries(linear: OperatorMap) -> LinearMap:
    """Replace an operator by its rows, which are its products with unit vectors, if they fit into memory."""
    d, n = linear.shape
    if d * n > _MOST_ENTRIES:
        return linear
    rows = DenseMap(linear.adjoint(np.eye(d)))
    probe = np.random.default_rng(0).standard_normal(n)
    size = rows.absolute_apply(np.abs(probe))
    if not np.all(np.abs(rows.apply(probe) - linear.apply(probe)) <= _PROBE_TOLERANCE * size):
        raise InputError(
            "Z: its products matvec and rmatvec do not belong to one matrix: they differ at a random vector by more "
            f"than {_PROBE_TOLERANCE:g} of its terms."
        )
    return rows
