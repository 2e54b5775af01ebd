"""What a flow returns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from implicit_bias.errors import InputError
from implicit_bias.linear_map import LinearMap
from implicit_bias.shown import Shown
from implicit_bias.status import Status
from implicit_bias.validation import positive_number, time_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class FlowStats:
    """The cost of an integration.

    Attributes:
        evaluations: Right-hand sides evaluated.
        jacobians: Jacobians evaluated.
        steps: Steps taken.
        wall_time: Seconds.
    """

    evaluations: int
    jacobians: int
    steps: int
    wall_time: float

    @property
    def time_per_step(self) -> float:
        """Seconds for one step, its share of Jacobians included."""
        return self.wall_time / max(1, self.steps)


@dataclass(frozen=True, eq=False)
class FlowSolution(Shown):
    r"""A trajectory in flow time.

    Attributes:
        t: Flow times, shape (k,).
        x: Effective weights, shape (k, n).
        loss: f(x), shape (k,).
        dual: Accumulated gradient ν of the loss in its predictions, shape (k, d), with
            :math:`\int_0^t \nabla f(x_s)\,ds = Z^T\nu_t`.
        decay: :math:`A_t = \int_0^t \alpha_s\,ds`, shape (k,).
        status: How the integration ended; times that were not reached are left out of every array.
        stats: Its cost.
        design: Z, shape (d, n), as a linear map.
        parameters: Trained parameters by name, each of shape (k, n) (empty for a flow in the dual).
        steps: The times of the integrator's steps, if the flow ran with ``dense=True``.
        interpolate: Makes the solution at other times, likewise; :meth:`at` checks them first.
    """

    t: np.ndarray
    x: np.ndarray
    loss: np.ndarray
    dual: np.ndarray
    decay: np.ndarray
    status: Status
    stats: FlowStats
    design: LinearMap = field(repr=False)
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    steps: np.ndarray | None = field(default=None, repr=False)
    interpolate: Callable[[np.ndarray], FlowSolution] | None = field(default=None, repr=False)

    @property
    def accumulated_gradient(self) -> np.ndarray:
        r""":math:`L_t = \int_0^t \nabla f(x_s)\,ds = Z^T\nu_t`, shape (k, n)."""
        return self.design.adjoint(self.dual)

    def at(self, t: ArrayLike) -> FlowSolution:
        """The flow at other times, which it has passed, to the accuracy of the integrator; it needs ``dense=True``.

        Args:
            t: A flow time or increasing flow times.

        Raises:
            InputError: If the path was not kept, or did not reach a time.
        """
        interpolate, steps = self._path()
        times = time_points(np.atleast_1d(np.asarray(t)))
        if times[-1] > steps[-1]:
            raise InputError(f"t: the flow was followed to {steps[-1]:g}, got {times[-1]:g}: integrate it further.")
        return interpolate(times)

    def time_below(self, loss: float) -> float:
        """The first flow time at which f(x) <= loss, or nan if that was not reached; it needs ``dense=True``.

        A dip that begins and ends within one step of the integrator is not seen.

        Raises:
            InputError: If the path was not kept, or the level is not a positive number.
        """
        interpolate, steps = self._path()
        level = positive_number(loss, "loss")
        excess = interpolate(steps).loss - level
        reached = np.flatnonzero(excess <= 0)
        if not len(reached):
            return np.nan
        k = int(reached[0])
        if k == 0:
            return float(steps[0])
        return float(brentq(lambda s: interpolate(np.array([s])).loss[0] - level, steps[k - 1], steps[k], rtol=1e-12))

    def sign_changes(self) -> np.ndarray:
        """The first flow time at which each weight passes zero, shape (n,), nan where none; needs ``dense=True``.

        A weight that starts at zero has no sign yet, so leaving it is no change. Two changes within one step of the
        integrator are not seen.

        Raises:
            InputError: If the path was not kept.
        """
        interpolate, steps = self._path()
        times = np.full(self.x.shape[1], np.nan)
        signs = np.zeros(self.x.shape[1])
        for before, after in itertools.pairwise(steps):
            if before == steps[0]:
                signs = np.sign(interpolate(steps[:1]).x[0])
            now = np.sign(interpolate(np.array([after])).x[0])
            for i in np.flatnonzero((now * signs < 0) & np.isnan(times)):
                times[i] = brentq(lambda s, i=i: interpolate(np.array([s])).x[0, i], before, after, rtol=1e-12)
            signs = np.where(now == 0, signs, now)  # a zero keeps the sign that came before it
        return times

    def _path(self) -> tuple[Callable[[np.ndarray], FlowSolution], np.ndarray]:
        if self.interpolate is None or self.steps is None:
            raise InputError("This flow kept no path between its times: integrate it with dense=True.")
        return self.interpolate, self.steps

    def __repr__(self) -> str:
        if not len(self.t):
            return f"FlowSolution(no time reached, {self.status.value})"
        return (
            f"FlowSolution({len(self.t)} times to t={self.t[-1]:g}, x of shape {self.x.shape}, "
            f"last loss={self.loss[-1]:.3g}, {self.status.value}, {self.stats.evaluations} evaluations)"
        )

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw weights against flow time, on a logarithmic axis where times span more than a factor of 100.

        Args:
            ax: Where to draw; by default pyplot's current axes, so that several calls share one plot.
            options: Passed to matplotlib's ``Axes.plot``, once for each of the 100 weights that become largest.
        """
        return self._display.plot(self, ax, **options)

    def plot_loss(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the loss, on a logarithmic axis, against flow time; arguments as of :meth:`plot`."""
        return self._display.plot_loss(self, ax, **options)
