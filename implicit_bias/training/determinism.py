"""Runs that can be repeated bit by bit: seeds that depend on nothing but the epoch, and deterministic operations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

# What an epoch draws: the order of images, their augmentation, and whatever the model itself draws (dropout).
ORDER, AUGMENTATION, MODEL = range(3)


def stream_seed(seed: int, epoch: int, stream: int, rank: int = 0) -> int:
    """A seed for one purpose in one epoch, so that a resumed run needs no state of a generator.

    Args:
        seed: The seed of the run, >= 0.
        epoch: The epoch, from 1.
        stream: :data:`ORDER`, :data:`AUGMENTATION` or :data:`MODEL`.
        rank: The process, where each draws its own numbers.
    """
    words = np.random.SeedSequence((seed, epoch, stream, rank)).generate_state(1, np.uint64)
    return int(words[0] >> np.uint64(1))


def generator(seed: int, epoch: int, stream: int) -> torch.Generator:
    """A generator on the CPU, seeded by :func:`stream_seed`: draws are the same whatever the device."""
    return torch.Generator().manual_seed(stream_seed(seed, epoch, stream))


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """Deterministic operations, and PyTorch's global generators and settings restored afterwards."""
    if device.type == "cuda":
        # Read when cuBLAS makes its first handle; without it deterministic matrix products raise an error.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn, fill = torch.backends.cudnn, torch.utils.deterministic
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic,
        cudnn.benchmark,
        fill.fill_uninitialized_memory,
    )
    devices = [device] if device.type in ("cuda", "mps", "xpu") else []
    with torch.random.fork_rng(devices, device_type=device.type if devices else "cuda"):
        try:
            torch.use_deterministic_algorithms(True)
            cudnn.deterministic, cudnn.benchmark = True, False
            # Filling new memory with nan finds errors of kernels; it costs time in every step.
            fill.fill_uninitialized_memory = False
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            cudnn.deterministic, cudnn.benchmark, fill.fill_uninitialized_memory = before[2:]
