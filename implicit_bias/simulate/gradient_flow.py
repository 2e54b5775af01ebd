r"""The gradient flow of the trained parameters: the ground truth against which every theory here is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, UnsupportedError, known_options
from implicit_bias.potential.family import Families, NoFamily
from implicit_bias.problem import Regression
from implicit_bias.schedule import Schedule, checked_schedule
from implicit_bias.simulate.integrate import Method, Settings, integrate, with_path
from implicit_bias.simulate.matrix_families import families_of
from implicit_bias.simulate.matrix_model import model_of
from implicit_bias.simulate.model import Model
from implicit_bias.simulate.model import velocity as velocity_of
from implicit_bias.simulate.trajectory import Stats, Trajectory
from implicit_bias.status import Status, settle
from implicit_bias.symbolic.dynamics import SteepestDescent
from implicit_bias.symbolic.matrix_parameterization import MatrixParameterization
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import FloatArray, time_points

_NO_LIMIT = (
    "The accumulated sgn(f')|f'|^(q-1) of steepest descent is a combination of the rows of Z for q = 2 alone, so in "
    "general this flow ends at no projection. The potential of its metric is that of ib.derive(..., dynamics=...)."
)


@known_options
def gradient_flow(
    problem: Regression,
    parameterization: Parameterization | MatrixParameterization,
    init: Mapping[str, ArrayLike],
    t: ArrayLike,
    *,
    schedule: Schedule | float | None = None,
    dynamics: SteepestDescent | None = None,
    rtol: float = 1e-12,
    atol: float = 1e-14,
    method: Method = "DOP853",
    max_steps: int = 20_000,
    dense: bool = False,
    throw: bool = True,
) -> Trajectory:
    r"""Integrate :math:`\theta' = -\partial g(\theta)^T\nabla f(g(\theta)) - \alpha_t\nabla h(\theta)` from t = 0.

    The parameterization and the regularizer are arbitrary and need not commute. The dual variables
    :math:`\nu' = \nabla_{Zx} f` are integrated too, so you can check the mirror identity on the result.

    Under :class:`~implicit_bias.SteepestDescent` of a finite order p, the velocity is
    :math:`-\operatorname{sgn}(G)|G|^{q-1}` with the gradient G of the loss; decay adds :math:`-\alpha_t\nabla h` to it,
    or :math:`\alpha_t\nabla h` to G if it is coupled. Then the trajectory has no potential and no limit, since the
    accumulated :math:`\operatorname{sgn}(f')|f'|^{q-1}` is no combination of the rows of Z. For p > 2 the right-hand
    side is not Lipschitz where an entry of G vanishes. A flow arrives there in finite time, and an explicit method then
    hardly advances; the status says so.

    Args:
        problem: Data and loss.
        parameterization: x = g(θ) with its regularizer, if it has one.
        init: Initial values by parameter name: numbers or arrays of shape (n,); numbers for a coupled parameterization;
            matrices for one of matrices.
        t: An end time, which returns the solver's own steps, or increasing times to return; in flow time.
        schedule: Strength α_t of the regularizer, or a number for a constant one; None for no decay.
        dynamics: Steepest descent in another norm; None for gradient flow, which is that of order 2.
        rtol: Relative tolerance per step.
        atol: Absolute tolerance per step. For a coordinate that starts below 1 it is multiplied by the smallest nonzero
            initial value of its parameters, since growth from a small start keeps the relative error.
        method: A method of ``scipy.integrate.solve_ivp``.
        max_steps: Limit on the number of steps. A flow that needs more is stiff; ``mirror_flow`` solves those.
        dense: Keep the path between the times, which ``.at``, ``.time_below`` and ``.sign_changes`` need.
        throw: Raise on a numerical failure, instead of reporting it in ``status``.

    Raises:
        InputError: If shapes, names or times do not fit, or a schedule has no regularizer to act on.
        UnsupportedError: If the order of the steepest descent is infinite.
        SolverError: On a numerical failure, if ``throw``.
    """
    check_arguments(problem, parameterization)
    steering = _steering(dynamics)
    times = time_points(t)
    strength = checked_schedule(schedule, parameterization.regularizer is not None)
    model = model_of(parameterization, problem.n)
    start = start_of_flow(problem, parameterization, init)
    linear, size = problem.linear, model.size

    def velocity(time: float, state: FloatArray) -> FloatArray:
        values = model.evaluate(model.shaped(state[:size]))
        pressure = problem.prediction_gradient(linear.apply(values.x))
        alpha = 0.0 if schedule is None else strength(time)
        gradient = linear.adjoint(pressure)
        if steering is None:
            motion = velocity_of(values, gradient, alpha)
        elif steering.decoupled and len(values.pulls):
            motion = steering.direction(velocity_of(values, gradient, 0.0)) - alpha * values.pulls
        else:
            motion = steering.direction(velocity_of(values, gradient, alpha))
        return np.concatenate([model.flat(motion), pressure])

    path = integrate(
        velocity,
        np.concatenate([model.flat(start), np.zeros(problem.d)]),
        times,
        strength.breakpoints,
        Settings(method, rtol, atol, max_steps, dense),
        scale=np.concatenate([model.flat(model.smallness(start)), np.ones(problem.d)]),
    )

    acting = parameterization if schedule is not None else parameterization.with_regularizer(None)
    families = families_of(problem, acting, model.named(start))
    if steering is not None:
        families = NoFamily(_NO_LIMIT)
    reading = _Reading(problem, parameterization, strength, families, path.status, path.stats)
    return settle(with_path(reading, path), throw, "gradient_flow")


@dataclass(frozen=True, eq=False)
class _Reading:
    """Turns states (θ, ν) of the integrator, shape (k, size + d), into a trajectory; it can be pickled."""

    problem: Regression
    parameterization: Parameterization | MatrixParameterization
    strength: Schedule
    families: Families
    status: Status
    stats: Stats

    def __call__(self, t: FloatArray, state: FloatArray) -> Trajectory:
        problem, size = self.problem, self._model.size
        theta = self._model.shaped(state[:, :size])
        with np.errstate(over="ignore"):  # the loss may overflow after a blow-up
            x = self._model.weights(theta)
            loss = problem.prediction_loss(problem.linear.apply(x))
        return Trajectory(
            t=t,
            x=x,
            loss=loss,
            dual=state[:, size:],
            decay=self.strength.integral(t),
            status=self.status,
            stats=self.stats,
            problems=(problem,),
            families=self.families,
            parameters=self._model.named(theta),
        )

    @cached_property
    def _model(self) -> Model:
        return model_of(self.parameterization, self.problem.n)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the compiled functions, which cannot be pickled; they are compiled again when needed."""
        return {name: value for name, value in vars(self).items() if name != "_model"}


