"""Devices, processes and precision through Lightning Fabric."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch

from implicit_bias.errors import InputError
from implicit_bias.validation import whole_number

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PRECISIONS = {"32-true": torch.float32, "64-true": torch.float64, "bf16-mixed": torch.float32}
"""Names of precisions, as in Fabric, with the type of the weights."""


def checked_device(device: str | torch.device, devices: int) -> torch.device:
    """The device by name.

    Raises:
        InputError: If it is unknown or absent on this machine, or there are fewer of it than ``devices``.
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        raise InputError(f"device: {device!r} is no device; use 'cpu', 'cuda', 'cuda:1' or 'mps'.") from None
    count = whole_number(devices, "devices")
    if count < 1:
        raise InputError(f"devices: expected at least 1, got {devices}.")
    if found.type not in ("cpu", "cuda", "mps"):
        raise InputError(f"device: {device!r} is not covered; use 'cpu', 'cuda', 'cuda:1' or 'mps'.")
    if found.type == "cuda" and not torch.cuda.is_available():
        reason = "sees no GPU" if torch.version.cuda else "was built without CUDA"
        raise InputError(
            f"device: CUDA was asked for, but PyTorch {torch.__version__} {reason}; "
            "use device='cpu', or install a build with CUDA on a machine that has a GPU."
        )
    if found.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device: MPS was asked for, but this machine has none; use device='cpu'.")
    available = {"cuda": torch.cuda.device_count(), "mps": 1}.get(found.type)
    if available is not None and max(count, (found.index or 0) + 1) > available:
        raise InputError(f"devices: {count} × {found} were asked for, but there are {available}; ask for fewer.")
    if count > 1 and found.index is not None:
        raise InputError(f"device: {found} is one device; leave its number out to use {count} of them.")
    return found


def is_further_process() -> bool:
    """Whether this is one of the processes that training on several devices started besides the first."""
    return os.environ.get("LOCAL_RANK", "0") != "0" or os.environ.get("RANK", "0") != "0"


def make_fabric(device: torch.device, devices: int, precision: str) -> Fabric:
    """A launched Fabric. With several devices it starts this program once for each further one.

    Raises:
        InputError: If there is no such precision.
    """
    from lightning_fabric import Fabric

    if precision not in PRECISIONS:
        raise InputError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}.")
    if precision == "64-true" and device.type == "mps":
        raise InputError("precision: MPS has no 64-bit numbers; use 32-true, or device='cpu'.")
    fabric = Fabric(
        accelerator=device.type,
        devices=devices if device.index is None else [device.index],
        strategy="ddp" if devices > 1 else "auto",
        # Fabric would round outputs of a 64-bit model to 32 bits, so weights and images are converted here instead.
        precision="32-true" if precision == "64-true" else precision,
    )
    fabric.launch()
    return fabric
