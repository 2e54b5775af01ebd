"""The fast steps of training: channels last, bfloat16 and compiled passes, against the plain step of `train`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from experiments.benchmarks.benchmark import Aim, Benchmark, Row, Track

if TYPE_CHECKING:
    from implicit_bias.training import ImageData

BFLOAT16 = {"precision": "bf16-mixed"}
VARIANTS = {
    "plain": {},
    "channels last": {"channels_last": True},
    "bfloat16": BFLOAT16,
    "channels last, bfloat16": {"channels_last": True, **BFLOAT16},
    "compiled": {"compiled": True},
    "compiled, channels last, bfloat16": {"compiled": True, "channels_last": True, **BFLOAT16},
}
AIMS = {"resnet20": 3.5e-3, "resnet18": 6e-3}
"""Seconds of the fastest masked step, batch 256, on one H200."""


@dataclass(frozen=True)
class Settings:
    """The networks.

    Attributes:
        models: Networks by device.
        shape: Of an image.
        batch_size: Images in a step.
        steps: Of an epoch, by device.
        epochs: That count; one before them compiles and warms up.
        rounds: How often all variants are trained in turn.
        variants: Keys of :data:`VARIANTS`, the plain one among them.
    """

    models: Mapping[str, tuple[str, ...]]
    steps: Mapping[str, int]
    shape: tuple[int, int, int] = (3, 32, 32)
    batch_size: int = 256
    epochs: int = 2
    rounds: int = 3
    variants: tuple[str, ...] = tuple(VARIANTS)


SETTINGS = Settings(models={"cpu": ("convnet",), "cuda": ("resnet20", "resnet18")}, steps={"cpu": 4, "cuda": 100})
QUICK = replace(
    SETTINGS,
    models={"cpu": ("lenet",), "cuda": ("lenet",)},
    shape=(1, 8, 8),
    steps={"cpu": 2, "cuda": 2},
    rounds=1,
    variants=tuple(variant for variant in VARIANTS if "compiled" not in variant),  # which takes long
)


def measure(settings: Settings, track: Track) -> list[Row]:
    """A row for each network and variant, on the GPU if there is one."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = _images(settings, settings.steps[device])
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    return [
        row for model in settings.models[device] for row in _measure_model(model, data, device, name, settings, track)
    ]


def _images(settings: Settings, steps: int) -> ImageData:
    import torch

    from implicit_bias.training import ImageData, Images

    random = torch.Generator().manual_seed(0)
    count = steps * settings.batch_size
    pixels = torch.randint(256, (count, *settings.shape), generator=random, dtype=torch.uint8)
    labels = torch.randint(10, (count,), generator=random)
    images = Images(pixels, labels)
    return ImageData("random", images, images, classes=10, augment=True).untested()


def _measure_model(model: str, data: ImageData, device: str, name: str, settings: Settings, track: Track) -> list[Row]:
    from implicit_bias.training import METHODS, build, train

    steps, found = settings.steps[device], {variant: [] for variant in settings.variants}
    turns = [variant for _ in range(settings.rounds) for variant in settings.variants]
    for variant in track(turns, f"fast step of {model}"):
        result = train(
            build(model, data), data, METHODS["mask"](1e-4), epochs=1 + settings.epochs,
            batch_size=settings.batch_size, learning_rate=0.01, device=device, **VARIANTS[variant],
        )  # fmt: skip
        found[variant].append(np.median([record.seconds for record in result.history[1:]]) / steps)
    seconds = {variant: np.array(values) for variant, values in found.items()}
    return [
        {
            "model": model,
            "device": name,
            "batch_size": settings.batch_size,
            "variant": variant,
            "seconds_per_step": float(np.median(values)),
            "ratio": float(np.median(values / seconds["plain"])),
            "rounds": settings.rounds,
        }
        for variant, values in seconds.items()
    ]


def aims(rows: list[Row]) -> list[Aim]:
    """The fastest step of each network on a GPU; on a CPU nothing is aimed at."""
    return [
        Aim(f"fastest masked step of {model}, batch {rows[0]['batch_size']}, in seconds", aim, min(measured), False)
        for model, aim in AIMS.items()
        if (measured := [row["seconds_per_step"] for row in rows if row["model"] == model and row["device"] != "CPU"])
    ]


BENCHMARK = Benchmark(
    name="fast_step",
    title="The step of training, plain and fast",
    explanation=(
        "A step of `training.train` with a mask, as a user gets it: random images with shifts, forward, backward, SGD "
        "with momentum, and the records of an epoch; on a GPU residual networks, on a CPU a small one. "
        "Compilation is in an epoch before those that count. Ratios are to the plain step in float32."
    ),
    configuration={"default": SETTINGS, "quick": QUICK},
    threads=2,
    measure=measure,
    aims=aims,
)
