"""The mask's flow at equal measured error, against ODE solvers in (m, w)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.benchmarks.benchmark import Aim, Benchmark, Row, Track
from experiments.benchmarks.environment import installed
from experiments.benchmarks.flow_methods import DIFFRAX, DOP853, METHODS, OURS, FlowMethod, FlowTask, Solve
from experiments.benchmarks.flow_reference import FlowReference, flow_reference
from experiments.benchmarks.timing import Timing, in_turn, once
from implicit_bias import Regression
from implicit_bias.schedule import Geometric


@dataclass(frozen=True)
class Problem:
    """A problem of d observations and n weights, and its flows.

    Attributes:
        d: Number of observations.
        n: Number of weights.
        ends: End times; the flow converges within the first or the second.
        first: The first time at which x is wanted.
        last_check: Until when a second reference confirms the first.
        schedule: The strength of the decay, if there is one.
    """

    d: int
    n: int
    ends: Sequence[float]
    first: float
    last_check: float
    schedule: Geometric | None = None


@dataclass(frozen=True)
class Settings:
    """The flows and the patience with those who integrate them.

    Attributes:
        scale: a_0; the paper's 2 u_0 v_0 is 1.
        error: The largest error of a weight.
        problems: The problems.
        times: At how many times x is wanted.
        seed: Of the problems.
        rounds: How often each method is timed.
        limit: Seconds after which a method is stopped.
        patience: Seconds after which a method is calibrated with less care at the next end time.
        slow: Seconds after which a method is timed less often.
        slow_rounds: How often then.
    """

    scale: float = 0.5
    error: float = 1e-9
    problems: Sequence[Problem] = (
        Problem(d=40, n=100, ends=(10, 100, 1000, 10_000), first=1e-2, last_check=1000),
        Problem(d=40, n=10_000, ends=(0.3, 1, 10, 100), first=1e-3, last_check=10),
    )
    times: int = 50
    seed: int = 0
    rounds: int = 5
    limit: float = 60.0
    patience: float = 0.5
    slow: float = 10.0
    slow_rounds: int = 3


QUICK = Settings(
    problems=(Problem(d=5, n=20, ends=(10,), first=1e-1, last_check=10),), error=1e-7, times=5, rounds=2, limit=1.0
)

TOLERANCES = [base * 10.0**-k for k in range(6, 14) for base in (1, 10**-0.5)]  # 1e-6, 3.2e-7, 1e-7, …


@dataclass(frozen=True)
class Calibrated:
    """A variant of a method at the loosest tolerance that reaches the error."""

    variant: str
    solve: Solve
    rung: int
    error: float
    evaluations: int
    first_call: float
    second_call: float


@dataclass(frozen=True)
class Missed:
    """The reason why no variant of a method has an entry."""

    reason: str


def measure(settings: Settings, track: Track) -> list[Row]:
    """One row for every problem, end time and method."""
    rows = []
    methods = [method for method in METHODS if installed(method.package)]
    for spec in settings.problems:
        problem = Regression.sample(spec.d, spec.n, sparsity=5, seed=settings.seed)
        known: dict[str, dict[str, Calibrated]] = {method.name: {} for method in methods}
        for end in track(spec.ends, f"flow: {spec.d} × {spec.n}"):
            task = FlowTask(problem, settings.scale, np.geomspace(spec.first, end, settings.times), spec.schedule)
            reference = flow_reference(task, spec.last_check)
            found: dict[str, Calibrated | Missed] = {}
            for method in methods:
                if problem.n <= method.largest_n:
                    tried = calibrate(method, task, reference, known[method.name], settings)
                    good = {variant: c for variant, c in tried.items() if isinstance(c, Calibrated)}
                    known[method.name] = good
                    found[method.name] = _quickest(good) or next(iter(tried.values()))
            ready = {name: c for name, c in found.items() if isinstance(c, Calibrated)}
            rows += _rows(task, reference, found, _timed(ready, settings))
    return rows


def calibrate(
    method: FlowMethod, task: FlowTask, reference: FlowReference, known: Mapping[str, Calibrated], settings: Settings
) -> dict[str, Calibrated | Missed]:
    """The variants of a method at the tolerances that they need.

    Args:
        method: The method.
        task: The flow.
        reference: Its trajectory.
        known: What was found for an earlier end time. As errors are made early, the search starts next to the
            tolerances of that time; a method that takes long goes on with its quicker variant and tolerance.
        settings: The error and the limits.
    """
    quickest = _quickest(known)
    if quickest is not None and quickest.second_call > settings.patience:
        variants, back = [quickest.variant], 0
    else:
        variants, back = list(method.variants), 1
    first_rungs = {name: max(known[name].rung - back, 0) if name in known else 0 for name in variants}
    return {
        name: _climb(name, method.variants[name](task), reference, first_rungs[name], settings) for name in variants
    }


def _quickest(found: Mapping[str, Calibrated]) -> Calibrated | None:
    return min(found.values(), key=lambda c: c.second_call, default=None)


def _climb(
    variant: str, solve: Solve, reference: FlowReference, first_rung: int, settings: Settings
) -> Calibrated | Missed:
    """Tighten the tolerance until the error is reached, unless that takes too long or does not happen."""
    limit, first_call = settings.limit, None
    for rung in range(first_rung, len(TOLERANCES)):
        runs = []
        try:
            timing = once(lambda rung=rung, runs=runs: runs.append(solve(TOLERANCES[rung], limit)))
        except TimeoutError:
            return Missed(f"stopped after {limit:g} s")
        first_call = timing.median if first_call is None else first_call
        error = float(np.max(np.abs(runs[0].x - reference.x)))
        if error <= settings.error:
            if rung == first_rung and timing.median < settings.slow:  # the first call may have compiled
                timing = once(lambda rung=rung: solve(TOLERANCES[rung], limit))
            return Calibrated(variant, solve, rung, error, runs[0].evaluations, first_call, timing.median)
    return Missed("error not reached at any tolerance")


def _timed(ready: Mapping[str, Calibrated], settings: Settings) -> dict[str, Timing]:
    tasks = {name: (lambda c=c: c.solve(TOLERANCES[c.rung], 10 * settings.limit)) for name, c in ready.items()}
    rounds = {
        name: settings.rounds if c.second_call < settings.slow else settings.slow_rounds for name, c in ready.items()
    }
    return in_turn(tasks, rounds)


def _rows(
    task: FlowTask,
    reference: FlowReference,
    found: Mapping[str, Calibrated | Missed],
    timings: Mapping[str, Timing],
) -> list[Row]:
    converged = task.times[reference.misfit <= 1e-6]
    shared = {
        "d": task.problem.d,
        "n": task.problem.n,
        "end": float(task.times[-1]),
        "converged_at": float(converged[0]) if len(converged) else None,
        "reference_doubt": reference.doubt,
    }
    return [shared | _entry(name, c, timings) for name, c in found.items()]


def _entry(name: str, found: Calibrated | Missed, timings: Mapping[str, Timing]) -> Row:
    empty = dict.fromkeys(
        ["variant", "seconds", "ratio", "tolerance", "error", "evaluations", "microseconds_per_evaluation",
         "compile_seconds", "rounds", "cores"]
    )  # fmt: skip
    if isinstance(found, Missed):
        return {"method": name} | empty | {"note": found.reason}
    timing = timings[name]
    return {
        "method": name,
        "variant": found.variant,
        "seconds": timing.median,
        "ratio": timing.over(timings[OURS]),
        "tolerance": TOLERANCES[found.rung],
        "error": found.error,
        "evaluations": found.evaluations,
        "microseconds_per_evaluation": 1e6 * timing.median / found.evaluations,
        "compile_seconds": max(found.first_call - found.second_call, 0.0) if name == DIFFRAX else None,
        "rounds": len(timing.seconds),
        "cores": round(timing.cores, 2),
        "note": "",
    }


def aims(rows: list[Row]) -> list[Aim]:
    """Ratios to diffrax and DOP853 at every end time, the unflattering ones included."""
    targets = {(DIFFRAX, 100): 5, (DOP853, 100): 20, (DIFFRAX, 10_000): 20, (DOP853, 10_000): 20}
    return [
        Aim(
            f"flow at d = {row['d']}, n = {row['n']:,} to t = {row['end']:g}: times faster than {row['method']}",
            targets[row["method"], row["n"]],
            row["ratio"],
        )
        for row in rows
        if (row["method"], row["n"]) in targets and row["ratio"] is not None
    ]


BENCHMARK = Benchmark(
    name="flow",
    title="The mask's flow at equal measured error",
    explanation=(
        "x at 50 times from the start to the end time T, to an error of at most 1e-9 in every weight at every time, "
        "each method at the loosest tolerance of a ladder of half decades that reaches it. Ratio: the method's wall "
        "time over that of the library, median of the ratios in single rounds. The others integrate 2n variables "
        "explicitly and their steps are bound by stability once the flow has converged, so that ratios grow with T; "
        "converged_at is the first time with a relative misfit of 1e-6. Compile time of diffrax is apart. "
        "reference_doubt is the distance of two references in other variables by other methods."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    threads=1,
    measure=measure,
    aims=aims,
)
