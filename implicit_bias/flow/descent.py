r"""Training in discrete time: what the flows idealize, for one trajectory or a batch of runs side by side."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, UnsupportedError
from implicit_bias.flow.batched_flow import BatchedFlow
from implicit_bias.flow.gradient_flow import check_arguments, paired_schedule
from implicit_bias.flow.mini_batches import check_seeds, mini_batches
from implicit_bias.flow.solution import FlowStats
from implicit_bias.flow.steps import recorded_steps, step_sizes
from implicit_bias.linear_map import DenseMap, LinearMap
from implicit_bias.problem import FloatArray, Regression
from implicit_bias.schedule import Schedule
from implicit_bias.status import Status, settle
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import finite_array, whole_number


@dataclass(frozen=True, eq=False)
class Descent:
    r"""Recorded steps of one trajectory, or of a batch, whose arrays have the axis (runs) after the first.

    Attributes:
        steps: Numbers k of the recorded steps, shape (k,); θ_0 is the start.
        t: steps × η, shape (k,) or (k, runs). A run with momentum β follows the flow at time t / (1 − β).
        x: Effective weights, shape (k, n) or (k, runs, n).
        loss: f(x) on all observations, shape (k,) or (k, runs).
        dual: Accumulated gradient ν of the loss in its predictions, shape (k, d) or (k, runs, d): for plain steps
            :math:`\nu_k = \eta\sum_{j<k}\nabla_p f(Zx_j)`, with momentum the sum of the moves that it makes of these
            gradients. So :math:`\nabla R_{A_k}(x_k) = -Z^T\nu_k + O(\eta)` for every optimizer.
        decay: A_k, the strengths accumulated in the same way (:math:`\eta\sum_{j<k}\alpha_j` for plain steps), shape
            (k,) or (k, runs).
        parameters: Trained parameters by name, each of the shape of x.
        diverged: Whether a run left the floating-point range, shape () or (runs,). From there on everything recorded
            of it is nan, except steps and t.
        status: ``NOT_FINITE`` if any run diverged.
        stats: The cost: gradients evaluated (one a step for all runs together) and wall time.
        design: Z, shape (d, n), as a linear map.
    """

    steps: np.ndarray
    t: np.ndarray
    x: np.ndarray
    loss: np.ndarray
    dual: np.ndarray
    decay: np.ndarray
    parameters: Mapping[str, np.ndarray] = field(repr=False)
    diverged: np.ndarray
    status: Status
    stats: FlowStats
    design: LinearMap = field(repr=False)

    @property
    def accumulated_gradient(self) -> np.ndarray:
        r""":math:`L_k = Z^T\nu_k`, of the shape of x."""
        return self.design.adjoint(self.dual)

    def __repr__(self) -> str:
        runs = f"{self.diverged.size} runs, {np.sum(self.diverged)} diverged, " if self.diverged.ndim else ""
        return f"Descent({len(self.steps)} records to step {self.steps[-1]}, {runs}{self.status.value})"


def descent(
    problem: Regression,
    parameterization: Parameterization,
    init: Mapping[str, ArrayLike],
    step: ArrayLike,
    steps: int,
    regularizer: str | sp.Expr | None = None,
    schedule: Schedule | None = None,
    *,
    optimizer: str = "gd",
    momentum: float | None = None,
    batch_size: int | None = None,
    seed: ArrayLike = 0,
    record: ArrayLike = 100,
    throw: bool = True,
) -> Descent:
    r"""Train by :math:`\theta_{k+1} = \theta_k - \eta\,(\partial g(\theta_k)^T\nabla f(x_k) + \alpha_k\nabla h)`.

    This is Euler's method for :func:`gradient_flow`, so x_k is within O(η) of the flow at time kη. Where ``init``,
    ``step`` or ``seed`` have an axis (runs), all runs are trained side by side; a run's numbers do not depend on the
    others.

    With G_k the gradient in the bracket, the optimizers are ``"gd"`` and ``"sgd"`` (the same on mini-batches),
    ``"momentum"`` (heavy ball, :math:`b_k = \beta b_{k-1} + G_k` and :math:`\theta_{k+1} = \theta_k - \eta b_k`) and
    ``"nesterov"`` (:math:`\theta_{k+1} = \theta_k - \eta\,(G_k + \beta b_k)`), by the conventions of
    ``torch.optim.SGD``, whose ``weight_decay`` is 2α for h = ‖θ‖². Methods that rescale each parameter by itself,
    such as Adam, follow no gradient flow.

    Args:
        problem: Data and loss.
        parameterization: A separable x = g(θ).
        init: Initial values by parameter name: numbers, or arrays of shape (n,) or (runs, n) or (runs, 1).
        step: Step size η > 0, a number or shape (runs,).
        steps: Number of steps.
        regularizer: h(θ) of one coordinate; it needs a schedule.
        schedule: Strength, evaluated at t = kη, with momentum too; it needs a regularizer.
        optimizer: ``"gd"``, ``"sgd"``, ``"momentum"`` or ``"nesterov"``.
        momentum: β of ``"momentum"`` and ``"nesterov"``, 0 <= β < 1; 0.9 if not given.
        batch_size: Observations in a mini-batch; ``"sgd"`` needs it, with momentum it is optional. Each epoch draws all
            observations once in random order, its last batch may be smaller. The gradient is the mean over the batch:
            its observations' share of ∇f times d / (their number), which estimates ∇f without bias.
        seed: Seed of the mini-batches. From a number every run gets its own stream; given one seed each, shape
            (runs,), a run draws what it would draw alone.
        record: The number of records, evenly spaced from the start to the last step; or the step numbers to record,
            to which the last step is added.
        throw: Raise when any run diverges, instead of reporting it in ``diverged`` and ``status``.

    Raises:
        InputError: If shapes, names or numbers do not fit, or arguments that need one another come alone.
        UnsupportedError: If the parameterization is coupled, or Z is not dense.
        SolverError: If a run diverges and ``throw``; the error's ``result`` holds the other runs.

    >>> problem = Regression([[1.0, 2.0]], [3.0])
    >>> mask = Parameterization("m*w", ["m", "w"])
    >>> runs = descent(problem, mask, {"m": 1.0, "w": 0.0}, step=[0.1, 10.0], steps=100, throw=False)
    >>> runs.diverged.tolist()
    [False, True]
    >>> (runs.x[-1] @ [1.0, 2.0]).round(6).tolist()
    [3.0, nan]
    """
    began = time.perf_counter()
    check_arguments(problem, parameterization)
    if not parameterization.separable:
        raise UnsupportedError(f"{parameterization!r} is coupled: descent covers one formula per coordinate.")
    if not isinstance(problem.linear, DenseMap):
        raise UnsupportedError("problem: descent covers dense data, got a sparse Z or an operator; use Z.toarray().")
    strength = paired_schedule(regularizer is not None, schedule)
    move = _optimizer(optimizer, momentum)
    last = whole_number(steps, "steps")
    if last < 1:
        raise InputError(f"steps: expected a positive integer, got {steps}.")
    marks, eta, seeds = recorded_steps(record, last), step_sizes(step, last), check_seeds(seed)
    values = _start(problem, parameterization, init)
    batch = _shape_of_runs(values, eta, seeds)
    runs = batch[0] if batch else 1
    theta = np.stack([np.broadcast_to(values[name], (runs, problem.n)) for name in parameterization.params], axis=1)
    eta = np.broadcast_to(eta, runs)
    batches, strengths = _batches(problem, optimizer, batch_size, seeds, runs), _strengths(strength, eta, last)

    system = BatchedFlow(problem, parameterization, regularizer)
    states, sound, k = _recorded(system, system.start(theta), eta, move, batches, strengths, marks)
    with np.errstate(all="ignore"):  # nan, of runs that diverged
        theta = system.parameters(states)
        x = system.evaluate(states)[0]
        loss = system.loss(x)
    shape = (len(marks), *batch)
    result = Descent(
        steps=marks,
        t=(marks[:, None] * eta).reshape(shape),
        x=x.reshape(*shape, problem.n),
        loss=loss.reshape(shape),
        dual=system.dual(states).reshape(*shape, problem.d),
        decay=system.decay(states).reshape(shape),
        parameters={name: v.reshape(*shape, problem.n) for name, v in zip(parameterization.params, theta, strict=True)},
        diverged=~sound.reshape(batch),
        status=Status.CONVERGED if np.all(sound) else Status.NOT_FINITE,
        stats=FlowStats(evaluations=k, jacobians=0, steps=k, wall_time=time.perf_counter() - began),
        design=problem.linear,
    )
    return settle(result, throw, "descent")


def _recorded(
    system: BatchedFlow,
    state: FloatArray,
    eta: FloatArray,
    move: Move,
    batches: Iterator[FloatArray | float],
    strengths: Iterator[FloatArray],
    marks: np.ndarray,
) -> tuple[FloatArray, np.ndarray, int]:
    """Take steps up to the last mark, or until no run is finite.

    Returns:
        The states at the marks, one row for each mark and run, nan of runs from where they diverged; which runs are
        finite; the number of steps.
    """
    memory = np.zeros_like(state)
    states = np.full((len(marks), *state.shape), np.nan)
    sound, k, row = np.ones(len(state), dtype=bool), 0, 0
    with np.errstate(all="ignore"):  # what overflows shows up in the status
        while True:
            values = system.evaluate(state)
            sound &= np.isfinite(state).all(axis=1) & np.isfinite(values[0]).all(axis=1)
            if k == marks[row]:
                states[row, sound] = state[sound]
                row += 1
            if k == marks[-1] or not sound.any():
                return states.reshape(-1, state.shape[1]), sound, k
            state += eta[:, None] * move(system.velocity(values, next(batches), next(strengths)), memory)
            k += 1


# An optimizer turns the velocity into the direction of a step; it may keep a memory of the velocities before.
Move = Callable[[FloatArray, FloatArray], FloatArray]


def _optimizer(name: str, momentum: float | None) -> Move:
    if name not in ("gd", "sgd", "momentum", "nesterov"):
        raise InputError(f"optimizer: expected 'gd', 'sgd', 'momentum' or 'nesterov', got {name!r}.")
    if name in ("gd", "sgd"):
        if momentum is not None:
            raise InputError(f"momentum: {name!r} has none, choose optimizer='momentum' or 'nesterov'.")
        return lambda velocity, memory: velocity
    beta = float(finite_array(0.9 if momentum is None else momentum, "momentum", ndim=0))
    if not 0 <= beta < 1:
        raise InputError(f"momentum: expected 0 <= momentum < 1, got {momentum}.")

    def heavy_ball(velocity: FloatArray, memory: FloatArray) -> FloatArray:
        memory *= beta
        memory += velocity
        return memory

    def nesterov(velocity: FloatArray, memory: FloatArray) -> FloatArray:
        return velocity + beta * heavy_ball(velocity, memory)

    return heavy_ball if name == "momentum" else nesterov


def _batches(
    problem: Regression, optimizer: str, size: int | None, seeds: np.ndarray, runs: int
) -> Iterator[FloatArray | float]:
    """The weights of the observations in one step after another, shape (runs, d), or 1."""
    if size is not None:
        if optimizer == "gd":
            raise InputError("batch_size: optimizer='gd' uses all observations; for mini-batches choose 'sgd'.")
        return mini_batches(problem.d, size, seeds, runs)
    if optimizer == "sgd":
        raise InputError("batch_size: optimizer='sgd' needs one; to use all observations choose optimizer='gd'.")
    if seeds.ndim:
        raise InputError("seed: expected a number without a batch_size, as only mini-batches are random.")
    return itertools.repeat(1.0)


def _strengths(schedule: Schedule, eta: FloatArray, last: int) -> Iterator[FloatArray]:
    """The strengths α at t = kη in one step after another, shape (runs, 1)."""
    many = 1000  # one call of a schedule costs as much as a step
    for begin in range(0, last, many):
        yield from schedule(np.arange(begin, min(begin + many, last))[:, None] * eta)[..., None]


def _start(
    problem: Regression, parameterization: Parameterization, init: Mapping[str, ArrayLike]
) -> dict[str, FloatArray]:
    # The names alone: shapes may have an axis of runs here.
    parameterization.start(dict.fromkeys(init, 0.0) if isinstance(init, Mapping) else init)
    values = {name: finite_array(value, f"init[{name!r}]") for name, value in init.items()}
    for name, value in values.items():
        fits = value.ndim == 0 or value.shape[-1] == problem.n or (value.ndim == 2 and value.shape[1] == 1)
        if value.ndim > 2 or not fits or value.size == 0:
            raise InputError(
                f"init[{name!r}]: expected a number or an array of shape ({problem.n},) or (runs, {problem.n}) to "
                f"match Z, got {value.shape}."
            )
    return values


def _shape_of_runs(values: Mapping[str, FloatArray], eta: FloatArray, seeds: np.ndarray) -> tuple[int, ...]:
    """() for one trajectory, else (runs,)."""
    shapes = {f"init[{name!r}]": value.shape[:-1] for name, value in values.items()}
    shapes |= {"step": eta.shape, "seed": seeds.shape}
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        counts = ", ".join(f"{name}: {shape[0]}" for name, shape in shapes.items() if shape)
        raise InputError(f"runs: expected the same number of runs everywhere, got {counts}.") from None
