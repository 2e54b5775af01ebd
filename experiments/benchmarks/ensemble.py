"""A thousand networks as one batch, against the same networks one after another."""

from __future__ import annotations

# Torch is installed by an extra, and imported where it is used.
# pyright: reportMissingImports=false
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from experiments.benchmarks.benchmark import Aim, Benchmark, Row, Track
from experiments.benchmarks.large import peak_bytes
from experiments.benchmarks.timing import in_turn
from implicit_bias import Regression

THREADS = 2


@dataclass(frozen=True)
class Settings:
    """The networks and how they are trained.

    Attributes:
        d: Number of observations.
        n: Number of weights.
        runs: How many networks there are.
        steps: Of each.
        step: η.
        log10_scales: log₁₀ of the first and of the last network's scale.
        seed: Of the problem.
        rounds: How often each method is timed.
        sample: Networks and steps of each, for the methods that train one network after another.
        memory_steps: Numbers of steps for which memory is measured.
    """

    d: int = 40
    n: int = 100
    runs: int = 1000
    steps: int = 20_000
    step: float = 0.01
    log10_scales: tuple[float, float] = (-4.0, 0.0)
    seed: int = 0
    rounds: int = 3
    sample: Mapping[str, tuple[int, int]] = field(
        default_factory=lambda: {"ensemble": (5, 20_000), "autograd": (2, 2000)}
    )
    memory_steps: Sequence[int] = (1000, 20_000)


QUICK = Settings(
    d=5,
    n=10,
    runs=20,
    steps=100,
    rounds=2,
    sample={"ensemble": (2, 100), "autograd": (1, 20)},
    memory_steps=(10, 100),
)


TOGETHER = "ensemble, all runs at once"
ONE_BY_ONE = "ensemble, one run after another"
AUTOGRAD = "torch.optim.SGD with autograd, one run after another"


def _setting(settings: Settings) -> tuple[Regression, dict[str, np.ndarray]]:
    """The problem that all runs share, and their starts: x = 0 at scales from small to large."""
    from implicit_bias.masking.ensembles import initialization

    problem = Regression.sample(settings.d, settings.n, sparsity=min(5, settings.d), seed=settings.seed)
    return problem, initialization(np.zeros(problem.n), np.logspace(*settings.log10_scales, settings.runs))


def by_autograd(problem: Regression, m: np.ndarray, w: np.ndarray, step: float, steps: int) -> np.ndarray:
    """The loop that one would write for a single network; returns x."""
    import torch

    Z, y = torch.tensor(problem.Z), torch.tensor(problem.y)
    mask, dense = torch.tensor(m, requires_grad=True), torch.tensor(w, requires_grad=True)
    sgd = torch.optim.SGD([mask, dense], lr=step)
    for _ in range(steps):
        sgd.zero_grad()
        (torch.mean((Z @ (mask * dense) - y) ** 2) / 2).backward()
        sgd.step()
    return (mask * dense).detach().numpy()


def measure(settings: Settings, track: Track) -> list[Row]:
    """One row for every way to train the same networks, and two for its memory."""
    from implicit_bias.masking.ensembles import ensemble

    problem, init = _setting(settings)
    runs, steps, step = settings.runs, settings.steps, settings.step
    found: dict[str, np.ndarray] = {}

    def one(run: int, steps: int) -> np.ndarray:
        return ensemble(problem, {name: init[name][run] for name in "mw"}, step, steps).x[-1, 0]

    def together() -> None:
        found[TOGETHER] = ensemble(problem, init, step, steps).x[-1]

    def after_another(name: str, train: Callable[[int, int], np.ndarray], count: int, short: int) -> Callable[[], None]:
        return lambda: found.update({name: np.stack([train(run, short) for run in _chosen(runs, count)])})

    sizes = {TOGETHER: (runs, steps), ONE_BY_ONE: settings.sample["ensemble"], AUTOGRAD: settings.sample["autograd"]}
    tasks = {
        TOGETHER: together,
        ONE_BY_ONE: after_another(ONE_BY_ONE, one, *sizes[ONE_BY_ONE]),
        AUTOGRAD: after_another(
            AUTOGRAD,
            lambda run, short: by_autograd(problem, init["m"][run], init["w"][run], step, short),
            *sizes[AUTOGRAD],
        ),
    }
    one(0, 10)  # loads what is loaded on first use
    by_autograd(problem, init["m"][0], init["w"][0], step, 10)
    timings = in_turn(tasks, dict.fromkeys(tasks, settings.rounds))
    rows = []
    for name, timing in timings.items():
        trained, taken = sizes[name]
        factor = runs * steps / (trained * taken)
        same = found[TOGETHER][_chosen(runs, trained)] if taken == steps else None
        rows.append(
            {
                "method": name,
                "runs_timed": trained,
                "steps_timed": taken,
                "seconds": timing.median,
                "seconds_for_all": timing.median * factor,
                "microseconds_per_run_and_step": 1e6 * timing.median / (trained * taken),
                "ratio": factor * timing.over(timings[TOGETHER]),
                "distance": None if same is None else float(np.max(np.abs(found[name] - same))),
                "peak_bytes": None,
                "rounds": len(timing.seconds),
                "cores": round(timing.cores, 2),
            }
        )
    return rows + [_memory(settings, taken) for taken in track(settings.memory_steps, "memory of an ensemble")]


