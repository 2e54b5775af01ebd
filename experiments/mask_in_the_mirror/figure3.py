r"""Figure 3 of the preprint: iterative pruning with and without the mask, by rewinding weights or the learning rate.

After every training a fifth of the weights left is pruned. IMP then puts the others back to where they began, LRR
leaves them where they are and only starts the learning rate again; the mask starts anew in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import Data, Sweep
from experiments.experiment import Experiment
from experiments.markdown_table import markdown_table
from experiments.mask_in_the_mirror import pruning
from experiments.mask_in_the_mirror.pruning import KEPT_SHARE
from implicit_bias import Claim, Verdict

HIGH_SPARSITY = 0.9  # where sparsity counts as high
REWINDS = {"weights": "IMP", "learning-rate": "LRR"}
LINES = {"weights": "--", "learning-rate": "-"}
GAIN_COLOURS = {"weights": "0.55", "learning-rate": "0.25"}  # no method has these, as a gain is between two


@dataclass(frozen=True)
class Settings:
    """The networks, and how often they are trained and pruned.

    Attributes:
        networks: The networks.
        strengths: Of the regularizer, by curve.
        cycles: How often a network is trained.
        warm_up: Epochs before the weights that are rewound to.
        seeds: Of initial weights and batches.
        data_folder: Where CIFAR is.
        device: Where to train.
    """

    networks: Sequence[pruning.Network]
    strengths: Mapping[str, float]
    cycles: int = 26
    warm_up: int = 0
    seeds: Sequence[int] = (0, 1, 2)
    data_folder: str | None = None
    device: str = "cpu"


def small(epochs: int, share: float = 1.0) -> list[pruning.Network]:
    """Two small networks, trained for so many epochs on this part of the images.

    Masks have no doubled learning rate as in the preprint: cycles this short may fail at it in the first network.
    """
    networks = (pruning.BRISK_LENET, pruning.CONVNET)
    return [replace(network, masked_learning_rate=0.1, epochs=epochs, share=share) for network in networks]


FULL = Settings(small(10), {"dense": 0.0, "mask": 6e-4})
# A tenth of the steps in a cycle, so five times the strength still is half the decay.
SETTINGS = Settings(small(2, 0.5), {"dense": 0.0, "mask": 3e-3})
QUICK = replace(SETTINGS, networks=small(1, 0.25), cycles=4, seeds=(0, 1))


def cifar(network: pruning.Network) -> Settings:
    """The preprint's sizes, for one of its networks."""
    return Settings([network], {"dense": 0.0, "mask": 1e-4})


def compute(settings: Settings, sweep: Sweep) -> Data:
    """Every network, rewinding, method and seed; the cycles of one are one task, since each begins with the last."""
    networks, seeds = settings.networks, settings.seeds
    grid = [
        {
            "training": network.training(curve), "curve": curve, "strength": strength, "rewind": rewind,
            "cycles": settings.cycles, "warm_up": settings.warm_up, "seed": seed,
            "folder": settings.data_folder, "device": settings.device,
        }
        for network in networks
        for rewind in REWINDS
        for curve, strength in settings.strengths.items()
        for seed in seeds
    ]  # fmt: skip
    runs = sweep(pruning.pruned_in_turn, grid, "figure3")
    shape = (len(networks), len(REWINDS), len(settings.strengths), len(seeds))
    return {
        "network": np.array([network.model for network in networks]),
        "title": np.array([network.title for network in networks]),
        "rewind": np.array(list(REWINDS)),
        "curve": np.array(list(settings.strengths)),
        "strength": np.array(list(settings.strengths.values())),
        "sparsity": 1 - KEPT_SHARE ** np.arange(settings.cycles),
        "accuracy": np.reshape([run["accuracy"] for run in runs], (*shape, -1)),
    }


def draw(data: Data) -> Figure:
    """For each network the error against the weights left, and what the mask gains."""
    count = len(data["network"])
    figure, grid = plt.subplots(
        count, 2, figsize=(7.2, 0.7 + 2.4 * count), layout="constrained", width_ratios=[1.3, 1], squeeze=False
    )
    for n, (left, right) in enumerate(grid):
        _draw_errors(left, data, n)
        _draw_gains(right, data, n)
        for axes in (left, right):
            pruning.weights_left_axis(axes, data["sparsity"])
            if n < count - 1:
                axes.set_xlabel("")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _draw_errors(axes: Axes, data: Data, n: int) -> None:
    mean, half = pruning.mean_and_interval(100 * (1 - data["accuracy"][n]))
    for r, rewind in enumerate(map(str, data["rewind"])):
        for c, curve in enumerate(map(str, data["curve"])):
            pruning.draw_errors(
                axes, data["sparsity"], mean[r, c], half[r, c], (2 * r + c, 4), lw=1.1, ms=3.5, ls=LINES[rewind],
                label=f"{REWINDS[rewind]}, {pruning.label(curve).lower()}", **pruning.look(curve),
            )  # fmt: skip
    pruning.error_axis(axes, 0.8 * np.nanmin(mean), 1.3 * np.nanmax(mean))
    axes.set(ylabel="test error (%)")
    axes.set_title(f"{data['title'][n]} a cycle")


