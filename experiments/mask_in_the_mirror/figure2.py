r"""Figure 2 of the preprint: networks trained by the mask and its rivals, then pruned once, without more training.

Beside the preprint's methods there are PILoT, of the later version of the paper, and STR, its strongest rival there.

Strengths: the decay A = α × flow time decides, since the mask's scale falls to a_T = ½e^(−4A); the flow time is the sum
of all learning rates over 1 − 0.9, for the momentum. The preprint's α = 10⁻⁴, 3·10⁻⁴, 10⁻³ belong to 150
epochs of CIFAR, a flow time of 15,000 at the learning rate 0.1, so that A = 1.5 for the weakest. The 4,000 images here
give a flow time of a few hundred, and A = 1.5 needs strengths thirty times as large.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from experiments.engine import Data, Sweep
from experiments.experiment import Experiment
from experiments.markdown_table import markdown_table
from experiments.mask_in_the_mirror import pruning
from experiments.mask_in_the_mirror.pruning import GRID, UNREGULARIZED, label, look
from implicit_bias import Claim, Verdict, plotting
from implicit_bias.claims.judge import from_residual

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
# For 7 epochs in batches of 64. LeNet has a smaller learning rate for masks, which need larger strengths there.
SHORT = {
    "dense": [8e-3, 1.6e-2, 3.2e-2],
    "l1": [1.2e-3, 2.4e-3, 4.8e-3],
    "l1-mask": [1.2e-3, 2.4e-3, 4e-3],
    UNREGULARIZED: [0.0],
    "mask": [1.5e-3, 3e-3, 4.5e-3],
    "spred": [1e-3, 2e-3, 3e-3],
    "pilot": [1.5e-3, 3e-3, 4.5e-3],
    "continuous-sparsification": [3e-4, 6e-4, 1.2e-3],
    "powerpropagation": [2e-3, 4e-3, 6e-3],
    "str": [4e-3, 8e-3, 1.2e-2],
}
SHORT_LENET = SHORT | {
    "l1-mask": [1.6e-3, 3.2e-3, 5e-3],
    "mask": [2e-3, 4e-3, 6e-3],
    "spred": [1.3e-3, 2.7e-3, 4e-3],
    "pilot": [2e-3, 4e-3, 6e-3],
}
# Eight times as long a training needs an eighth of the strength for the same decay.
LONG = {
    curve: [0.0] if curve == UNREGULARIZED else [row[1] / 8 * 2.0**k for k in range(-3, 4)]
    for curve, row in SHORT.items()
}


@dataclass(frozen=True)
class TunedNetwork(pruning.Network):
    """A network, and the strengths to choose from, by curve."""

    strengths: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Settings:
    """The networks, and how they are trained, chosen and pruned.

    Attributes:
        networks: The networks with their strengths.
        seeds: Of initial weights and batches; strengths are chosen with the first.
        held_out: The part of the training images on which strengths are chosen.
        sparsities: The fractions of weights that are pruned.
        tuning_sparsities: Those whose mean accuracy chooses a strength.
        decay_strengths: Strengths of the mask that show what decay does to it.
        pilot_delta: δ of PILoT's schedule.
        data_folder: Where CIFAR is.
        device: Where to train.
    """

    networks: Sequence[TunedNetwork]
    seeds: Sequence[int] = (0, 1, 2)
    held_out: float = 0.2
    sparsities: Sequence[float] = GRID
    tuning_sparsities: Sequence[float] = GRID[8::3]
    decay_strengths: Sequence[float] = (0.0, 3e-4, 1e-3, 2e-3, 4e-3, 7e-3)
    pilot_delta: float = 1.05
    data_folder: str | None = None
    device: str = "cpu"


def tuned(network: pruning.Network, strengths: Mapping[str, Sequence[float]], **changes: Any) -> TunedNetwork:
    """The network with these strengths and changes."""
    return TunedNetwork(**vars(replace(network, **changes)), strengths=strengths)


FULL = Settings([tuned(pruning.LENET, STRENGTHS), tuned(pruning.CONVNET, LONG, epochs=56)])
SETTINGS = Settings(
    [tuned(pruning.BRISK_LENET, SHORT_LENET, epochs=7), tuned(pruning.CONVNET, SHORT, epochs=7)],
    decay_strengths=(0.0, 7e-4, 1.4e-3, 2.8e-3, 4e-3, 6e-3),
)
QUICK_STRENGTHS = {"dense": [3e-2], UNREGULARIZED: [0.0], "mask": [1e-2, 3e-2], "pilot": [3e-2]}
QUICK = Settings(
    # At this learning rate no run comes near the end of stability, where every rounding would show.
    [
        replace(
            network,
            epochs=2,
            share=0.5,
            masked_learning_rate=0.1,
            undecayed_learning_rate=0.1,
            strengths=QUICK_STRENGTHS,
        )
        for network in SETTINGS.networks
    ],
    seeds=(0, 1),
    sparsities=GRID[::4],
    tuning_sparsities=GRID[8::8],
    decay_strengths=(0.0, 1e-2, 3e-2),
)


def cifar(network: pruning.Network) -> Settings:
    """The preprint's sizes, for one of its networks."""
    strengths = (0.0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
    return Settings([tuned(network, PREPRINTS)], held_out=0.1, decay_strengths=strengths)


def compute(settings: Settings, sweep: Sweep) -> Data:
    """Choose a strength for each method and network on held-out training images, then train with it on all of them."""
    networks, seeds = settings.networks, settings.seeds
    curves = list(networks[0].strengths)

    def task(
        network: pruning.Network,
        curve: str,
        strength: float,
        seed: int,
        sparsities: Sequence[float],
        held_out: float | None,
    ) -> dict[str, object]:
        return {
            "training": network.training(curve), "curve": curve, "strength": strength, "seed": seed,
            "options": {"delta": settings.pilot_delta} if curve == "pilot" else {}, "sparsities": sparsities,
            "held_out": held_out, "folder": settings.data_folder, "device": settings.device,
        }  # fmt: skip

    places = [
        (n, c, s)
        for n, network in enumerate(networks)
        for c, curve in enumerate(curves)
        for s in range(len(network.strengths[curve]))
    ]
    count = max(len(row) for network in networks for row in network.strengths.values())
    strengths = np.full((len(networks), len(curves), count), np.nan)
    for n, c, s in places:
        strengths[n, c, s] = networks[n].strengths[curves[c]][s]
    is_choice = np.isfinite(strengths).sum(axis=2) > 1
    levels = settings.tuning_sparsities
    validation = np.full((*strengths.shape, len(levels)), np.nan)
    tuned = [place for place in places if is_choice[place[:2]]]
    grid = [task(networks[n], curves[c], strengths[n, c, s], seeds[0], levels, settings.held_out) for n, c, s in tuned]
    for place, found in zip(tuned, sweep(pruning.pruned_once, grid, "figure2: strengths"), strict=True):
        validation[place] = found["accuracy"]
    # Of equally good strengths the weaker one; a single one is never compared.
    best = np.argmax(np.nan_to_num(validation.mean(axis=3), nan=-1.0), axis=2)
    chosen = np.take_along_axis(strengths, best[..., None], axis=2)[..., 0]

    grid = [
        task(network, curve, chosen[n, c], seed, settings.sparsities, None)
        for n, network in enumerate(networks)
        for c, curve in enumerate(curves)
        for seed in seeds
    ]
    runs = sweep(pruning.pruned_once, grid, "figure2: seeds")
    grid = [
        task(networks[0], "mask" if strength else UNREGULARIZED, strength, seeds[0], settings.sparsities, None)
        for strength in settings.decay_strengths
    ]
    decays = sweep(pruning.pruned_once, grid, "figure2: decay")
    # The cost of pruning is counted from a dense net that was not regularized for it.
    grid = [task(network, "dense", 0.0, seed, [0.0], None) for network in networks for seed in seeds]
    references = sweep(pruning.pruned_once, grid, "figure2: references")
    shape = (len(networks), len(curves), len(seeds))
    return {
        "network": np.array([network.model for network in networks]),
        "title": np.array([network.title for network in networks]),
        "curve": np.array(curves),
        "strengths": strengths,
        "tuning_sparsity": np.array(levels),
        "validation_accuracy": validation,
        "chosen_strength": chosen,
        "sparsity": np.array(settings.sparsities),
        "accuracy": np.reshape([run["accuracy"] for run in runs], (*shape, -1)),
        "reference_accuracy": np.reshape([run["accuracy"] for run in references], (len(networks), len(seeds))),
        "decay_strength": np.array(settings.decay_strengths),
        "decay_accuracy": np.array([run["accuracy"] for run in decays]),
        "scale": np.array([run["scale"] for run in decays]),
        "flow_scale": np.array([run["flow_scale"] for run in decays]),
        "decay_scale": np.array([run["decay_scale"] for run in decays]),
    }


def draw(data: Data) -> Figure:
    """Error against sparsity for each network; below, how strengths were chosen and what decay does to the mask."""
    figure = plt.figure(figsize=(7.2, 6.2), layout="constrained")
    count = len(data["network"])
    grid = figure.add_gridspec(2, 6, height_ratios=[1.25, 1])
    tops: list[Axes] = []
    for n in range(count):
        axes = figure.add_subplot(grid[0, 6 * n // count : 6 * (n + 1) // count], sharey=tops[0] if tops else None)
        _draw_network(axes, data, n)
        tops.append(axes)
    tops[0].set_ylabel("test error (%)")
    below = [figure.add_subplot(grid[1, 2 * k : 2 * k + 2]) for k in range(3)]
    _draw_tuning(below[0], data)
    _draw_decay(below[1], data)
    _draw_scale(below[2], data)
    figure.legend(*tops[0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


def _draw_network(axes: Axes, data: Data, n: int) -> None:
    mean, half = pruning.mean_and_interval(100 * (1 - data["accuracy"][n]))
    for c, curve in enumerate(map(str, data["curve"])):
        pruning.draw_errors(
            axes, data["sparsity"], mean[c], half[c], (c % 5, 5), label=label(curve), lw=1.0, ms=3,
            zorder=3 if curve in ("mask", "pilot") else 2, **look(curve),
        )  # fmt: skip
    pruning.weights_left_axis(axes, data["sparsity"])
    pruning.error_axis(axes, 0.8 * np.nanmin(mean))
    axes.set_title(data["title"][n])


def _draw_tuning(axes: Axes, data: Data) -> None:
    error = 100 * (1 - data["validation_accuracy"][0].mean(axis=2))
    for c, curve in enumerate(map(str, data["curve"])):
        axes.plot(data["strengths"][0, c], error[c], lw=1.0, ms=3, **look(curve))
        k = np.flatnonzero(data["strengths"][0, c] == data["chosen_strength"][0, c])
        axes.plot(data["strengths"][0, c, k], error[c, k], "o", ms=7, mfc="none", mew=0.8, color=look(curve)["color"])
    axes.set(xscale="log", xlabel="regularization strength", ylabel="validation error (%)")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title("Strengths chosen on held-out images")


def _draw_decay(axes: Axes, data: Data) -> None:
    left = 100 * (1 - data["sparsity"])
    for colour, accuracy, scale in zip(_decay_colours(data), data["decay_accuracy"], data["scale"], strict=True):
        axes.plot(left, 100 * (1 - accuracy), color=colour, lw=1.2, label=f"{scale:.1g}")
    pruning.weights_left_axis(axes, data["sparsity"])
    pruning.error_axis(axes, 80 * float(np.nanmin(1 - data["decay_accuracy"])))
    axes.set(ylabel="test error (%)", title="What decay does to the mask")
    axes.legend(title="scale $a_T$ left", handlelength=1.0, ncols=2, columnspacing=0.8, loc="upper left")


def _draw_scale(axes: Axes, data: Data) -> None:
    strengths = data["decay_strength"]
    fine = np.linspace(0, strengths.max(), 200)
    # All runs have the same flow time, which the last one's prediction tells.
    rate = np.log(2 * data["flow_scale"][-1]) / strengths[-1]
    axes.plot(fine, 0.5 * np.exp(rate * fine), **plotting.FLOW_LOOK, label=r"flow: $a_T = \frac{1}{2}e^{-4A}$")
    axes.plot(strengths, data["decay_scale"], color="0.6", lw=0.8, label="the optimizer's decay")
    for colour, strength, scale in zip(_decay_colours(data), strengths, data["scale"], strict=True):
        axes.plot(strength, scale, "s", color=colour, ms=4)
    axes.set(yscale="log", xlabel="strength α of the mask", ylabel="median of (m² − w²) / 2")
    axes.set_title("The scale that training leaves")
    axes.legend(loc="upper right")


def _decay_colours(data: Data) -> np.ndarray:
    return mpl.colormaps[plotting.SEQUENCE](np.linspace(0.05, 1, len(data["decay_strength"])))


def table(data: Data) -> str:
    """Accuracies with their intervals, and the strengths that tuning chose."""
    columns = pruning.nearest(data["sparsity"], (0, 0.8, 0.9, 0.95, 0.98, 0.99))
    seeds = data["accuracy"].shape[2]
    levels = data["tuning_sparsity"]
    sections = [
        f"Test accuracy in per cent after pruning this part of the weights in one shot: mean of {seeds} seeds with "
        "Student's\n95 % confidence interval. The strength is the one with the best mean accuracy from "
        f"{pruning.percent(levels.min())} to {pruning.percent(levels.max())} sparsity\non held-out training images, "
        "* if it is the largest or the smallest of those tried. Test images took no part in this\nchoice."
    ]
    for n, title in enumerate(data["title"]):
        mean, half = pruning.mean_and_interval(100 * data["accuracy"][n])
        head = ["method", "strength", "of", *(pruning.percent(data["sparsity"][k]) for k in columns)]
        rows = []
        for c, curve in enumerate(map(str, data["curve"])):
            tried, chosen = data["strengths"][n, c][np.isfinite(data["strengths"][n, c])], data["chosen_strength"][n, c]
            mark = "*" if len(tried) > 1 and chosen in (tried.min(), tried.max()) else ""
            found = [pruning.with_interval(mean[c, k], half[c, k]) for k in columns]
            rows.append([label(curve), f"{chosen:g}{mark}", ", ".join(f"{each:g}" for each in tried), *found])
        (mean,), (half,) = pruning.mean_and_interval(100 * data["reference_accuracy"][n, :, None])
        text = f"A dense net trained without regularization and not pruned: {pruning.with_interval(mean, half)}."
        sections.append(f"## {title}\n\n{markdown_table(head, rows)}\n\n{text}")
    rows = [
        [f"{strength:g}", f"{flow:.2g}", f"{decay:.2g}", f"{scale:.2g}"]
        for strength, flow, decay, scale in zip(
            data["decay_strength"], data["flow_scale"], data["decay_scale"], data["scale"], strict=True
        )
    ]
    sections.append(
        f"## The median of (m² − w²)/2 over all weights, {data['title'][0]}\n\n"
        + markdown_table(["strength α", "flow: ½ e^(−4A)", "the optimizer's decay alone", "after training"], rows)
    )
    return "\n\n".join(sections) + "\n"


def observations(data: Data) -> list[Claim]:
    """The preprint's statements about one-shot pruning, checked in these runs, and the scale that theory predicts.

    The intervals are those of other seeds on the same test images; other images are not in them.
    """
    columns = pruning.nearest(data["sparsity"], (0.95, 0.98, 0.99))
    present = list(map(str, data["curve"]))
    later = ("pilot", "str")
    leads = [("mask", rival, "preprint, figure 2") for rival in present if rival not in ("mask", *later)]
    leads += [("pilot", rival, "paper, one-shot pruning") for rival in ("spred", "str") if rival in present]
    leads += [("pilot", "mask", "this project")]
    found = []
    for n, network in enumerate(data["network"]):
        stem = f"figure2/{network}"
        for one, other, source in leads:
            found.append(
                Claim(
                    f"{stem}/{one}-ahead-of-{other}",
                    rf"\text{{{label(one)} is more accurate than {label(other)} at high sparsity}}",
                    source,
                    check=lambda n=n, one=one, other=other: _is_ahead(data, n, one, other, columns),
                )
            )
        found.append(
            Claim(
                f"{stem}/near-dense",
                r"\text{the mask at 98 \% loses at most 2 points to a dense net without regularization or pruning}",
                "this project",
                check=lambda n=n: _is_near_dense(data, n),
            )
        )
    return [
        *found,
        Claim(
            "figure2/scale",
            r"\operatorname{median}(m_T^2 - w_T^2) = \text{what the optimizer's steps of decay alone leave}",
            "this project",
            uses=("ours/conserved", "ours/flow-heavy-ball"),
            check=lambda: _keeps_scale(data),
        ),
    ]


def _is_ahead(data: Data, n: int, one: str, other: str, columns: Iterable[int]) -> Verdict:
    """The verdict on one method being ahead of another at all of some sparsities."""
    row = {str(name): c for c, name in enumerate(data["curve"])}
    accuracy, columns = data["accuracy"][n], list(columns)
    if lost := pruning.without_numbers({label(curve): accuracy[row[curve]] for curve in (one, other)}):
        return lost
    found = {
        float(data["sparsity"][k]): pruning.paired_difference(
            accuracy[row[one], :, k], accuracy[row[other], :, k], len(columns)
        )
        for k in columns
    }
    text = f"{label(one)} minus {label(other)}: " + ", ".join(
        f"{gap:+.1f} ± {half:.1f} at {pruning.percent(s)}" for s, (gap, half) in found.items()
    )
    return pruning.ahead(found.values(), text)


def _is_near_dense(data: Data, n: int) -> Verdict:
    (k,) = pruning.nearest(data["sparsity"], [0.98])
    level, mask = float(data["sparsity"][k]), list(data["curve"]).index("mask")
    accuracy = {"dense": data["reference_accuracy"][n], "mask": data["accuracy"][n, mask, :, k]}
    if lost := pruning.without_numbers(accuracy):
        return lost
    loss, half = pruning.paired_difference(*accuracy.values())
    text = (
        f"The mask at {pruning.percent(level)} loses {loss:.1f} ± {half:.1f} points to a dense net of "
        f"{100 * accuracy['dense'].mean():.1f} %, trained without regularization and not pruned."
    )
    return from_residual(
        loss + half, 2.0, text, refuted_above=2.0 + 2 * half, sparsity=level, loss=loss,
        tolerance_reason="The loss that the experiment set out to allow.",
    )  # fmt: skip


def _keeps_scale(data: Data) -> Verdict:
    factor = data["scale"] / data["decay_scale"]
    text = ", ".join(
        f"{scale:.3g} beside {decay:.3g} and {flow:.3g}"
        for scale, decay, flow in zip(data["scale"], data["decay_scale"], data["flow_scale"], strict=True)
    )
    return from_residual(
        float(np.max(np.abs(np.log(factor)))), 0.1,
        f"The median of (m² − w²)/2 beside the optimizer's own decay and the flow's ½e^(−4A): {text}.",
        tolerance_reason="Beside decay there are terms in the square of a step's gradient, larger where it is large.",
    )  # fmt: skip


EXPERIMENT = Experiment(
    name="figure2",
    title="One-shot pruning: the mask against its rivals",
    caption=(
        "Test error of networks from which all but the largest weights are cut after training, at the preprint's 26 "
        "sparsities (0 and 1 − 0.8ᵏ): means over seeds, with 95 % intervals at a few of them. Each method has one "
        "strength for each network, the best of a grid on held-out training images, where its mean error over the "
        "sparsities from 83 % to 99 % counts. Below: those errors of the first network, with circles around the chosen "
        "strengths, which may be the ends of the grid; one run of the mask at each of some strengths, which leave it "
        "the scale a_T; and that scale beside ½e^(−4A) and beside what the optimizer's decay alone would leave."
    ),
    expectation=(
        "The preprint's figure 2 (ResNet-20 on CIFAR-10, ResNet-18 on CIFAR-100): the mask with regularization stays "
        "accurate up to higher sparsities than its rivals. The later paper: so does PILoT, before STR and spred. "
        "Theory: decay takes the scale of the mask's potential from ½ to ½e^(−4A), from an L2 to an L1 bias, and more "
        "weights can go without loss. It says nothing about which network ends up more accurate."
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
    # Rounding grows in training as any difference does, and decides single images of a thousand, or which of two
    # strengths is chosen; a wrong method or data set shows all the same, and so does a wrong decay.
    tolerances={
        **dict.fromkeys(("accuracy", "validation_accuracy", "decay_accuracy", "reference_accuracy"), 0.25),
        "chosen_strength": 2e-2,
        "scale": 1e-3,
    },
    observations=observations,
    table=table,
)
