"""The growth of the time of limit and flow with the numbers of weights and of observations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.benchmarks.benchmark import Aim, Benchmark, Row, Track
from experiments.benchmarks.timing import in_turn
from implicit_bias import HyperbolicEntropy, Regression, bregman_projection, mirror_flow


@dataclass(frozen=True)
class Series:
    """The variable that grows, the fixed value of the other one, the sizes, and where the exponent's fit begins."""

    name: Literal["n", "d"]
    fixed: int
    values: Sequence[int]
    fit_from: int


@dataclass(frozen=True)
class Settings:
    """The scales of limit and flow, and the sizes; the flow is left out at those in ``limit_only``."""

    log10_scale: float = -4.0
    flow_scale: float = 0.5
    seed: int = 0
    rounds: int = 5
    series: Sequence[Series] = (
        Series("n", fixed=40, values=(100, 1000, 10_000, 30_000, 100_000, 300_000), fit_from=10_000),
        Series("d", fixed=10_000, values=(10, 25, 50, 100, 200, 400), fit_from=100),
    )
    limit_only: Sequence[int] = (1_000_000,)


QUICK = Settings(
    series=(
        Series("n", fixed=5, values=(20, 100, 1000), fit_from=20),
        Series("d", fixed=200, values=(5, 10, 20), fit_from=5),
    ),
    limit_only=(),
    rounds=2,
)


def measure(settings: Settings, track: Track) -> list[Row]:
    """One row for every size and solver."""
    rows = []
    limit_potential = HyperbolicEntropy(log_scale=settings.log10_scale * np.log(10))
    flow_potential = HyperbolicEntropy(scale=settings.flow_scale)
    for series in settings.series:
        extra = settings.limit_only if series.name == "n" else ()
        for value in track([*series.values, *extra], f"growth with {series.name}"):
            d, n = (series.fixed, value) if series.name == "n" else (value, series.fixed)
            problem = Regression.sample(d, n, sparsity=min(5, d), seed=settings.seed)
            # Rates are those of ZZᵀ/d, about n/d: times in units of d/n see the same part of every flow.
            times = np.geomspace(1e-2, 1e2, 5) * d / n
            tasks = {
                "limit": lambda p=problem: bregman_projection(p, limit_potential),
                "flow": lambda p=problem, t=times: mirror_flow(p, flow_potential, t=t, rtol=1e-10, atol=1e-12),
            }
            if value in extra:
                del tasks["flow"]
            timings = in_turn(tasks, dict.fromkeys(tasks, settings.rounds))
            rows += [
                {
                    "variable": series.name,
                    "d": d,
                    "n": n,
                    "method": name,
                    "seconds": timing.median,
                    "in_fit": int(value >= series.fit_from),
                    "rounds": len(timing.seconds),
                    "cores": round(timing.cores, 2),
                }
                for name, timing in timings.items()
            ]
    return rows


def exponent(rows: list[Row], variable: str, method: str) -> float:
    """The slope of log time against log size, by least squares over the large sizes."""
    chosen = [row for row in rows if (row["variable"], row["method"]) == (variable, method) and row["in_fit"]]
    sizes, seconds = np.array([[row[variable], row["seconds"]] for row in chosen]).T
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def aims(rows: list[Row]) -> list[Aim]:
    """Time about proportional to the number of weights."""
    first = min(row["n"] for row in rows if row["variable"] == "n" and row["in_fit"])
    text = "exponent of n in the time of the {}, fitted from n = {:,} on"
    return [Aim(text.format(name, first), 1.1, exponent(rows, "n", name), False) for name in ("limit", "flow")]


BENCHMARK = Benchmark(
    name="growth",
    title="Growth of the library's time with the problem",
    explanation=(
        "Limits at scale 1e-4; flows to t = 100 d/n, long after they have converged, at a relative tolerance of "
        "1e-10. Rows with in_fit = 1 take part in the fit of the exponent."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    threads=1,
    measure=measure,
    aims=aims,
)
