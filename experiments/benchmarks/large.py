"""The limit for a million weights: time and peak memory, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.benchmarks.benchmark import Aim, Benchmark, Row, Track
from implicit_bias.problem import Regression

THREADS = 2


@dataclass(frozen=True)
class Settings:
    """A regression of d observations of n weights, and log₁₀ of the limit's scale."""

    d: int = 100
    n: int = 1_000_000
    log10_scale: float = -4.0
    seed: int = 0
    rounds: int = 5


QUICK = Settings(d=10, n=5000, rounds=1)


def measure(settings: Settings, track: Track) -> list[Row]:
    """One row: medians over runs in fresh processes."""
    arguments = [str(value) for value in (settings.d, settings.n, settings.log10_scale, settings.seed)]
    runs = []
    for _ in track(range(settings.rounds), "large"):
        process = subprocess.run([sys.executable, "-m", __name__, *arguments], capture_output=True, text=True)  # noqa: S603
        if process.returncode:
            raise RuntimeError(f"The process for the large limit failed:\n{process.stderr}")
        runs.append(json.loads(process.stdout))
    size = 8 * settings.d * settings.n
    return [
        {
            "d": settings.d,
            "n": settings.n,
            "seconds": float(np.median([run["seconds"] for run in runs])),
            "slowest": max(run["seconds"] for run in runs),
            "peak_over_Z": max(run["peak_bytes"] for run in runs) / size,
            "Z_bytes": size,
            "kkt_residual": max(run["kkt_residual"] for run in runs),
            "iterations": runs[0]["iterations"],
            "rounds": len(runs),
        }
    ]


def alone(d: int, n: int, log10_scale: float, seed: int) -> dict[str, float]:
    """Solve one problem, and report how far memory peaked above what the process held before Z was made."""
    from experiments.benchmarks.environment import limited_threads
    from implicit_bias import HyperbolicEntropy, bregman_projection

    potential = HyperbolicEntropy(log_scale=log10_scale * np.log(10))
    bregman_projection(Regression([[1.0, 2.0]], [2.0]), potential)  # loads what is loaded on first use
    before = peak_bytes()
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((d, n))
    y = Z[:, :5] @ rng.standard_normal(5)
    with limited_threads(THREADS):
        began = time.perf_counter()
        found = bregman_projection(Regression(Z, y), potential)
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "peak_bytes": peak_bytes() - before,
        "kkt_residual": found.kkt_residual,
        "iterations": found.iterations,
    }


def peak_bytes() -> int:
    """The most memory that this process has held.

    On Linux, ``getrusage`` also counts what the parent held when it started this process, hence the status file.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM"))
        return 1024 * int(found.split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def aims(rows: list[Row]) -> list[Aim]:
    """Ten seconds, and little more memory than Z."""
    where = f"limit at d = {rows[0]['d']}, n = {rows[0]['n']:,}, dense, {THREADS} threads"
    return [
        Aim(f"{where}: seconds", 10, rows[0]["seconds"], False),
        Aim(f"{where}: peak memory over the size of Z", 2.2, rows[0]["peak_over_Z"], False),
    ]


BENCHMARK = Benchmark(
    name="large",
    title="The limit for a million weights, dense, on two threads",
    explanation=(
        "Each run in a fresh process. Peak memory is what the process held at most, less what it held before Z was "
        "made, so that Z itself counts as 1."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    threads=THREADS,
    measure=measure,
    aims=aims,
)

if __name__ == "__main__":
    json.dump(alone(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])), sys.stdout)
