"""The cost of a mask: time and memory of a training step, masked against dense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from experiments.benchmarks.benchmark import Aim, Benchmark, Row, Track
from experiments.benchmarks.timing import in_turn


@dataclass(frozen=True)
class Settings:
    """The networks.

    Attributes:
        models: The shape of an image, by network.
        batch_size: Images in a batch, by network.
        steps: How many are timed together, by network.
        rounds: How often.
    """

    models: Mapping[str, tuple[int, int, int]]
    batch_size: Mapping[str, int]
    steps: Mapping[str, int]
    rounds: int = 9


SETTINGS = Settings(
    models={"lenet": (1, 28, 28), "convnet": (1, 28, 28), "resnet20": (3, 32, 32)},
    batch_size={"lenet": 256, "convnet": 256, "resnet20": 64},
    steps={"lenet": 40, "convnet": 5, "resnet20": 1},
)
QUICK = replace(SETTINGS, models={"lenet": (1, 8, 8)}, steps={"lenet": 2}, rounds=2)


def measure(settings: Settings, track: Track) -> list[Row]:
    """Two rows a model: its dense step and its masked step, timed in turn."""
    return [
        row
        for name, shape in track(settings.models.items(), "masked step")
        for row in _measure_model(name, shape, settings)
    ]


def _measure_model(name: str, shape: tuple[int, int, int], settings: Settings) -> list[Row]:
    import torch

    from implicit_bias import masking

    tasks, held = {}, {}
    images = torch.randn(settings.batch_size[name], *shape, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(10, (len(images),), generator=torch.Generator().manual_seed(1))
    for variant in ("dense", "masked"):
        model = _network(name, shape)
        if variant == "masked":
            masking.mask(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, fused=True)
        tasks[variant] = _steps(model, optimizer, images, labels, settings.steps[name])
        tasks[variant]()  # allocates gradients and momentum
        kept = [*model.parameters(), *masking.effective_weights(model).values()]
        kept += [p.grad for p in model.parameters()]
        kept += [state["momentum_buffer"] for state in optimizer.state.values()]
        held[variant] = sum(tensor.numel() * tensor.element_size() for tensor in kept)
    timings = in_turn(tasks, dict.fromkeys(tasks, settings.rounds))
    return [
        {
            "model": name,
            "batch_size": len(images),
            "variant": variant,
            "seconds_per_step": timings[variant].median / settings.steps[name],
            "ratio": timings[variant].over(timings["dense"]),
            "weight_bytes": held[variant],
            "weight_bytes_ratio": held[variant] / held["dense"],
            "rounds": len(timings[variant].seconds),
            "cores": round(timings[variant].cores, 2),
        }
        for variant in tasks
    ]


def _network(name: str, shape: tuple[int, int, int]):
    import torch

    from implicit_bias.training.models import MODELS

    torch.manual_seed(0)
    return MODELS[name](shape, 10)


def _steps(model, optimizer, images, labels, count: int) -> Callable[[], None]:
    import torch

    def run() -> None:
        for _ in range(count):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()

    return run


def aims(rows: list[Row]) -> list[Aim]:
    """Little above dense for the convolutional net."""
    return [
        Aim(f"masked step of {row['model']}, batch {row['batch_size']}: time over dense", 1.15, row["ratio"], False)
        for row in rows
        if row["variant"] == "masked" and row["model"] == "convnet"
    ]


BENCHMARK = Benchmark(
    name="masked_step",
    title="A training step, masked against dense",
    explanation=(
        "Forward, backward and a step of SGD with momentum in float32, on one random batch. Weight bytes: parameters, "
        "gradients, momentum and, if masked, the effective weights that the backward pass keeps; activations are the "
        "same in both and left out."
    ),
    configuration={"default": SETTINGS, "quick": QUICK},
    threads=1,
    measure=measure,
    aims=aims,
)
