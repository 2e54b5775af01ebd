r"""HAM: after each step of an optimizer, weights grow or shrink by a factor that depends on their sign and gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.optim import LBFGS, SGD, Optimizer

from implicit_bias.errors import InputError, UnsupportedError, known_options
from implicit_bias.masking.factored_weight import Factor
from implicit_bias.masking.replaced import refuse_replaced
from implicit_bias.masking.weight_tensors import Select, selected_tensors
from implicit_bias.potential import NumericalPotential
from implicit_bias.symbolic import Parameterization
from implicit_bias.validation import finite_array, positive_number


@known_options
class HAM:
    r"""Hyperbolic aware minimization [Jacobs2025]_ on any optimizer.

    Each step of the optimizer is followed by

    .. math:: w \leftarrow w\,\exp\bigl(-\eta\,(\gamma\,\mathrm{sgn}(w)\,\partial_w f + c)\bigr)

    with the learning rate η of the weight's group, the growth γ, the contraction c, the sign that the weight has after
    the optimizer's step, and the gradient from which the optimizer made that step. For SGD and η → 0 this is the flow
    :math:`w' = -(1 + \gamma|w|)\,\partial_w f - c\,w`. Without contraction it is a mirror flow (:meth:`potential`).
    With contraction it has no potential, not even one that depends on the decay: the bracket of its two fields,
    :math:`1 + \gamma|w|` and w, is 1, so the same gradients and contractions in another order end elsewhere.

    Biases and norms take the optimizer's steps alone. The factor uses the plain gradient of the step, without momentum
    or an adaptive scale. It is the one in the README of the authors' code, which calls the growth α, 200 by default,
    and the contraction β; the limits that this code sets to exponents and norms are left out.

    Args:
        optimizer: Any ``torch.optim`` optimizer but LBFGS, which takes several gradients a step.
        growth: γ >= 0.
        contraction: c >= 0; it acts beside the weight decay of the optimizer.
        model: The module that is trained. Its weights are those that :func:`~implicit_bias.masking.mask` would take.
            Without it, they are all parameters with two axes or more, as in the authors' code.
        select: Which tensors of the model, as in :func:`~implicit_bias.masking.mask`.

    Attributes:
        growth: γ, which may be changed between steps.
        contraction: c, which may be changed between steps.

    Raises:
        InputError: If a number is out of range, ``select`` comes without a model, or the optimizer holds no weight.
        UnsupportedError: If the optimizer is LBFGS, or a weight is masked, so that its factors are trained instead, or
            computed by another reparametrization.

    References:
        .. [Jacobs2025] Jacobs, Gadhikar, Rubio-Madrigal and Burkholz, "Hyperbolic aware minimization: implicit bias for
           sparsity", ICLR 2026, arXiv 2506.02630.

    >>> layer = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    >>> _ = nn.init.constant_(layer.weight, 2.0)
    >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    >>> ham = HAM(optimizer, growth=3.0, contraction=0.5)
    >>> layer(torch.ones(1, 1, dtype=torch.float64)).sum().backward()  # the gradient is 1
    >>> optimizer.step()
    >>> round(layer.weight.item(), 6)  # (2 − 0.1) exp(−0.1 (3 + 0.5))
    1.338907
    """

    def __init__(
        self,
        optimizer: Optimizer,
        growth: float,
        contraction: float = 0.0,
        *,
        model: nn.Module | None = None,
        select: Select | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.growth = positive_number(growth, "growth", zero_allowed=True)
        self.contraction = positive_number(contraction, "contraction", zero_allowed=True)
        if isinstance(optimizer, LBFGS):
            raise UnsupportedError("optimizer: LBFGS takes several gradients a step, and HAM needs one; take SGD.")
        refuse_replaced(optimizer)
        # The parameters themselves stand beside their ids, which others could get once they are gone.
        self._chosen = None if model is None else {id(p): p for p in _trained_weights(model, select)}
        if model is None and select is not None:
            raise InputError("select: expected the model whose tensors it names; give model=, too.")
        found = [p for _, weights in self._weights() for p in weights]
        if not found:
            raise InputError(
                f"optimizer: {type(optimizer).__name__} holds no weight; make it from the parameters of the model."
            )
        if any(isinstance(p, Factor) for p in found):
            raise UnsupportedError("optimizer: holds factors of masks, and HAM multiplies weights; unmask the model.")
        self._hook = optimizer.register_step_post_hook(self._multiply)

    def _weights(self) -> Iterator[tuple[dict[str, Any], list[torch.Tensor]]]:
        """The groups of the optimizer, which load_state_dict replaces, each with its weights."""
        for group in self.optimizer.param_groups:
            chosen, parameters = self._chosen, group["params"]
            yield group, [p for p in parameters if (p.ndim >= 2 if chosen is None else id(p) in chosen)]

    @torch.no_grad()
    def _multiply(self, optimizer: Optimizer, *_: object) -> None:
        # In automatic mixed precision torch calls a fused optimizer even if gradients overflowed; it does nothing then.
        # Otherwise it has divided the gradients by the scale, in their place.
        overflow = getattr(optimizer, "found_inf", None)
        if overflow is not None and float(overflow) > 0:
            return
        for group, weights in self._weights():
            growth = -self.growth if group.get("maximize") else self.growth
            for weight in weights:
                if weight.grad is not None:
                    gradient = weight.grad.to_dense() if weight.grad.is_sparse else weight.grad
                    multiply_(weight, gradient, group["lr"], growth, self.contraction)

    def stop(self) -> None:
        """Leave all steps to the optimizer from now on."""
        self._hook.remove()

    @property
    def parameterization(self) -> Parameterization:
        r"""The map of one weight whose gradient flow HAM's flow is: :math:`x = u + \frac{\gamma}{4}\,u\,|u|`.

        For its derivative, :math:`g'(u)^2 = 1 + \gamma|x|`. Momentum β speeds up the optimizer's part alone, by
        1/(1 − β) in the long run, so that γ becomes (1 − β)γ in the flow.

        Raises:
            UnsupportedError: If the optimizer is not SGD without dampening, with one momentum for all weights, or there
                is a contraction or a weight decay.
        """
        return Parameterization(f"u + {self._growth_in_flow() / 4!r}*u*abs(u)", ["u"])

    def potential(self, start: ArrayLike) -> NumericalPotential:
        r"""The potential of HAM's flow, with :math:`R''(x) = 1/(1 + \gamma|x|)`.

        So :math:`R'(x) = \mathrm{sgn}(x)\log(1 + \gamma|x|)/\gamma`, less the same at the start. γ is as in
        :attr:`parameterization`.

        Args:
            start: The weights from which training starts, a number or shape (n,).

        Raises:
            InputError: If they are no finite numbers.
            UnsupportedError: As for :attr:`parameterization`.

        >>> weight = nn.Parameter(torch.tensor([[0.5]]))
        >>> R = HAM(torch.optim.SGD([weight], lr=0.1), growth=2.0).potential(0.0)
        >>> R.gradient([0.5, -0.5]).round(6).tolist()  # ½ log 2
        [0.346574, -0.346574]
        """
        x = finite_array(start, "start")
        u = 2 * x / (1 + np.sqrt(1 + self._growth_in_flow() * np.abs(x)))
        return NumericalPotential(self.parameterization, {"u": u})

    def _growth_in_flow(self) -> float:
        groups = [group for group, weights in self._weights() if weights]
        if self.contraction or any(group.get("weight_decay") for group in groups):
            raise UnsupportedError(
                "potential: HAM has none with a contraction or weight decay, whose field does not commute with that of "
                "the gradient; set both to 0."
            )
        momenta = {group["momentum"] for group in groups if isinstance(self.optimizer, SGD) and not group["dampening"]}
        if len(momenta) != 1:
            raise UnsupportedError(
                f"potential: expected torch.optim.SGD without dampening and with one momentum for all weights, got "
                f"{type(self.optimizer).__name__}; other steps follow no such flow."
            )
        return self.growth * (1 - momenta.pop())

    def state_dict(self) -> dict[str, float]:
        """Growth and contraction, from which :meth:`load_state_dict` continues."""
        return {"growth": self.growth, "contraction": self.contraction}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with a saved growth and contraction.

        Raises:
            InputError: If the state did not come from :meth:`state_dict`.
        """
        if state.keys() != self.state_dict().keys():
            raise InputError(f"state: expected the keys {sorted(self.state_dict())}, got {sorted(state)}.")
        growth, contraction = (positive_number(state[name], name, True) for name in ("growth", "contraction"))
        self.growth, self.contraction = growth, contraction

    def __repr__(self) -> str:
        return f"HAM({type(self.optimizer).__name__}, growth={self.growth:g}, contraction={self.contraction:g})"


def multiply_(weight: torch.Tensor, gradient: torch.Tensor, rate: float, growth: Any, contraction: Any) -> None:
    """Multiply weights, in place, by the factor of :class:`HAM`; γ and c are numbers, or tensors that broadcast."""
    weight.mul_(torch.exp(-rate * (growth * weight.sign() * gradient + contraction)))


def _trained_weights(model: nn.Module, select: Select | None) -> Iterator[torch.Tensor]:
    """The parameters that are weights of a model.

    Raises:
        UnsupportedError: If one is computed from others by anything but pruning.
    """
    for tensor in selected_tensors(model, select):
        if tensor.other is not None:
            kind, remove = tensor.other
            raise UnsupportedError(f"{tensor.name}: is computed by {kind}; remove that first, {remove}.")
        yield from tensor.trained
