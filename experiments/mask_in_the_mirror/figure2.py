r"""Figure 2 of the preprint: networks trained by the mask and its rivals, then pruned once, without more training.

Beside the preprint's methods there are PILoT, of the later version of the paper, and STR, its strongest rival there.

Strengths: the decay A = α × flow time decides, since the mask's scale falls to a_T = ½e^(−4A); the flow time is the sum
of all learning rates over 1 − 0.9, for the momentum. The preprint's α = 10⁻⁴, 3·10⁻⁴, 10⁻³ belong to 150
epochs of CIFAR, a flow time of 15,000 at the learning rate 0.1, so that A = 1.5 for the weakest. The 4,000 images here
give a flow time of a few hundred, and A = 1.5 needs strengths thirty times as large. An optimum at an end of a grid
extends the grid; what is compared stands in :mod:`experiments.mask_in_the_mirror.comparisons`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as student

from experiments.engine import Data, Sweep
from experiments.experiment import Experiment
from experiments.markdown_table import markdown_table
from experiments.mask_in_the_mirror import comparisons, pruning
from experiments.mask_in_the_mirror.pruning import GRID, UNREGULARIZED, label, look
from implicit_bias import Claim, plotting

# Steps of at most a factor of ten in each method's own strength, as many for every method, from no visible effect to
# too much of it.
STRENGTHS = {
    "dense": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 4e-2],
    "l1": [3e-5, 1e-4, 2e-4, 4e-4, 7e-4, 1e-3, 2e-3],
    "l1-mask": [1e-5, 1e-4, 3e-4, 1e-3, 2e-3, 4e-3, 7e-3],
    UNREGULARIZED: [0.0],
    "mask": [3e-4, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 7e-3],
    "spred": [1e-4, 3e-4, 7e-4, 1e-3, 1.5e-3, 2e-3, 3e-3],
    "pilot": [3e-4, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 7e-3],
    "continuous-sparsification": [1e-6, 1e-5, 6e-5, 1e-4, 2e-4, 5e-4, 1e-3],
    "powerpropagation": [1e-4, 3e-4, 7e-4, 1e-3, 2e-3, 3e-3, 5e-3],
    "str": [3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 7e-3, 1e-2],
}
PREPRINTS = {curve: [0.0] if curve == UNREGULARIZED else [1e-4, 3e-4, 1e-3] for curve in STRENGTHS}
# For 7 epochs in batches of 64. LeNet has a smaller learning rate for masks.
SHORT = {
    "dense": [4e-3, 8e-3, 1.6e-2],
    "l1": [4.8e-3, 9.6e-3, 1.9e-2],
    "l1-mask": [4e-3, 7e-3, 1.1e-2],
    UNREGULARIZED: [0.0],
    "mask": [3e-3, 4.5e-3, 7e-3],
    "spred": [2e-3, 3e-3, 4.5e-3],
    "pilot": [3e-3, 4.5e-3, 7e-3],
    "continuous-sparsification": [2.4e-3, 4.8e-3, 9.6e-3],
    "powerpropagation": [4e-3, 6e-3, 9e-3],
    "str": [1.2e-2, 1.8e-2, 2.7e-2],
}
SHORT_LENET = {
    "dense": [8e-3, 1.6e-2, 3.2e-2],
    "l1": [1.2e-3, 2.4e-3, 4.8e-3],
    "l1-mask": [3.2e-3, 5e-3, 8e-3],
    UNREGULARIZED: [0.0],
    "mask": [2e-3, 4e-3, 6e-3],
    "spred": [1.3e-3, 2.7e-3, 4e-3],
    "pilot": [2e-3, 4e-3, 6e-3],
    "continuous-sparsification": [3e-4, 6e-4, 1.2e-3],
    "powerpropagation": [4e-3, 6e-3, 9e-3],
    "str": [8e-3, 1.2e-2, 1.8e-2],
}
# Eight times as long a training needs an eighth of the strength for the same decay.
LONG = {
    curve: [0.0] if curve == UNREGULARIZED else [row[1] / 8 * 2.0**k for k in range(-3, 4)]
    for curve, row in SHORT.items()
}


@dataclass(frozen=True)
class TunedNetwork(pruning.Network):
    """A network, the strengths to begin with, by curve, and how many seeds choose among them."""

    strengths: Mapping[str, Sequence[float]] = field(default_factory=dict)
    tuning_seeds: int = 1


@dataclass(frozen=True)
class Settings:
    """The networks, and how they are trained, chosen and pruned.

    Attributes:
        networks: The networks with their strengths.
        held_out: The part of the training images on which strengths are chosen.
        sparsities: The fractions of weights that are pruned.
        tuning_sparsities: Those whose mean accuracy chooses a strength.
        most_extensions: How often a grid whose best strength is at an end may grow by one.
        pilot_delta: δ of PILoT's schedule.
        data_folder: Where the images are.
        device: Where to train.
    """

    networks: Sequence[TunedNetwork]
    held_out: float = 0.2
    sparsities: Sequence[float] = GRID
    tuning_sparsities: Sequence[float] = GRID[8::3]
    most_extensions: int = 6
    pilot_delta: float = 1.05
    data_folder: str | None = None
    device: str = "cpu"


def tuned(network: pruning.Network, strengths: Mapping[str, Sequence[float]], **changes: Any) -> TunedNetwork:
    """The network with these strengths and changes."""
    return TunedNetwork(**{**vars(network), **changes}, strengths=strengths)


FULL = Settings([tuned(pruning.LENET, STRENGTHS), tuned(pruning.CONVNET, LONG, epochs=56)])
SETTINGS = Settings(
    [
        tuned(pruning.SMALL_LENET, SHORT_LENET, epochs=7, seeds=20, tuning_seeds=3),
        tuned(pruning.CONVNET, SHORT, epochs=7, seeds=4),
    ]
)
QUICK_STRENGTHS = {"dense": [3e-2], UNREGULARIZED: [0.0], "mask": [1e-2, 3e-2], "pilot": [3e-2]}
QUICK = Settings(
    # At this learning rate no run comes near the end of stability, where every rounding would show.
    [
        replace(
            network,
            epochs=2,
            share=0.5,
            seeds=2,
            tuning_seeds=1,
            masked_learning_rate=0.1,
            undecayed_learning_rate=0.1,
            strengths=QUICK_STRENGTHS,
        )
        for network in SETTINGS.networks
    ],
    sparsities=GRID[::4],
    tuning_sparsities=GRID[8::8],
    most_extensions=0,
)
FASHION = [
    tuned(
        network,
        {**STRENGTHS, "ham": [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]},
        data="fashion-mnist",
        pooling=1,
        epochs=25,
        batch_size=256,
        seeds=seeds,
        tuning_seeds=min(seeds, 5),
        together=seeds,
    )
    for network, seeds in ((pruning.LENET, 20), (pruning.CONVNET, 20), (pruning.RESNET20, 5))
]


def cifar(network: pruning.Network) -> Settings:
    """The preprint's sizes, for one of its networks."""
    return Settings([tuned(network, PREPRINTS)], held_out=0.1, most_extensions=0)


