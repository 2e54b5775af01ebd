"""Everything that changes while a model is trained, saved in a checkpoint and restored from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from implicit_bias.errors import InputError, UnsupportedError
from implicit_bias.training.checkpoint import Checkpoint
from implicit_bias.training.methods import Method
from implicit_bias.training.result import EpochRecord

Setting = bool | int | float | str | None
Hyperparameter = Setting | list[Setting]

_BEFORE = {"channels_last": False, "compiled": False}
"""Settings that older checkpoints do not name, as they were then."""


@dataclass(frozen=True, eq=False)
class RunState:
    """A run in progress.

    Attributes:
        model: The model with the method's parametrizations.
        optimizer: The optimizer of its parameters.
        method: The method, after its start.
        configuration: Numbers, texts, and digests of the data and of the initial weights, by name. A run can only be
            continued with the same ones.
    """

    model: nn.Module
    optimizer: Optimizer
    method: Method
    configuration: Mapping[str, Hyperparameter]

    def tensors(self) -> dict[str, torch.Tensor]:
        """The tensors of model and optimizer, by name."""
        found = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        for k, state in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer/{k}/{name}": v for name, v in state.items() if isinstance(v, torch.Tensor)}
        return found

    def numbers(self, history: tuple[EpochRecord, ...]) -> dict[str, Any]:
        """The rest of the run, as JSON takes it.

        Raises:
            UnsupportedError: If the optimizer's state holds something other than tensors and numbers.
        """
        saved = self.optimizer.state_dict()
        state = {
            str(k): {name: v for name, v in values.items() if not isinstance(v, torch.Tensor)}
            for k, values in saved["state"].items()
        }
        for values in state.values():
            for name, value in values.items():
                if not isinstance(value, Setting):
                    raise UnsupportedError(
                        f"optimizer: {type(self.optimizer).__name__} keeps {name} as {type(value).__name__}, which a "
                        "checkpoint cannot hold; train without one, or take SGD or Adam."
                    )
        return {
            "configuration": dict(self.configuration),
            "history": [asdict(record) for record in history],
            "method": dict(self.method.state_dict()),
            "optimizer": {"state": state, "groups": hyperparameters(self.optimizer)},
        }

    def restore(self, checkpoint: Checkpoint) -> tuple[EpochRecord, ...]:
        """Bring model, optimizer and method to the state in a checkpoint, in place.

        Returns:
            The history until then.

        Raises:
            InputError: If it belongs to another model or another run; nothing is changed then.
        """
        self._check(checkpoint)
        tensors, numbers = checkpoint.tensors, checkpoint.numbers
        saved = self.optimizer.state_dict()
        state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in numbers["optimizer"]["state"].items()}
        for name, tensor in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "optimizer":
                k, _, key = rest.partition("/")
                state[int(k)][key] = tensor
        groups = [
            {name: _like(group[name], value) for name, value in new.items()} | {"params": group["params"]}
            for group, new in zip(saved["param_groups"], numbers["optimizer"]["groups"], strict=True)
        ]
        self.model.load_state_dict(_model_part(tensors))
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        for parameter, values in self.optimizer.state.items():
            for name, value in values.items():
                if isinstance(value, torch.Tensor) and _lies_otherwise(value, parameter):
                    # Fused kernels take for granted that it lies in memory as the parameter does.
                    values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        self.method.load_state_dict(numbers["method"])
        return tuple(EpochRecord(**record) for record in numbers["history"])

    def _check(self, checkpoint: Checkpoint) -> None:
        own, found = self.model.state_dict(), _model_part(checkpoint.tensors)
        mine, other = ({name: (tuple(t.shape), t.dtype) for name, t in part.items()} for part in (own, found))
        if mine != other:
            name = next(name for name in {**mine, **other} if mine.get(name) != other.get(name))
            here, there = (_described(part.get(name)) for part in (mine, other))
            raise InputError(
                f"{checkpoint.path}: belongs to another model: {name} is {there} there and {here} here. "
                "Name the model and the method it was made with, or another checkpoint."
            )
        check_configuration(checkpoint, self.configuration)


def check_configuration(checkpoint: Checkpoint, configuration: Mapping[str, Hyperparameter]) -> None:
    """Refuse to continue a run with other settings; only its number of epochs may have grown.

    Raises:
        InputError: If a setting differs; the message names each one that does.
    """
    saved = checkpoint.numbers.get("configuration")
    if saved is None:
        raise InputError(f"{checkpoint.path}: holds weights, but no run; name the checkpoint that training wrote.")
    different = [
        f"{name}: {_short(saved.get(name, _BEFORE.get(name)))} there, {_short(value)} here"
        for name, value in configuration.items()
        if saved.get(name, _BEFORE.get(name)) != value and not (name == "epochs" and _is_longer(value, saved.get(name)))
    ]
    if different:
        raise InputError(
            f"{checkpoint.path}: belongs to another run ({'; '.join(different)}). "
            "Give the settings it was made with, or name another checkpoint."
        )


def _lies_otherwise(value: torch.Tensor, parameter: torch.Tensor) -> bool:
    return value.shape == parameter.shape and value.stride() != parameter.stride()


def _is_longer(value: object, saved: object) -> bool:
    return isinstance(value, int) and isinstance(saved, int) and value > saved


def hyperparameters(optimizer: Optimizer) -> list[dict[str, Hyperparameter]]:
    """The numbers of every parameter group.

    Raises:
        UnsupportedError: If one of them is a tensor.
    """
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    for group in groups:
        for name, value in group.items():
            parts = value if isinstance(value, tuple | list) else (value,)
            if not all(isinstance(part, Setting) for part in parts):
                raise UnsupportedError(
                    f"optimizer: {name} of {type(optimizer).__name__} is a {type(value).__name__}; give a number."
                )
            group[name] = list(value) if isinstance(value, tuple) else value
    return groups


def _like(present: object, value: object) -> object:
    """Turn a list back into a tuple where the optimizer has one at present, since JSON has no tuples."""
    return tuple(value) if isinstance(present, tuple) and isinstance(value, list) else value


def _model_part(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix("model/"): t for name, t in tensors.items() if name.startswith("model/")}


def _described(tensor: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "absent" if tensor is None else f"{tensor[1]} of shape {tensor[0]}".removeprefix("torch.")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:12]}…"
