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
from implicit_bias.simulate.effective import DiagonalForms, diagonal_forms
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
_LARGEST_GROWTH = 100.0  # of the logarithm of a component, beyond that of any flow that fits data
_RELATIVE_TOLERANCE = 1e-11  # of a step of the integrator
_ABSOLUTE_TOLERANCE = 1e-14  # times the smallest initial value of each weight


@dataclass(frozen=True, eq=False)
class TrainingLimit(Shown):
    r"""Where training with a finite step ends, to second order in the step.

    It is asymptotic: the error vanishes like the square of the step, and no bound on it is known. The terms of first
    order are ``gain`` and ``shift``, in the logarithm of the scale. Where they are not small against 1, what is left
    out need not be small either, even if ``x`` is near ``flow.x``; without a scale, compare these two.

    Attributes:
        x: The end, shape (n,); nan where the status is not CONVERGED.
        potential: The potential that it minimizes among all x with Zx = y; None where the status is not CONVERGED.
        flow: The projection at which the flow from the same start ends.
        flow_potential: The potential of the flow.
        decayed: The potential of the flow after the decay that the steps add up to, which is O(step) off the integral.
        critical_step: The step beyond which training is unstable at the flow's limit.
        step: The step.
        status: CONVERGED if the flow and the projection were solved within their tolerances, which says nothing of the
            orders left out; UNSTABLE beyond the critical step; STALLED also where rounding takes the digits of the
            effective start, as those of m − w; otherwise how the flow or a projection failed.
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
    steps = _Steps(problem, acting, float(eta), optimizer, batch_size, strength)
    forms = diagonal_forms(acting) if acting.separable else None
    modified = _Modified(steps, families, start) if forms is None else _Multiplied(steps, forms, start)
    reached, state, dual, status = _integrated(steps, modified)
    if status is not Status.CONVERGED:
        return ended(status)
    try:
        effective = modified.effective(reached, state, dual)
        potential = families.started(dict(zip(parameterization.params, effective, strict=True)))(steps_decay)
    except UnsupportedError:
        raise
    except InputError:  # of a start that the user never gave: it has lost its digits, as those of m − w
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


class _Steps:
    """The problem and what finite steps add to its flow, in flow time."""

    def __init__(
        self,
        problem: Regression,
        parameterization: Parameterization,
        eta: float,
        optimizer: SGD,
        batch: int | None,
        strength: Schedule,
    ) -> None:
        beta = optimizer.momentum
        second = 1 - beta + 2 * beta**2 if optimizer.nesterov else 1 + beta
        self.problem, self.parameterization = problem, parameterization
        self.model = FormulaModel(parameterization, problem.n)
        self.curvature, self._noise = eta * second / (1 - beta) ** 2, eta / (1 - beta)
        self._strength, self._rate = strength, 1 - beta
        self._batch = None if batch in (None, problem.d) else batch
        if self._batch is not None and not parameterization.separable:
            raise UnsupportedError("batch_size: coupled parameterizations are covered with all observations alone.")
        self.breakpoints = sorted(b / self._rate for b in strength.breakpoints if b > 0)

    def alpha(self, t: float) -> float:
        """The strength."""
        return float(self._strength(t * self._rate))

    def decay(self, t: float) -> float:
        """A, its integral so far."""
        return float(self._strength.integral(t * self._rate)) / self._rate

    def decays_after(self, t: float) -> bool:
        """Whether any decay is left."""
        return self._strength.total - float(self._strength.integral(t * self._rate)) > 0

    def slopes(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The slopes of the loss in the predictions, and in x."""
        pressure = self.problem.prediction_gradient(self.problem.linear.apply(self.model.weights(theta)))
        return pressure, self.problem.linear.adjoint(pressure)

    def loss(self, theta: FloatArray) -> float:
        """The loss on all observations."""
        return float(self.problem.prediction_loss(self.problem.linear.apply(self.model.weights(theta))))

    def variance(self, pressure: FloatArray, slopes: FloatArray) -> FloatArray | float:
        """η/(1 − β) times the variance of the gradient of a batch drawn without replacement, by weight."""
        if self._batch is None:
            return 0.0
        d, size = self.problem.d, self._batch
        # The observations' terms are d·ρᵢzᵢ, with mean ∇f.
        squares = np.sum((d * pressure[:, None] * self.problem.Z - slopes) ** 2, axis=0)
        whole, rest = divmod(d, size)
        # An epoch has batches of the size and one of what is left.
        sizes = np.array([size] * whole + ([rest] if rest else []))
        return self._noise * squares / (d - 1) * np.mean((1 - sizes / d) / sizes)