def compute(settings: Settings, sweep: Sweep) -> Data:
    """Choose a strength for each method and network on held-out training images, then train with it on all of them."""
    networks = settings.networks
    curves = list(networks[0].strengths)
    most = max(network.seeds for network in networks)
    tried = _tried(settings, curves, sweep)
    count = max(len(row) for row in tried.values())
    strengths = np.full((len(networks), len(curves), count), np.nan)
    validation = np.full((*strengths.shape, len(settings.tuning_sparsities)), np.nan)
    chosen = np.zeros(strengths.shape[:2])
    for place, row in tried.items():
        for s, (strength, accuracy) in enumerate(sorted(row.items())):
            strengths[(*place, s)], validation[(*place, s)] = strength, accuracy.mean(axis=0)
        chosen[place] = _best(row)

    def results(places: Sequence[tuple[int, str, float]], sparsities: Sequence[float], text: str) -> list[np.ndarray]:
        grid = [
            _task(settings, networks[n], curve, strength, seeds, sparsities, None)
            for n, curve, strength in places
            for seeds in networks[n].groups()
        ]
        rows = iter(sweep(pruning.pruned_once, grid, text))
        return [pruning.by_seed([next(rows)["accuracy"] for _ in networks[n].groups()], most) for n, _, _ in places]

    places = [(n, curve, float(chosen[n, c])) for n in range(len(networks)) for c, curve in enumerate(curves)]
    accuracy = results(places, settings.sparsities, "figure2: seeds")
    # The cost of pruning is counted from a dense net that was not regularized for it.
    references = results([(n, "dense", 0.0) for n in range(len(networks))], [0.0], "figure2: references")
    sparsity, accuracy = np.array(settings.sparsities), np.reshape(accuracy, (len(networks), len(curves), most, -1))
    differences = [
        comparisons.one_shot_differences(dict(zip(curves, rows, strict=True)), reference[:, 0], sparsity)
        for rows, reference in zip(accuracy, references, strict=True)
    ]
    return {
        "network": np.array([network.model for network in networks]),
        "title": np.array([network.title for network in networks]),
        "seeds": np.array([network.seeds for network in networks]),
        "curve": np.array(curves),
        "strengths": strengths,
        "tuning_sparsity": np.array(settings.tuning_sparsities),
        "validation_accuracy": validation,
        "chosen_strength": chosen,
        "sparsity": sparsity,
        "accuracy": accuracy,
        "reference_accuracy": np.reshape(references, (len(networks), most)),
        "comparison": np.array(list(differences[0])),
        "difference": np.array([list(each.values()) for each in differences]),
    }


