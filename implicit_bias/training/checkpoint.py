"""Checkpoints without pickles: tensors in a safetensors file, numbers as JSON in its header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from implicit_bias.errors import InputError
from implicit_bias.files import write_whole

FORMAT = "implicit_bias checkpoint 2"
HEADER = "implicit_bias"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of a file.

    Attributes:
        path: The file.
        tensors: Tensors on the CPU by name.
        numbers: All else, as JSON gives it.
    """

    path: Path
    tensors: dict[str, torch.Tensor]
    numbers: dict[str, Any]


def write(path: str | Path, tensors: Mapping[str, torch.Tensor], numbers: Mapping[str, Any]) -> None:
    """Write a checkpoint. At any moment, even in a power failure, the path holds all of the old one or all of the new.

    Args:
        path: The file; its folder is made if it is missing.
        tensors: Tensors by name, on any device; they may share memory.
        numbers: Anything that JSON can hold.

    Raises:
        OSError: If it cannot be written; an earlier checkpoint stays.
    """
    path = Path(path)
    own = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    addresses = [tensor.data_ptr() for tensor in own.values() if tensor.numel()]
    if len(set(addresses)) < len(addresses):  # tied weights, which the format wants apart
        own = {name: tensor.clone() for name, tensor in own.items()}
    text = json.dumps(numbers)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A single entry, since safetensors writes several in an order that changes from run to run.
    header = {"format": FORMAT, "sha256": _digest(own, text), "numbers": text}
    write_whole(path, save(own, {HEADER: json.dumps(header)}))


def read(path: str | Path) -> Checkpoint:
    """Read a checkpoint and verify that no bit of it has changed.

    Raises:
        InputError: If the file is missing, truncated, damaged or no checkpoint. The file stays as it is.
    """
    path = Path(path)
    advice = "resume from a copy of it, or move it away and start again"
    if not path.is_file():
        raise InputError(f"{path}: there is no such checkpoint; check the path.")
    try:
        with safe_open(path, framework="pt") as file:
            entry = (file.metadata() or {}).get(HEADER, "{}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
    except SafetensorError as error:
        raise InputError(f"{path}: is truncated or no checkpoint ({error}); {advice}.") from None
    try:
        header = json.loads(entry)
    except (ValueError, RecursionError):  # no JSON, an integer of too many digits, or brackets nested too deeply
        raise InputError(f"{path}: its header cannot be read, so it is damaged; {advice}.") from None
    found = header.get("format", "none") if isinstance(header, dict) else "none"
    if found != FORMAT:
        raise InputError(
            f"{path}: expected a file of the format {FORMAT!r}, got {found!r}; name a checkpoint that this version of "
            "implicit_bias wrote."
        )
    text = header.get("numbers")
    if not isinstance(text, str) or header.get("sha256") != _digest(tensors, text):
        raise InputError(f"{path}: its content does not agree with its own checksum, so it is damaged; {advice}.")
    try:
        numbers = json.loads(text)
    except (ValueError, RecursionError):
        numbers = None
    if not isinstance(numbers, dict):
        raise InputError(f"{path}: its numbers are not a JSON object, so training did not write it; {advice}.")
    return Checkpoint(path, tensors, numbers)


def _digest(tensors: Mapping[str, torch.Tensor], text: str) -> str:
    total = hashlib.sha256(text.encode(errors="surrogatepass"))  # JSON may hold half of a surrogate pair
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def tensors_digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of tensors with their names, by which a checkpoint recognizes its initial weights."""
    return _digest({name: tensor.detach().cpu() for name, tensor in tensors.items()}, "")
