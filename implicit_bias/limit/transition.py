r"""The limit over all scales of a hyperbolic entropy: from least squares (L2) to basis pursuit (L1).

The dual solution ν moves smoothly along :math:`\ell = \log a`. At fixed ν, the derivative of
:math:`x = e^\ell\sinh(rz + b)` in ℓ is x itself, so differentiating :math:`Zx(\nu, \ell) = y` gives
:math:`H\,d\nu/d\ell = y` with the Hessian that Newton's method has factored already. At small scales ν is almost
linear in ℓ, and this tangent is nearly exact. At large scales ν is proportional to 1/a.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, known_options
from implicit_bias.limit.dual_newton import DualNewton
from implicit_bias.limit.projection import (
    Projection,
    System,
    check_interpolates,
    check_tolerance,
    check_underdetermined,
)
from implicit_bias.potential import HyperbolicEntropy
from implicit_bias.problem import Regression
from implicit_bias.shown import Shown
from implicit_bias.status import SolverError, Status
from implicit_bias.validation import FloatArray, IntArray, finite_array, whole_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Transition(Shown):
    """Bregman projections of one hyperbolic entropy at many scales, in the order of the scales you gave.

    Attributes:
        log_scales: log a, shape (k,).
        x: The minimizers, shape (k, n).
        dual: ν with ∇R_a(x) = −Zᵀν, shape (k, d).
        kkt_residual: The KKT residual at each scale, as in :class:`~implicit_bias.Projection`, shape (k,).
        error_bound: A bound on the distance to each exact minimizer, shape (k,).
        iterations: Newton steps at each scale, shape (k,).
        status: The first failure in the order of the scales, if there is one.
    """

    log_scales: FloatArray
    x: FloatArray
    dual: FloatArray
    kkt_residual: FloatArray
    error_bound: FloatArray
    iterations: IntArray
    status: Status

    def __repr__(self) -> str:
        return (
            f"Transition({len(self.log_scales)} scales, log a in [{np.min(self.log_scales):g}, "
            f"{np.max(self.log_scales):g}], n={self.x.shape[1]}, kkt_residual={np.max(self.kkt_residual):.1e}, "
            f"{np.sum(self.iterations)} Newton steps, {self.status.value})"
        )

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw weights against log a, which falls to the right, as it falls under decay.

        Args:
            ax: Where to draw; by default pyplot's current axes, so that several calls share one plot.
            options: Passed to matplotlib's ``Axes.plot``, once for each weight; at most the 100 largest are drawn.
        """
        return self._display.plot(self, ax, **options)


