"""Runs that repeat bit by bit: seeds that depend on the epoch alone, and deterministic operations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# The random numbers of an epoch: the order of images, their augmentation, and what the model itself draws (dropout).
ORDER, AUGMENTATION, MODEL = range(3)

_SWITCHES = (
    (torch.backends.cudnn, "deterministic", True),
    (torch.backends.cudnn, "benchmark", False),
    # Filling new memory with nan finds errors of kernels; it costs time in every step.
    (torch.utils.deterministic, "fill_uninitialized_memory", False),
)
"""Modules of PyTorch with their global settings, and the values for a reproducible run."""


def stream_seed(seed: int, epoch: int, stream: int, rank: int = 0) -> int:
    """A seed for one purpose in one epoch, so that a resumed run needs no saved generator.

    Args:
        seed: The seed of the run, >= 0.
        epoch: The epoch, from 1.
        stream: :data:`ORDER`, :data:`AUGMENTATION` or :data:`MODEL`.
        rank: The number of the process, where each process draws its own numbers.
    """
    words = np.random.SeedSequence((seed, epoch, stream, rank)).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def generator(seed: int, epoch: int, stream: int) -> torch.Generator:
    """A generator on the CPU, seeded by :func:`stream_seed`, so that it draws the same on every device."""
    return torch.Generator().manual_seed(stream_seed(seed, epoch, stream))


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Make operations deterministic, and restore PyTorch's global generators and settings afterwards."""
    if device.type == "cuda":
        # cuBLAS reads it when it makes its first handle; without it deterministic matrix products raise an error.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    was_enabled = torch.are_deterministic_algorithms_enabled()
    was_warning = torch.is_deterministic_algorithms_warn_only_enabled()
    before = [getattr(module, name) for module, name, _ in _SWITCHES]
    devices = [device] if device.type in ("cuda", "mps", "xpu") else []
    with torch.random.fork_rng(devices, device_type=device.type if devices else "cuda"):
        try:
            torch.use_deterministic_algorithms(True)
            for module, name, value in _SWITCHES:
                setattr(module, name, value)
            yield
        finally:
            torch.use_deterministic_algorithms(was_enabled, warn_only=was_warning)
            for (module, name, _), value in zip(_SWITCHES, before, strict=True):
                setattr(module, name, value)