def _chosen(runs: int, count: int) -> list[int]:
    """Runs from the smallest scale to the largest."""
    return np.linspace(0, runs - 1, count).round().astype(int).tolist()


def _memory(settings: Settings, steps: int) -> Row:
    """The memory of all runs at once for a number of steps and the same two records, in a fresh process."""
    argument = json.dumps(asdict(replace(settings, steps=steps)))
    process = subprocess.run([sys.executable, "-m", __name__, argument], capture_output=True, text=True)  # noqa: S603
    if process.returncode:
        raise RuntimeError(f"The process for the memory of an ensemble failed:\n{process.stderr}")
    return {
        "method": f"{TOGETHER}, start and end recorded",
        "runs_timed": settings.runs,
        "steps_timed": steps,
        **dict.fromkeys(("seconds", "seconds_for_all", "microseconds_per_run_and_step", "ratio", "distance")),
        "peak_bytes": int(process.stdout),
        "rounds": 1,
        "cores": None,
    }


def peak_of(settings: Settings) -> int:
    """The peak of memory above what the process held before the runs, in bytes."""
    from experiments.benchmarks.environment import limited_threads
    from implicit_bias.masking.ensembles import ensemble

    with limited_threads(THREADS):
        problem, init = _setting(settings)
        ensemble(problem, {"m": 1.0, "w": 0.0}, settings.step, 10)
        before = peak_bytes()
        ensemble(problem, init, settings.step, settings.steps, record=2)
        return peak_bytes() - before


def aims(rows: list[Row]) -> list[Aim]:
    """Twenty times faster than one after another, and the same memory for more steps."""
    timed = {row["method"]: row for row in rows if row["ratio"] is not None}
    all_runs = timed[TOGETHER]
    where = f"{all_runs['runs_timed']:,} runs of {all_runs['steps_timed']:,} steps on {THREADS} threads"
    few, many = (row for row in rows if row["peak_bytes"] is not None)
    more = many["steps_timed"] / few["steps_timed"]
    return [
        *(Aim(f"{where}: times faster than {name}", 20, timed[name]["ratio"]) for name in (ONE_BY_ONE, AUTOGRAD)),
        Aim(f"peak memory with {more:g} times as many steps", 1.1, many["peak_bytes"] / few["peak_bytes"], False),
    ]


BENCHMARK = Benchmark(
    name="ensemble",
    title="A thousand diagonal networks as one batch",
    explanation=(
        "d = 40, n = 100, gradient descent in float64 from x = 0 at scales from 1e-4 to 1. One run after another would "
        "take minutes to hours: a few runs (of fewer steps with autograd) are timed, and seconds_for_all and the ratio "
        "are extrapolated from them by the number of runs and steps. Distance: the largest entry of the difference of "
        "the trained weights to the batch's. The ensembles keep 100 records in the timed runs, autograd none. Peak "
        "memory is what a fresh process held at most, less what it held before."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    threads=THREADS,
    measure=measure,
    aims=aims,
)

if __name__ == "__main__":
    json.dump(peak_of(Settings(**json.loads(sys.argv[1]))), sys.stdout)
