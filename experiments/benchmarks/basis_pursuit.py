"""Basis pursuit as the last of many scales, against one linear program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from experiments.benchmarks.benchmark import Aim, Benchmark, Row, Track
from experiments.benchmarks.timing import in_turn
from implicit_bias import Regression, transition


@dataclass(frozen=True)
class Settings:
    """A regression, and the scales of the path: how many, and log₁₀ of the first and of the last."""

    d: int = 100
    n: int = 20_000
    sparsity: int = 20
    seed: int = 0
    scales: int = 61
    log10_scales: tuple[float, float] = (6, -300)
    rounds: int = 5


QUICK = Settings(d=10, n=50, sparsity=3, rounds=2)
HIGHS = "SciPy linprog (HiGHS), one program"


def measure(settings: Settings, track: Track) -> list[Row]:
    """A row for the whole path of scales and a row for the linear program."""
    problem = Regression.sample(settings.d, settings.n, settings.sparsity, settings.seed)
    log_scales = np.linspace(*settings.log10_scales, settings.scales) * np.log(10)
    found: dict[str, tuple[np.ndarray, float | None]] = {}

    def follow() -> None:
        path = transition(problem, log_scales=log_scales)
        found[ours] = path.x[-1], float(np.max(path.kkt_residual))

    def program() -> None:
        n = problem.n
        A = np.hstack([problem.Z, -problem.Z])
        x = linprog(np.ones(2 * n), A_eq=A, b_eq=problem.y, method="highs").x
        found[HIGHS] = x[:n] - x[n:], None

    ours = f"implicit_bias, {settings.scales} scales"
    tasks = {ours: follow, HIGHS: program}
    timings = in_turn(tasks, dict.fromkeys(tasks, settings.rounds))
    return [
        {
            "d": problem.d,
            "n": problem.n,
            "method": name,
            "seconds": timings[name].median,
            "ratio": timings[name].over(timings[ours]),
            "l1_norm": float(np.abs(found[name][0]).sum()),
            "misfit": float(np.linalg.norm(problem.Z @ found[name][0] - problem.y) / np.linalg.norm(problem.y)),
            "distance": float(np.max(np.abs(found[name][0] - found[ours][0]))),
            "kkt_residual": found[name][1],
            "rounds": len(timings[name].seconds),
            "cores": round(timings[name].cores, 2),
        }
        for name in track(tasks, "basis pursuit")
    ]


def aims(rows: list[Row]) -> list[Aim]:
    """The whole path in less time than the one program."""
    return [
        Aim(
            f"61 scales at d = {row['d']}, n = {row['n']:,}: times faster than one HiGHS basis pursuit", 1, row["ratio"]
        )
        for row in rows
        if row["method"] == HIGHS
    ]


BENCHMARK = Benchmark(
    name="basis_pursuit",
    title="From least squares to basis pursuit: 61 scales from 1e6 to 1e-300",
    explanation=(
        "The whole path of limits takes part against one linear program for its end. Weights, misfit and L1 norm are "
        "those at the smallest scale; KKT residual: the largest of all scales."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    threads=1,
    measure=measure,
    aims=aims,
)
