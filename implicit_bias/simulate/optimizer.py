"""The optimizers of training in discrete steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from array_api_compat import array_namespace

from implicit_bias.errors import InputError, UnsupportedError, known_options
from implicit_bias.validation import finite_array


@known_options
@dataclass(frozen=True)
class SGD:
    r"""Gradient descent, with or without momentum, in the conventions of ``torch.optim.SGD``.

    For a gradient G_k, :math:`b_k = \beta b_{k-1} + G_k` and :math:`\theta_{k+1} = \theta_k - \eta b_k` (heavy
    ball), or :math:`\theta_{k+1} = \theta_k - \eta\,(G_k + \beta b_k)` (Nesterov).

    Attributes:
        momentum: β, 0 <= β < 1; 0 is plain gradient descent.
        nesterov: Whether the momentum is Nesterov's; it needs β > 0.

    Raises:
        InputError: If the momentum is out of range, or is 0 with ``nesterov=True``.
    """

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        beta = float(finite_array(self.momentum, "momentum", ndim=0))
        if not 0 <= beta < 1:
            raise InputError(f"momentum: expected 0 <= momentum < 1, got {self.momentum}.")
        if not isinstance(self.nesterov, bool):
            raise InputError(f"nesterov: expected True or False, got {self.nesterov!r}.")
        if self.nesterov and not beta:
            raise InputError("nesterov: expected momentum > 0 with it, got 0; SGD(0.9, nesterov=True) is usual.")
        object.__setattr__(self, "momentum", beta)


@known_options
@dataclass(frozen=True)
class SignDescent:
    r"""Sign descent, :math:`\theta_{k+1} = \theta_k - \eta\operatorname{sgn}(G_k)`, with sgn(0) = 0.

    It is Adam with both betas and eps zero, wherever no entry of the gradient is 0. Small steps follow the steepest
    descent of order ∞.

    Attributes:
        decoupled: Whether decay is decoupled, as in AdamW: then θ also loses ηα∇h. Otherwise α∇h is part of G.
    """

    decoupled: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.decoupled, bool):
            raise InputError(f"decoupled: expected True or False, got {self.decoupled!r}.")


@known_options
@dataclass(frozen=True)
class Adam:
    r"""Adam in the conventions of ``torch.optim.Adam``.

    For a gradient G_k, in which decay is the part α∇h (for h = ‖θ‖² torch's ``weight_decay`` is 2α), it keeps the means
    :math:`m \leftarrow \beta_1m + (1-\beta_1)G_k` and :math:`v \leftarrow \beta_2v + (1-\beta_2)G_k^2` from 0. With
    each divided by :math:`1 - \beta^{k+1}`, θ moves by :math:`-\eta\,m/(\sqrt v + \epsilon)`.

    Attributes:
        beta1: β₁, 0 <= β₁ < 1.
        beta2: β₂, 0 <= β₂ < 1.
        eps: ε >= 0; with 0, an entry whose gradients were all 0 becomes nan.

    Raises:
        InputError: If a number is out of range.

    Source: Kingma, Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    decoupled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2", "eps"):
            value = float(finite_array(getattr(self, name), name, ndim=0))
            if value < 0 or (name != "eps" and value >= 1):
                allowed = "eps >= 0" if name == "eps" else f"0 <= {name} < 1"
                raise InputError(f"{name}: expected {allowed}, got {value:g}.")
            object.__setattr__(self, name, value)


@known_options
@dataclass(frozen=True)
class AdamW(Adam):
    r"""Adam with decoupled decay, as ``torch.optim.AdamW``: θ loses ηα∇h, and G_k is the gradient of the loss alone.

    For h = ‖θ‖² torch's ``weight_decay`` is 2α.

    Source: Loshchilov, Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """

    decoupled: ClassVar[bool] = True


Rescaling = SignDescent | Adam  # optimizers that rescale every entry of the gradient by itself
Optimizer = SGD | Rescaling

WITHOUT_POTENTIAL = (
    "Sign descent and Adam rescale every entry of the gradient by itself, so their accumulated moves are no "
    "combination of the rows of Z: such a run has no effective initialization, no potential whose slope is -L, and its "
    "end is in general no projection. ib.derive(..., dynamics=ib.SteepestDescent(inf)) derives what sign descent "
    "conserves."
)


class Directions:
    """The directions in which an optimizer moves, from one gradient after another, in NumPy or torch.

    Args:
        optimizer: The optimizer.
    """

    def __init__(self, optimizer: Rescaling) -> None:
        self._optimizer, self._count = optimizer, 0
        self._mean: Any = 0.0
        self._square: Any = 0.0

    def step(self, gradient: Any) -> Any:
        """The direction for the next gradient; θ moves by −η times it."""
        xp = array_namespace(gradient)
        optimizer = self._optimizer
        if isinstance(optimizer, SignDescent):
            return xp.sign(gradient)
        self._count += 1
        self._mean = self._mean + (1 - optimizer.beta1) * (gradient - self._mean)
        self._square = optimizer.beta2 * self._square + (1 - optimizer.beta2) * gradient * gradient
        mean = self._mean / (1 - optimizer.beta1**self._count)
        return mean / (xp.sqrt(self._square / (1 - optimizer.beta2**self._count)) + optimizer.eps)


def checked_optimizer(optimizer: Optimizer) -> Optimizer:
    """Return the optimizer, or raise ``InputError`` if it is none of ours; a subclass may mean other steps."""
    if type(optimizer) not in (SGD, SignDescent, Adam, AdamW):
        raise InputError(
            "optimizer: expected an ib.SGD, ib.SignDescent, ib.Adam or ib.AdamW, such as ib.SGD(momentum=0.9), got "
            f"{optimizer!r}."
        )
    return optimizer


def checked_sgd(optimizer: Optimizer) -> SGD:
    """Return gradient descent, or raise ``InputError`` for what is no optimizer, ``UnsupportedError`` for another."""
    checked = checked_optimizer(optimizer)
    if not isinstance(checked, SGD):
        raise UnsupportedError(f"optimizer: expected an ib.SGD, got {optimizer!r}, which follows no gradient flow.")
    return checked
