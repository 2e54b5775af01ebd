r"""The Bregman projection onto margins of 1, :math:`\operatorname{argmin} \{ R(x) : y_i z_i^Tx \ge 1 \}`.

A projected Newton method finds the rows that hold with equality. Their equations are solved and bounded like any
others; what remains is to keep the multipliers non-negative, and to check the other rows. For a potential that couples
weights, Newton's method over non-negative multipliers is all, and no error bound is known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csc_array

from implicit_bias.errors import UnsupportedError
from implicit_bias.limit.coupled import solve
from implicit_bias.limit.dependency import depends_exactly
from implicit_bias.limit.dual_newton import ROUNDING, DualNewton, DualState
from implicit_bias.limit.error_bound import Evaluation, error_bound, evaluate
from implicit_bias.limit.inequalities import Inequalities
from implicit_bias.limit.projected_newton import find_multipliers
from implicit_bias.limit.projection import Projection, System, with_entries
from implicit_bias.limit.separability import inseparable
from implicit_bias.linear_map import CombinedRowsMap, DenseMap, EntriesMap, OperatorMap
from implicit_bias.norm import norm
from implicit_bias.potential import Potential, SeparablePotential
from implicit_bias.problem import Regression
from implicit_bias.status import Status
from implicit_bias.validation import FloatArray, IntArray

_MOST_CHANGES = 50  # of the active rows, after the projected Newton method has found them nearly
_IDENTIFIED = 1e-9  # misfit at which the active rows are nearly known
_LARGEST_IDENTIFIED = 1e-3  # a larger misfit identifies nothing
_NEGLIGIBLE = 1e-15  # a multiplier of an active row that is negative by rounding, relative to the largest


class ActiveRows(System):
    """The active ones of the inequalities y_i z_iᵀx >= 1, as equations z_iᵀx = y_i beside the others.

    Args:
        rows: The z_i, shape (d, n).
        labels: The y_i, −1 or 1.
        active: The indices of the active rows.
    """

    def __init__(self, rows: EntriesMap, labels: FloatArray, active: IntArray) -> None:
        if len(active):
            super().__init__(rows.rows(active), labels[active])
        self.shape = len(active), rows.shape[1]
        self.active, self._rows, self._all_labels, self._labels = active, rows, labels, labels[active]
        self._leave(np.setdiff1d(np.arange(len(labels)), active))

    def multipliers(self, nu: FloatArray) -> FloatArray:
        """The multipliers of the active rows scaled to unit size, with zero for negative ones."""
        scaled = nu if self.basis.combination is None else nu @ self.basis.combination
        return np.maximum(-self._labels * scaled, 0.0)

    def evaluated(self, potential: SeparablePotential, nu: FloatArray) -> Evaluation:
        """The weight of the multipliers, with bounds on its errors."""
        product = self._linear.careful_adjoint(self._labels * self.multipliers(nu))
        return evaluate(self.basis, potential, nu, product)

    def bounded(
        self, solver: DualNewton, potential: SeparablePotential, at: Evaluation, x: FloatArray, residual: FloatArray
    ) -> float:
        """A bound on the distance of x to the minimizer."""
        inequalities = self.inequalities(self.multipliers(at.nu))
        return error_bound(self.basis, solver, potential, at, x, residual, inequalities)

    def inequalities(self, multipliers: FloatArray) -> Inequalities:
        """What the minimizer satisfies beside the equations, and how far it may exceed these.

        Of combinations of rows that is not known, as their coefficients are rounded.
        """
        most = np.divide(1.01, multipliers, out=np.full(len(multipliers), np.inf), where=multipliers > 0)
        kept = self.basis.kept
        most = np.full(len(kept), np.inf) if isinstance(self.basis.linear, CombinedRowsMap) else most[kept]
        return Inequalities(self._other_rows, self._other_labels, np.ones(len(self.others)), most)

    def room(self, x: FloatArray, width: FloatArray) -> FloatArray:
        """A lower bound on what the weights within a width of x have beyond the other inequalities, shape (k,)."""
        inequalities = Inequalities(self._other_rows, self._other_labels, np.ones(len(self.others)), np.empty(0))
        return inequalities.room(x, np.zeros(len(x)), width)

    def all_multipliers(self, dual: FloatArray) -> FloatArray:
        """The multipliers of all rows, shape (d,), from a dual of the active ones as they are given."""
        multipliers = np.zeros(len(self._all_labels))
        multipliers[self.active] = np.maximum(-self._labels * dual, 0.0)
        return multipliers

    def signed(self, multipliers: FloatArray) -> FloatArray:
        """ν for multipliers of all rows."""
        return -self._all_labels * multipliers

    def add_implied(self, rows: IntArray) -> None:
        """Leave rows out of the other inequalities, because the equations imply them."""
        self._leave(np.setdiff1d(self.others, rows))

    def _leave(self, others: IntArray) -> None:
        """Take some rows as the other inequalities."""
        self.others, self._other_labels = others, self._all_labels[others]
        self._other_rows = self._rows.rows(others) if len(others) else None

    def implies(self, row: int) -> bool:
        """Whether z_iᵀx = y_i follows exactly from the equations."""
        if self.basis.smallest <= 0:
            return False
        columns = np.arange(self.shape[1])
        table = np.column_stack([self._rows.columns(columns), self._all_labels])
        return depends_exactly(table[[row]], table[self.active[self.basis.kept]])

    def superfluous(self, x: FloatArray, multipliers: FloatArray, tol: float) -> IntArray:
        """Which active rows to leave where more meet in a point than are independent, and miss it by little.

        Those that depend on others and whose margin at x is too large; or, if one is too small, the row whose
        multiplier is the smallest.
        """
        spare = np.setdiff1d(np.arange(len(self.active)), self.basis.kept)
        if not len(spare):
            return spare
        excess = _excess(self._rows.rows(self.active[spare]), self._labels[spare], x)
        if np.min(excess) < -tol:
            return self.basis.kept[[np.argmin(multipliers[self.basis.kept])]]
        return spare[excess > tol]

    def shortfall(self, x: FloatArray) -> FloatArray:
        """How far x is from satisfying each of the other inequalities, relative to their terms, shape (k,)."""
        return np.zeros(0) if self._other_rows is None else -_excess(self._other_rows, self._other_labels, x)

    def missed(self, x: FloatArray) -> float:
        """The largest shortfall; 0 if there is none."""
        return float(np.max(self.shortfall(x), initial=0.0))


def _excess(rows: EntriesMap, labels: FloatArray, x: FloatArray) -> FloatArray:
    """How far the margins exceed 1, relative to their terms, shape (k,)."""
    return (labels * rows.apply(x) - 1) / (1 + rows.absolute_apply(np.abs(x)))


def project_onto_margins(
    problem: Regression, potential: SeparablePotential, tol: float, start: FloatArray | None, max_iterations: int
) -> Projection:
    """The projection onto margins of at least 1."""
    rows = _entries(problem)
    labels, exponents = problem.y, np.frexp(rows.row_sizes)[1]
    first = None if start is None else np.ldexp(start, exponents)
    scaled, target = rows.scaled_rows(-exponents), np.ldexp(labels, -exponents)
    nearly = find_multipliers(scaled, target, potential, _IDENTIFIED, max_iterations, first)
    nu = np.ldexp(nearly.nu, -exponents)
    found = None
    if nearly.misfit <= _LARGEST_IDENTIFIED:
        found = _with_active_rows(rows, labels, potential, nu, tol, max_iterations)
    if found is None:
        x = potential.respond(rows.adjoint(-nu))[0]
        status = Status.MAX_ITERATIONS if nearly.iterations >= max_iterations else Status.STALLED
        status = status if np.all(np.isfinite(x)) else Status.NOT_FINITE
        residual = max(nearly.misfit, -float(np.min(_excess(rows, labels, x))))
        found = Projection(x, nu, residual, np.inf, 0, status, multipliers=-labels * nu)
    return _or_inseparable(replace(found, iterations=found.iterations + nearly.iterations), rows, labels)


def project_coupled_onto_margins(
    problem: Regression, potential: Potential, tol: float, start: FloatArray | None, max_iterations: int
) -> Projection:
    """The projection onto margins of at least 1 for a potential whose metric is a matrix; its error bound is inf."""
    rows = _entries(problem)
    labels, exponents = problem.y, np.frexp(rows.row_sizes)[1]
    labelled = rows.columns(np.arange(problem.n)) * labels[:, None]
    unit = np.ldexp(1.0, -exponents)
    first = None if start is None else labels * start / unit
    state = solve(DenseMap(unit[:, None] * labelled), unit, potential, first, tol, max_iterations, is_at_least=True)
    multipliers = -unit * state.nu
    # How far margins are below 1, and from it where there is a multiplier, relative to the terms of each row.
    missing = 1 - labelled @ state.x
    missing = np.where(multipliers > 0, np.abs(missing), np.maximum(missing, 0.0))
    missed = float(np.max(missing / (1 + np.abs(labelled) @ np.abs(state.x))))
    if not np.all(np.isfinite(state.x)):
        status = Status.NOT_FINITE
    elif state.misfit <= tol and missed <= tol:
        status = Status.CONVERGED
    else:
        status = Status.MAX_ITERATIONS if state.steps >= max_iterations else Status.STALLED
    residual = max(state.misfit, missed)
    found = Projection(state.x, -labels * multipliers, residual, np.inf, state.steps, status, multipliers=multipliers)
    return _or_inseparable(found, rows, labels)


def _entries(problem: Regression) -> EntriesMap:
    """The rows of a problem.

    Raises:
        UnsupportedError: If they are those of an operator and too large.
    """
    rows = with_entries(problem.linear) if isinstance(problem.linear, OperatorMap) else problem.linear
    if not isinstance(rows, EntriesMap):
        raise UnsupportedError(
            f"Z: constraint '>=' needs the entries of Z, got an operator of shape {rows.shape}, whose rows are too "
            "large to be stored; give an array."
        )
    return rows


def _or_inseparable(found: Projection, rows: EntriesMap, labels: FloatArray) -> Projection:
    """The result, with a certificate if it is none because no x separates the labels."""
    if found.status is Status.CONVERGED:
        return found
    certificate = inseparable(csc_array(rows.columns(np.arange(rows.shape[1])) * labels[:, None]))
    if certificate is None:
        return found
    return replace(found, status=Status.INFEASIBLE, error_bound=np.inf, certificate=certificate)


def _with_active_rows(
    rows: EntriesMap, labels: FloatArray, potential: SeparablePotential, nu: FloatArray, tol: float, max_iterations: int
) -> Projection | None:
    """The projection from a ν near its own, once the active rows are right; None if they contradict each other."""
    first, active, iterations = nu, np.flatnonzero(nu), 0
    left = np.arange(0)
    for _ in range(_MOST_CHANGES):
        system = ActiveRows(rows, labels, active)
        if not len(active):
            found = _at_minimizer(system, potential, tol)
            active = system.others[system.shortfall(found.x) > tol]
            if not len(active):
                return found
            continue
        if system.is_trivial:
            return None
        solver = system.newton(max_iterations - iterations)
        # Not from the last multipliers: where rows are nearly alike, those of opposite signs are huge.
        state = system.solve(solver, potential, tol, system.inner_dual(first[active]))
        iterations += solver.iterations
        # In units in which all rows have the same size, as their sizes may differ by any factor.
        multipliers = -labels[active] * system.outer_dual(state.nu) * rows.row_sizes[active]
        worst = int(np.argmin(multipliers))
        # One at a time: of rows that are nearly alike one has a huge multiplier, which spoils the others.
        if multipliers[worst] < -_NEGLIGIBLE * np.max(np.abs(multipliers)):
            left, active = np.union1d(left, active[worst]), np.delete(active, worst)
            continue
        gone = system.superfluous(state.x, multipliers, tol)
        if len(gone):
            left, active = np.union1d(left, active[gone]), np.delete(active, gone)
            continue
        unsure = system.room(state.x, solver.blur(state) + ROUNDING * np.abs(state.x)) <= 0
        implied = np.array([row for row in system.others[unsure] if system.implies(row)], dtype=int)
        # A row that was left is no equation, so it returns only if it is missed by more than rounding.
        added = system.others[unsure & (~np.isin(system.others, left) | (system.shortfall(state.x) > tol))]
        added = np.setdiff1d(added, implied)
        if not len(added):
            system.add_implied(implied)
            return _finished(system, solver, potential, state, tol, iterations)
        active = np.union1d(active, added)
    return None


def _finished(
    system: ActiveRows, solver: DualNewton, potential: SeparablePotential, state: DualState, tol: float, iterations: int
) -> Projection:
    """The result for the right active rows, on all rows."""
    found = system.finish(solver, potential, state, tol)
    multipliers = system.all_multipliers(found.dual)
    missed = system.missed(found.x)
    status = found.status if missed <= tol or found.status is not Status.CONVERGED else Status.STALLED
    return replace(
        found,
        dual=system.signed(multipliers),
        multipliers=multipliers,
        kkt_residual=max(found.kkt_residual, missed),
        iterations=iterations,
        status=status,
    )


def _at_minimizer(system: ActiveRows, potential: SeparablePotential, tol: float) -> Projection:
    """The result if the minimizer of the potential has margins of 1."""
    n = system.shape[1]
    x = np.broadcast_to(potential.minimizer, (n,)).copy()
    wobble = potential.response_error(np.zeros(n), np.zeros(n), x)
    bound = norm(wobble) if wobble is not None and np.all(system.room(x, wobble) >= 0) else np.inf
    missed, nothing = system.missed(x), np.zeros(len(system.others))
    status = Status.CONVERGED if missed <= tol else Status.STALLED
    return Projection(x, nothing, missed, bound, 0, status, multipliers=nothing)
