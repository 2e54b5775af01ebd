"""Devices, processes and precision through Lightning Fabric."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal

import torch

from implicit_bias.errors import InputError
from implicit_bias.validation import whole_number

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["32-true", "64-true", "bf16-mixed"]
PRECISIONS: dict[Precision, torch.dtype] = {
    "32-true": torch.float32,
    "64-true": torch.float64,
    "bf16-mixed": torch.float32,
}
"""Names of precisions, as in Fabric, with the type of the weights."""

_DEVICE = re.compile(r"cpu|(?P<kind>cuda|mps)(:(?P<index>0|[1-9]\d{0,3}))?")


def checked_device(device: str | torch.device, devices: int) -> torch.device:
    """The device of a name.

    Raises:
        InputError: If it is unknown or absent on this machine, or if there are fewer of it than ``devices``.
    """
    name, count = str(device), whole_number(devices, "devices")
    found = _DEVICE.fullmatch(name)
    if found is None:
        raise InputError(f"device: expected 'cpu', 'cuda', 'cuda:1' or 'mps', got {device!r}.")
    if count < 1:
        raise InputError(f"devices: expected at least 1, got {devices}.")
    kind, index = found["kind"], found["index"]
    if kind == "cuda" and not torch.cuda.is_available():
        reason = "sees no GPU" if torch.version.cuda else "was built without CUDA"
        raise InputError(
            f"device: CUDA was asked for, but PyTorch {torch.__version__} {reason}; "
            "use device='cpu', or install a build with CUDA on a machine that has a GPU."
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("device: MPS was asked for, but this machine has none; use device='cpu'.")
    available = {"cuda": torch.cuda.device_count(), "mps": 1}.get(kind)
    if available is not None and max(count, int(index or 0) + 1) > available:
        raise InputError(f"devices: expected at most {available} on this machine, got {count} × {name}; use fewer.")
    if count > 1 and index is not None:
        raise InputError(f"device: {name} is one device; leave its number out to use {count} of them.")
    return torch.device(name)


def is_further_process() -> bool:
    """Tell whether training on several devices started this process besides the first."""
    return os.environ.get("LOCAL_RANK", "0") != "0" or os.environ.get("RANK", "0") != "0"


def make_fabric(device: torch.device, devices: int, precision: Precision) -> Fabric:
    """A launched Fabric. With several devices it starts this program once more for each of the others.

    Raises:
        InputError: If the device lacks the precision.
    """
    from lightning_fabric import Fabric

    if precision == "64-true" and device.type == "mps":
        raise InputError("precision: got 64-true, but MPS has no 64-bit numbers; use 32-true, or device='cpu'.")
    fabric = Fabric(
        accelerator=device.type,
        devices=devices if device.index is None else [device.index],
        strategy="ddp" if devices > 1 else "auto",
        # Fabric would round outputs of a 64-bit model to 32 bits, so the caller converts weights and images instead.
        precision="32-true" if precision == "64-true" else precision,
    )
    fabric.launch()
    return fabric
