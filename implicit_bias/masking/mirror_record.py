r"""The mirror identity on the masked weights of a real network, recorded while it trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import nn
from torch.optim import SGD, Optimizer

from implicit_bias.errors import InputError, UnsupportedError
from implicit_bias.masking.product import Product
from implicit_bias.masking.weight_tensors import WeightTensor, masked_tensors
from implicit_bias.symbolic import Derivation, derive


@dataclass(frozen=True, eq=False)
class MirrorIdentity:
    r"""How well :math:`\nabla R_{A_t}(x_t) = -L_t` holds in one tensor.

    Attributes:
        x: Effective weights x_t = m ⊙ w, flat, shape (n,); of pruned weights too, as if they were not pruned.
        mirror_point: :math:`\nabla R_{A_t}(x_t)` of the potential that was *derived* from the formula, shape (n,).
        accumulated_gradient: :math:`L_t = \sum_j \eta_j \partial f/\partial x`, shape (n,).
        decay: :math:`A_t = \sum_j \eta_j \alpha_j`.
        time: :math:`\sum_j \eta_j`. It is the flow time without momentum; momentum β makes that 1/(1 − β) times as
            much in the long run.
    """

    x: np.ndarray
    mirror_point: np.ndarray
    accumulated_gradient: np.ndarray
    decay: float
    time: float

    @property
    def residual(self) -> np.ndarray:
        r""":math:`|\nabla R_{A_t}(x_t) + L_t|` of every weight, shape (n,)."""
        return np.abs(self.mirror_point + self.accumulated_gradient)

    @property
    def relative_residual(self) -> float:
        """The largest residual over the largest accumulated gradient; 0 before the first step."""
        scale = float(np.max(np.abs(self.accumulated_gradient)))
        return float(np.max(self.residual)) / scale if scale else 0.0


class MirrorRecord:
    r"""Accumulates what the theory needs from a model in training: the gradient with respect to x, and the decay.

    At every step of the optimizer it recovers the gradient with respect to the effective weights from those of the
    factors, :math:`\partial f/\partial x = (w\,\partial_m f + m\,\partial_w f)/(m^2 + w^2)`, and adds it up in float64
    as the optimizer does: with momentum, it sums the moves that the optimizer makes. The network, its loss and its
    batches can be anything; the identity has an error O(step size).

    Args:
        model: A model with masks x = m ⊙ w. The record starts from the weights that it has now.
        optimizer: ``torch.optim.SGD`` before its first step, without dampening and without Nesterov's variant. It has
            to step without a closure, and under one gradient scaler at most.
        select: Names of the tensors to record; without it all masked ones. Each costs three times its size.

    Raises:
        InputError: If nothing is masked, or a selected name is not.
        UnsupportedError: If a tensor is not of the form m ⊙ w, or the optimizer is another one; in a step, if it is
            given a closure or one factor of a tensor is frozen.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer, select: list[str] | None = None) -> None:
        masked = {tensor.name: tensor for tensor in masked_tensors(model)}
        names = list(masked) if select is None else list(select)
        unknown = [name for name in names if name not in masked]
        if not names or unknown:
            raise InputError(
                f"model: no masked tensor is called {', '.join(unknown) or 'anything'}; masked are "
                f"{', '.join(masked) or 'none: mask(model) comes first'}."
            )
        if not isinstance(optimizer, SGD) or optimizer.state:
            raise UnsupportedError(
                f"optimizer: expected torch.optim.SGD before its first step, got {type(optimizer).__name__}"
                f"{' with a state' if optimizer.state else ''}; methods that rescale gradients follow no gradient "
                "flow, so start the record with a new SGD."
            )
        self._traces = {name: _Trace(masked[name], optimizer) for name in names}
        self._hook = optimizer.register_step_pre_hook(self._accumulate)

    def _accumulate(self, optimizer: Optimizer, arguments: tuple, keywords: dict) -> None:
        # The first argument is the optimizer itself.
        if any(argument is not None for argument in (*arguments[1:], *keywords.values())):
            raise UnsupportedError(
                "optimizer: got a step with a closure, which has no gradients yet when it begins; call backward, and "
                "step() without arguments."
            )
        # In automatic mixed precision a fused optimizer divides by the scale itself, and skips a step that overflowed.
        scale, overflow = (getattr(optimizer, name, None) for name in ("grad_scale", "found_inf"))
        if overflow is not None and float(overflow) > 0:
            return
        for trace in self._traces.values():
            trace.accumulate(optimizer, 1.0 if scale is None else float(scale))

    def stop(self) -> None:
        """Record no further steps."""
        self._hook.remove()

    def __iter__(self) -> Iterator[str]:
        return iter(self._traces)

    def __getitem__(self, name: str) -> MirrorIdentity:
        """How well the identity holds now in the tensor of this name."""
        return self._traces[name].identity()


class _Trace:
    """The accumulated quantities of one tensor."""

    def __init__(self, tensor: WeightTensor, optimizer: SGD) -> None:
        if not isinstance(tensor.mask, Product) or len(tensor.mask.names) != 2:
            raise UnsupportedError(
                f"{tensor.name}: is not of the form m*w, which alone commutes with weight decay; leave it out."
            )
        self.m, self.w = tensor.factors["m"], tensor.factors["w"]
        owned = [
            k
            for k, group in enumerate(optimizer.param_groups)
            if any(p is self.m or p is self.w for p in group["params"])
        ]
        if len(owned) != 1:
            raise InputError(
                f"{tensor.name}: expected its factors in one group of the optimizer, found {len(owned)}; make the "
                "optimizer from the parameters after mask(…)."
            )
        # The number of the group, since load_state_dict replaces the groups themselves.
        self.name, (self.group,) = tensor.name, owned
        group = optimizer.param_groups[self.group]
        if group["nesterov"] or group["dampening"] or group["maximize"]:
            raise UnsupportedError("optimizer: got nesterov, dampening or maximize; use SGD without them.")
        self.initial = {"m": _flat(self.m), "w": _flat(self.w)}
        self.gradient, self.decay, self.time = torch.zeros_like(self.m, dtype=torch.float64), 0.0, 0.0
        self.move, self.pull = torch.zeros_like(self.gradient), 0.0

    def accumulate(self, optimizer: Optimizer, scale: float) -> None:
        if self.m.grad is None and self.w.grad is None:
            return  # the optimizer skips it, too
        if self.m.grad is None or self.w.grad is None:
            raise UnsupportedError(f"{self.name}: only one of its factors has a gradient; train both or none of them.")
        m, w = self.m.detach().double(), self.w.detach().double()
        squares = m * m + w * w
        # Where both factors are 0 the weight never moves again, whatever its gradient.
        gradient = torch.where(squares > 0, (w * self.m.grad + m * self.w.grad) / (scale * squares), 0)
        group = optimizer.param_groups[self.group]
        rate, momentum = float(group["lr"]), group["momentum"]
        self.move = momentum * self.move + gradient
        self.pull = momentum * self.pull + group["weight_decay"] / 2
        self.gradient += rate * self.move
        self.decay += rate * self.pull
        self.time += rate

    def identity(self) -> MirrorIdentity:
        x = _flat(self.m) * _flat(self.w)
        potential = _derivation().at(self.initial, self.decay)
        return MirrorIdentity(x, potential.gradient(x), _flat(self.gradient), self.decay, self.time)


@cache
def _derivation() -> Derivation:
    """The potentials of m*w under weight decay, derived once for all tensors."""
    return derive(Product().parameterization, "m**2 + w**2")


def _flat(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy().ravel().copy()
