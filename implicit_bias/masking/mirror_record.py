r"""The mirror identity on the masked weights of a real network, recorded while it trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import nn
from torch.optim import SGD, Optimizer

from implicit_bias.errors import InputError, UnsupportedError, known_options
from implicit_bias.masking.ensembles import MaskFamilies
from implicit_bias.masking.product import Product
from implicit_bias.masking.weight_tensors import WeightTensor, masked_tensors
from implicit_bias.potential import HyperbolicEntropy
from implicit_bias.simulate.products import MaskProducts, scale_and_shift
from implicit_bias.symbolic import Derivation, derive


@dataclass(frozen=True, eq=False)
class MirrorIdentity:
    r"""How well :math:`\nabla R_k(x_k) = -L_k` holds in one tensor, exactly and for the flow.

    Training in steps is no flow, but it obeys the same identity for a potential of another scale and shift, whatever
    the step, the batches and the momentum (:class:`~implicit_bias.simulate.products.MaskProducts`). Both are computed
    from the gradients alone, so that their fit to the weights is evidence.

    Attributes:
        x: Effective weights x_k = m ⊙ w, flat, shape (n,); of pruned weights too, as if they were not pruned.
        parameters: m and w, shape (n,).
        potential: The potential of the run, from the products over its steps.
        flow_potential: :math:`R_{A_k}`, derived from the formula for the flow from the same start.
        accumulated_gradient: :math:`L_k`, the sum of the moves that the optimizer makes of ∂f/∂x, shape (n,); without
            momentum :math:`\sum_j \eta_j \partial f/\partial x`.
        decay: :math:`A_k`, summed in the same way from the strengths α.
        time: :math:`\sum_j \eta_j`. It is the flow time without momentum; momentum β makes that 1/(1 − β) times as
            much in the long run.
    """

    x: np.ndarray
    parameters: Mapping[str, np.ndarray]
    potential: HyperbolicEntropy
    flow_potential: HyperbolicEntropy
    accumulated_gradient: np.ndarray
    decay: float
    time: float

    @property
    def mirror_point(self) -> np.ndarray:
        r""":math:`\nabla R_k(x_k)` of the run's potential, shape (n,)."""
        return self.potential.gradient(self.x)

    @property
    def flow_mirror_point(self) -> np.ndarray:
        r""":math:`\nabla R_{A_k}(x_k)` of the flow's potential, shape (n,)."""
        return self.flow_potential.gradient(self.x)

    @property
    def residual(self) -> np.ndarray:
        r""":math:`|\nabla R_k(x_k) + L_k|` of every weight, shape (n,); zero but for rounding."""
        return np.abs(self.mirror_point + self.accumulated_gradient)

    @property
    def flow_residual(self) -> np.ndarray:
        r""":math:`|\nabla R_{A_k}(x_k) + L_k|` of every weight, shape (n,), O(step size)."""
        return np.abs(self.flow_mirror_point + self.accumulated_gradient)

    @property
    def relative_residual(self) -> float:
        """The largest residual over the largest accumulated gradient; 0 before the first step."""
        return self._relative(self.residual)

    @property
    def flow_relative_residual(self) -> float:
        """The largest residual of the flow over the largest accumulated gradient; 0 before the first step."""
        return self._relative(self.flow_residual)

    @property
    def gain(self) -> np.ndarray:
        """By how much steps have shrunk the scale: the flow's log-scale minus the run's, shape (n,)."""
        return self.flow_potential.log_scale - self.potential.log_scale

    @property
    def shift(self) -> np.ndarray:
        """By how much steps have moved the asymmetry: the run's shift minus the flow's, shape (n,)."""
        return self.potential.shift - self.flow_potential.shift

    def effective_init(self) -> dict[str, np.ndarray]:
        """The m and w from which a flow would arrive at the same weights, from m, w, L and A alone."""
        return MaskFamilies.pulled_back(self.parameters, self.accumulated_gradient, self.decay)

    def _relative(self, residual: np.ndarray) -> float:
        scale = float(np.max(np.abs(self.accumulated_gradient)))
        return float(np.max(residual)) / scale if scale else 0.0


