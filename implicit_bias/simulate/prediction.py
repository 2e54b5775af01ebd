r"""Where training in steps ends, without running it: the flow's limit, corrected to second order in the step."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from implicit_bias.errors import InputError, UnsupportedError, known_options
from implicit_bias.limit.bregman_projection import bregman_projection
from implicit_bias.limit.projection import Projection
from implicit_bias.potential import HyperbolicEntropy, Potential, SeparablePotential
from implicit_bias.problem import Regression
from implicit_bias.schedule import Schedule, checked_schedule
from implicit_bias.shown import Shown
from implicit_bias.simulate.families import DerivedFamilies
from implicit_bias.simulate.gradient_flow import check_arguments, start_of_flow
from implicit_bias.simulate.model import FormulaModel
from implicit_bias.simulate.optimizer import SGD, checked_sgd
from implicit_bias.simulate.steps import step_sizes
from implicit_bias.status import Status
from implicit_bias.symbolic.compiled import compiled
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.validation import FloatArray, whole_number

_PLAIN = SGD()
_FITTED = 1e-24  # of the first loss: the flow has arrived, and what follows is below rounding
_LONGEST_FLOW = 1e7  # in flow time
_SUMMED_STEPS = 100_000
_RELATIVE_TOLERANCE = 1e-11  # of a step of the integrator
_ABSOLUTE_TOLERANCE = 1e-14  # times the smallest initial value of each weight


@dataclass(frozen=True, eq=False)
class TrainingLimit(Shown):
    r"""Where training with a finite step ends, to second order in the step.

    It is asymptotic: the error vanishes like the square of the step, and no bound on it is known. The distance of ``x``
    to ``flow.x`` is the term of first order; where that is not small, what is left out need not be small either.

    Attributes:
        x: The end, shape (n,); nan where the status is not CONVERGED.
        potential: The potential that it minimizes among all x with Zx = y; None where the status is not CONVERGED.
        flow: The projection at which the flow from the same start ends.
        flow_potential: The potential of the flow.
        decayed: The potential of the flow after the decay that the steps add up to, which is O(step) off the integral.
        critical_step: The step beyond which training is unstable at the flow's limit.
        step: The step.
        status: CONVERGED if the flow and the projection were solved within their tolerances, which says nothing of the
            orders left out; UNSTABLE beyond the critical step; STALLED where so much decay is spent that rounding takes
            the digits that tell the effective start, as those of m − w; otherwise how the flow or a projection failed.
    """

    x: FloatArray
    potential: Potential | None
    flow: Projection
    flow_potential: Potential
    decayed: Potential
    critical_step: float
    step: float
    status: Status = field(default=Status.CONVERGED)

    @property
    def gain(self) -> FloatArray:
        r"""By how much the steps shrink the scale beyond their decay, shape (n,); nan without a potential.

        As :meth:`~implicit_bias.Trajectory.gain` it is the logarithm of the scale of ``decayed`` over that of
        ``potential``.

        Raises:
            UnsupportedError: If the potential has no scale.
        """
        return self._difference("log_scale", -1)

    @property
    def shift(self) -> FloatArray:
        """By how much the steps move the asymmetry, shape (n,); nan without a potential.

        Raises:
            UnsupportedError: If the potential is no hyperbolic entropy.
        """
        return self._difference("shift", 1)

    def _difference(self, name: str, sign: int) -> FloatArray:
        if not isinstance(self.decayed, HyperbolicEntropy):
            raise UnsupportedError(f"Gain and shift are those of a hyperbolic entropy, got {self.decayed!r}.")
        if self.potential is None:
            return np.full(self.x.shape, np.nan)
        return sign * (getattr(self.potential, name) - getattr(self.decayed, name))

    def __repr__(self) -> str:
        how = "to second order in the step" if self.status is Status.CONVERGED else self.status.value
        return f"TrainingLimit({how}, step={self.step:g}, critical_step={self.critical_step:.4g})"


@known_options
def critical_step(problem: Regression, potential: Potential, *, optimizer: SGD = _PLAIN) -> float:
    r"""The largest step with which training is stable at the flow's limit.

    With the largest eigenvalue λ of :math:`Z G Z^T` there, weighted by the curvature of the loss (1/d for the squared
    one) and with the metric :math:`G = (\nabla^2 R)^{-1}`, it is 2/λ for gradient descent, 2(1 + β)/λ for heavy ball
    and 2(1 + β)/((1 + 2β)λ) for Nesterov's variant. Beyond it a run ends elsewhere, where it is stable again.

    Args:
        problem: Data and loss, with fewer observations than weights.
        potential: R.
        optimizer: Gradient descent, by default without momentum.

    Raises:
        InputError: If shapes do not fit.
        SolverError: If the flow's limit is not found.

    Source: the linear stability of SGD's steps; for gradient descent Cohen et al., "Gradient descent on neural networks
        typically occurs at the edge of stability", ICLR 2021.
    """
    checked_sgd(optimizer)
    return _critical_step(problem, potential, bregman_projection(problem, potential).x, optimizer)


def _critical_step(problem: Regression, potential: Potential, x: FloatArray, optimizer: SGD) -> float:
    weighted = np.sqrt(problem.prediction_hessian(problem.linear.apply(x)))[:, None] * problem.Z
    metric = np.asarray(potential.metric(x))
    preconditioned = weighted * metric if isinstance(potential, SeparablePotential) else weighted @ metric
    largest = float(np.linalg.eigvalsh(preconditioned @ weighted.T)[-1])
    beta = optimizer.momentum
    factor = 2 * (1 + beta) / (1 + 2 * beta) if optimizer.nesterov else 2 * (1 + beta)
    return factor / largest if largest > 0 else np.inf


@known_options
def training_limit(
    problem: Regression,
    parameterization: Parameterization,
    init: Mapping[str, ArrayLike],
    *,
    step: float,
    optimizer: SGD = _PLAIN,
    batch_size: int | None = None,
    schedule: Schedule | float | None = None,
) -> TrainingLimit:
    r"""Predict where training with a finite step, momentum and mini-batches ends, without running it.

    The commutators that a finite step leaves act like a flow of their own. With :math:`v = \partial g^T\nabla f +
    \alpha\nabla h` and :math:`Dv` its Jacobian in θ at constant ∇f, training follows, in flow time
    :math:`t = k\eta/(1 - \beta)` and up to what only changes the speed,

    .. math:: \theta' = -v - \tfrac{c}{2}(Dv)v - \tfrac{\eta}{2(1 - \beta)}\sum_i \operatorname{Var}[\partial_i f_B]\,
        \nabla^2 g_i\nabla g_i, \qquad c = \eta\frac{1 + \beta}{(1 - \beta)^2}

    (for Nesterov's variant :math:`c = \eta(1 - \beta + 2\beta^2)/(1 - \beta)^2`), with the variance over mini-batches B
    drawn without replacement. This flow is integrated until it fits the data; its effective initialization has the
    potential that the end minimizes. The error is of second order in the step, for mini-batches on average; that is
    asymptotic, and :class:`TrainingLimit` says how to judge it at a given step.

    Args:
        problem: Data and squared loss, with fewer observations than weights.
        parameterization: x = g(θ) with its regularizer, if it has one; they must commute.
        init: Initial values by parameter name.
        step: η > 0.
        optimizer: Gradient descent, by default without momentum.
        batch_size: Observations in a mini-batch; by default each step uses all of them.
        schedule: The strength α at t = kη, or None; its decay must be finite.

    Raises:
        InputError: If shapes, names or numbers do not fit.
        UnsupportedError: If the flow has no potential, the decay never ends, or mini-batches meet a coupled
            parameterization.
        SolverError: If the flow's limit is not found.

    >>> problem = Regression([[1.0, 2.0]], [3.0])
    >>> mask = Parameterization("m*w")
    >>> found = training_limit(problem, mask, {"m": 1.0, "w": 0.0}, step=0.1)
    >>> found.x.round(4).tolist(), found.flow.x.round(4).tolist(), round(found.critical_step, 3)
    ([0.5258, 1.2371], [0.4644, 1.2678], 0.163)
    >>> from implicit_bias import descent
    >>> descent(problem, mask, {"m": 1.0, "w": 0.0}, 0.1, 2000).x[-1].round(4).tolist()
    [0.5213, 1.2393]
    """
    check_arguments(problem, parameterization)
    if not isinstance(parameterization, Parameterization):
        raise UnsupportedError("parameterization: predictions cover no matrices; run it by ib.descent.")
    beta = checked_sgd(optimizer).momentum
    eta = step_sizes(step, 1)
    if eta.ndim:
        raise InputError(f"step: expected one number, got shape {eta.shape}.")
    if batch_size is not None and not 1 <= whole_number(batch_size, "batch_size") <= problem.d:
        raise InputError(f"batch_size: expected 1 to d={problem.d} observations, got {batch_size}.")
    strength = checked_schedule(schedule, parameterization.regularizer is not None)
    total = strength.total / (1 - beta)
    if not np.isfinite(total):
        raise UnsupportedError(
            "schedule: its decay never ends, so neither does training; choose one with a finite total."
        )
    start = start_of_flow(problem, parameterization, init)
    acting = parameterization if schedule is not None else parameterization.with_regularizer(None)
    families = DerivedFamilies(acting, dict(zip(parameterization.params, start, strict=True)))
    flow_potential, steps_decay = families()(total), _decay_of_steps(strength, float(eta)) / (1 - beta)
    decayed = families()(steps_decay)
    flow = bregman_projection(problem, flow_potential)
    largest = _critical_step(problem, flow_potential, flow.x, optimizer)

    def ended(status: Status, x: FloatArray | None = None, potential: Potential | None = None) -> TrainingLimit:
        nothing = np.full(problem.n, np.nan)
        end = nothing if x is None else x
        return TrainingLimit(end, potential, flow, flow_potential, decayed, largest, float(eta), status)

    if eta > largest:
        return ended(Status.UNSTABLE)
    modified = _Modified(problem, acting, float(eta), optimizer, batch_size)
    theta, dual, status = _integrated(problem, modified, start, strength, beta)
    if status is not Status.CONVERGED:
        return ended(status)
    decay = float(strength.integral(modified.reached * (1 - beta))) / (1 - beta)
    names = parameterization.params
    try:
        effective = families.pulled_back(dict(zip(names, theta, strict=True)), problem.linear.adjoint(dual), decay)
        potential = families.started(effective)(steps_decay)
    except UnsupportedError:
        raise
    except InputError:  # of a start that the user never gave: much decay has taken its digits, as those of m − w
        return ended(Status.STALLED)
    found = bregman_projection(problem, potential, start=dual, throw=False)
    if found.status is not Status.CONVERGED:
        return ended(found.status)
    return ended(Status.CONVERGED, found.x, potential)


def _decay_of_steps(strength: Schedule, eta: float) -> float:
    """The sum of ηα(kη) over all steps, which differs from the integral of α by O(η)."""
    t = eta * np.arange(_SUMMED_STEPS + 1)
    alpha = strength(t)
    # Beyond the steps that are summed, Euler and Maclaurin's formula.
    rest = strength.total - float(strength.integral(t[-1])) + eta / 2 * float(alpha[-1])
    return eta * float(np.sum(alpha[:-1])) + rest


class _Modified:
    """The field of the modified flow, as a function of parameters, slopes ∇f, their variances and the strength."""

    def __init__(
        self, problem: Regression, parameterization: Parameterization, eta: float, optimizer: SGD, batch: int | None
    ) -> None:
        beta = optimizer.momentum
        second = 1 - beta + 2 * beta**2 if optimizer.nesterov else 1 + beta
        self.problem, self.model = problem, FormulaModel(parameterization, problem.n)
        self.reached = 0.0
        self._curvature, self._noise = eta * second / (1 - beta) ** 2, eta / (1 - beta)
        self._batch = None if batch in (None, problem.d) else batch
        if self._batch is not None and not parameterization.separable:
            raise UnsupportedError("batch_size: coupled parameterizations are covered with all observations alone.")
        symbols, outputs, h = list(parameterization.symbols), parameterization.outputs, parameterization.regularizer
        slopes = sp.symbols(f"_slope:{len(outputs)}", real=True)
        strength = sp.Symbol("_strength", real=True)
        pull = sp.zeros(len(symbols), 1) if h is None else strength * parameterization.gradient(h)
        gradients = [parameterization.gradient(output) for output in outputs]
        v = sp.Matrix(pull)
        for slope, gradient in zip(slopes, gradients, strict=True):
            v += gradient * slope
        correction = v.jacobian(symbols) * v
        noise = gradients[0].jacobian(symbols) * gradients[0]
        self._count = len(symbols)
        self._field = compiled([*symbols, *slopes, strength], [*v.flat(), *correction.flat(), *noise.flat()])

    def __call__(self, theta: FloatArray, alpha: float) -> tuple[FloatArray, FloatArray]:
        """θ' and ν'."""
        problem, model, p = self.problem, self.model, self._count
        pressure = problem.prediction_gradient(problem.linear.apply(model.weights(theta)))
        slopes = problem.linear.adjoint(pressure)
        given = [*theta, *([slopes] if model.separable else slopes), np.broadcast_to(alpha, theta.shape[1:])]
        found = self._field(np.stack(np.broadcast_arrays(*given)))
        velocity = -found[:p] - self._curvature / 2 * found[p : 2 * p]
        if self._batch is not None:
            velocity = velocity - self._noise / 2 * self._variance(pressure, slopes) * found[2 * p :]
        return velocity, pressure

    def _variance(self, pressure: FloatArray, slopes: FloatArray) -> FloatArray:
        """The variance of the gradient of a batch drawn without replacement, by weight."""
        d, size = self.problem.d, self._batch or 1
        # The observations' terms are d·ρᵢzᵢ, with mean ∇f.
        squares = np.sum((d * pressure[:, None] * self.problem.Z - slopes) ** 2, axis=0)
        whole, rest = divmod(d, size)
        # An epoch has batches of the size and one of what is left.
        sizes = np.array([size] * whole + ([rest] if rest else []))
        return squares / (d - 1) * np.mean((1 - sizes / d) / sizes)


def _integrated(
    problem: Regression, modified: _Modified, start: FloatArray, strength: Schedule, beta: float
) -> tuple[FloatArray, FloatArray, Status]:
    """The parameters and dual variables where the modified flow fits the data."""
    model, size = modified.model, modified.model.size
    breakpoints = sorted(b / (1 - beta) for b in strength.breakpoints if b > 0)

    def velocity(t: float, state: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            motion, pressure = modified(model.shaped(state[:size]), float(strength(t * (1 - beta))))
        return np.concatenate([model.flat(motion), pressure])

    def loss(state: FloatArray) -> float:
        return float(problem.prediction_loss(problem.linear.apply(model.weights(model.shaped(state[:size])))))

    state = np.concatenate([model.flat(start), np.zeros(problem.d)])
    smallest = np.min(np.where(start == 0, np.inf, np.abs(start)), axis=0)
    tolerance = np.full(len(state), _ABSOLUTE_TOLERANCE)
    tolerance[:size] *= model.flat(np.broadcast_to(np.minimum(smallest, 1.0), start.shape))
    first = max(loss(state), np.finfo(float).tiny)
    begin, end = 0.0, 1.0
    while True:
        edges = [begin, *(b for b in breakpoints if begin < b < end), end]
        for before, after in itertools.pairwise(edges):
            path = solve_ivp(
                velocity, (before, after), state, "LSODA", (after,), rtol=_RELATIVE_TOLERANCE, atol=tolerance
            )
            if not path.success:
                return start, np.zeros(problem.d), Status.STEP_SIZE
            state = path.y[:, -1]
        if not np.all(np.isfinite(state)):
            return start, np.zeros(problem.d), Status.NOT_FINITE
        modified.reached = end
        has_fitted = loss(state) <= _FITTED * first
        if has_fitted or end >= _LONGEST_FLOW:
            left = strength.total - float(strength.integral(end * (1 - beta)))
            status = Status.CONVERGED if has_fitted or left > 0 else Status.MAX_ITERATIONS
            return model.shaped(state[:size]), state[size:], status
        begin, end = end, 2 * end
