r"""Find the active rows of a projection onto inequalities, by a projected Newton method on the dual.

The dual of :math:`\min\{R(x) : s_i z_i^Tx \ge b_i\}` is that of the equations :math:`z_i^Tx = s_ib_i`, with multipliers
:math:`\mu_i = -s_i\nu_i \ge 0`. Each step is Newton's on the free rows, which have a positive multiplier or are not
satisfied; multipliers that would become negative end at zero [Bertsekas1982]_. If that end is no good, the step goes to
the minimizer of the quadratic model over non-negative multipliers. The line search is along the segment to the end, on
which the dual is convex, so it is the one for equations.

References:
    .. [Bertsekas1982] Bertsekas, "Projected Newton methods for optimization problems with simple constraints", SIAM
       Journal on Control and Optimization 20, 1982.
    .. [Lawson1974] Lawson and Hanson, "Solving least squares problems", Prentice-Hall 1974, chapter 23.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import LinAlgError, cholesky
from scipy.optimize import nnls

from implicit_bias.limit.dual_newton import DualNewton, DualState
from implicit_bias.linear_map import EntriesMap
from implicit_bias.norm import norm
from implicit_bias.potential import SeparablePotential
from implicit_bias.validation import BoolArray, FloatArray, IntArray

_ROUGH_TOLERANCE = 1e-3  # of an easier potential on the way, which gives only a start
_NEAR = 1e-6  # a misfit at which the other rows can be judged, though rounding may keep it from the tolerance
_MOST_STEPS_WITHOUT_GAIN = 25
# A step that ends at zero multipliers must keep this share of the descent that the quadratic model promises Newton's.
_LEAST_SHARE_OF_DESCENT = 0.01
_SMALLEST_RIDGE = 1e-14  # relative to the diagonal of the Hessian


@dataclass(frozen=True, eq=False)
class Multipliers:
    """A dual ν with −s_iν_i >= 0, shape (d,), its relative misfit, and the number of Newton steps."""

    nu: FloatArray
    misfit: float
    iterations: int


def find_multipliers(
    linear: EntriesMap,
    target: FloatArray,
    potential: SeparablePotential,
    tol: float,
    max_iterations: int,
    start: FloatArray | None = None,
) -> Multipliers:
    """Multipliers of the inequalities, with the rows of a larger problem taken in as they turn out to be violated.

    Args:
        linear: The z_i, scaled to unit size, shape (d, n).
        target: s_i b_i, shape (d,).
        potential: R.
        tol: Tolerance on the misfit: of rows with a positive multiplier, and of those that are not satisfied.
        max_iterations: Limit on Newton steps in all.
        start: A ν to start from, shape (d,).
    """
    d, n = linear.shape
    nu = np.zeros(d) if start is None else start
    # At most n rows are independent; a Hessian of many more would be large and singular.
    chosen = np.arange(d) if d <= n else _most_violated(linear, target, potential, nu, np.flatnonzero(nu), n)
    iterations, is_first = 0, start is None
    while True:
        solver = ProjectedNewton(linear.rows(chosen), target[chosen], max_iterations - iterations)
        first = nu[chosen]
        state = solver.solve(potential, solver.follow(potential, first) if is_first else first, tol)
        if state.misfit > _NEAR and not is_first:
            second = solver.solve(potential, solver.follow(potential, np.zeros(len(chosen))), tol)
            state = second if second.misfit < state.misfit else state
        iterations, is_first = iterations + solver.iterations, False
        nu = np.zeros(d)
        nu[chosen] = state.nu
        more = _most_violated(linear, target, potential, nu, chosen, n, tol) if state.misfit <= _NEAR else chosen
        if len(more) == len(chosen):
            return Multipliers(nu, state.misfit, iterations)
        chosen = more


def _most_violated(
    linear: EntriesMap,
    target: FloatArray,
    potential: SeparablePotential,
    nu: FloatArray,
    chosen: IntArray,
    most: int,
    tol: float = 0.0,
) -> IntArray:
    """The chosen rows, and up to ``most`` of those that the weight of ν violates most."""
    x = potential.respond(linear.adjoint(-nu))[0]
    violated = np.sign(target) * (target - linear.apply(x)) / np.abs(target)
    violated[chosen] = -np.inf
    order = np.argsort(-violated, kind="stable")[:most]
    return np.sort(np.append(chosen, order[violated[order] > tol]))


class ProjectedNewton:
    """The projected Newton method on the duals of one set of inequalities, for any number of potentials.

    Args:
        linear: The z_i, scaled to unit size, shape (d, n).
        target: s_i b_i, shape (d,).
        max_iterations: Limit on Newton steps in all.

    Attributes:
        iterations: The number of Newton steps so far.
    """

    def __init__(self, linear: EntriesMap, target: FloatArray, max_iterations: int) -> None:
        self._linear, self._target, self._signs = linear, target, np.sign(target)
        self._whole = DualNewton(linear, target, max_iterations)
        self._part, self._free = self._whole, np.ones(len(target), dtype=bool)
        self._most = max_iterations
        self.iterations = 0

    def follow(self, potential: SeparablePotential, nu: FloatArray) -> FloatArray:
        """A start ν for a potential, found by solving the sequence of easier ones that leads to it."""
        previous = None
        for easier in potential.relaxations():
            current = self.solve(easier, nu, _ROUGH_TOLERANCE).nu
            nu = current if previous is None else self._projected(current + 2 * (current - previous))
            previous = current
        return nu

    def solve(self, potential: SeparablePotential, nu: FloatArray, tol: float) -> DualState:
        """Minimize the dual over non-negative multipliers, until the misfit is below ``tol`` or rounding stops it."""
        reference = self._whole.reference(potential)
        state = self._evaluated(potential, self._projected(nu), reference, tol)
        for _ in range(60):
            if np.isfinite(state.misfit):
                break
            state = self._evaluated(potential, state.nu / 2, reference, tol)
        best, since_best = state, 0
        while not state.converged and self.iterations < self._most and since_best < _MOST_STEPS_WITHOUT_GAIN:
            if not np.isfinite(state.misfit):
                break
            self.iterations += 1
            step = self._step(state)
            largest = self._largest(state.nu, step)
            size = self._whole.line_search(potential, state, step, reference, largest)
            nu = self._projected(state.nu + size * step)
            if size == largest:  # rounding must not keep the multiplier that ends the step
                nu[self._ratios(state.nu, step) <= largest] = 0.0
            state = self._evaluated(potential, nu, reference, tol)
            best, since_best = (state, 0) if state.misfit < best.misfit else (best, since_best + 1)
        return best

    def _evaluated(self, potential: SeparablePotential, nu: FloatArray, reference: float, tol: float) -> DualState:
        """The state at ν, whose misfit counts rows with a multiplier, and those that are not satisfied."""
        state = self._whole.evaluate(potential, nu, reference, tol)
        misfit = norm(np.where(self._is_free(state), state.residual, 0.0)) / reference
        misfit = misfit if np.all(np.isfinite(state.residual)) else np.inf
        return replace(state, misfit=misfit, converged=misfit <= tol)

    def _is_free(self, state: DualState) -> BoolArray:
        return (state.nu != 0) | (self._signs * state.residual > 0)

    def _projected(self, nu: FloatArray) -> FloatArray:
        """The nearest ν whose multipliers −s_iν_i are not negative."""
        return np.where(self._signs * nu < 0, nu, 0.0)

    def _step(self, state: DualState) -> FloatArray:
        """A step along which the dual falls and whose end has no negative multiplier."""
        free = self._is_free(state)
        if not np.array_equal(free, self._free):
            self._free = free
            is_whole = bool(np.all(free))
            where = np.flatnonzero(free)
            self._part = self._whole if is_whole else DualNewton(self._linear.rows(where), self._target[where], 0)
        part, residual = self._part, state.residual[free]
        part.linearize(state)
        plain = part.solve_hessian(-residual)
        promised = float(residual @ plain)
        step = self._to_boundary(state.nu, free, plain)
        # Where rows are nearly alike, Newton's step is huge in opposite directions, and clipped it means nothing.
        bend = float(np.sum(state.metric * self._linear.adjoint(step) ** 2))
        if float(state.residual @ step) + bend / 2 <= _LEAST_SHARE_OF_DESCENT * promised / 2 < 0:
            return step
        best = self._quadratic_step(state)
        if best is not None and float(state.residual @ best) < 0:
            return best
        return self._to_boundary(state.nu, free, -residual / part.scaling**2)  # every entry of which descends

    def _quadratic_step(self, state: DualState) -> FloatArray | None:
        r"""The step to the minimizer of the dual's quadratic model over all non-negative multipliers, if there is one.

        With :math:`H = A^TA` that is the problem of the least u with :math:`A^Tu \ge h = r + H\mu`, which non-negative
        least squares solves [Lawson1974]_.
        """
        whole = self._whole
        whole.linearize(state)
        hessian = whole.hessian
        if hessian is None:
            return None
        d, n = self._linear.shape
        if n <= d:
            root = (self._linear.columns(np.arange(n)) * np.sqrt(state.metric)).T / whole.scaling
        else:
            try:
                root = cholesky(hessian + _SMALLEST_RIDGE * np.eye(d))
            except LinAlgError:
                return None
        # A sign for each column, and multipliers in units in which H has a unit diagonal.
        root = root * self._signs
        multipliers = -self._signs * state.nu * whole.scaling
        least = self._signs * state.residual / whole.scaling + root.T @ (root @ multipliers)
        size = float(np.max(least))
        if not 0 < size < np.inf or not np.all(np.isfinite(root)):
            return None
        try:
            found = nnls(np.vstack([root, least / size]), np.append(np.zeros(len(root)), 1.0))[0]
        except RuntimeError:  # it has reached its limit on iterations
            return None
        rest = 1 - float(least / size @ found)
        if not rest > 0:
            return None
        return self._projected(-self._signs * (found * (size / rest)) / whole.scaling) - state.nu

    def _to_boundary(self, nu: FloatArray, free: BoolArray, step: FloatArray) -> FloatArray:
        """The step from ν to the nearest point of ν + step whose multipliers are not negative."""
        moved = np.array(nu)
        moved[free] += step
        return self._projected(moved) - nu

    def _ratios(self, nu: FloatArray, step: FloatArray) -> FloatArray:
        """The multiples of a step at which multipliers become zero, shape (d,); inf where they do not."""
        shrinks = (nu != 0) & (self._signs * step > 0)
        return np.divide(-nu, step, out=np.full(len(nu), np.inf), where=shrinks)

    def _largest(self, nu: FloatArray, step: FloatArray) -> float:
        """The largest multiple of a step that leaves no multiplier negative, at least 1."""
        return max(1.0, float(np.min(self._ratios(nu, step), initial=np.inf)))
