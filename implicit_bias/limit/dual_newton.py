r"""Newton's method on the dual of a Bregman projection.

The dual of :math:`\min\{R(x) : Zx = y\}` is :math:`\min_\nu R^*(-Z^T\nu) + y^T\nu`, with gradient
:math:`y - Zx(\nu)` and Hessian :math:`Z (\nabla^2 R)^{-1} Z^T`. A Newton step solves a d × d system. Along its
direction the slope of the dual costs O(n), so the line search finds the zero of the slope almost for free. If only
products with Z are known, conjugate gradients replace the factorization.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse.linalg import cg

from implicit_bias.careful_sum import UNIT_ROUNDOFF
from implicit_bias.linear_map import EntriesMap, LinearMap, operator
from implicit_bias.norm import norm
from implicit_bias.potential import SeparablePotential
from implicit_bias.validation import FloatArray

# At a tiny scale fewer weights than observations may be active, and the Hessian is singular in double precision. The
# ridge keeps the step finite. The residual it leaves in such directions is below rounding, or grows until steps see it.
_RIDGE = 1e-15
ROUNDING = 4 * 2.0**-52  # relative error of residuals from the rounding of ν and x: a few units in the last place
# Relative tolerance of conjugate gradients: with it, a Newton step still gains ten digits.
_CG_TOLERANCE = 1e-10

Solve = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class DualState:
    """A dual ν with z = −Zᵀν, its weight x, metric, residual y − Zx and relative misfit, and whether that is small."""

    nu: FloatArray
    z: FloatArray
    x: FloatArray
    metric: FloatArray
    residual: FloatArray
    misfit: float
    converged: bool


class DualNewton:
    """Newton's method on the duals of one system Zx = y, for any number of potentials.

    Args:
        linear: Z, its rows scaled to unit size and linearly independent.
        y: Right-hand side, shape (d,).
        max_iterations: Limit on Newton steps in all.

    Attributes:
        iterations: The number of Newton steps so far.
        solve_hessian: v ↦ H⁻¹v for the Hessian H = Z diag(w) Zᵀ at the state last linearized, up to rounding.
        weights: The metric w at that state, shape (n,).
        hessian: H scaled to a unit diagonal, shape (d, d); None if it was not factored.
        scaling: The square roots of the diagonal of H, shape (d,).
    """

    def __init__(self, linear: LinearMap, y: FloatArray, max_iterations: int) -> None:
        self.linear, self.y, self.max_iterations = linear, y, max_iterations
        self.iterations = 0
        self.solve_hessian: Solve = lambda v: v
        self.hessian: FloatArray | None = None
        self.scaling, self.weights = np.ones(len(y)), np.ones(linear.shape[1])

    def follow(self, potentials: list[SeparablePotential], nu: FloatArray) -> FloatArray:
        """A start ν for a potential, found by solving a sequence of easier ones that leads to it."""
        previous = None
        for potential in potentials:
            current = self.solve(potential, nu, 1e-3).nu  # the next one needs only a rough start
            nu = current if previous is None else current + 2 * (current - previous)
            previous = current
        return nu

    def solve(self, potential: SeparablePotential, nu: FloatArray, tol: float) -> DualState:
        """Minimize the dual from ``nu`` until the misfit is below ``tol`` or rounding stops it."""
        reference = self.reference(potential)
        state = self.evaluate(potential, nu, reference, tol)
        for _ in range(60):
            if np.isfinite(state.misfit):
                break
            state = self.evaluate(potential, state.nu / 2, reference, tol)
        best, since_best = state, 0
        while not state.converged and self.iterations < self.max_iterations and since_best < 25:
            if not np.isfinite(state.misfit):
                break
            self.iterations += 1
            self.linearize(state)
            step = self.solve_hessian(-state.residual)
            step = step * self.line_search(potential, state, step, reference)
            state = self.evaluate(potential, state.nu + step, reference, tol)
            # The dual falls in every step, but the misfit need not; if it does not for long, rounding has stopped it.
            best, since_best = (state, 0) if state.misfit < best.misfit else (best, since_best + 1)
        return best

    def evaluate(self, potential: SeparablePotential, nu: FloatArray, reference: float, tol: float) -> DualState:
        """The state at a dual ν."""
        z = self.linear.adjoint(-nu)
        x, metric = potential.respond(z)
        residual = self.y - self.linear.apply(x)
        misfit = norm(residual) / reference
        return DualState(nu, z, x, metric, residual, misfit, misfit <= tol)

    def linearize(self, state: DualState) -> None:
        """Factor the Hessian at a state, for ``solve_hessian`` and ``correction``."""
        self.solve_hessian = self._inverse_hessian(state.metric)

    def correction(self, residual: FloatArray) -> FloatArray:
        """The change of x that removes a residual y − Zx and is smallest in the metric of the state last linearized."""
        return self.weights * self.linear.adjoint(self.solve_hessian(residual))

    def reference(self, potential: SeparablePotential) -> float:
        """The size max(‖y‖, ‖Z argmin R‖) to which misfits are relative."""
        start = np.broadcast_to(potential.minimizer, (self.linear.shape[1],))
        return max(norm(self.y), norm(self.linear.apply(start)) if np.any(start) else 0.0) or 1.0

    def noise(self, potential: SeparablePotential, x: FloatArray) -> float:
        """The misfit of the exact x after rounding."""
        return ROUNDING * norm(self.linear.absolute_apply(np.abs(x))) / self.reference(potential)

    def blur(self, state: DualState) -> FloatArray:
        """How far x moves if each term of Zᵀν is off by a few roundings."""
        return ROUNDING * state.metric * self.linear.absolute_adjoint(np.abs(state.nu))

    def smallest_eigenvalue(self) -> float:
        """A lower bound on the smallest eigenvalue of ``hessian``; 0 if none is known."""
        if self.hessian is None:
            return 0.0
        r, n = self.linear.shape
        rounding = 2 * r * (n + 10 * r) * UNIT_ROUNDOFF  # of the Gram matrix, and of its eigenvalues
        return max(float(np.linalg.eigvalsh(self.hessian)[0]) - rounding, 0.0)

    def _inverse_hessian(self, metric: FloatArray) -> Solve:
        """The function v ↦ H⁻¹v for H = Z diag(metric) Zᵀ."""
        self.hessian, self.weights = None, metric
        weight = float(np.max(metric * self.linear.column_sizes * self.linear.column_sizes))
        if not 0 < weight < np.inf:
            return lambda v: v  # H leaves the floating-point range; any descent direction serves until x has grown
        exponent = int(np.frexp(weight)[1]) // 2
        root = np.ldexp(np.sqrt(metric), -exponent)
        if isinstance(self.linear, EntriesMap):
            solve = self._factored(self.linear.gram(root), exponent)
        else:
            solve = self._iterative(root)

        def scaled(v: FloatArray) -> FloatArray:
            direction = np.ldexp(v, -2 * exponent)
            return solve(direction) if np.all(np.isfinite(direction)) else v

        return scaled

    def _factored(self, hessian: FloatArray, exponent: int) -> Solve:
        diagonal = np.arange(len(hessian))
        size = np.sqrt(hessian[diagonal, diagonal])
        if np.all(size > 0):
            self.hessian, self.scaling = hessian, np.ldexp(size, exponent)
        size[size == 0] = 1.0
        hessian /= size[:, None] * size
        ridge = _RIDGE
        while True:
            try:
                factor = cho_factor(hessian + np.diag(np.full(len(hessian), ridge)), lower=True, check_finite=False)
            except LinAlgError:
                ridge *= 10
            else:
                return lambda v: cho_solve(factor, v / size, check_finite=False) / size

    def _iterative(self, root: FloatArray) -> Solve:
        d = self.linear.shape[0]
        squared = root * root
        hessian = operator((d, d), lambda v: self.linear.apply(squared * self.linear.adjoint(np.ravel(v))))
        # Rounding makes conjugate gradients slower than the d steps of exact arithmetic.
        return lambda v: cg(hessian, v, rtol=_CG_TOLERANCE, maxiter=10 * d)[0]

    def line_search(
        self,
        potential: SeparablePotential,
        state: DualState,
        step: FloatArray,
        reference: float,
        largest: float = np.inf,
    ) -> float:
        """A multiple of the step at which the slope of the dual has fallen to a fraction of its start, or the largest.

        Slopes are relative to the reference, so that large data do not overflow. A slope below its own rounding counts
        as zero: a step in directions that no active weight sees is noise, and it must not stop the rest of the step.
        """
        motion = self.linear.adjoint(-step)
        fixed = float((self.y / reference) @ step)
        at_zero = float((state.residual / reference) @ step)

        def slope(size: float) -> float:
            x = potential.respond(state.z + size * motion)[0]
            value = fixed + float(motion @ (x / reference))
            return value if np.isfinite(value) else np.inf

        full = slope(1.0)
        if abs(full) <= 0.25 * abs(at_zero):
            return 1.0
        blurred = ROUNDING * np.abs(state.x) + self.blur(state)
        noise = ROUNDING * float(np.abs(step) @ np.abs(self.y / reference))
        noise += float(np.abs(motion) @ (blurred / reference))
        return zero_of_increasing(slope, full, max(0.25 * abs(at_zero), noise), largest)


def zero_of_increasing(slope: Callable[[float], float], at_one: float, goal: float, largest: float = np.inf) -> float:
    """A t > 0 with |slope(t)| <= goal, for an increasing slope that is negative at 0; or ``largest``, if it is less."""
    low, high, size, value = 0.0, np.inf, 1.0, at_one
    for _ in range(80):
        if abs(value) <= goal:
            break
        low, high = (size, high) if value < 0 else (low, size)
        if low >= largest:
            return largest
        if high == np.inf:
            size = min(4 * size, largest)
        elif low == 0:
            size = high / 16 if high > 1e-3 else high**2
        else:
            size = np.sqrt(low) * np.sqrt(high) if high > 4 * low else 0.5 * (low + high)
        value = slope(size)
    return size
