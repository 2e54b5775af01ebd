"""A program that tests kill: a sweep of slow tasks by two processes, and at its end a file with all results."""

import sys
from pathlib import Path

import numpy as np
from small_tasks import slow

from experiments.engine import Store, Sweep, processes


def grid(log):
    return [{"seed": seed, "seconds": 0.2 + 0.01 * (seed % 7), "log": str(log)} for seed in range(12)]


def main(folder):
    results = Sweep(Store(folder / "store"), processes(2))(slow, grid(folder / "log"), "")
    np.savez(folder / "data.npz", **{f"{name}_{k}": a for k, data in enumerate(results) for name, a in data.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