def _task(
    settings: Settings,
    network: TunedNetwork,
    curve: str,
    strength: float,
    seeds: Sequence[int],
    sparsities: Sequence[float],
    held_out: float | None,
) -> dict[str, object]:
    return {
        "training": network.training(curve), "curve": curve, "strength": strength, "seeds": seeds,
        "options": {"delta": settings.pilot_delta} if curve == "pilot" else {}, "sparsities": sparsities,
        "held_out": held_out, "folder": settings.data_folder, "device": settings.device,
    }  # fmt: skip


Row = dict[float, np.ndarray]
"""Accuracies on held-out images by strength, (seeds, sparsities)."""


def _tried(settings: Settings, curves: Sequence[str], sweep: Sweep) -> dict[tuple[int, int], Row]:
    """Accuracies of all strengths that were tried, by network and curve; a strength without a choice is not tried."""
    networks, levels = settings.networks, settings.tuning_sparsities
    places = [(n, c) for n in range(len(networks)) for c in range(len(curves))]
    found: dict[tuple[int, int], Row] = {place: {} for place in places}
    wanted = {(n, c): list(networks[n].strengths[curves[c]]) for n, c in places}
    for place, strengths in wanted.items():
        if len(strengths) == 1:
            found[place], wanted[place] = {strengths[0]: np.full((1, len(levels)), np.nan)}, []
    for extensions in range(1 + settings.most_extensions):
        if extensions:
            wanted = {place: _extension(row) for place, row in found.items() if len(row) > 1}
        tries = [
            (place, strength, networks[place[0]].groups(networks[place[0]].tuning_seeds))
            for place, strengths in wanted.items()
            for strength in strengths
        ]
        grid = [
            _task(settings, networks[n], curves[c], strength, seeds, levels, settings.held_out)
            for (n, c), strength, groups in tries
            for seeds in groups
        ]
        rows = iter(sweep(pruning.pruned_once, grid, "figure2: strengths"))
        for place, strength, groups in tries:
            found[place][strength] = np.concatenate([next(rows)["accuracy"] for _ in groups])
    return found


def _best(row: Row) -> float:
    """The strength with the highest mean accuracy, of equally good ones the weakest; runs that failed are the worst."""
    return max(sorted(row), key=lambda strength: float(np.nan_to_num(row[strength], nan=-1.0).mean()))


def _extension(row: Row) -> list[float]:
    """The next strength to try if the best one is at an end of the grid, unless strength 0 is as good."""
    best, positive = _best(row), sorted(strength for strength in row if strength > 0)
    up, down = (positive[-1] / positive[-2], positive[1] / positive[0]) if len(positive) > 1 else (2.0, 2.0)
    if best == positive[-1]:
        return [_rounded(up * positive[-1])]
    if best != positive[0]:
        return []
    if 0.0 not in row:
        return [0.0]
    return [_rounded(positive[0] / down)] if _is_worse(row[0.0], row[best]) else []


def _rounded(strength: float) -> float:
    """Three digits, as people write strengths."""
    return float(f"{strength:.3g}")


