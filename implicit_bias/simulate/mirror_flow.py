r"""The gradient flow in its dual variables: d variables instead of one or two for every weight.

For a loss of Zx the accumulated gradient is :math:`L_t = Z^T\nu_t`, so :math:`x_t = \nabla R^*_{A_t}(-Z^T\nu_t)` and

.. math:: \nu' = \nabla\ell(Zx(\nu, t)), \qquad \partial\nu'/\partial\nu = -\nabla^2\ell\; Z\,(\nabla^2 R)^{-1} Z^T .

The flow is stiff at late times, so it needs an implicit method, for which the d × d Jacobian is known analytically.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, UnsupportedError, known_options
from implicit_bias.linear_map import EntriesMap, LinearMap
from implicit_bias.potential import Potential, QuadraticForms, SeparablePotential
from implicit_bias.potential.family import Family
from implicit_bias.problem import Regression
from implicit_bias.schedule import Constant, Schedule, checked_schedule
from implicit_bias.simulate.integrate import Method, Settings, integrate, with_path
from implicit_bias.simulate.trajectory import Stats, Trajectory
from implicit_bias.status import Status, settle
from implicit_bias.symbolic.derivation import Derivation
from implicit_bias.validation import FloatArray, time_points

_LARGEST_WEIGHT = 1e20  # relative to the data; only the trial steps of an integrator get there, no trajectory does


@known_options
def mirror_flow(
    problem: Regression,
    derivation_or_potential: Derivation | Potential,
    init: Mapping[str, ArrayLike] | None = None,
    t: ArrayLike | None = None,
    *,
    schedule: Schedule | float | None = None,
    rtol: float = 1e-12,
    atol: float = 1e-14,
    method: Method = "LSODA",
    max_steps: int = 20_000,
    dense: bool = False,
    throw: bool = True,
) -> Trajectory:
    r"""Integrate the mirror flow :math:`\nabla R_{A_t}(x_t) = -\int_0^t \nabla f(x_s)\,ds` in its d dual variables.

    The relative errors of the weights are about the absolute errors of the dual variables, which have the size of log a
    at scale a. With the default tolerances, the weights on the way are right to 1e-11 at scale 1e-3 and to about 1e-8
    at scale 1e-300; at the end of the flow they are more accurate.

    Args:
        problem: Data and loss.
        derivation_or_potential: A derivation, together with ``init``; or a ready potential, whose flow starts at its
            minimizer. Of the ready potentials only :class:`~implicit_bias.QuadraticForms` accepts a schedule.
        init: Initial values by parameter name, for a derivation; None for a ready potential.
        t: An end time, which returns the solver's own steps, or increasing times to return; in flow time. It is
            required.
        schedule: Strength α_t of the regularizer, or a number for a constant one; None for no decay.
        rtol: Relative tolerance per step, in the dual variables. If log a is near −700 and few weights are active,
            late times need 1e-10 or more because of rounding.
        atol: Absolute tolerance per step, in the dual variables. If the largest entry of the initial metric exceeds 1,
            the tolerance is divided by it, because a flat potential has small dual variables.
        method: A method of ``scipy.integrate.solve_ivp``; implicit ones use the analytic Jacobian.
        max_steps: Limit on the number of steps; for LSODA at given times, between two of them.
        dense: Keep the path between the times, which ``.at``, ``.time_below`` and ``.sign_changes`` need.
        throw: Raise on a numerical failure, instead of reporting it in ``status``.

    Raises:
        InputError: If shapes, names or times do not fit, or the potential takes no init or no schedule.
        DomainError: If an initial value lies outside the region of the derivation.
        SolverError: On a numerical failure, if ``throw``.
    """
    if not isinstance(problem, Regression):
        raise InputError(f"problem: expected an ib.Regression, got {type(problem).__name__}.")
    if t is None:
        raise InputError("t: expected an end time or a list of times, got none.")
    times = time_points(t)
    source = _Source(derivation_or_potential, init, schedule)
    potential_at, strength = source.potential_at, source.strength
    initial = potential_at(0.0)
    size = initial.size
    if size not in (None, problem.n):
        raise InputError(f"The potential has {size} coordinates and the problem {problem.n}: give one per column of Z.")
    linear = problem.linear
    ceiling = _ceiling(problem, initial)

    def respond(time: float, nu: FloatArray) -> tuple[FloatArray, FloatArray]:
        return _extended(potential_at(time), linear.adjoint(-nu), ceiling)

    def velocity(time: float, nu: FloatArray) -> FloatArray:
        return problem.prediction_gradient(linear.apply(respond(time, nu)[0]))

    def jacobian(time: float, nu: FloatArray) -> FloatArray:
        x, metric = respond(time, nu)
        return -problem.prediction_hessian(linear.apply(x))[:, None] * _gram(linear, metric)

    path = integrate(
        velocity,
        np.zeros(problem.d),
        times,
        strength.breakpoints,
        Settings(method, rtol, atol, max_steps, dense),
        scale=1 / max(1.0, float(np.max(initial.metric(initial.minimizer)))),
        jacobian=jacobian if isinstance(linear, EntriesMap) or not isinstance(initial, SeparablePotential) else None,
    )

    reading = _Reading(problem, source, ceiling, path.status, path.stats)
    return settle(with_path(reading, path), throw, "mirror_flow")


@dataclass(frozen=True, eq=False)
class _Reading:
    """Turns dual variables ν, shape (k, d), into a trajectory; it can be pickled if the potential can."""

    problem: Regression
    source: _Source
    ceiling: float
    status: Status
    stats: Stats

    def __call__(self, t: FloatArray, nu: FloatArray) -> Trajectory:
        problem, linear = self.problem, self.problem.linear
        with np.errstate(over="ignore"):
            x = np.empty((len(t), problem.n))
            for k in range(len(t)):
                x[k] = self.source.potential_at(t[k]).respond(linear.adjoint(-nu[k]))[0]
            is_sound = np.all(np.abs(x) <= self.ceiling, axis=1)
            t, x, nu = t[is_sound], x[is_sound], nu[is_sound]
            loss = problem.prediction_loss(linear.apply(x))
        return Trajectory(
            t=t,
            x=x,
            loss=loss,
            dual=nu,
            decay=self.source.strength.integral(t),
            status=self.status if np.all(is_sound) else Status.NOT_FINITE,
            stats=self.stats,
            problems=(problem,),
            families=self.source,
        )


def _gram(linear: LinearMap, metric: FloatArray) -> FloatArray:
    """Z M Zᵀ for a metric M; a separable potential gives only its diagonal."""
    if metric.ndim == 1 and isinstance(linear, EntriesMap):
        return linear.gram(np.sqrt(metric))
    return linear.apply(linear.apply(metric).T)


def _ceiling(problem: Regression, potential: Potential) -> float:
    """A size of weights that no trajectory reaches, though trial steps of an integrator may."""
    sizes = problem.linear.row_sizes
    needed = np.abs(problem.y) / np.where(sizes > 0, sizes, np.inf)
    return _LARGEST_WEIGHT * (float(max(np.max(needed), np.max(np.abs(potential.minimizer)))) or 1.0)


def _extended(potential: Potential, z: FloatArray, ceiling: float) -> tuple[FloatArray, FloatArray]:
    """The weight and the metric at dual variables z, continued as a line beyond a ceiling of the weight.

    An implicit method tries steps that are far too long, where an exponential overflows. The weight must still grow
    with z there, or the method would take a constant for a solution. A line grows, and keeps the dual convex.
    """
    x, metric = potential.respond(z)
    if np.vdot(x, x) <= ceiling * ceiling:
        return x, metric
    if not isinstance(potential, SeparablePotential):
        return _along_ray(potential, z, ceiling)
    is_beyond = ~(np.abs(x) <= ceiling)
    end = np.where(z >= 0, ceiling, -ceiling)  # the gradient vanishes at the minimizer
    slope = potential.metric_at(end)
    line = end + slope * (z - potential.gradient_at(end))
    return np.where(is_beyond, line, x), np.where(is_beyond, slope, metric)


def _along_ray(potential: Potential, z: FloatArray, ceiling: float) -> tuple[FloatArray, FloatArray]:
    """The same for coupled weights: the tangent to the response where the ray from 0 to z passes the ceiling."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        x = potential.respond(middle * z)[0]
        low, high = (middle, high) if np.vdot(x, x) <= ceiling * ceiling else (low, middle)
    x, metric = potential.respond(low * z)
    return x + metric @ ((1 - low) * z), metric


