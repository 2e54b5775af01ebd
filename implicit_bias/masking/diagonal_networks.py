r"""Diagonal networks x = m ⊙ w, trained side by side in buffers that every step uses again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from implicit_bias.masking.replay import Replay, captures
from implicit_bias.problem import FloatArray, Regression
from implicit_bias.simulate.mini_batches import MiniBatches
from implicit_bias.simulate.optimizer import SGD, Directions, Optimizer
from implicit_bias.simulate.products import MaskProducts

MOST_STEPS_OF_A_GRAPH = 50  # a launch, and copies of what differs from step to step, cost as much as a few steps


class DiagonalNetworks:
    r"""The state of all runs on one device, as a backend of :func:`~implicit_bias.simulate.discrete.train`.

    In :math:`u = (m+w)/2` and :math:`v = (m-w)/2` the weights are :math:`x = u^2 - v^2`. The change of variables is a
    rotation up to its scale, so gradient descent in (m, w) is gradient descent in (u, v), where it multiplies:

    .. math:: u \leftarrow u\,(1 - \eta\nabla f - 2\eta\alpha), \qquad v \leftarrow v\,(1 + \eta\nabla f - 2\eta\alpha)

    That keeps the digits of a v much smaller than u. The potential depends on them at small scales, and m − w would
    lose them. With :math:`\nabla f = Z^T\rho`, the first factor is 1 minus :math:`(\eta\rho, 2\eta\alpha)` times Z with
    a row of ones below it: the regularizer acts like one more observation, and the decay adds up like one more dual
    variable.

    Sign descent and Adam act on m and w themselves, which are put together from u and v. So a w far smaller than m is
    known to the precision of m alone.

    Arrays have the axes (problems, runs of a problem, ·): one problem with all runs, or as many problems as runs.

    Args:
        problems: One for all runs or one for each, with the squared loss and a dense Z of one shape.
        m: Initial values, shape (runs, n).
        w: Initial values, shape (runs, n).
        eta: Step sizes, shape (runs,).
        optimizer: Gradient descent, with or without momentum; sign descent or Adam, which act on m and w.
        dtype: Precision of everything on the device.
        device: Where to compute.
        products: Whether to accumulate the products over the steps, in double precision.
        steps_between_records: How many steps are usually taken at a time, which a GPU can replay as one.
    """

    steps_between_checks = 1000  # a check waits for the device

    def __init__(
        self,
        problems: Sequence[Regression],
        m: np.ndarray,
        w: np.ndarray,
        eta: np.ndarray,
        optimizer: Optimizer,
        dtype: torch.dtype,
        device: torch.device,
        products: bool = False,
        steps_between_records: int = MOST_STEPS_OF_A_GRAPH,
    ) -> None:
        self.runs = len(m)
        self._shape = (len(problems), self.runs // len(problems))
        self._dtype, self._device = dtype, device
        d, n = problems[0].d, problems[0].n
        Z = np.stack([problem.Z for problem in problems])
        self._observations = self._on_device(np.concatenate([Z, np.ones((len(problems), 1, n))], axis=1))
        self._design = self._observations[:, :d].mT
        self._y = self._on_device(np.stack([problem.y for problem in problems])[:, None])
        # The slope of the squared loss is its second derivative, which is constant, times p − y.
        bend = np.stack([problem.prediction_hessian(problem.y) for problem in problems])
        self._rate = self._on_device(eta.reshape(*self._shape, 1) * bend[:, None])
        self._eta = eta
        self._steps = self._on_device(eta.reshape(*self._shape, 1))

        self._u, self._v = self._arranged((m + w) / 2), self._arranged((m - w) / 2)
        self._buffer = torch.empty_like(self._u)
        self._impulse = self._arranged(np.zeros((self.runs, d + 1)))
        self._pressure, self._shrinkage = self._impulse[..., :d], self._impulse[..., d:]
        self._sums = torch.zeros_like(self._impulse)
        self._momentum = optimizer.momentum if isinstance(optimizer, SGD) else 0.0
        self._nesterov = isinstance(optimizer, SGD) and optimizer.nesterov
        self._decoupled = not isinstance(optimizer, SGD) and optimizer.decoupled
        self._directions = None if isinstance(optimizer, SGD) else Directions(optimizer)
        if self._momentum:
            self._impulse_memory = torch.zeros_like(self._impulse)
            self._u_memory, self._v_memory = torch.zeros_like(self._u), torch.zeros_like(self._v)
        self._replay: _ManySteps | None = None
        # Adam counts its steps, so no two of them do the same.
        self._replays = captures(device) is not None and self._directions is None
        self.steps_at_once = max(1, min(MOST_STEPS_OF_A_GRAPH, steps_between_records)) if self._replays else 1
        self._products = None
        if products:
            like = torch.zeros_like(self._u, dtype=torch.float64)
            self._products = MaskProducts(like, self._momentum, self._nesterov)

    def _arranged(self, values: np.ndarray) -> torch.Tensor:
        """Values with the axes (…, runs, ·) on the device, with the axes of the networks."""
        return self._on_device(values).reshape(*values.shape[:-2], *self._shape, values.shape[-1])

    def _on_device(self, values: np.ndarray) -> torch.Tensor:
        return torch.tensor(values, device=self._device, dtype=self._dtype)  # a copy, as Z may be read-only

    def _gathered(self, values: torch.Tensor) -> np.ndarray:
        return values.reshape(self.runs, *values.shape[2:]).cpu().numpy()

    def _weights(self) -> torch.Tensor:
        return torch.mul(self._u, self._u, out=self._buffer).addcmul_(self._v, self._v, value=-1)

    def finite(self) -> np.ndarray:
        """Tell whether each run is in the floating-point range, shape (runs,)."""
        return self._gathered(self._weights().isfinite().all(dim=-1) & self._sums.isfinite().all(dim=-1))

    def state(self) -> dict[str, np.ndarray]:
        """Return the weights ``x`` (runs, n), the accumulated gradient ``dual`` (runs, d) and the ``decay`` (runs,).

        With products also their ``log_scale`` and ``shift``, shape (runs, n).
        The arrays may share memory with the networks, so the next step may change them.
        """
        found = {"x": self._weights(), "dual": self._sums[..., :-1], "decay": self._sums[..., -1] / 2}
        if self._products is not None:
            found |= {"log_scale": self._products.log_scale, "shift": self._products.shift}
        return {name: self._gathered(values) for name, values in found.items()}

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the trained m and w, shape (runs, n)."""
        return {"m": self._gathered(self._u + self._v), "w": self._gathered(self._u - self._v)}

    def strengths(self, alpha: FloatArray) -> torch.Tensor:
        """2ηα of each step."""
        return self._arranged((2 * self._eta * alpha)[..., None])

    def weights(self, batches: MiniBatches, steps: range) -> torch.Tensor:
        """The weights of the observations in each step, drawn on the device."""
        found = batches.weights(steps, self._y)
        return found.reshape(len(steps), *self._shape, found.shape[-1])

    def advance(self, steps: int, weights: torch.Tensor | None, strengths: torch.Tensor | None) -> None:
        """Take steps of every run.

        Args:
            steps: How many.
            weights: Of the observations in each step, from :meth:`weights`; None for 1.
            strengths: 2ηα of each step, from :meth:`strengths`; None for 0.
        """
        begin = 0
        if self._replays and self._replay is None:
            self._replay = _ManySteps(self._step, self.steps_at_once, weights, strengths, self._device)
        if self._replay is not None:
            begin = self._replay.advance(steps, weights, strengths)
        for k in range(begin, steps):
            self._step(_entry(weights, k), _entry(strengths, k))

    def _step(self, weights: torch.Tensor | None, strength: torch.Tensor | None) -> None:
        torch.baddbmm(self._y, self._weights(), self._design, beta=-1, out=self._pressure)
        self._pressure.mul_(self._rate)
        if weights is not None:
            self._pressure.mul_(weights)
        if strength is not None:
            self._shrinkage.copy_(strength)
        if self._directions is not None:
            self._sums.add_(self._impulse)
            self._rescale(self._directions, strength)
            return
        if self._products is not None:
            # The gradient and the strength come times the step, as μ is linear in them and no step changes.
            push = torch.bmm(self._pressure, self._observations[:, :-1])
            self._products.step(push, 1.0, 0.0 if strength is None else strength / 2)
        pull = torch.bmm(self._impulse, self._observations, out=self._buffer)
        if self._momentum:
            beta, nesterov = self._momentum, self._nesterov
            self._impulse_memory.mul_(beta).add_(self._impulse)
            if nesterov:
                self._sums.add_(self._impulse).add_(self._impulse_memory, alpha=beta)
            else:
                self._sums.add_(self._impulse_memory)
            self._multiply(self._u, self._u_memory, pull, -1)
            self._multiply(self._v, self._v_memory, _without(strength, pull), 1)
        else:
            self._sums.add_(self._impulse)
            self._u.addcmul_(self._u, pull, value=-1)
            self._v.addcmul_(self._v, _without(strength, pull))

    def _rescale(self, directions: Directions, strength: torch.Tensor | None) -> None:
        """Move m and w by an optimizer that rescales each entry of their gradient."""
        eta = self._steps
        factors = torch.stack([self._u + self._v, self._u - self._v])
        slope = torch.bmm(self._pressure, self._observations[:, :-1]) / eta
        gradient = slope * factors.flip(0)
        shrunk = 0.0 if strength is None else strength * factors
        if not self._decoupled:
            gradient = gradient + shrunk / eta
        move = eta * directions.step(gradient)
        if self._decoupled:
            move = move + shrunk
        self._u.sub_((move[0] + move[1]) / 2)
        self._v.sub_((move[0] - move[1]) / 2)

    def _multiply(self, factor: torch.Tensor, memory: torch.Tensor, pull: torch.Tensor, sign: int) -> None:
        """Move a factor by factor × pull with momentum, upwards or downwards by ``sign``."""
        beta = self._momentum
        memory.mul_(beta).addcmul_(factor, pull)
        if self._nesterov:
            factor.addcmul_(factor, pull, value=sign).add_(memory, alpha=sign * beta)
        else:
            factor.add_(memory, alpha=sign)