class _Modified:
    """The modified flow of any parameterization, in its parameters."""

    def __init__(self, steps: _Steps, families: DerivedFamilies, start: FloatArray) -> None:
        self._steps, self._families, parameterization = steps, families, steps.parameterization
        self.start = start
        smallest = np.min(np.where(start == 0, np.inf, np.abs(start)), axis=0)
        self.tolerance = _ABSOLUTE_TOLERANCE * np.broadcast_to(np.minimum(smallest, 1.0), start.shape)
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

    def theta(self, t: float, state: FloatArray, dual: FloatArray) -> FloatArray:
        """The parameters are the state."""
        return state

    def velocity(self, t: float, state: FloatArray, dual: FloatArray) -> tuple[FloatArray, FloatArray]:
        """θ' and ν'."""
        steps, p = self._steps, self._count
        pressure, slopes = steps.slopes(state)
        given = [*state, *([slopes] if steps.model.separable else slopes)]
        given.append(np.broadcast_to(steps.alpha(t), state.shape[1:]))
        found = self._field(np.stack(np.broadcast_arrays(*given)))
        noise = steps.variance(pressure, slopes) * found[2 * p :]
        return -found[:p] - steps.curvature / 2 * found[p : 2 * p] - noise / 2, pressure

    def effective(self, t: float, state: FloatArray, dual: FloatArray) -> FloatArray:
        """The effective initialization, pulled back along the flows."""
        parameters = dict(zip(self._steps.parameterization.params, state, strict=True))
        found = self._families.pulled_back(parameters, self._steps.problem.linear.adjoint(dual), self._steps.decay(t))
        return np.stack(list(found.values()))


class _Multiplied:
    r"""The modified flow of quadratic forms, in the logarithms of what steps multiply each component by.

    In the joint eigenbasis of the forms, with eigenvalues λ of g and μ of h, a component is
    :math:`c_0 e^{-\lambda L - \mu A - E}` with :math:`E' = \tfrac{c}{2}(\lambda\nabla f + \mu\alpha)^2 +
    \tfrac{\eta}{2(1 - \beta)}\lambda^2\operatorname{Var}`. So none is lost to rounding, however small it becomes.
    """

    def __init__(self, steps: _Steps, forms: DiagonalForms, start: FloatArray) -> None:
        self._steps, self._basis = steps, forms.basis
        self._output, self._decay = forms.outputs[0][:, None], forms.decay[:, None]
        self._components = np.tensordot(forms.basis.T, start, 1)
        self.start = np.zeros_like(self._components)
        self.tolerance = np.full(self.start.shape, _ABSOLUTE_TOLERANCE)

    def theta(self, t: float, state: FloatArray, dual: FloatArray) -> FloatArray:
        """The parameters."""
        gradient = self._steps.problem.linear.adjoint(dual)
        exponents = self._output * gradient + self._decay * self._steps.decay(t) + state
        # The integrator tries steps that are too long, and shortens them as long as numbers stay finite.
        return np.tensordot(self._basis, self._components * np.exp(np.minimum(-exponents, _LARGEST_GROWTH)), 1)

    def velocity(self, t: float, state: FloatArray, dual: FloatArray) -> tuple[FloatArray, FloatArray]:
        """E' and ν'."""
        steps = self._steps
        pressure, slopes = steps.slopes(self.theta(t, state, dual))
        push = self._output * slopes + self._decay * steps.alpha(t)
        noise = self._output**2 * steps.variance(pressure, slopes)
        return (steps.curvature * push**2 + noise) / 2, pressure

    def effective(self, t: float, state: FloatArray, dual: FloatArray) -> FloatArray:
        """The effective initialization: the start, multiplied by what is left of the products of the steps."""
        return np.tensordot(self._basis, self._components * np.exp(-state), 1)


def _integrated(steps: _Steps, modified: _Modified | _Multiplied) -> tuple[float, FloatArray, FloatArray, Status]:
    """The time, the state and the dual variables where the modified flow fits the data."""
    shape, size = modified.start.shape, modified.start.size

    def velocity(t: float, flat: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            motion, pressure = modified.velocity(t, flat[:size].reshape(shape), flat[size:])
        return np.concatenate([motion.ravel(), pressure])

    def loss(t: float, flat: FloatArray) -> float:
        return steps.loss(modified.theta(t, flat[:size].reshape(shape), flat[size:]))

    dual = np.zeros(steps.problem.d)
    flat = np.concatenate([modified.start.ravel(), dual])
    tolerance = np.concatenate([modified.tolerance.ravel(), dual + _ABSOLUTE_TOLERANCE])
    first = max(loss(0.0, flat), np.finfo(float).tiny)
    begin, end = 0.0, 1.0
    while True:
        edges = [begin, *(b for b in steps.breakpoints if begin < b < end), end]
        for before, after in itertools.pairwise(edges):
            path = solve_ivp(
                velocity, (before, after), flat, "LSODA", (after,), rtol=_RELATIVE_TOLERANCE, atol=tolerance
            )
            if not path.success:
                return before, modified.start, dual, Status.STEP_SIZE
            flat = path.y[:, -1]
        if not np.all(np.isfinite(flat)):
            return begin, modified.start, dual, Status.NOT_FINITE
        has_fitted = loss(end, flat) <= _FITTED * first
        if has_fitted or end >= _LONGEST_FLOW:
            status = Status.CONVERGED if has_fitted or steps.decays_after(end) else Status.MAX_ITERATIONS
            return end, flat[:size].reshape(shape), flat[size:], status
        begin, end = end, 2 * end
