"""What a flow returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from implicit_bias.status import Status


@dataclass(frozen=True, eq=False)
class FlowStats:
    """The cost of an integration.

    Attributes:
        evaluations: Right-hand sides evaluated.
        jacobians: Jacobians evaluated.
        wall_time: Seconds.
    """

    evaluations: int
    jacobians: int
    wall_time: float


@dataclass(frozen=True, eq=False)
class FlowSolution:
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
        design: Z, shape (d, n).
        parameters: Trained parameters by name, each of shape (k, n) (empty for a flow in the dual).
    """

    t: np.ndarray
    x: np.ndarray
    loss: np.ndarray
    dual: np.ndarray
    decay: np.ndarray
    status: Status
    stats: FlowStats
    design: np.ndarray = field(repr=False)
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def accumulated_gradient(self) -> np.ndarray:
        r""":math:`L_t = \int_0^t \nabla f(x_s)\,ds = Z^T\nu_t`, shape (k, n)."""
        return self.dual @ self.design

    def __repr__(self) -> str:
        if not len(self.t):
            return f"FlowSolution(no time reached, {self.status.value})"
        return (
            f"FlowSolution({len(self.t)} times to t={self.t[-1]:g}, n={self.x.shape[1]}, loss={self.loss[-1]:.3g}, "
            f"{self.status.value}, {self.stats.evaluations} evaluations)"
        )