def _is_worse(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the mean accuracy of one is below the other's by more than half of Student's 95 % interval."""
    gaps = (other - one).mean(axis=1)
    if len(gaps) == 1 or np.isnan(gaps).any():
        return not gaps.mean() <= 0
    return bool(gaps.mean() > student.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps)))


FEATURED = ("mask", "dense", "l1", "str")  # the others are grey, and in the table; PILoT is where the mask is


def draw(data: Data) -> Figure:
    """Error against sparsity for each network; below, the paired differences that are judged at one sparsity."""
    count = len(data["network"])
    figure, grid = plt.subplots(2, count, figsize=(7.2, 6.4), layout="constrained", squeeze=False, sharey="row")
    for n in range(count):
        _draw_errors(grid[0, n], data, n)
        _draw_differences(grid[1, n], data, n)
    grid[0, 0].set_ylabel("test error (%)")
    return figure


def _draw_errors(axes: Axes, data: Data, n: int) -> None:
    mean, half = pruning.mean_and_interval(100 * (1 - _accuracy(data, n)))
    ends = {}
    for c, curve in enumerate(map(str, data["curve"])):
        if curve in FEATURED:
            pruning.draw_errors(
                axes, data["sparsity"], mean[c], half[c], (c % 5, 5), lw=1.3, ms=3.5, zorder=3, **look(curve)
            )
            ends[curve] = mean[c, -1]
        else:
            axes.plot(100 * (1 - data["sparsity"]), mean[c], color=plotting.GREYS["background"], lw=0.8, zorder=1)
    pruning.weights_left_axis(axes, data["sparsity"])
    pruning.error_axis(axes, 0.8 * np.nanmin(mean))
    _label_ends(axes, ends, 100 * (1 - float(data["sparsity"].max())))
    axes.set_title(f"{data['title'][n]},\n{data['seeds'][n]} seeds")


def _label_ends(axes: Axes, ends: Mapping[str, float], place: float) -> None:
    """Names at the ends of curves, moved apart where they would collide."""
    low, high = axes.get_ylim()
    known = {curve: height for curve, height in ends.items() if np.isfinite(height)}
    least, before = 0.055 * np.log(high / low), -np.inf
    for curve in sorted(known, key=lambda curve: known[curve]):
        height = max(np.log(known[curve]), before + least)
        before = height
        axes.annotate(
            label(curve), (place, np.exp(height)), (4, 0), textcoords="offset points", va="center", fontsize=7,
            color=look(curve)["color"], annotation_clip=False,
        )  # fmt: skip


def _draw_differences(axes: Axes, data: Data, n: int) -> None:
    accuracy, columns = _accuracy(data, n), comparisons.columns(data["sparsity"])
    k = columns[len(columns) // 2]
    row = {str(curve): c for c, curve in enumerate(data["curve"])}
    pairs = [(one, other) for one, other, _ in comparisons.ONE_SHOT if one in row and other in row]
    for height, (one, other) in enumerate(reversed(pairs)):
        gaps = 100 * (accuracy[row[one], :, k] - accuracy[row[other], :, k])
        axes.plot(gaps, np.full(len(gaps), height), "|", ms=5, mew=0.5, color=plotting.GREYS["guide"])
        (mean,), (half,) = pruning.mean_and_interval(gaps[:, None])
        axes.errorbar(mean, height, xerr=half, fmt="o", ms=4, lw=1.2, color=look(one)["color"])
    axes.axvspan(-comparisons.MARGIN, comparisons.MARGIN, color=plotting.GREYS["band"], zorder=0)
    axes.axvline(0, color=plotting.GREYS["guide"], lw=0.7, zorder=0)
    axes.set_yticks(range(len(pairs)), [f"{label(one)} − {label(other)}" for one, other in reversed(pairs)])
    axes.set_xscale("symlog", linthresh=2, linscale=1.0)
    axes.set_xticks([-50, -10, -2, 0, 2, 10, 50], ["−50", "−10", "−2", "0", "2", "10", "50"])
    axes.minorticks_off()
    axes.set_xlabel(f"points ahead with {pruning.percent(float(data['sparsity'][k]))} pruned")


def _accuracy(data: Data, n: int) -> np.ndarray:
    """Accuracies of a network, (curves, seeds, sparsities)."""
    return data["accuracy"][n][:, : int(data["seeds"][n])]


def table(data: Data) -> str:
    """Accuracies with their intervals, the strengths that tuning chose, and all comparisons."""
    columns = pruning.nearest(data["sparsity"], (0, 0.8, 0.9, 0.95, 0.98, 0.99))
    levels = data["tuning_sparsity"]
    sections = [
        "Test accuracy in per cent after pruning this part of the weights in one shot: mean over seeds with Student's\n"
        "95 % confidence interval. The strength is the one with the best mean accuracy from "
        f"{pruning.percent(levels.min())} to {pruning.percent(levels.max())} sparsity\non held-out training images, "
        "* if it is the largest or the smallest of those tried. Test images took no part in this\nchoice."
    ]
    for n, title in enumerate(data["title"]):
        mean, half = pruning.mean_and_interval(100 * _accuracy(data, n))
        head = ["method", "strength", "of", *(pruning.percent(data["sparsity"][k]) for k in columns)]
        rows = []
        for c, curve in enumerate(map(str, data["curve"])):
            tried, chosen = data["strengths"][n, c][np.isfinite(data["strengths"][n, c])], data["chosen_strength"][n, c]
            mark = "*" if len(tried) > 1 and 0 < chosen in (tried.min(), tried.max()) else ""
            found = [pruning.with_interval(mean[c, k], half[c, k]) for k in columns]
            rows.append([label(curve), f"{chosen:g}{mark}", ", ".join(f"{each:g}" for each in tried), *found])
        reference = data["reference_accuracy"][n, : int(data["seeds"][n]), None]
        (mean,), (half,) = pruning.mean_and_interval(100 * reference)
        text = f"A dense net trained without regularization and not pruned: {pruning.with_interval(mean, half)}."
        family = _family(data, n)
        pairs = comparisons.pairs_table(family, data["sparsity"])
        text += f" {comparisons.loss_sentence(family, data['sparsity'])}"
        sections.append(f"## {title}, {data['seeds'][n]} seeds\n\n{markdown_table(head, rows)}\n\n{text}\n\n{pairs}")
    return "\n\n".join(sections) + "\n"


def _family(data: Data, n: int) -> comparisons.Family:
    return comparisons.judged(data, n, str(data["title"][n]))


def observations(data: Data) -> list[Claim]:
    """The preprint's statements about one-shot pruning, and what else is compared, checked in these runs."""
    return [
        claim
        for n, network in enumerate(data["network"])
        for claim in comparisons.one_shot_claims(_family(data, n), f"figure2/{network}", data["sparsity"])
    ]


EXPERIMENT = Experiment(
    name="figure2",
    title="One-shot pruning: the mask against its rivals",
    caption=(
        "Test error of networks from which all but the largest weights are cut after training, at the preprint's 26 "
        "sparsities (0 and 1 − 0.8ᵏ): means over seeds, with 95 % intervals at a few of them; methods without a name "
        "here are light grey. Each method has one strength a network, the best of a grid on held-out training images, "
        "where its mean error over the sparsities from 83 % to 99 % counts. Below: differences of accuracies, paired "
        "by seed (ticks), with their means and 95 % intervals, each for itself; the band is the margin of half a point "
        "within which two methods count as equivalent. Verdicts are corrected over all comparisons of a network (by "
        "Holm); seeds differ in initial weights and batches, on the same test images. Some masks have a higher "
        "learning rate, which was not tuned (see the manifest)."
    ),
    expectation=(
        "The preprint's figure 2 (ResNet-20 on CIFAR-10, ResNet-18 on CIFAR-100): the mask with regularization stays "
        "accurate up to higher sparsities than its rivals. The later paper: so does PILoT, before STR and spred. "
        "Theory says nothing about which network ends up more accurate."
    ),
    configuration={
        "default": SETTINGS,
        "quick": QUICK,
        "full": FULL,
        "fashion-mnist": Settings(FASHION, most_extensions=3),
        "cifar10": cifar(pruning.RESNET20),
        "cifar100": cifar(pruning.RESNET18),
    },
    compute=compute,
    draw=draw,
    # Rounding grows in training as any difference does, and decides single images of a thousand, or which of two
    # strengths is chosen; a wrong method or data set shows all the same.
    tolerances={
        **dict.fromkeys(("accuracy", "validation_accuracy", "reference_accuracy"), 0.25),
        "chosen_strength": 2e-2,
    },
    observations=observations,
    table=table,
)
