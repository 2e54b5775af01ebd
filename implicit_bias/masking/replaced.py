"""Parameters that masks replaced: an optimizer that was made before still holds them, and would train nothing."""

from __future__ import annotations

from functools import cache

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from implicit_bias.errors import InputError


def mark_replaced(parameter: torch.Tensor, name: str) -> None:
    """Remember that a parameter is no longer part of the model in which it was called ``name``.

    From the first call on, a step of any optimizer raises ``InputError`` if the optimizer holds such a parameter
    without a gradient. A parameter with a gradient is still in use elsewhere.
    """
    vars(parameter)["replaced_in_model"] = name
    _watch_steps()


def refuse_replaced(optimizer: Optimizer, *_: object) -> None:
    """Raise ``InputError`` if an optimizer holds a replaced parameter without a gradient."""
    if not hasattr(optimizer, "param_groups"):
        raise InputError(f"optimizer: expected one of torch.optim, got {type(optimizer).__name__}.")
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = getattr(parameter, "replaced_in_model", None)
            if name is not None and parameter.grad is None:
                raise InputError(
                    f"optimizer: {type(optimizer).__name__} holds {name} as it was before mask(…) or unmask(…) "
                    "replaced it, so it would not train it; make the optimizer afterwards, from model.parameters()."
                )


@cache
def _watch_steps() -> None:
    """Check the steps of all optimizers; once in a process, when a mask first replaces something."""
    register_optimizer_step_pre_hook(refuse_replaced)
