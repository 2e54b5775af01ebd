r"""Figure 2 of the preprint on MNIST: LeNet-300-100 trained by the mask and its rivals, then pruned once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from joblib import Parallel, delayed
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from scipy.stats import t as student

from experiments.experiment import Data, Experiment, Track
from implicit_bias import Claim, Outcome, Status, Verdict, plotting
from implicit_bias.claims import from_residual

# Steps of at most a factor of ten in each method's own strength, as many for every method, from no visible effect to
# too much of it.
STRENGTHS = {
    "dense": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 4e-2],
    "l1": [3e-5, 1e-4, 2e-4, 4e-4, 7e-4, 1e-3, 2e-3],
    "l1-mask": [1e-5, 1e-4, 3e-4, 1e-3, 2e-3, 4e-3, 7e-3],
    "mask": [3e-4, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 7e-3],
    "spred": [1e-4, 3e-4, 7e-4, 1e-3, 1.5e-3, 2e-3, 3e-3],
    "pilot": [3e-4, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 7e-3],
    "continuous-sparsification": [1e-6, 1e-5, 6e-5, 1e-4, 2e-4, 5e-4, 1e-3],
    "powerpropagation": [1e-4, 3e-4, 7e-4, 1e-3, 2e-3, 3e-3, 5e-3],
    "str": [3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 7e-3, 1e-2],
}
FULL = {
    "model": "lenet",
    "strengths": STRENGTHS,
    "epochs": 60,
    "learning_rate": 0.1,
    "batch_size": 256,
    "seeds": [0, 1, 2],
    "held_out": 0.2,
    "sparsities": [0.0, 0.8, 0.9, 0.95, 0.98, 0.99],
    "pilot_delta": 1.05,
    "jobs": 2,
}
SETTINGS = FULL | {"strengths": {name: row[1::2] for name, row in STRENGTHS.items()}, "epochs": 20}
QUICK = FULL | {
    "strengths": {name: STRENGTHS[name][2:4] for name in ("dense", "pilot")},
    "epochs": 2,
    "seeds": [0, 1],
    "sparsities": [0.0, 0.9],
}
CONFIDENCE = 0.95


def trained_accuracies(
    name: str, strength: float, seed: int, settings: Mapping[str, object], tuning: bool
) -> np.ndarray:
    """Accuracies of one run at all sparsities; a run that leaves the floating-point range has accuracy 0.

    Args:
        name: The method.
        strength: Its strength.
        seed: Of initial weights and batches.
        settings: See :data:`FULL`.
        tuning: Whether a part of the training images judges, and takes no part in training.
    """
    import torch

    from implicit_bias.training import METHODS, build, train
    from implicit_bias.training.sparsity_curve import one_shot

    torch.set_num_threads(1)  # runs share the cores
    data = _data(settings["held_out"] if tuning else None)
    method = METHODS[name](strength, **({"delta": settings["pilot_delta"]} if name == "pilot" else {}))
    result = train(
        build(settings["model"], data, seed),
        data,
        method,
        epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        batch_size=settings["batch_size"],
        seed=seed,
        throw=False,
    )
    if result.status is not Status.CONVERGED:
        return np.zeros(len(settings["sparsities"]))
    return one_shot(result.model, data, settings["sparsities"]).accuracy


@cache
def _data(held_out: float | None):
    """MNIST, or its training images split in two; reading it takes longer than an epoch."""
    from implicit_bias.training import load

    return load("mnist") if held_out is None else load("mnist").split(held_out, seed=0)


def compute(settings: Mapping[str, object], track: Track) -> Data:
    """Choose a strength for each method and sparsity on held-out training images, then train with it on all of them."""
    grid = settings["strengths"]
    parallel = Parallel(n_jobs=settings["jobs"], return_as="generator")
    tasks = [(name, strength, settings["seeds"][0], True) for name in grid for strength in grid[name]]
    tuned = _run(parallel, tasks, settings, track, "mnist: strengths")
    count = len(next(iter(grid.values())))
    validation = np.reshape(tuned, (len(grid), count, -1))
    # The best strength for each sparsity; a tie goes to the weaker one.
    best = validation.argmax(axis=1)
    used = [(name, k) for name, row in zip(grid, best, strict=True) for k in sorted(set(row.tolist()))]
    tasks = [(name, grid[name][k], seed, False) for name, k in used for seed in settings["seeds"]]
    found = _run(parallel, tasks, settings, track, "mnist: seeds")
    runs = dict(zip(used, np.reshape(found, (len(used), len(settings["seeds"]), -1)), strict=True))
    accuracy = [
        [runs[name, k][:, column] for column, k in enumerate(row.tolist())]
        for name, row in zip(grid, best, strict=True)
    ]
    return {
        "method": np.array(list(grid)),
        "strengths": np.array(list(grid.values())),
        "validation_accuracy": validation,
        "chosen_strength": np.take_along_axis(np.array(list(grid.values())), best, axis=1),
        "sparsity": np.array(settings["sparsities"]),
        "epochs": np.array(settings["epochs"]),
        "accuracy": np.swapaxes(accuracy, 1, 2),  # (methods, seeds, sparsities)
    }


def _run(parallel: Parallel, tasks: list[tuple], settings: Mapping[str, object], track: Track, text: str) -> np.ndarray:
    jobs = (
        delayed(trained_accuracies)(name, strength, seed, settings, tuning) for name, strength, seed, tuning in tasks
    )
    results = parallel(jobs)
    return np.array([next(results) for _ in track(tasks, text)])


def mean_and_interval(accuracy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over seeds, and half the width of Student's 95 % confidence interval, both (methods, sparsities)."""
    count = accuracy.shape[1]
    spread = accuracy.std(axis=1, ddof=1) / np.sqrt(count)
    return accuracy.mean(axis=1), student.ppf((1 + CONFIDENCE) / 2, count - 1) * spread


