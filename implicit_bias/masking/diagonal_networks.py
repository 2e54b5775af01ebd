r"""Diagonal networks x = m ⊙ w, trained side by side in buffers that every step uses again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from implicit_bias.problem import Regression
from implicit_bias.simulate.optimizer import SGD


class DiagonalNetworks:
    r"""The state of all runs on one device; one call of :meth:`advance` is one step of every run.

    In :math:`u = (m+w)/2` and :math:`v = (m-w)/2` the weights are :math:`x = u^2 - v^2`. The change of variables is a
    rotation up to its scale, so gradient descent in (m, w) is gradient descent in (u, v), where it multiplies:

    .. math:: u \leftarrow u\,(1 - \eta\nabla f - 2\eta\alpha), \qquad v \leftarrow v\,(1 + \eta\nabla f - 2\eta\alpha)

    That keeps the digits of a v much smaller than u, on which the potential depends at small scales and which
    m − w would lose. With :math:`\nabla f = Z^T\rho`, the first factor is 1 minus :math:`(\eta\rho, 2\eta\alpha)` times
    Z with a row of ones below it: the regularizer acts like one more observation, and the decay adds up like one more
    dual variable.

    Arrays have the axes (problems, runs of a problem, ·): one problem with all runs, or as many problems as runs.

    Args:
        problems: One for all runs, or one for each, with the squared loss and a dense Z of one shape.
        m: Initial values, shape (runs, n).
        w: Likewise.
        eta: Step sizes, shape (runs,).
        optimizer: Heavy ball, Nesterov's momentum, or none.
        dtype: Precision of everything on the device.
        device: Where to compute.
    """

    def __init__(
        self,
        problems: Sequence[Regression],
        m: np.ndarray,
        w: np.ndarray,
        eta: np.ndarray,
        optimizer: SGD,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.runs = len(m)
        self._shape = (len(problems), self.runs // len(problems))
        self._dtype, self._device, self._optimizer = dtype, device, optimizer
        d, n = problems[0].d, problems[0].n
        Z = np.stack([problem.Z for problem in problems])
        self._observations = self._on_device(np.concatenate([Z, np.ones((len(problems), 1, n))], axis=1))
        self._design = self._observations[:, :d].mT
        self._y = self._on_device(np.stack([problem.y for problem in problems])[:, None])
        # The slope of the squared loss is its second derivative, which is constant, times p − y.
        bend = np.stack([problem.prediction_hessian(problem.y) for problem in problems])
        self._rate = self._on_device(eta.reshape(*self._shape, 1) * bend[:, None])

        self._u, self._v = self.tensor((m + w) / 2), self.tensor((m - w) / 2)
        self._buffer = torch.empty_like(self._u)
        self._impulse = self.tensor(np.zeros((self.runs, d + 1)))
        self._pressure, self._shrinkage = self._impulse[..., :d], self._impulse[..., d:]
        self._sums = torch.zeros_like(self._impulse)
        if optimizer.momentum:
            self._impulse_memory = torch.zeros_like(self._impulse)
            self._u_memory, self._v_memory = torch.zeros_like(self._u), torch.zeros_like(self._v)

    def tensor(self, values: np.ndarray) -> torch.Tensor:
        """Values with the axes (…, runs, ·) on the device, with the axes of the networks."""
        return self._on_device(values).reshape(*values.shape[:-2], *self._shape, values.shape[-1])

    def _on_device(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values).to(device=self._device, dtype=self._dtype)

    def _gathered(self, values: torch.Tensor) -> np.ndarray:
        return values.reshape(self.runs, *values.shape[2:]).cpu().numpy()

    def _weights(self) -> torch.Tensor:
        return torch.mul(self._u, self._u, out=self._buffer).addcmul_(self._v, self._v, value=-1)

    def finite(self) -> np.ndarray:
        """Whether each run is in the floating-point range, shape (runs,)."""
        return self._gathered(self._weights().isfinite().all(dim=-1) & self._sums.isfinite().all(dim=-1))

    def state(self) -> dict[str, np.ndarray]:
        """The weights ``x`` (runs, n), the accumulated gradient ``dual`` (runs, d) and the ``decay`` (runs,).

        The arrays may share memory with the networks, so that the next step changes them.
        """
        found = {"x": self._weights(), "dual": self._sums[..., :-1], "decay": self._sums[..., -1] / 2}
        return {name: self._gathered(values) for name, values in found.items()}

    def parameters(self) -> dict[str, np.ndarray]:
        """The trained m and w, shape (runs, n)."""
        return {"m": self._gathered(self._u + self._v), "w": self._gathered(self._u - self._v)}

    def advance(self, batch: torch.Tensor | None, shrinkage: torch.Tensor | None) -> None:
        """Take one step.

        Args:
            batch: Weights of the observations, shape (problems, runs of a problem, d); None for 1.
            shrinkage: 2ηα, shape (problems, runs of a problem, 1); None for 0.
        """
        torch.baddbmm(self._y, self._weights(), self._design, beta=-1, out=self._pressure)
        self._pressure.mul_(self._rate)
        if batch is not None:
            self._pressure.mul_(batch)
        if shrinkage is not None:
            self._shrinkage.copy_(shrinkage)
        pull = torch.bmm(self._impulse, self._observations, out=self._buffer)
        if self._optimizer.momentum:
            beta, nesterov = self._optimizer.momentum, self._optimizer.nesterov
            self._impulse_memory.mul_(beta).add_(self._impulse)
            if nesterov:
                self._sums.add_(self._impulse).add_(self._impulse_memory, alpha=beta)
            else:
                self._sums.add_(self._impulse_memory)
            self._multiply(self._u, self._u_memory, pull, -1)
            self._multiply(self._v, self._v_memory, _without(shrinkage, pull), 1)
        else:
            self._sums.add_(self._impulse)
            self._u.addcmul_(self._u, pull, value=-1)
            self._v.addcmul_(self._v, _without(shrinkage, pull))

    def _multiply(self, factor: torch.Tensor, memory: torch.Tensor, pull: torch.Tensor, sign: int) -> None:
        """Add to a factor, or take from it, what momentum makes of its moves factor × pull."""
        beta = self._optimizer.momentum
        memory.mul_(beta).addcmul_(factor, pull)
        if self._optimizer.nesterov:
            factor.addcmul_(factor, pull, value=sign).add_(memory, alpha=sign * beta)
        else:
            factor.add_(memory, alpha=sign)


def _without(shrinkage: torch.Tensor | None, pull: torch.Tensor) -> torch.Tensor:
    """η∇f − 2ηα from η∇f + 2ηα, in place: what multiplies v."""
    return pull if shrinkage is None else pull.sub_(shrinkage, alpha=2)
