"""The mask's flow with decay at equal measured error, against ODE solvers in (m, w)."""

from __future__ import annotations

from dataclasses import replace

from experiments.benchmarks import flow
from experiments.benchmarks.benchmark import Aim, Benchmark, Row
from experiments.benchmarks.flow_methods import DOP853
from implicit_bias.schedule import Geometric

# Rates are those of ZZᵀ/d, about n/d: in units of d/n both flows spend a decay of 1 in the same way.
PROBLEMS = (
    flow.Problem(d=40, n=100, ends=(50, 500), first=1e-2, last_check=500, schedule=Geometric(0.1, 10.0)),
    flow.Problem(d=40, n=10_000, ends=(0.5, 5), first=1e-3, last_check=5, schedule=Geometric(10.0, 0.1)),
)
QUICK_PROBLEMS = (flow.Problem(d=5, n=20, ends=(10,), first=1e-1, last_check=10, schedule=Geometric(0.5, 2.0)),)


def aims(rows: list[Row]) -> list[Aim]:
    """Ratios to DOP853 at the last end times."""
    targets = {(100, 500): 6, (10_000, 5): 15}
    return [
        Aim(
            f"decaying flow at d = {row['d']}, n = {row['n']:,} to t = {row['end']:g}: times faster than {DOP853}",
            targets[row["n"], row["end"]],
            row["ratio"],
        )
        for row in rows
        if row["method"] == DOP853 and (row["n"], row["end"]) in targets and row["ratio"] is not None
    ]


BENCHMARK = Benchmark(
    name="decaying_flow",
    title="The mask's flow with decay at equal measured error",
    explanation=(
        "As for the flow without decay. The strength of the decay falls geometrically and spends a total of 1, which "
        "divides the scale by e⁴. The library's dual variables stay d; its potential changes with the decay spent."
    ),
    configuration={
        "default": replace(flow.Settings(), problems=PROBLEMS),
        "quick": replace(flow.QUICK, problems=QUICK_PROBLEMS),
    },
    threads=1,
    measure=flow.measure,
    aims=aims,
)