def draw(data: Data) -> Figure:
    """Accuracy against sparsity with intervals, and what the strengths do on held-out images."""
    from implicit_bias.training import METHODS

    mean, half = mean_and_interval(100 * (1 - data["accuracy"]))
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4), layout="constrained", width_ratios=[1.35, 1])
    places = np.arange(len(data["sparsity"]))
    shown = int(np.argmin(np.abs(data["sparsity"] - 0.95)))
    shift = np.linspace(-0.2, 0.2, len(mean))
    for k, name in enumerate(data["method"]):
        look = plotting.METHOD_LOOKS[str(name)]
        left.errorbar(
            places + shift[k], mean[k], np.minimum(half[k], 0.9 * mean[k]), label=METHODS[str(name)].label, capsize=1.5,
            lw=1.0, elinewidth=0.7, ms=3, **look,
        )  # fmt: skip
        error = 100 * (1 - data["validation_accuracy"][k, :, shown])
        right.plot(data["strengths"][k], error, lw=1.0, ms=3, **look)
    left.set_xticks(places, [f"{100 * s:g}" for s in data["sparsity"]])
    left.set(xlabel="weights pruned in one shot (%)", ylabel="test error (%)")
    left.set_title(f"{data['epochs']} epochs on MNIST, mean of {data['accuracy'].shape[1]} seeds, 95 % intervals")
    right.set(xscale="log", xlabel="regularization strength", ylabel="validation error (%)")
    right.set_title(f"Held-out images at {100 * data['sparsity'][shown]:g} % sparsity")
    for axes in (left, right):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def table(data: Data) -> str:
    """Accuracies with their intervals, and the strengths that tuning chose."""
    from implicit_bias.training import METHODS

    mean, half = mean_and_interval(100 * data["accuracy"])
    head = ["method", *(f"{100 * s:g} %" for s in data["sparsity"])]
    edge = data["chosen_strength"] >= data["strengths"].max(axis=1, keepdims=True)
    strengths = np.where(edge, np.char.add(_short(data["chosen_strength"]), "*"), _short(data["chosen_strength"]))
    rows = [
        [METHODS[str(name)].label, *map("{:.1f} ± {:.1f} ({})".format, mean[k], half[k], strengths[k])]
        for k, name in enumerate(data["method"])
    ]
    text = "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])
    seeds, count = data["accuracy"].shape[1], data["strengths"].shape[1]
    return (
        f"Test accuracy in per cent after {data['epochs']} epochs and pruning of this part of the weights in one shot: "
        f"mean of {seeds} seeds with "
        f"Student's\n95 % confidence interval, and in brackets the strength: of {count} for each method the one that "
        f"is best at this\nsparsity on held-out training images, * if it is the largest of them. Test images took no "
        f"part in this choice.\n\n{text}\n"
    )