@known_options
class MirrorRecord:
    r"""Accumulates what the theory needs from a model in training: the gradient with respect to x, and the decay.

    At every step of the optimizer it recovers the gradient with respect to the effective weights from those of the
    factors, :math:`\partial f/\partial x = (w\,\partial_m f + m\,\partial_w f)/(m^2 + w^2)`, and adds it up in float64
    as the optimizer does: with momentum, it sums the moves that the optimizer makes. The network, its loss and its
    batches can be anything; the identity holds to rounding, for the flow up to O(step size).

    Args:
        model: A model with masks x = m ⊙ w. The record starts from the weights that it has now.
        optimizer: ``torch.optim.SGD`` before its first step, without dampening. It has to step without a closure, and
            under one gradient scaler at most.
        select: Names of the tensors to record; without it all masked ones. Each costs eight times its size.

    Raises:
        InputError: If nothing is masked, or a selected name is not.
        UnsupportedError: If a tensor is not of the form m ⊙ w, or the optimizer is another one; in a step, if it is
            given a closure or one factor of a tensor is frozen.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer, select: list[str] | None = None) -> None:
        masked = {tensor.name: tensor for tensor in masked_tensors(model)}
        if isinstance(select, str):
            raise InputError(f"select: expected a list of names, such as [{select!r}], got {select!r}.")
        names = list(masked) if select is None else list(select)
        unknown = [name for name in names if name not in masked]
        if not names or unknown:
            raise InputError(
                f"model: no masked tensor is called {', '.join(unknown) or 'anything'}; masked are "
                f"{', '.join(masked) or 'none: mask(model) comes first'}."
            )
        if not isinstance(optimizer, SGD) or optimizer.state:
            state = " with a state" if getattr(optimizer, "state", None) else ""
            raise UnsupportedError(
                f"optimizer: expected torch.optim.SGD before its first step, got {type(optimizer).__name__}{state}; "
                "methods that rescale gradients follow no gradient flow, so start the record with a new SGD."
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
        if group["dampening"] or group["maximize"]:
            raise UnsupportedError("optimizer: got dampening or maximize; use SGD without them.")
        self.initial = {"m": _flat(self.m), "w": _flat(self.w)}
        self.gradient, self.decay, self.time = torch.zeros_like(self.m, dtype=torch.float64), 0.0, 0.0
        self.move, self.pull = torch.zeros_like(self.gradient), 0.0
        self.products = MaskProducts(self.gradient, group["momentum"], group["nesterov"])

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
        rate, momentum, strength = float(group["lr"]), group["momentum"], group["weight_decay"] / 2
        self.products.momentum = momentum  # a schedule may change it
        self.products.step(gradient, rate, strength)
        self.move = momentum * self.move + gradient
        self.pull = momentum * self.pull + strength
        self.gradient += rate * (gradient + momentum * self.move if group["nesterov"] else self.move)
        self.decay += rate * (strength + momentum * self.pull if group["nesterov"] else self.pull)
        self.time += rate

    def identity(self) -> MirrorIdentity:
        parameters = {"m": _flat(self.m), "w": _flat(self.w)}
        of_flow = _derivation().at(self.initial, self.decay)
        if not isinstance(of_flow, HyperbolicEntropy):
            raise TypeError(f"The potential of m*w is a hyperbolic entropy, got {of_flow!r}.")
        m, w = self.initial["m"], self.initial["w"]
        gradient = _flat(self.gradient)
        made = scale_and_shift(m, w, _flat(self.products.log_scale), _flat(self.products.shift), gradient)
        of_run = HyperbolicEntropy(log_scale=made[0], shift=made[1])
        x = parameters["m"] * parameters["w"]
        return MirrorIdentity(x, parameters, of_run, of_flow, gradient, self.decay, self.time)


@cache
def _derivation() -> Derivation:
    """The potentials of m*w under weight decay, derived once for all tensors."""
    return derive(Product().parameterization, "m**2 + w**2")


def _flat(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy().ravel().copy()