def _steering(dynamics: SteepestDescent | None) -> SteepestDescent | None:
    """The dynamics, or None where they are gradient flow."""
    if dynamics is None:
        return None
    if not isinstance(dynamics, SteepestDescent):
        raise InputError(f"dynamics: expected an ib.SteepestDescent, got {dynamics!r}.")
    if dynamics.exponent == 1:
        raise UnsupportedError(
            "dynamics: the flow of sign descent jumps where a gradient changes its sign, and no integrator here "
            "follows it; take a finite order, or small steps of ib.descent(..., optimizer=ib.SignDescent())."
        )
    return None if dynamics.exponent == 2 else dynamics


def check_arguments(problem: Regression, parameterization: Parameterization | MatrixParameterization) -> None:
    """Raise ``InputError`` if the first two arguments of ``gradient_flow`` have the wrong type."""
    if not isinstance(problem, Regression):
        raise InputError(f"problem: expected an ib.Regression, got {type(problem).__name__}.")
    if not isinstance(parameterization, (Parameterization, MatrixParameterization)):
        got: object = parameterization
        if isinstance(got, str):
            found = f"the string {got[:60]!r}; write ib.Parameterization({got[:60]!r}, regularizer=...)"
        elif hasattr(got, "parameterization"):
            found = f"{type(got).__name__}; give its .parameterization"
        else:
            found = type(got).__name__
        raise InputError(
            f"parameterization: expected an ib.Parameterization or an ib.MatrixParameterization, got {found}."
        )


def start_of_flow(
    problem: Regression, parameterization: Parameterization | MatrixParameterization, init: Mapping[str, ArrayLike]
) -> FloatArray:
    """θ_0, shape (p, n), or (p,) if the weights share their parameters."""
    if isinstance(parameterization, MatrixParameterization):
        return model_of(parameterization, problem.n).joined(parameterization.start(init))
    values = parameterization.start(init)
    if not parameterization.separable:
        if values.ndim > 1:
            raise InputError(
                f"init: expected a number for each parameter, as the weights share them, got shape {values.shape[1:]}."
            )
        return values
    if values.shape[1:] not in ((), (problem.n,)):
        raise InputError(
            f"init: expected numbers or arrays of shape ({problem.n},) to match Z, got {values.shape[1:]}."
        )
    return np.stack([np.broadcast_to(v, problem.n) for v in values])
