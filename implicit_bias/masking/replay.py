"""Steps that a GPU runs again and again without being told each kernel anew."""

from __future__ import annotations

from collections.abc import Callable

import torch

Work = Callable[[], None]


class Replay:
    """Work on tensors at fixed places, done again and again.

    On a GPU, launching a small kernel takes longer than the kernel. So its kernels are captured once as a CUDA graph,
    and replayed all together. The work must do the same in every call: it reads and writes the same tensors, and
    decides nothing by their values.

    Args:
        work: What to do.
        device: Where the tensors are.
    """

    def __init__(self, work: Work, device: torch.device) -> None:
        self._work, self._captures, self._called = work, captures(device), False

    def __call__(self) -> None:
        """Do the work once."""
        if self._called and self._captures is not None:
            self._work, self._captures = self._captures(self._work), None
        self._work()
        self._called = True  # the first call went without a graph: libraries set themselves up in it


def captures(device: torch.device) -> Callable[[Work], Work] | None:
    """How work on a device is captured, without doing it, to be replayed in one launch; None on a CPU."""
    return _captured if device.type == "cuda" else None


def _captured(work: Work) -> Work:
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay
