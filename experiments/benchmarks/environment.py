"""The threads that all methods share, and a description of what they ran on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from threadpoolctl import threadpool_info, threadpool_limits

_PACKAGES = (
    "implicit-bias", "numpy", "scipy", "jax", "diffrax", "torch", "torchdiffeq", "cvxpy", "clarabel", "threadpoolctl",
)  # fmt: skip


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Give every numerical library the same number of threads inside this context.

    Torch and XLA are imported when they are first used and read their limits from the environment then; XLA knows one
    thread or its own choice.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    with threadpool_limits(limits=threads):
        yield


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return find_spec(package) is not None


def environment() -> dict[str, object]:
    """CPU count, load, thread pools and versions; nothing that names a machine or a person."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    pools = {f"{pool['internal_api']} {pool.get('version') or ''}".strip() for pool in threadpool_info()}
    return {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "thread_pools": sorted(pools),
        "versions": versions,
    }
