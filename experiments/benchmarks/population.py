"""Many networks at once: the time of a member of a population over that of the same network trained alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from experiments.benchmarks.benchmark import Aim, Benchmark, Row, Track
from experiments.benchmarks.timing import in_turn


@dataclass(frozen=True)
class Settings:
    """The networks.

    Attributes:
        data: Their images.
        methods: By which they are trained.
        members: Of a population.
        alone: How many of them are trained one by one.
        epochs: Of each.
        batch_size: Images in a step.
        rounds: How often both are timed.
    """

    data: str = "mnist"
    methods: tuple[str, ...] = ("dense", "mask")
    members: int = 100
    alone: int = 10
    epochs: int = 1
    batch_size: int = 256
    rounds: int = 3


SETTINGS = Settings()
QUICK = replace(SETTINGS, data="digits", methods=("mask",), members=4, alone=2, rounds=2)


def measure(settings: Settings, track: Track) -> list[Row]:
    """Two rows a method: a member of the population, and a network alone, timed in turn."""
    return [row for method in track(settings.methods, "population") for row in _measure_method(method, settings)]


def _measure_method(method: str, settings: Settings) -> list[Row]:
    tasks = {"population": _together(method, settings), "alone": _one_by_one(method, settings)}
    counts = {"population": settings.members, "alone": settings.alone}
    timings = in_turn(tasks, dict.fromkeys(tasks, settings.rounds))
    each = {name: timings[name].median / counts[name] for name in tasks}
    ratio = timings["population"].over(timings["alone"]) * settings.alone / settings.members
    return [
        {
            "method": method,
            "batch_size": settings.batch_size,
            "variant": name,
            "networks": counts[name],
            "seconds_per_network": each[name],
            "ratio": ratio if name == "population" else 1.0,
            "rounds": settings.rounds,
            "cores": round(timings[name].cores, 2),
        }
        for name in tasks
    ]


def _together(method: str, settings: Settings) -> Callable[[], None]:
    from implicit_bias.training import METHODS, build, load, train_population

    data = load(settings.data).untested()

    def run() -> None:
        train_population(
            lambda seed: build("lenet", data, seed), data, METHODS[method], [1e-4], range(settings.members),
            epochs=settings.epochs, batch_size=settings.batch_size,
        )  # fmt: skip

    return run


def _one_by_one(method: str, settings: Settings) -> Callable[[], None]:
    from implicit_bias.training import METHODS, build, load, train

    data = load(settings.data).untested()

    def run() -> None:
        for seed in range(settings.alone):
            train(
                build("lenet", data, seed), data, METHODS[method](1e-4), epochs=settings.epochs,
                batch_size=settings.batch_size, seed=seed,
            )  # fmt: skip

    return run


def aims(rows: list[Row]) -> list[Aim]:
    """No slower than one by one."""
    return [
        Aim(f"{row['method']}: a member of {row['networks']} over a network alone", 1.0, row["ratio"], False)
        for row in rows
        if row["variant"] == "population"
    ]


BENCHMARK = Benchmark(
    name="population",
    title="LeNets as a population, against one by one",
    explanation=(
        "LeNet-300-100 on 4,000 images of MNIST for one epoch in float32, with everything that a call does: "
        "building, training, and records of every epoch. Times are those of one network."
    ),
    configuration={"default": SETTINGS, "quick": QUICK},
    threads=2,
    measure=measure,
    aims=aims,
)