class _Source:
    """The potential at each flow time, and the schedule; it can be pickled if the arguments can.

    Attributes:
        family: The potential as a function of the decay.
        strength: The schedule, zero if there is no decay.
    """

    def __init__(
        self,
        given: Derivation | Potential,
        init: Mapping[str, ArrayLike] | None,
        schedule: Schedule | float | None,
    ) -> None:
        self.family, self.strength = _family(given, init, schedule)
        # Without a schedule, the potential never changes.
        self._fixed = self.family(0.0) if schedule is None else None
        # Copies, since unpickling makes the family from them again.
        self._given = given, init and {name: np.array(value) for name, value in init.items()}, schedule

    def potential_at(self, time: float) -> Potential:
        """The potential at a flow time."""
        return self._fixed or self.family(float(self.strength.integral(time)))

    def __call__(self, run: int | None = None) -> Family:
        """The potential as a function of the decay, as a trajectory asks for it."""
        return self.family

    def __reduce__(self) -> tuple:
        return type(self), self._given


def _family(
    given: Derivation | Potential, init: Mapping[str, ArrayLike] | None, schedule: Schedule | float | None
) -> tuple[Callable[[float], Potential], Schedule]:
    """The potential as a function of the decay, and the schedule."""
    if isinstance(given, Potential):
        if init is not None:
            raise InputError("init: a ready potential starts at its minimizer; leave init out, or pass a derivation.")
        if isinstance(given, QuadraticForms):
            has_regularizer = given.regularizer_eigenvalues is not None
            return (lambda decay: given.decayed(given.decay + decay)), checked_schedule(schedule, has_regularizer)
        if schedule is not None:
            raise InputError(
                "schedule: a ready potential has its decay built in; pass a derivation and init to give one."
            )
        return (lambda decay: given), Constant(0.0)
    if not isinstance(given, Derivation):
        raise InputError(
            f"mirror_flow: expected a Derivation, which ib.derive gives, or a Potential, got {type(given).__name__}."
        )
    if given.dynamics is not None:
        raise UnsupportedError(
            "mirror_flow: under steepest descent the dual variable is no combination of the rows of Z, so there are "
            "no d variables to follow; use gradient_flow(..., dynamics=...)."
        )
    if init is None:
        raise InputError("init: a derivation needs initial values by parameter name.")
    return given.family(init), checked_schedule(schedule, given.regularizer is not None)
