"""Parameters that masks replaced: an optimizer made before goes on holding them, and would train nothing."""

from __future__ import annotations

from functools import cache

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from implicit_bias.errors import InputError


def mark_replaced(parameter: torch.Tensor, name: str) -> None:
    """Remember that a parameter is no longer part of the model it was in, where it was called ``name``.

    From the first call on, a step of any optimizer raises ``InputError`` if it holds such a parameter that gets no
    gradient. One that gets gradients is still in use elsewhere.
    """
    parameter.replaced_in_model = name  # pyright: ignore[reportAttributeAccessIssue]
    _watch_steps()


def refuse_replaced(optimizer: Optimizer, *_: object) -> None:
    """Raise ``InputError`` if an optimizer holds a replaced parameter without gradient."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = getattr(parameter, "replaced_in_model", None)
            if name is not None and parameter.grad is None:
                raise InputError(
                    f"optimizer: {type(optimizer).__name__} holds {name} as it was before mask(…) or unmask(…) "
                    "replaced it, so it would not be trained; make the optimizer afterwards, from model.parameters()."
                )


@cache
def _watch_steps() -> None:
    """Once a process, when something is first replaced."""
    register_optimizer_step_pre_hook(refuse_replaced)
