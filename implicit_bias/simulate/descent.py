r"""Training in discrete steps, of which the flows are the limit, for one run or many side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, UnsupportedError, known_options
from implicit_bias.linear_map import DenseMap
from implicit_bias.potential.family import NoFamily
from implicit_bias.problem import Regression
from implicit_bias.schedule import Schedule
from implicit_bias.simulate.discrete import plan, train
from implicit_bias.simulate.gradient_flow import check_arguments
from implicit_bias.simulate.matrix_families import families_of
from implicit_bias.simulate.matrix_model import model_of
from implicit_bias.simulate.mini_batches import MiniBatches
from implicit_bias.simulate.model import Model, velocity
from implicit_bias.simulate.optimizer import SGD, WITHOUT_POTENTIAL, Directions, Optimizer, checked_optimizer
from implicit_bias.simulate.products import MaskProducts, scale_and_shift
from implicit_bias.simulate.trajectory import Stats, Trajectory
from implicit_bias.status import Status, settle
from implicit_bias.symbolic.matrix_parameterization import MatrixParameterization
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import BoolArray, FloatArray, finite_array

PLAIN = SGD()


@known_options
def descent(
    problem: Regression,
    parameterization: Parameterization | MatrixParameterization,
    init: Mapping[str, ArrayLike],
    step: ArrayLike,
    steps: int,
    *,
    optimizer: Optimizer = PLAIN,
    schedule: Schedule | float | Sequence[Schedule | float] | None = None,
    batch_size: int | None = None,
    seed: ArrayLike = 0,
    record: ArrayLike = 100,
    throw: bool = True,
) -> Trajectory:
    r"""Train by :math:`\theta_{k+1} = \theta_k - \eta\,(\partial g(\theta_k)^T\nabla f(x_k) + \alpha_k\nabla h)`.

    This is Euler's method for :func:`gradient_flow`, so x_k is within O(η) of the flow at time kη. If ``init``,
    ``step``, ``schedule`` or ``seed`` has an axis (runs), all runs are trained side by side, and no run's numbers
    depend on the others. The bracket is the gradient that :class:`~implicit_bias.SGD` takes. For h = ‖θ‖², torch's
    ``weight_decay`` is 2α. Sign descent and Adam follow no gradient flow: such a run has no potential, its ``dual`` is
    the sum of η times the gradients, and its ``decay`` that of ηα.

    Args:
        problem: Data and loss.
        parameterization: x = g(θ) with its regularizer, if it has one.
        init: Initial values by parameter name: numbers, or arrays of shape (n,) or (runs, n) or (runs, 1); of a coupled
            parameterization numbers or arrays of shape (runs,); of matrices matrices, with an axis (runs,) in front if
            there are several runs.
        step: Step size η > 0, a number or shape (runs,).
        steps: Number of steps.
        optimizer: Gradient descent, by default without momentum; or :class:`~implicit_bias.SignDescent`,
            :class:`~implicit_bias.Adam`, :class:`~implicit_bias.AdamW`.
        schedule: The strength α of the regularizer at flow time t = kη, or a number for a constant one; None for no
            decay. Give one for all runs, or a list with one for each. With momentum, too, the strength is the one at
            t = kη, so the decay ends at total / (1 − β).
        batch_size: Observations in a mini-batch; by default each step uses all of them. Each epoch draws every
            observation once, in random order, and its last batch may be smaller. The gradient is the mean over the
            batch: the batch's terms of ∇f times d / (their number), which estimates ∇f without bias.
        seed: Seed of the mini-batches. From one number every run gets its own stream. With one seed for each run, shape
            (runs,), a run draws the same batches as it would alone.
        record: The number of records, evenly spaced from the start to the last step, or the step numbers to record; the
            last step is always recorded.
        throw: Raise if any run diverges, instead of reporting it in ``diverged`` and ``status``.

    Raises:
        InputError: If shapes, names or numbers do not fit, or a schedule has no regularizer to act on.
        UnsupportedError: If Z is not dense.
        SolverError: If a run diverges, if ``throw``; the error's ``result`` holds all runs.

    >>> problem = Regression([[1.0, 2.0]], [3.0])
    >>> mask = Parameterization("m*w")
    >>> runs = descent(problem, mask, {"m": 1.0, "w": 0.0}, step=[0.1, 10.0], steps=100, throw=False)
    >>> runs.diverged.tolist()
    [False, True]
    >>> (runs.x[-1] @ [1.0, 2.0]).round(6).tolist()
    [3.0, nan]
    """
    began = time.perf_counter()
    check_arguments(problem, parameterization)
    if not isinstance(problem.linear, DenseMap):
        raise UnsupportedError("problem: descent covers dense data, got a sparse Z or an operator; use Z.toarray().")
    checked_optimizer(optimizer)
    values = _start(problem, parameterization, init)
    model = model_of(parameterization, problem.n)
    inner = model.inner
    axes = {f"init[{k!r}]": value.shape[: value.ndim - len(inner[k])] for k, value in values.items() if value.ndim}
    has_regularizer = parameterization.regularizer is not None
    plans = plan(problem.d, axes, step, steps, schedule, has_regularizer, batch_size, seed, record)
    runs = plans.runs
    begun = {name: np.broadcast_to(values[name], (runs, *shape)) for name, shape in inner.items()}
    products = None
    if isinstance(optimizer, SGD) and _is_mask(parameterization):
        products = MaskProducts(np.zeros((runs, problem.n)), optimizer.momentum, optimizer.nesterov)
    backend = _InNumPy(problem, model, model.joined(begun), plans.eta, optimizer, products)
    records, sound, k = train(backend, plans)
    with np.errstate(all="ignore"):  # runs that diverged hold nan
        parameters = model.shaped(records["theta"])
        x = model.weights(parameters)
        loss = problem.prediction_loss(_predictions(problem, x.reshape(-1, problem.n))).reshape(x.shape[:-1])
    shape = (len(plans.marks), *plans.shape)
    init_of_runs = {name: value.reshape((*plans.shape, *inner[name])) for name, value in begun.items()}
    exact = {}
    if products is not None:
        gradient = problem.linear.adjoint(records["dual"])
        m, w = begun.values()
        made = scale_and_shift(m, w, records["log_scale"], records["shift"], gradient)
        exact = dict(zip(("log_scale", "shift"), made, strict=True))
    acting = parameterization if plans.schedules else parameterization.with_regularizer(None)
    follows_flow = isinstance(optimizer, SGD)
    result = Trajectory(
        t=(plans.marks[:, None] * plans.eta).reshape(shape),
        x=x.reshape(*shape, problem.n),
        loss=loss.reshape(shape),
        dual=records["dual"].reshape(*shape, problem.d),
        decay=records["decay"].reshape(shape),
        status=Status.CONVERGED if np.all(sound) else Status.NOT_FINITE,
        stats=Stats(evaluations=k, jacobians=0, steps=k, wall_time=time.perf_counter() - began),
        problems=(problem,),
        families=families_of(problem, acting, init_of_runs) if follows_flow else NoFamily(WITHOUT_POTENTIAL),
        parameters={name: v.reshape((*shape, *inner[name])) for name, v in model.named(parameters).items()},
        products={name: value.reshape((*shape, problem.n)) for name, value in exact.items()},
        steps=plans.marks,
        diverged=~sound.reshape(plans.shape),
    )
    return settle(result, throw, "descent")


class _InNumPy:
    """A backend of :func:`~implicit_bias.simulate.discrete.train` in NumPy, for any parameterization.

    The state has one row for each run: the parameters, the accumulated gradient ν in the d predictions, and the decay
    A. To the last bit, a run's numbers do not depend on the other runs.
    """

    steps_between_checks = 1
    steps_at_once = 1

    def __init__(
        self,
        problem: Regression,
        model: Model,
        theta: FloatArray,
        eta: FloatArray,
        optimizer: Optimizer,
        products: MaskProducts | None,
    ) -> None:
        self._problem, self._model, self._optimizer, self._eta = problem, model, optimizer, eta[:, None]
        self._products = products
        rows = model.flat(theta)
        self._state = np.concatenate([rows, np.zeros((len(rows), problem.d + 1))], axis=1)
        self._memory = np.zeros_like(self._state)
        self._directions = None if isinstance(optimizer, SGD) else Directions(optimizer)
        self._decoupled = not isinstance(optimizer, SGD) and optimizer.decoupled
        with np.errstate(all="ignore"):  # what overflows shows up in the status
            self._values = model.evaluate(model.shaped(rows))

    def finite(self) -> BoolArray:
        return np.all(np.isfinite(self._state), axis=1) & np.all(np.isfinite(self._values.x), axis=1)

    def state(self) -> Mapping[str, FloatArray]:
        size = self._model.size
        state = {"theta": self._state[:, :size], "dual": self._state[:, size:-1], "decay": self._state[:, -1]}
        if self._products is None:
            return state
        return {**state, "log_scale": self._products.log_scale, "shift": self._products.shift}

    def strengths(self, alpha: FloatArray) -> FloatArray:
        return alpha

    def weights(self, batches: MiniBatches, steps: range) -> FloatArray:
        return batches.weights(steps, self._state)

    def advance(self, steps: int, weights: FloatArray | None, strengths: FloatArray | None) -> None:
        for k in range(steps):
            self._step(None if weights is None else weights[k], None if strengths is None else strengths[k])

    def _step(self, weights: FloatArray | None, strength: FloatArray | None) -> None:
        problem, model = self._problem, self._model
        pressure = problem.prediction_gradient(_predictions(problem, self._values.x))
        if weights is not None:
            pressure = weights * pressure
        gradient = (pressure[:, None, :] @ problem.Z)[:, 0, :]
        alpha = np.zeros(len(pressure)) if strength is None else strength
        along = alpha[:, None] if model.separable else alpha
        if self._products is not None:
            self._products.step(gradient, self._eta, alpha[:, None])
        if self._directions is None:
            motion = velocity(self._values, gradient, along)
        else:
            motion = self._rescaled(self._directions, gradient, along)
        self._state += self._eta * self._move(np.concatenate([model.flat(motion), pressure, alpha[:, None]], axis=1))
        self._values = model.evaluate(model.shaped(self._state[:, : model.size]))

    def _rescaled(self, directions: Directions, gradient: FloatArray, alpha: FloatArray) -> FloatArray:
        """The velocity of an optimizer that rescales each entry of the gradient, with its decay."""
        values = self._values
        inside = 0.0 if self._decoupled else alpha
        motion = -directions.step(-velocity(values, gradient, inside))
        return motion - alpha * values.pulls if self._decoupled and len(values.pulls) else motion

    def _move(self, motion: FloatArray) -> FloatArray:
        """The direction of a step; with momentum it depends on the earlier velocities."""
        if not isinstance(self._optimizer, SGD) or not self._optimizer.momentum:
            return motion
        self._memory *= self._optimizer.momentum
        self._memory += motion
        return motion + self._optimizer.momentum * self._memory if self._optimizer.nesterov else self._memory


def _is_mask(parameterization: Parameterization | MatrixParameterization) -> bool:
    """Whether it is x = m·w, with m² + w² if it has a regularizer."""
    if isinstance(parameterization, MatrixParameterization) or not parameterization.separable:
        return False
    symbols, h = parameterization.symbols, parameterization.regularizer
    if len(symbols) != 2:
        return False
    first, second = symbols
    return parameterization.output == first * second and (h is None or h == first**2 + second**2)


def _predictions(problem: Regression, x: FloatArray) -> FloatArray:
    # One product for each run: how BLAS rounds a row of a larger product depends on the number of rows.
    return (x[:, None, :] @ problem.Z.T)[:, 0, :]


def _start(
    problem: Regression, parameterization: Parameterization | MatrixParameterization, init: Mapping[str, ArrayLike]
) -> dict[str, FloatArray]:
    if isinstance(parameterization, MatrixParameterization):
        return parameterization.start(init, runs=True)
    # This checks the names alone, since the values may have an axis of runs.
    parameterization.start(dict.fromkeys(init, 0.0) if isinstance(init, Mapping) else init)
    values = {name: finite_array(value, f"init[{name!r}]") for name, value in init.items()}
    for name, value in values.items():
        if not parameterization.separable:
            fits, expected = value.ndim <= 1, "or an array of shape (runs,), as the weights share their parameters"
        else:
            fits = value.ndim == 0 or value.shape[-1] == problem.n or (value.ndim == 2 and value.shape[1] == 1)
            fits, expected = fits and value.ndim <= 2, f"or an array of shape ({problem.n},) or (runs, {problem.n})"
            expected += " to match Z"
        if not fits or value.size == 0:
            raise InputError(f"init[{name!r}]: expected a number {expected}, got {value.shape}.")
    return values