def _draw_gains(axes: Axes, data: Data, n: int) -> None:
    kept = 100 * (1 - data["sparsity"])
    axes.axhline(0, color="0.6", lw=0.7)
    for r, rewind in enumerate(map(str, data["rewind"])):
        mean, half = pruning.mean_and_interval(100 * gains(data)[n, r])
        colour = GAIN_COLOURS[rewind]
        axes.fill_between(kept, mean - half, mean + half, color=colour, alpha=0.15, lw=0)
        axes.plot(kept, mean, color=colour, ls=LINES[rewind], lw=1.2, label=REWINDS[rewind])
    # Means decide the range, since intervals of single cycles may be much wider.
    reach = max(2.0, 200 * float(np.nanmax(np.abs(gains(data)[n].mean(axis=1)), initial=0)))
    axes.set(ylabel="mask − dense (points)", ylim=(-reach, reach))
    if n == 0:
        axes.set_title("What the mask gains in accuracy")
        axes.legend(loc="upper left")


def gains(data: Data) -> np.ndarray:
    """Accuracy with the mask minus that without, paired by seed: shape (networks, rewindings, seeds, cycles)."""
    row = {str(curve): c for c, curve in enumerate(data["curve"])}
    return data["accuracy"][:, :, row["mask"]] - data["accuracy"][:, :, row["dense"]]


def table(data: Data) -> str:
    """Accuracies with their intervals, and what the mask gains."""
    columns = pruning.nearest(data["sparsity"], (0, 0.8, 0.9, 0.95, 0.98, 0.99, 0.996))
    seeds = data["accuracy"].shape[3]
    strengths = ", ".join(
        f"{strength:g} for {pruning.label(str(curve)).lower()}"
        for curve, strength in zip(data["curve"], data["strength"], strict=True)
    )
    sections = [
        f"Test accuracy in per cent of networks trained and pruned in turn, by the part of the weights pruned: mean\n"
        f"of {seeds} seeds with Student's 95 % confidence interval; differences are paired by seed. IMP rewinds the\n"
        f"weights and LRR the learning rate. Strengths: {strengths}."
    ]
    for n, title in enumerate(data["title"]):
        rows = []
        for r, rewind in enumerate(map(str, data["rewind"])):
            parts = [
                *zip([pruning.label(str(curve)) for curve in data["curve"]], data["accuracy"][n, r], strict=True),
                ("mask − dense", gains(data)[n, r]),
            ]
            for name, values in parts:
                mean, half = pruning.mean_and_interval(100 * values)
                rows.append([REWINDS[rewind], name, *(pruning.with_interval(mean[k], half[k]) for k in columns)])
        head = ["rewinding", "network", *(pruning.percent(data["sparsity"][k]) for k in columns)]
        sections.append(f"## {title} a cycle\n\n{markdown_table(head, rows)}")
    return "\n\n".join(sections) + "\n"


def observations(data: Data) -> list[Claim]:
    """The preprint's statements about iterative pruning, checked in these runs.

    The intervals are those of other seeds on the same test images; other images are not in them.
    """
    return [
        Claim(
            f"figure3/{network}/mask-improves-{REWINDS[str(rewind)].lower()}",
            rf"\text{{the mask improves {REWINDS[str(rewind)]} at high sparsity}}",
            "preprint, figure 3",
            check=lambda n=n, r=r: _improves(data, n, r),
        )
        for n, network in enumerate(data["network"])
        for r, rewind in enumerate(data["rewind"])
    ]


def _improves(data: Data, n: int, r: int) -> Verdict:
    """The verdict on the mask's gain, from the interval of its mean over the highest sparsities."""
    high = data["sparsity"] >= min(HIGH_SPARSITY, data["sparsity"].max())
    row = {str(curve): c for c, curve in enumerate(data["curve"])}
    found = {curve: data["accuracy"][n, r, row[curve]][:, high] for curve in ("mask", "dense")}
    if lost := pruning.without_numbers(found):
        return lost
    mask, dense = (accuracy.mean(axis=1) for accuracy in found.values())
    gap, half = pruning.paired_difference(mask, dense)
    levels = f"{pruning.percent(data['sparsity'][high].min())} to {pruning.percent(data['sparsity'].max())}"
    return pruning.ahead(
        [(gap, half)],
        f"{REWINDS[str(data['rewind'][r])]} with the mask minus without, mean from {levels}: {gap:+.1f} ± {half:.1f}",
    )


EXPERIMENT = Experiment(
    name="figure3",
    title="Iterative pruning with and without the mask",
    caption=(
        "Test error of networks that are trained, lose a fifth of their weights, and are trained again, 25 times over: "
        "by rewinding the weights (IMP, dashed) or the learning rate (LRR, solid), with and without the mask; means "
        "over seeds, with 95 % intervals at a few sparsities. Right: what the mask gains, paired by seed, with its "
        "95 % interval."
    ),
    expectation=(
        "The preprint's figure 3 (ResNet-20 on CIFAR-10, ResNet-18 on CIFAR-100): the mask improves both IMP and LRR "
        "at high sparsity. Theory makes no such statement."
    ),
    configuration={
        "default": SETTINGS,
        "quick": QUICK,
        "full": FULL,
        "cifar10": cifar(pruning.RESNET20),
        "cifar100": cifar(pruning.RESNET18),
    },
    compute=compute,
    draw=draw,
    # Rounding grows in training as any difference does, and decides single images of a thousand; a wrong method or
    # data set shows all the same.
    tolerances={"accuracy": 0.25},
    observations=observations,
    table=table,
)