def _short(numbers: np.ndarray) -> np.ndarray:
    return np.vectorize("{:g}".format, otypes=["<U12"])(numbers)


def difference(data: Data, one: tuple[str, float], other: tuple[str, float], comparisons: int) -> tuple[float, float]:
    """Mean difference of accuracy in points, paired by seed, and half the width of its interval.

    Args:
        data: The saved numbers.
        one: Method and sparsity.
        other: What is taken away.
        comparisons: How many intervals hold together with 95 % (Bonferroni).
    """
    row = {str(name): k for k, name in enumerate(data["method"])}
    column = {float(s): k for k, s in enumerate(data["sparsity"])}
    (a, at_a), (b, at_b) = one, other
    gaps = 100 * (data["accuracy"][row[a], :, column[at_a]] - data["accuracy"][row[b], :, column[at_b]])
    quantile = student.ppf(1 - (1 - CONFIDENCE) / 2 / comparisons, len(gaps) - 1)
    return float(gaps.mean()), float(quantile * gaps.std(ddof=1) / np.sqrt(len(gaps)))


def observations(data: Data) -> list[Claim]:
    """What the preprint reports for one-shot pruning, asked of these runs.

    The intervals are those of other seeds on the same test images; other images are not in them.
    """
    levels = [float(s) for s in data["sparsity"]]
    sparse = [s for s in (0.95, 0.98, 0.99) if s in levels] or [max(levels)]

    def ahead_of(rival: str) -> Verdict:
        """Ahead or behind is what all intervals, or one of them, say together."""
        found = {s: difference(data, ("pilot", s), (rival, s), len(sparse)) for s in sparse}
        text = f"PILoT minus {rival}: " + ", ".join(
            f"{gap:+.1f} ± {half:.1f} at {100 * s:g} %" for s, (gap, half) in found.items()
        )
        worst = min(sparse, key=lambda s: found[s][0] + found[s][1])
        if sum(found[worst]) < 0:
            counterexample = {"sparsity": worst, "gap": found[worst][0]}
            return Verdict(Outcome.REFUTED, text + ".", counterexample=counterexample)
        return from_residual(
            max(half - gap for gap, half in found.values()), 0.0, text + ".",
            tolerance_reason="The lead must clear the interval of the difference.",
        )  # fmt: skip

    def near_dense() -> Verdict:
        level = max(s for s in levels if s <= 0.98)
        loss, half = difference(data, ("dense", 0.0), ("pilot", level), 1)
        text = f"PILoT at {100 * level:g} % loses {loss:.1f} ± {half:.1f} points to the dense net without pruning."
        return from_residual(
            loss + half, 2.0, text, refuted_above=2.0 + 2 * half, sparsity=level, loss=loss,
            tolerance_reason="The loss that the experiment set out to allow.",
        )  # fmt: skip

    rivals = [str(name) for name in data["method"] if name not in ("pilot", "mask")]
    return [
        Claim(
            f"mnist/ahead-of-{rival}",
            rf"\text{{PILoT is more accurate than {rival} at high sparsity}}",
            "Jacobs and Burkholz, one-shot pruning",
            check=lambda rival=rival: ahead_of(rival),
        )
        for rival in rivals
    ] + [
        Claim(
            "mnist/near-dense",
            r"\text{PILoT at 98 \% loses at most 2 points to the dense net}",
            "this project",
            check=near_dense,
        )
    ]


EXPERIMENT = Experiment(
    name="mnist",
    title="One-shot pruning of LeNet-300-100 on MNIST: the mask against its rivals",
    configuration={"default": SETTINGS, "quick": QUICK, "full": FULL},
    compute=compute,
    draw=draw,
    observations=observations,
    table=table,
)
