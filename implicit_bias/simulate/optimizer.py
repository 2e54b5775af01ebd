"""The optimizer of training in discrete steps."""

from __future__ import annotations

from dataclasses import dataclass

from implicit_bias.errors import InputError
from implicit_bias.validation import finite_array


@dataclass(frozen=True)
class SGD:
    r"""Gradient descent, with or without momentum, in the conventions of ``torch.optim.SGD``.

    For a gradient G_k, :math:`b_k = \beta b_{k-1} + G_k` and :math:`\theta_{k+1} = \theta_k - \eta b_k` (heavy
    ball), or :math:`\theta_{k+1} = \theta_k - \eta\,(G_k + \beta b_k)` (Nesterov). Methods that rescale each parameter
    separately, such as Adam, do not follow a gradient flow.

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


def checked_optimizer(optimizer: SGD) -> SGD:
    """Return the optimizer, or raise ``InputError`` if it is not an :class:`SGD`; a subclass may mean other steps."""
    if type(optimizer) is not SGD:
        raise InputError(
            f"optimizer: expected an ib.SGD, such as ib.SGD(momentum=0.9), got {optimizer!r}. Methods that rescale "
            "each parameter separately, such as Adam, follow no gradient flow."
        )
    return optimizer
