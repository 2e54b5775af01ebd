r"""The same flow in the dual: d variables instead of one or two for every weight.

With a loss of Zx the accumulated gradient is :math:`L_t = Z^T\nu_t`, so :math:`x_t = \nabla R^*_{A_t}(-Z^T\nu_t)` and

.. math:: \nu' = \nabla\ell(Zx(\nu, t)), \qquad \partial\nu'/\partial\nu = -\nabla^2\ell\; Z\,(\nabla^2 R)^{-1} Z^T .

The Jacobian is d × d and analytic, which an implicit method needs at late times, where the flow is stiff.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.flow.gradient_flow import paired_schedule
from implicit_bias.flow.integrate import integrate
from implicit_bias.flow.solution import FlowSolution
from implicit_bias.potential import Potential
from implicit_bias.problem import Regression
from implicit_bias.schedule import Schedule
from implicit_bias.status import settle
from implicit_bias.symbolic.derivation import Derivation
from implicit_bias.validation import positive_number, time_points


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
    max_steps: int = 100_000,
    throw: bool = True,
) -> FlowSolution:
    r"""Integrate the mirror flow :math:`\nabla R_{A_t}(x_t) = -\int_0^t \nabla f(x_s)\,ds` in its d dual variables.

    Args:
        problem: Data and loss.
        derivation_or_potential: A derivation (with ``init``, and a schedule if it has a regularizer), or a fixed
            potential, whose flow starts at its minimizer.
        t: End time (then the solver's own steps are returned) or increasing times, in flow time.
        init: Initial values by parameter name, for a derivation.
        schedule: Strength α_t of the derivation's regularizer.
        rtol: Relative tolerance per step, in the dual variables.
        atol: Absolute tolerance per step, in the dual variables. It is divided by the largest entry of the initial
            metric where that exceeds 1: a potential that flat has dual variables that small.
        method: A method of ``scipy.integrate.solve_ivp``; implicit ones use the analytic Jacobian.
        max_steps: Limit on the number of steps.
        throw: Raise on a numerical failure, instead of reporting it in ``status``.

    Raises:
        ValueError: If the arguments do not fit each other.
        DomainError: If an initial value lies outside the region of the derivation.
        SolverError: On a numerical failure, if ``throw``.
    """
    if not isinstance(problem, Regression):
        raise ValueError(f"problem: expected an ib.Regression, got {type(problem).__name__}.")
    times = time_points(t)
    potential_at, strength = _family(derivation_or_potential, init, schedule)
    initial = potential_at(0.0)
    size = initial.size
    if size not in (None, problem.n):
        raise ValueError(f"The potential has {size} coordinates and the problem {problem.n}: give one per column of Z.")
    Z = problem.Z

    def weights(time: float, nu: np.ndarray) -> tuple[Potential, np.ndarray]:
        potential = potential_at(float(strength.integral(time)))
        return potential, np.broadcast_to(potential._inverse_gradient(-(nu @ Z)), (problem.n,))

    def velocity(time: float, nu: np.ndarray) -> np.ndarray:
        return problem.prediction_gradient(Z @ weights(time, nu)[1])

    def jacobian(time: float, nu: np.ndarray) -> np.ndarray:
        potential, x = weights(time, nu)
        return -problem.prediction_hessian(Z @ x)[:, None] * ((Z * potential._metric(x)) @ Z.T)

    path = integrate(
        velocity,
        np.zeros(problem.d),
        times,
        strength.breakpoints,
        method=method,
        rtol=positive_number(rtol, "rtol"),
        atol=positive_number(atol, "atol") / max(1.0, float(np.max(initial._metric(initial.minimizer)))),
        max_steps=max_steps,
        jacobian=jacobian,
    )
    x = np.array([weights(time, nu)[1] for time, nu in zip(path.t, path.state, strict=True)]).reshape(-1, problem.n)
    with np.errstate(over="ignore"):
        loss = problem.prediction_loss(x @ Z.T)
    solution = FlowSolution(
        t=path.t,
        x=x,
        loss=loss,
        dual=path.state,
        decay=strength.integral(path.t),
        status=path.status,
        stats=path.stats,
        design=Z,
    )
    return settle(solution, throw, "mirror_flow")


def _family(
    source: Derivation | Potential, init: Mapping[str, ArrayLike] | None, schedule: Schedule | None
) -> tuple[Callable[[float], Potential], Schedule]:
    if isinstance(source, Potential):
        if init is not None or schedule is not None:
            raise ValueError(
                "mirror_flow: a fixed potential has its start and its decay built in; pass a derivation (ib.derive) "
                "to give init= or schedule=."
            )
        return (lambda decay: source), paired_schedule(False, None)
    if not isinstance(source, Derivation):
        raise ValueError(f"mirror_flow: expected a Derivation or a Potential, got {type(source).__name__}.")
    if init is None:
        raise ValueError("init: a derivation needs initial values by parameter name.")
    if source.regularizer is not None and schedule is None:
        return source.family(init), paired_schedule(False, None)
    return source.family(init), paired_schedule(source.regularizer is not None, schedule)