class _ManySteps:
    """Many steps as one :class:`Replay`, with the weights and strengths of its steps at fixed places.

    Args:
        step: Takes one step.
        count: How many.
        weights: Of the observations in some steps, or None.
        strengths: Of some steps, or None.
        device: Where the networks are.
    """

    def __init__(
        self,
        step: Callable[[torch.Tensor | None, torch.Tensor | None], None],
        count: int,
        weights: torch.Tensor | None,
        strengths: torch.Tensor | None,
        device: torch.device,
    ) -> None:
        self._count = count
        self._inputs = [
            None if values is None else values.new_empty((count, *values.shape[1:])) for values in (weights, strengths)
        ]

        def work() -> None:
            for k in range(count):
                step(*(_entry(values, k) for values in self._inputs))

        self._replay = Replay(work, device)

    def advance(self, steps: int, *inputs: torch.Tensor | None) -> int:
        """Take as many of the steps as there are whole graphs in them; return how many these are."""
        ends = range(self._count, steps + 1, self._count)
        for end in ends:
            for place, values in zip(self._inputs, inputs, strict=True):
                if place is not None and values is not None:
                    place.copy_(values[end - self._count : end])
            self._replay()
        return len(ends) * self._count


def _entry(values: torch.Tensor | None, k: int) -> torch.Tensor | None:
    return None if values is None else values[k]


def _without(strength: torch.Tensor | None, pull: torch.Tensor) -> torch.Tensor:
    """Turn η∇f + 2ηα into η∇f − 2ηα, the factor of v, in place."""
    return pull if strength is None else pull.sub_(strength, alpha=2)
