"""The result of every simulator: weights, loss and dual variables over time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from implicit_bias.errors import DomainError, InputError, UnsupportedError
from implicit_bias.limit.bregman_projection import bregman_projection
from implicit_bias.limit.projection import Projection
from implicit_bias.norm import norm
from implicit_bias.potential import HyperbolicEntropy, Potential
from implicit_bias.potential.family import Families, Family, ReversibleFamilies
from implicit_bias.problem import Regression
from implicit_bias.shown import Shown
from implicit_bias.status import Status
from implicit_bias.validation import BoolArray, FloatArray, IntArray, positive_number, time_points, whole_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TIME_TOLERANCE = np.float64(1e-12)  # relative, of times at which a weight or the loss passes a level
_SAME_WEIGHTS = 1e-10  # of the largest weight: the products over the steps lead to where the run is
_FEW_DIGITS = 1e-8  # m² − w² over m² + w²: below, the parameters tell the scale to half their digits at most


@dataclass(frozen=True, eq=False)
class Stats:
    """The cost of a simulation.

    Attributes:
        evaluations: Number of evaluations of the right-hand side of a flow, or of the gradient of all runs together.
        jacobians: Number of evaluations of the Jacobian.
        steps: Number of steps.
        wall_time: Duration in seconds.
    """

    evaluations: int
    jacobians: int
    steps: int
    wall_time: float

    @property
    def time_per_step(self) -> float:
        """Average duration of a step in seconds, including Jacobians."""
        return self.wall_time / max(1, self.steps)


@dataclass(frozen=True, eq=False)
class Path:
    """The path of a flow between its recorded times.

    Attributes:
        steps: The flow times of the integrator's steps, shape (m,).
        interpolate: The trajectory at given times.
    """

    steps: FloatArray
    interpolate: Callable[[FloatArray], Trajectory] = field(repr=False)


@dataclass(frozen=True, eq=False)
class _OfRun:
    """The potentials of one run of several."""

    families: Families
    which: int

    def __call__(self, run: int | None = None) -> Family:
        return self.families(self.which)


@dataclass(frozen=True, eq=False)
class Trajectory(Shown):
    r"""Weights over time, from a flow or from training in steps; many runs side by side have an axis (runs).

    A flow is continuous in its time t. Training with step η is recorded at t = steps × η; with momentum β it follows
    the flow at time t / (1 − β).

    Attributes:
        t: Times, shape (k,) or (k, runs).
        x: Effective weights, shape (k, n) or (k, runs, n).
        loss: f(x) on all observations, shape (k,) or (k, runs).
        dual: Accumulated gradient ν of the loss in its predictions p = Zx, shape (k, d) or (k, runs, d). For a flow it
            is :math:`\nu_t = \int_0^t \nabla_p f(Zx_s)\,ds`, for plain steps
            :math:`\nu_k = \eta\sum_{j<k}\nabla_p f(Zx_j)`. With momentum it is the sum of the steps that the optimizer
            makes from these gradients. So :math:`\nabla R_{A_k}(x_k) = -Z^T\nu_k` holds along a flow, and up to O(η)
            for gradient descent with any momentum. Sign descent and Adam have no such identity.
        decay: A, the accumulated strength of the regularizer, summed in the same way, shape (k,) or (k, runs).
        status: How the simulation ended; no array contains times that a flow did not reach. CONVERGED means that the
            integrator reached the last time within its tolerance, or that all steps were made: whether training has
            arrived by then is for ``loss`` to tell.
        stats: The cost of the simulation.
        problems: One problem for all runs, or one for each run.
        families: The potentials as functions of the decay, for the start of each run.
        parameters: Trained parameters by name, of the shape of x. A flow in the dual has none, and an ensemble keeps
            only those of its last record, shape (1, runs, n).
        products: Of a mask x = m ⊙ w trained in steps, ``log_scale`` and ``shift`` of :meth:`potential` at each record,
            of the shape of x, computed from the gradients, steps and strengths alone by
            :class:`~implicit_bias.simulate.products.MaskProducts`; :meth:`potential` computes them from the parameters.
        steps: Numbers of the recorded steps of training in discrete steps, shape (k,); None for a flow.
        diverged: Whether a run left the floating-point range, shape () or (runs,). From then on everything recorded of
            it is nan, except steps and t.
        path: The path between the recorded times of a flow with ``dense=True``.
    """

    t: FloatArray
    x: FloatArray
    loss: FloatArray
    dual: FloatArray
    decay: FloatArray
    status: Status
    stats: Stats
    problems: tuple[Regression, ...] = field(repr=False)
    families: Families = field(repr=False)
    parameters: Mapping[str, FloatArray] = field(default_factory=dict, repr=False)
    products: Mapping[str, FloatArray] = field(default_factory=dict, repr=False)
    steps: IntArray | None = field(default=None, repr=False)
    diverged: BoolArray = field(default_factory=lambda: np.array(False))
    path: Path | None = field(default=None, repr=False)

    @property
    def runs(self) -> int | None:
        """Number of runs side by side, or None for one trajectory without that axis."""
        return self.x.shape[1] if self.x.ndim == 3 else None

    def problem(self, run: int | None = None) -> Regression:
        """The problem of a run."""
        return self.problems[self._run(run) % len(self.problems)]

    @property
    def accumulated_gradient(self) -> FloatArray:
        r"""The accumulated gradient :math:`L = Z^T\nu` of the loss in x, of the shape of x."""
        if len(self.problems) == 1:
            return self.problems[0].linear.adjoint(self.dual)
        pairs = zip(self.problems, self.dual.swapaxes(0, 1), strict=True)
        return np.stack([problem.linear.adjoint(dual) for problem, dual in pairs], axis=1)

    def effective_init(self, k: int = -1, run: int | None = None) -> dict[str, FloatArray]:
        r"""The start from which a flow would arrive exactly where this trajectory is at a record.

        Pull the parameters back along the flows by what the trajectory has accumulated:
        :math:`\tilde\theta_k = \Psi_{+L_k, +A_k}(\theta_k)`. Along a flow that is its own start. Training in steps
        moves it, by as much as the steps are no flow.

        Args:
            k: Index of the record.
            run: Which run, if there are several.

        Returns:
            Initial values by name, each of shape (n,), or () if the weights share their parameters.

        Raises:
            InputError: If there is no such run or record, or its parameters were not kept.
            UnsupportedError: If the dynamics have no potential, the flow backwards was not solved, or the parameters
                have lost the digits that tell the start, as m − w of a mask after much decay.
        """
        start, found = self._effective(k, run)
        if isinstance(found, InputError):
            raise self._lost(found, k, run) from found
        return start

    def _effective(self, k: int, run: int | None) -> tuple[dict[str, FloatArray], Family | InputError]:
        """The effective start and its family, or why it has none."""
        parameters, decay, which = self._reached(k, run)
        dual = self.dual[k] if self.runs is None else self.dual[k, which]
        families = self._reversible()
        try:
            start = families.pulled_back(parameters, self.problem(run).linear.adjoint(dual), decay)
            return start, families.started(start)
        except UnsupportedError:
            raise
        except InputError as error:  # of a start that the user never gave
            return {}, error

    def _lost(self, error: InputError, k: int, run: int | None) -> UnsupportedError:
        """The error of a record whose parameters no longer tell the effective start."""
        self.flow_potential(k, run)  # raises the error of a start that never had a potential
        where = "that tell it"
        if isinstance(error, DomainError) and error.condition is not None:
            where = f"of {error.condition} > 0 of weight {error.weight}"
        return UnsupportedError(
            f"At record {range(len(self.t))[k]} the parameters no longer tell the potential of this run: after a decay "
            f"of {float(np.ravel(self.decay[k])[self._run(run)]):.3g} the digits {where} are lost to rounding; take an "
            "earlier record or less decay, or train by masking.ensemble(…, products=True) in float64."
        )

    def _from_products(self, k: int, run: int | None) -> HyperbolicEntropy | None:
        """The potential of the products over the steps, if the parameters hardly tell it and these lead to the run."""
        if not self.products:
            return None
        m, w = self._reached(k, run)[0].values()
        if np.min(np.abs(m - w) * np.abs(m + w) / (m * m + w * w), initial=1.0) > _FEW_DIGITS:
            return None
        at = k if self.runs is None else (k, self._run(run))
        log_scale, shift, x = self.products["log_scale"][at], self.products["shift"][at], self.x[at]
        if not np.all(np.isfinite(log_scale)) or not np.all(np.isfinite(shift)):
            return None
        potential = HyperbolicEntropy(log_scale=log_scale, shift=shift)
        led = potential.inverse_gradient(-self.problem(run).linear.adjoint(self.dual[at]))
        return potential if np.max(np.abs(led - x)) <= _SAME_WEIGHTS * np.max(np.abs(x)) else None

    def potential(self, k: int = -1, run: int | None = None) -> Potential:
        r"""The potential with :math:`\nabla R(x_k) = -Z^T\nu_k` at a record.

        For a flow it is :math:`R_{A_k}` of its start. For training in steps it is that of the effective
        initialization, which makes the identity exact for any step, batch and momentum. So where a run fits the data,
        its end minimizes this potential among all x with Zx = y. Where |m| and |w| of a mask agree to half their
        digits, after much decay, it is that of ``products``, if they lead to x_k.

        Args:
            k: Index of the record.
            run: Which run, if there are several.

        Raises:
            InputError: If there is no such run or record, or its parameters were not kept.
            UnsupportedError: If the dynamics have no potential, or the run has lost the digits that tell it.
        """
        if self.steps is None:
            return self.flow_potential(k, run)
        exact = self._from_products(k, run)
        if exact is not None:
            return exact
        found = self._effective(k, run)[1]
        if isinstance(found, InputError):
            raise self._lost(found, k, run) from found
        return found(self._reached(k, run)[1])

    def flow_potential(self, k: int = -1, run: int | None = None) -> Potential:
        r"""The potential :math:`R_{A_k}` of the flow from the same start, after the decay so far.

        Args:
            k: Index of the record.
            run: Which run, if there are several.

        Raises:
            InputError: If there is no such run or record.
            UnsupportedError: If the dynamics have no potential.
        """
        self._check_record(k)
        which = self._run(run)
        decay = float(self.decay[k] if self.runs is None else self.decay[k, which])
        if not np.isfinite(decay):
            raise InputError("This run diverged before that record, so it has no potential there; see .diverged.")
        return self.families(None if self.runs is None else which)(decay)

    def gain(self, k: int = -1, run: int | None = None) -> FloatArray:
        r"""By how much steps have shrunk the scale of the potential: :math:`\log(a_0e^{-rA_k}/a_k)`, shape (n,).

        It is the log-scale of :meth:`flow_potential` minus that of :meth:`potential`; 0 along a flow.

        Raises:
            InputError: As for :meth:`potential`.
            UnsupportedError: If the potential has no scale.
        """
        of_flow, of_run = self._both(k, run)
        return of_flow.log_scale - of_run.log_scale

    def shift(self, k: int = -1, run: int | None = None) -> FloatArray:
        r"""By how much steps have moved the asymmetry of the potential: :math:`b_k - b_0`, shape (n,); 0 along a flow.

        Raises:
            InputError: As for :meth:`potential`.
            UnsupportedError: If the potential is no hyperbolic entropy.
        """
        of_flow, of_run = self._both(k, run)
        return of_run.shift - of_flow.shift

    def _both(self, k: int, run: int | None) -> tuple[HyperbolicEntropy, HyperbolicEntropy]:
        of_flow, of_run = self.flow_potential(k, run), self.potential(k, run)
        if not isinstance(of_flow, HyperbolicEntropy) or not isinstance(of_run, HyperbolicEntropy):
            raise UnsupportedError(
                f"Gain and shift are those of a hyperbolic entropy, got {type(of_run).__name__}; compare "
                "effective_init() with the start instead."
            )
        return of_flow, of_run

    def limit(self, run: int | None = None, *, throw: bool = True) -> Projection:
        r"""Where a flow from here would end without further decay: :math:`\operatorname{argmin}\{R(x) : Zx = y\}`.

        R is the last :meth:`potential`. A run that fits the data has arrived there. One that does not will go on by
        steps, which move its R further: then this, with its error bound, is where the flow would end and not the run.
        ``remaining`` of the result says how far that is from the last record. A run of which rounding has made m = w in
        the last digit cannot change the sign of that weight any more, as a flow would.

        Args:
            run: Which run, if there are several.
            throw: Raise if the projection fails, instead of reporting it in its ``status``.

        Raises:
            InputError: If the problem does not have fewer observations than weights, or its loss is not squared.
            UnsupportedError: If the dynamics have no potential, or the run has lost the digits that tell it.
            SolverError: If the projection fails, if ``throw``.
        """
        found = self._projected(self.potential(-1, run), run, throw)
        last = self.x[-1] if self.runs is None else self.x[-1, self._run(run)]
        return replace(found, remaining=norm(last - found.x))

    def flow_limit(self, run: int | None = None, *, throw: bool = True) -> Projection:
        r"""Where the flow from the same start ends if the decay stays at its last A.

        Args:
            run: Which run, if there are several.
            throw: Raise if the projection fails, instead of reporting it in its ``status``.

        Raises:
            InputError: If the problem does not have fewer observations than weights, or its loss is not squared.
            UnsupportedError: If the dynamics have no potential.
            SolverError: If the projection fails, if ``throw``.
        """
        return self._projected(self.flow_potential(-1, run), run, throw)

    def _reversible(self) -> ReversibleFamilies:
        families = self.families.families if isinstance(self.families, _OfRun) else self.families
        if not isinstance(families, ReversibleFamilies):
            raise UnsupportedError("This trajectory has no parameters that flows could lead back to a start.")
        return families

    def _projected(self, potential: Potential, run: int | None, throw: bool) -> Projection:
        # The dual variables reached are a close start.
        dual = self.dual[-1] if self.runs is None else self.dual[-1, self._run(run)]
        start = dual if np.all(np.isfinite(dual)) else None
        return bregman_projection(self.problem(run), potential, start=start, throw=throw)

    def _reached(self, k: int, run: int | None) -> tuple[dict[str, FloatArray], float, int]:
        """The parameters and the decay of a run at a record, and the index of the run."""
        self._check_record(k)
        which = self._run(run)
        if not self.parameters:
            raise InputError("This trajectory has no parameters: it is a flow of x and its dual; use gradient_flow.")
        kept = len(next(iter(self.parameters.values())))
        record = range(len(self.t))[k]
        if kept < len(self.t) and record != len(self.t) - 1:
            raise InputError(f"k: an ensemble keeps the parameters of its last record alone, got {k}; use -1.")
        decay = float(self.decay[k] if self.runs is None else self.decay[k, which])
        parameters = {name: value[min(record, kept - 1)] for name, value in self.parameters.items()}
        if self.runs is not None:
            parameters = {name: value[which] for name, value in parameters.items()}
        if not np.isfinite(decay) or not all(np.all(np.isfinite(value)) for value in parameters.values()):
            raise InputError("This run diverged before that record, so it has no potential there; see .diverged.")
        return parameters, decay, which

    def at(self, t: ArrayLike) -> Trajectory:
        """The flow at other times that it has passed, as accurate as the integrator; it needs ``dense=True``.

        Args:
            t: A flow time or increasing flow times.

        Raises:
            InputError: If the path was not kept, or did not reach one of the times.
        """
        path = self._kept_path()
        times = time_points(np.atleast_1d(np.asarray(t)))
        if times[-1] > path.steps[-1]:
            raise InputError(
                f"t: the flow was integrated to {path.steps[-1]:g}, got {times[-1]:g}; integrate it further."
            )
        return path.interpolate(times)

    def time_below(self, loss: float) -> float:
        """The first flow time at which f(x) <= loss, or nan if there is none; it needs ``dense=True``.

        This misses a dip that begins and ends within one step of the integrator.

        Raises:
            InputError: If the path was not kept, or the loss is not a positive number.
        """
        path = self._kept_path()
        level = positive_number(loss, "loss")
        steps, interpolate = path.steps, path.interpolate
        excess = interpolate(steps).loss - level
        reached = np.flatnonzero(excess <= 0)
        if not len(reached):
            return np.nan
        k = int(reached[0])
        if k == 0:
            return float(steps[0])
        return _zero(lambda s: interpolate(np.array([s])).loss[0] - level, steps[k - 1], steps[k])

    def sign_changes(self) -> FloatArray:
        """The first flow time at which each weight passes zero, shape (n,), nan if it never does; needs ``dense=True``.

        A weight that starts at zero has no sign yet, so leaving zero does not count. This misses two changes within one
        step of the integrator.

        Raises:
            InputError: If the path was not kept.
        """
        path = self._kept_path()
        steps, interpolate = path.steps, path.interpolate
        times = np.full(self.x.shape[1], np.nan)
        signs = np.zeros(self.x.shape[1])
        for before, after in itertools.pairwise(steps):
            if before == steps[0]:
                signs = np.sign(interpolate(steps[:1]).x[0])
            now = np.sign(interpolate(np.array([after])).x[0])
            for i in np.flatnonzero((now * signs < 0) & np.isnan(times)):
                times[i] = _zero(lambda s, i=i: interpolate(np.array([s])).x[0, i], before, after)
            signs = np.where(now == 0, signs, now)  # at zero a weight keeps its last sign
        return times

    def _kept_path(self) -> Path:
        if self.path is None:
            raise InputError("This trajectory kept no path between its times: integrate a flow with dense=True.")
        return self.path

    def _run(self, run: int | None) -> int:
        """The index of a run, 0 if there is only one."""
        if self.runs is None:
            if run is not None:
                raise InputError(f"run: this trajectory has no axis of runs, got run={run!r}; leave it out.")
            return 0
        if run is None or not 0 <= whole_number(run, "run") < self.runs:
            raise InputError(f"run: expected a run from 0 to {self.runs - 1}, got {run!r}.")
        return whole_number(run, "run")

    def _check_record(self, k: int) -> None:
        if not len(self.t):
            raise InputError(f"This trajectory reached no time ({self.status.value}), so it has no records.")
        if not -len(self.t) <= whole_number(k, "k") < len(self.t):
            raise InputError(f"k: expected an index of one of {len(self.t)} records, got {k}.")

    def __repr__(self) -> str:
        if not len(self.t):
            return f"Trajectory(no time reached, {self.status.value})"
        records = f"{len(self.t)} records to " + (
            f"t={self.t[-1]:g}" if self.steps is None else f"step {self.steps[-1]}"
        )
        # Nothing is said to have converged: that the end was reached shows nothing about where it leads.
        failed = "" if self.status is Status.CONVERGED else f", {self.status.value}"
        if self.runs is None:
            return (
                f"Trajectory({records}, x of shape {self.x.shape}, last loss={self.loss[-1]:.3g}{failed}, "
                f"{self.stats.evaluations} evaluations)"
            )
        return f"Trajectory({self.runs} runs, {np.sum(self.diverged)} diverged, {records}{failed})"

    def plot(self, ax: Axes | None = None, run: int | None = None, **options: Any) -> Axes:
        """Draw weights against time, on a logarithmic axis if times span more than a factor of 100.

        Args:
            ax: Where to draw; by default pyplot's current axes, so that several calls share one plot.
            run: Which run, if there are several.
            options: Passed to matplotlib's ``Axes.plot``, once for each weight; at most the 100 largest are drawn.
        """
        return self._display.plot(self.of_run(run), ax, **options)

    def plot_loss(self, ax: Axes | None = None, run: int | None = None, **options: Any) -> Axes:
        """Draw the loss against time, on a logarithmic axis; the arguments are those of :meth:`plot`."""
        return self._display.plot_loss(self.of_run(run), ax, **options)

    def of_run(self, run: int | None) -> Trajectory:
        """One run as a trajectory without the axis of runs.

        Raises:
            InputError: If there is no such run.
        """
        k = self._run(run)
        if self.runs is None:
            return self
        t, loss, decay = (values[:, k] for values in (self.t, self.loss, self.decay))
        return Trajectory(
            t=t,
            x=self.x[:, k],
            loss=loss,
            dual=self.dual[:, k],
            decay=decay,
            status=Status.NOT_FINITE if self.diverged[k] else Status.CONVERGED,
            stats=self.stats,
            problems=(self.problem(k),),
            families=_OfRun(self.families, k),
            parameters={name: value[:, k] for name, value in self.parameters.items()},
            products={name: value[:, k] for name, value in self.products.items()},
            steps=self.steps,
            diverged=self.diverged[k],
        )


def _zero(function: Callable[[float], float], before: float, after: float) -> float:
    """The zero of a function that changes its sign between two times."""
    found: Any = brentq(function, before, after, rtol=_TIME_TOLERANCE)
    return float(found)
