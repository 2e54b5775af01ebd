r"""The same flow in the dual: d variables instead of one or two for every weight.

With a loss of Zx the accumulated gradient is :math:`L_t = Z^T\nu_t`, so :math:`x_t = \nabla R^*_{A_t}(-Z^T\nu_t)` and

.. math:: \nu' = \nabla\ell(Zx(\nu, t)), \qquad \partial\nu'/\partial\nu = -\nabla^2\ell\; Z\,(\nabla^2 R)^{-1} Z^T .

The Jacobian is d × d and analytic, which an implicit method needs at late times, where the flow is stiff.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError
from implicit_bias.flow.gradient_flow import paired_schedule
from implicit_bias.flow.integrate import integrate, with_path
from implicit_bias.flow.solution import FlowSolution, FlowStats
from implicit_bias.potential import Potential
from implicit_bias.problem import Regression
from implicit_bias.schedule import Constant, Schedule
from implicit_bias.status import Status, settle
from implicit_bias.symbolic.derivation import Derivation
from implicit_bias.validation import positive_number, time_points

_BEYOND = 1e20


def mirror_flow(
    problem: Regression,
    derivation_or_potential: Derivation | Potential,
    t: ArrayLike,
    init: Mapping[str, ArrayLike] | None = None,
    schedule: Schedule | None = None,
    *,
    rtol: float = 1e-12,
    atol: float = 1e-14,
    method: str = "LSODA",
    max_steps: int = 20_000,
    dense: bool = False,
    throw: bool = True,
) -> FlowSolution:
    r"""Integrate the mirror flow :math:`\nabla R_{A_t}(x_t) = -\int_0^t \nabla f(x_s)\,ds` in its d dual variables.

    Relative errors of the weights are about the absolute ones of the dual variables, which at scale a are of the size
    of log a: on its way, a weight is right to 1e-11 at scale 1e-3 and to some 1e-8 at 1e-300 with the default
    tolerances, and at its end to more.

    Args:
        problem: Data and loss.
        derivation_or_potential: A derivation (with ``init``, and a schedule if it has a regularizer), or a fixed
            potential, whose flow starts at its minimizer.
        t: End time (then the solver's own steps are returned) or increasing times, in flow time.
        init: Initial values by parameter name, for a derivation.
        schedule: Strength α_t of the derivation's regularizer.
        rtol: Relative tolerance per step, in the dual variables. Where log a is near −700 and few weights are active,
            rounding needs it at 1e-10 or above for late times.
        atol: Absolute tolerance per step, in the dual variables. It is divided by the largest entry of the initial
            metric where that exceeds 1: a potential that flat has dual variables that small.
        method: A method of ``scipy.integrate.solve_ivp``; implicit ones use the analytic Jacobian.
        max_steps: Limit on the number of steps; of LSODA at given times, between two of them.
        dense: Keep the path between the times, for ``.at``, ``.time_below`` and ``.sign_changes`` of the solution.
        throw: Raise on a numerical failure, instead of reporting it in ``status``.

    Raises:
        InputError: If the arguments do not fit each other.
        DomainError: If an initial value lies outside the region of the derivation.
        SolverError: On a numerical failure, if ``throw``.
    """
    if not isinstance(problem, Regression):
        raise InputError(f"problem: expected an ib.Regression, got {type(problem).__name__}.")
    times = time_points(t)
    family = _Family(derivation_or_potential, init, schedule)
    potential_at, strength = family.potential_at, family.strength
    initial = potential_at(0.0)
    size = initial.size
    if size not in (None, problem.n):
        raise InputError(f"The potential has {size} coordinates and the problem {problem.n}: give one per column of Z.")
    linear = problem.linear
    ceiling = _ceiling(problem, initial)

    def respond(time: float, nu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _extended(potential_at(time), linear.adjoint(-nu), ceiling)

    def velocity(time: float, nu: np.ndarray) -> np.ndarray:
        return problem.prediction_gradient(linear.apply(respond(time, nu)[0]))

    def jacobian(time: float, nu: np.ndarray) -> np.ndarray:
        x, metric = respond(time, nu)
        return -problem.prediction_hessian(linear.apply(x))[:, None] * linear.gram(np.sqrt(metric))

    path = integrate(
        velocity,
        np.zeros(problem.d),
        times,
        strength.breakpoints,
        method=method,
        rtol=positive_number(rtol, "rtol"),
        atol=positive_number(atol, "atol") / max(1.0, float(np.max(initial._metric(initial.minimizer)))),
        max_steps=max_steps,
        jacobian=jacobian if linear.has_gram else None,
        dense=dense,
    )

    solution = _Reading(problem, family, ceiling, path.status, path.stats)
    return settle(with_path(solution, path), throw, "mirror_flow")


@dataclass(frozen=True, eq=False)
class _Reading:
    """Reads the solution off dual variables ν, shape (k, d); it can be pickled if the potential can."""

    problem: Regression
    family: _Family
    ceiling: float
    status: Status
    stats: FlowStats

    def __call__(self, t: np.ndarray, nu: np.ndarray) -> FlowSolution:
        problem, linear = self.problem, self.problem.linear
        with np.errstate(over="ignore"):
            x = np.empty((len(t), problem.n))
            for k in range(len(t)):
                x[k] = self.family.potential_at(t[k])._respond(linear.adjoint(-nu[k]))[0]
            is_sound = np.all(np.abs(x) <= self.ceiling, axis=1)
            t, x, nu = t[is_sound], x[is_sound], nu[is_sound]
            loss = problem.prediction_loss(linear.apply(x))
        return FlowSolution(
            t=t,
            x=x,
            loss=loss,
            dual=nu,
            decay=self.family.strength.integral(t),
            status=self.status if np.all(is_sound) else Status.NOT_FINITE,
            stats=self.stats,
            design=linear,
        )


def _ceiling(problem: Regression, potential: Potential) -> float:
    """A size of weights, relative to the data, that no trajectory reaches and trial steps of an integrator may pass."""
    sizes = problem.linear.row_sizes
    needed = np.abs(problem.y) / np.where(sizes > 0, sizes, np.inf)
    return _BEYOND * (float(max(np.max(needed), np.max(np.abs(potential.minimizer)))) or 1.0)


def _extended(potential: Potential, z: np.ndarray, ceiling: float) -> tuple[np.ndarray, np.ndarray]:
    """The weight and metric of dual variables, continued as a line where the weight passes a ceiling.

    An implicit method tries steps that are far too long, where an exponential overflows. What comes back must still
    grow with z, or the method would take a constant for a solution; a line does, and keeps the dual convex.
    """
    x, metric = potential._respond(z)
    if np.vdot(x, x) <= ceiling * ceiling:
        return x, metric
    is_beyond = ~(np.abs(x) <= ceiling)
    end = np.where(z >= 0, ceiling, -ceiling)  # the gradient vanishes at the minimizer
    slope = potential._metric(end)
    line = end + slope * (z - potential._gradient(end))
    return np.where(is_beyond, line, x), np.where(is_beyond, slope, metric)


class _Family:
    """The potential at each flow time, and the schedule; it can be pickled if the source can.

    Attributes:
        potential_at: The potential at a flow time.
        strength: The schedule, zero if there is none.
    """

    def __init__(
        self, source: Derivation | Potential, init: Mapping[str, ArrayLike] | None, schedule: Schedule | None
    ) -> None:
        self.potential_at, self.strength = _family(source, init, schedule)
        # Copies, since the function of them is made again where this is unpickled.
        self._given = source, init and {name: np.array(value) for name, value in init.items()}, schedule

    def __reduce__(self) -> tuple:
        return type(self), self._given


def _family(
    source: Derivation | Potential, init: Mapping[str, ArrayLike] | None, schedule: Schedule | None
) -> tuple[Callable[[float], Potential], Schedule]:
    """The potential at each flow time, and the schedule."""
    if isinstance(source, Potential):
        if init is not None or schedule is not None:
            raise InputError(
                "mirror_flow: a fixed potential has its start and its decay built in; pass a derivation (ib.derive) "
                "to give init= or schedule=."
            )
        return (lambda time: source), Constant(0.0)
    if not isinstance(source, Derivation):
        raise InputError(f"mirror_flow: expected a Derivation or a Potential, got {type(source).__name__}.")
    if init is None:
        raise InputError("init: a derivation needs initial values by parameter name.")
    family = source.family(init)
    if schedule is None:
        fixed = family(0.0)
        return (lambda time: fixed), Constant(0.0)
    strength = paired_schedule(source.regularizer is not None, schedule)
    return (lambda time: family(float(strength.integral(time)))), strength
