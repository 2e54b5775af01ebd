r"""The gradient flow of the trained parameters: the ground truth that every theory here is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, UnsupportedError
from implicit_bias.flow.integrate import integrate, with_path
from implicit_bias.flow.solution import FlowSolution, FlowStats
from implicit_bias.problem import Regression
from implicit_bias.schedule import Constant, Schedule
from implicit_bias.status import Status, settle
from implicit_bias.symbolic.compiled import compiled
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import positive_number, time_points


def gradient_flow(
    problem: Regression,
    parameterization: Parameterization,
    init: Mapping[str, ArrayLike],
    t: ArrayLike,
    regularizer: str | sp.Expr | None = None,
    schedule: Schedule | None = None,
    *,
    rtol: float = 1e-12,
    atol: float = 1e-14,
    method: str = "DOP853",
    max_steps: int = 20_000,
    dense: bool = False,
    throw: bool = True,
) -> FlowSolution:
    r"""Integrate :math:`\theta' = -\partial g(\theta)^T\nabla f(g(\theta)) - \alpha_t\nabla h(\theta)` from t = 0.

    Any separable parameterization and any regularizer, commuting or not. The dual variables
    :math:`\nu' = \nabla_{Zx} f` are integrated along, so the mirror identity can be checked on the result.

    Args:
        problem: Data and loss.
        parameterization: A separable x = g(θ).
        init: Initial values by parameter name, numbers or arrays of shape (n,).
        t: End time (then the solver's own steps are returned) or increasing times, in flow time.
        regularizer: h(θ) of one coordinate; it needs a schedule.
        schedule: Strength α_t; it needs a regularizer.
        rtol: Relative tolerance per step.
        atol: Absolute tolerance per step; for the parameters of a coordinate that starts below 1, times the smallest
            initial value there that is not zero, as growth from a small start keeps its relative error.
        method: A method of ``scipy.integrate.solve_ivp``.
        max_steps: Limit on the number of steps; a flow that needs more is stiff, and ``mirror_flow`` is the remedy.
        dense: Keep the path between the times, for ``.at``, ``.time_below`` and ``.sign_changes`` of the solution.
        throw: Raise on a numerical failure, instead of reporting it in ``status``.

    Raises:
        InputError: If shapes, names or times do not fit, or only one of regularizer and schedule is given.
        SolverError: On a numerical failure, if ``throw``.
    """
    check_arguments(problem, parameterization)
    if not parameterization.separable:
        raise UnsupportedError(f"{parameterization!r} is coupled: gradient_flow covers one formula per coordinate.")
    times = time_points(t)
    strength = paired_schedule(regularizer is not None, schedule)
    h = parameterization.regularizer(0 if regularizer is None else regularizer)
    start = _start(problem, parameterization, init)
    p, n = start.shape
    output = compiled(parameterization.symbols, [parameterization.output])
    slopes = compiled(parameterization.symbols, list(parameterization.gradient(parameterization.output)))
    pulls = compiled(parameterization.symbols, list(parameterization.gradient(h)))

    linear = problem.linear

    def velocity(time: float, state: np.ndarray) -> np.ndarray:
        theta = state[: p * n].reshape(p, n)
        pressure = problem.prediction_gradient(linear.apply(output(theta)[0]))
        motion = -slopes(theta) * linear.adjoint(pressure)
        if regularizer is not None:
            motion -= strength(time) * pulls(theta)
        return np.concatenate([motion.ravel(), pressure])

    path = integrate(
        velocity,
        np.concatenate([start.ravel(), np.zeros(problem.d)]),
        times,
        strength.breakpoints,
        method=method,
        rtol=positive_number(rtol, "rtol"),
        atol=positive_number(atol, "atol") * np.concatenate([_smallness(start).ravel(), np.ones(problem.d)]),
        max_steps=max_steps,
        dense=dense,
    )

    solution = _Reading(problem, parameterization, strength, path.status, path.stats)
    return settle(with_path(solution, path), throw, "gradient_flow")


@dataclass(frozen=True, eq=False)
class _Reading:
    """Reads the solution off states (θ, ν) of the integrator, shape (k, p n + d); it can be pickled."""

    problem: Regression
    parameterization: Parameterization
    strength: Schedule
    status: Status
    stats: FlowStats

    def __call__(self, t: np.ndarray, state: np.ndarray) -> FlowSolution:
        problem, names = self.problem, self.parameterization.params
        size = len(names) * problem.n
        theta = state[:, :size].reshape(-1, len(names), problem.n).swapaxes(0, 1)
        with np.errstate(over="ignore"):  # after a blow-up the loss may exceed the floating-point range
            x = self._output(theta)[0]
            loss = problem.prediction_loss(problem.linear.apply(x))
        return FlowSolution(
            t=t,
            x=x,
            loss=loss,
            dual=state[:, size:],
            decay=self.strength.integral(t),
            status=self.status,
            stats=self.stats,
            design=problem.linear,
            parameters=dict(zip(names, theta, strict=True)),
        )

    @cached_property
    def _output(self) -> Callable[[np.ndarray], np.ndarray]:
        return compiled(self.parameterization.symbols, [self.parameterization.output])

    def __getstate__(self) -> dict[str, object]:
        """Everything but the compiled function, which cannot be pickled and is compiled again when needed."""
        return {name: value for name, value in vars(self).items() if name != "_output"}


def _smallness(start: np.ndarray) -> np.ndarray:
    """The smallest initial value of each coordinate that is not zero, at most 1; shape (p, n), alike for all p."""
    size = np.where(start == 0, 1.0, np.abs(start))
    return np.broadcast_to(np.minimum(np.min(size, axis=0), 1.0), start.shape)


def check_arguments(problem: Regression, parameterization: Parameterization) -> None:
    """Raise ``InputError`` if the first two arguments of ``gradient_flow`` are of the wrong kind."""
    if not isinstance(problem, Regression):
        raise InputError(f"problem: expected an ib.Regression, got {type(problem).__name__}.")
    if not isinstance(parameterization, Parameterization):
        raise InputError(f"parameterization: expected an ib.Parameterization, got {type(parameterization).__name__}.")


def paired_schedule(has_regularizer: bool, schedule: Schedule | None) -> Schedule:
    """The schedule, zero if there is none; a regularizer without a schedule (or the reverse) is an error."""
    if schedule is None and has_regularizer:
        raise InputError("schedule: a regularizer needs a strength, for example schedule=ib.schedule.Constant(0.1).")
    if schedule is not None and not has_regularizer:
        raise InputError("regularizer: a schedule needs something to act on, for example regularizer='m**2 + w**2'.")
    if schedule is not None and not isinstance(schedule, Schedule):
        raise InputError(f"schedule: expected an ib.schedule object, got {type(schedule).__name__}.")
    return schedule or Constant(0.0)


def _start(problem: Regression, parameterization: Parameterization, init: Mapping[str, ArrayLike]) -> np.ndarray:
    values = parameterization.start(init)
    if values.shape[1:] not in ((), (problem.n,)):
        raise InputError(
            f"init: expected numbers or arrays of shape ({problem.n},) to match Z, got {values.shape[1:]}."
        )
    return np.stack([np.broadcast_to(v, problem.n) for v in values])