@known_options
def transition(
    problem: Regression,
    *,
    scales: ArrayLike | None = None,
    log_scales: ArrayLike | None = None,
    shift: ArrayLike = 0.0,
    rate: float = 2.0,
    tol: float = 1e-12,
    max_iterations: int = 500,
    throw: bool = True,
) -> Transition:
    r"""Follow :math:`\operatorname{argmin}\{R_a(x) : Zx = y\}` over the scale a of a hyperbolic entropy.

    Args:
        problem: Z, shape (d, n) with d < n, and y, as for :func:`~implicit_bias.bregman_projection`.
        scales: The scales a > 0, in any order. Give either these or ``log_scales``.
        log_scales: The logarithms log a, at most 700, in any order. The smaller a is, the closer the limit is to basis
            pursuit: a weight whose dual constraint has slack δ is about a^δ, so log a may well be below −690.
        shift: The shift b of the potential, a number or one per coordinate.
        rate: The rate r of the potential.
        tol: Tolerance on the KKT residual at each scale.
        max_iterations: Limit on Newton steps at one scale.
        throw: Raise when a scale fails, instead of reporting it in ``status``.

    Raises:
        InputError: If shapes do not match, d >= n, the loss is not squared, or not exactly one of scales and
            log_scales is given.
        SolverError: If y is not in the range of Z or a tolerance is not reached, if ``throw``.

    >>> path = transition(Regression([[1.0, 2.0]], [2.0]), log_scales=[10.0, -600.0])
    >>> path.x.round(3).tolist()
    [[0.4, 0.8], [0.0, 1.0]]
    """
    check_interpolates(problem, "transition")
    check_underdetermined(problem)
    system = System(problem.linear, problem.y)
    asked = _logarithms(scales, log_scales)
    check_tolerance(tol)
    if whole_number(max_iterations, "max_iterations") < 0:
        raise InputError(f"max_iterations: expected an integer >= 0, got {max_iterations}.")
    potentials = [HyperbolicEntropy(log_scale=value, shift=shift, rate=rate) for value in asked]
    if potentials[0].size not in (None, system.shape[1]):
        raise InputError(f"shift: expected {system.shape[1]} entries, one per column of Z, got {potentials[0].size}.")
    order = np.argsort(-asked, kind="stable")
    with np.errstate(all="ignore"):  # an overflow shows up in the misfit and the status
        found = _follow(system, [potentials[k] for k in order], tol, max_iterations)
    found = [found[k] for k in np.argsort(order, kind="stable")]
    failures = [p.status for p in found if p.status is not Status.CONVERGED]
    result = Transition(
        log_scales=asked,
        x=np.stack([p.x for p in found]),
        dual=np.stack([p.dual for p in found]),
        kkt_residual=np.array([p.kkt_residual for p in found]),
        error_bound=np.array([p.error_bound for p in found]),
        iterations=np.array([p.iterations for p in found]),
        status=failures[0] if failures else Status.CONVERGED,
    )
    if failures and throw:
        where = next(k for k, p in enumerate(found) if p.status is not Status.CONVERGED)
        raise SolverError(
            f"transition ended as {failures[0].value} at log_scales[{where}] = {asked[where]:g}, and at "
            f"{len(failures) - 1} more of {len(asked)} scales. {failures[0].advice}",
            result,
        )
    return result


def _logarithms(scales: ArrayLike | None, log_scales: ArrayLike | None) -> FloatArray:
    """The logarithms of the scales, shape (k,), whichever of the two arguments gives them."""
    if scales is not None and log_scales is None:
        asked = _numbers(scales, "scales")
        if not np.all(asked > 0):
            raise InputError(
                f"scales: expected positive numbers, got {np.min(asked):g}; use log_scales= for logarithms."
            )
        return np.log(asked)
    if log_scales is not None and scales is None:
        return _numbers(log_scales, "log_scales")
    got = "none" if scales is None else "both"
    raise InputError(f"transition: expected either scales= or log_scales=, got {got}.")


def _numbers(value: ArrayLike, name: str) -> FloatArray:
    numbers = np.atleast_1d(finite_array(value, name))
    if numbers.ndim > 1 or not len(numbers):
        raise InputError(f"{name}: expected a list of numbers, got shape {numbers.shape}.")
    return numbers


def _follow(system: System, potentials: list[HyperbolicEntropy], tol: float, max_iterations: int) -> list[Projection]:
    """The projections at decreasing scales, each started from the one before."""
    first = system.project(potentials[0], tol, None, max_iterations)
    found = [first]
    if system.is_trivial:
        return [system.project(p, tol, None, max_iterations) for p in potentials]
    nu, tangent, log_scale = system.inner_dual(first.dual), None, float(potentials[0].log_scale)
    for potential in potentials[1:]:
        solver = system.newton(max_iterations)
        gap = float(potential.log_scale) - log_scale
        candidates = [nu, nu * np.exp(min(-gap, 700.0))]
        if tangent is not None:
            candidates.append(nu + gap * tangent)
        state = system.solve(solver, potential, tol, _best(solver, potential, candidates))
        found.append(system.finish(solver, potential, state, tol))
        nu, log_scale, tangent = state.nu, float(potential.log_scale), solver.solve_hessian(solver.y)
    return found


def _best(solver: DualNewton, potential: HyperbolicEntropy, candidates: list[FloatArray]) -> FloatArray:
    """The candidate with the smallest finite misfit."""
    reference = solver.reference(potential)
    misfits = [solver.evaluate(potential, nu, reference, 0.0).misfit for nu in candidates]
    return candidates[int(np.argmin(np.where(np.isfinite(misfits), misfits, np.inf)))]
