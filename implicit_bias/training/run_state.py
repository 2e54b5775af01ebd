"""Everything that changes while a model is trained, as a checkpoint and back."""

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

_NUMBERS = (bool, int, float, str, type(None))


@dataclass(frozen=True, eq=False)
class RunState:
    """A run in progress.

    Attributes:
        model: With the method's parametrizations.
        optimizer: Of its parameters.
        method: Started.
        configuration: What has to be the same for a run to be continued: numbers, texts, and digests of the data and
            of the initial weights.
    """

    model: nn.Module
    optimizer: Optimizer
    method: Method
    configuration: Mapping[str, Any]

    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors of model and optimizer."""
        found = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        for k, state in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer/{k}/{name}": v for name, v in state.items() if isinstance(v, torch.Tensor)}
        return found

    def numbers(self, history: tuple[EpochRecord, ...]) -> dict[str, Any]:
        """All else.

        Raises:
            UnsupportedError: If the optimizer's state holds more than tensors and numbers.
        """
        saved = self.optimizer.state_dict()
        state = {
            str(k): {name: v for name, v in values.items() if not isinstance(v, torch.Tensor)}
            for k, values in saved["state"].items()
        }
        for values in state.values():
            for name, value in values.items():
                if not isinstance(value, _NUMBERS):
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
        """Continue from a checkpoint: model, optimizer and method are changed in place.

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


def check_configuration(checkpoint: Checkpoint, configuration: Mapping[str, Any]) -> None:
    """Refuse to continue a run with other settings.

    Raises:
        InputError: Naming every setting that differs.
    """
    saved = checkpoint.numbers.get("configuration")
    if saved is None:
        raise InputError(f"{checkpoint.path}: holds weights, but no run; name the checkpoint that training wrote.")
    different = [
        f"{name}: {_short(saved.get(name))} there, {_short(value)} here"
        for name, value in configuration.items()
        if saved.get(name) != value
    ]
    if different:
        raise InputError(
            f"{checkpoint.path}: belongs to another run ({'; '.join(different)}). "
            "Give the settings it was made with, or name another checkpoint."
        )


def hyperparameters(optimizer: Optimizer) -> list[dict[str, Any]]:
    """The numbers of every parameter group.

    Raises:
        UnsupportedError: If one is a tensor.
    """
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    for group in groups:
        for name, value in group.items():
            parts = value if isinstance(value, tuple | list) else (value,)
            if not all(isinstance(part, _NUMBERS) for part in parts):
                raise UnsupportedError(
                    f"optimizer: {name} of {type(optimizer).__name__} is a {type(value).__name__}; give a number."
                )
            group[name] = list(value) if isinstance(value, tuple) else value
    return groups


def _like(present: object, value: object) -> object:
    """JSON has no tuples; the optimizer's own groups tell where one belongs."""
    return tuple(value) if isinstance(present, tuple) and isinstance(value, list) else value


def _model_part(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix("model/"): t for name, t in tensors.items() if name.startswith("model/")}


def _described(tensor: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "absent" if tensor is None else f"{tensor[1]} of shape {tensor[0]}".removeprefix("torch.")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:12]}…"
