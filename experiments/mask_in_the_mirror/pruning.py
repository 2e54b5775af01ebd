r"""Networks and their images, runs as tasks, and intervals over seeds, for figures 2 and 3 of the preprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from scipy.stats import t as student

from experiments.engine import Data
from implicit_bias import Outcome, SolverError, Status, Verdict, plotting
from implicit_bias.claims.judge import from_residual

if TYPE_CHECKING:
    from implicit_bias.training import ImageData, Method, TrainingResult

CONFIDENCE = 0.95
MOMENTUM = 0.9
KEPT_SHARE = 0.8  # of the weights, in each of the preprint's 25 steps
GRID = (0.0, *(1 - KEPT_SHARE ** np.arange(1, 26)).tolist())
UNREGULARIZED = "unregularized"
DATA_LABELS = {"mnist": "MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


@dataclass(frozen=True)
class Network:
    """A network, its images and its training.

    Attributes:
        label: Its name for people.
        data: The name of the images.
        share: The part of the training images that is used.
        pooling: Over squares of how many pixels images are averaged.
        model: Its name in :data:`implicit_bias.training.MODELS`.
        epochs: Of training.
        batch_size: Images in a batch.
        learning_rate: η of dense networks.
        masked_learning_rate: η of m ⊙ w.
        undecayed_learning_rate: η of m ⊙ w without regularization.
        schedule: Of the learning rate.
    """

    label: str
    data: str
    share: float
    pooling: int
    model: str
    epochs: int
    batch_size: int
    learning_rate: float
    masked_learning_rate: float
    undecayed_learning_rate: float
    schedule: str

    @property
    def title(self) -> str:
        """The network, its images and how long it is trained."""
        pixels = f" averaged {self.pooling} × {self.pooling}" if self.pooling > 1 else ""
        epochs = f"{self.epochs} epoch{'s' if self.epochs > 1 else ''}"
        return f"{self.label}, {DATA_LABELS[self.data]}{pixels}, {epochs}"

    def training(self, curve: str) -> Training:
        """The network's training by a method."""
        rate = self.learning_rate
        if is_masked(curve):
            rate = self.undecayed_learning_rate if curve == UNREGULARIZED else self.masked_learning_rate
        return Training(
            self.data, self.share, self.pooling, self.model, self.epochs, self.batch_size, rate, self.schedule
        )


@dataclass(frozen=True)
class Training:
    """The training of a network by one method; see :class:`Network`."""

    data: str
    share: float
    pooling: int
    model: str
    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str


LENET = Network(
    label="LeNet-300-100",
    data="mnist",
    share=1.0,
    pooling=1,
    model="lenet",
    epochs=60,
    batch_size=256,
    learning_rate=0.1,
    masked_learning_rate=0.1,
    undecayed_learning_rate=0.1,
    schedule="cosine",
)
# Smaller batches are more steps in the same time, in which masks stand a higher learning rate; in LeNet it is not quite
# the preprint's doubled one, and without decay it stays as it is.
BRISK_LENET = replace(LENET, batch_size=64, masked_learning_rate=0.15)
# Without averaging it would take four times as long for the same picture.
CONVNET = replace(
    BRISK_LENET, label="Convnet", pooling=2, model="convnet", masked_learning_rate=0.2, undecayed_learning_rate=0.2
)
# The preprint's.
RESNET20 = Network(
    label="ResNet-20",
    data="cifar10",
    share=1.0,
    pooling=1,
    model="resnet20",
    epochs=150,
    batch_size=256,
    learning_rate=0.1,
    masked_learning_rate=0.2,
    undecayed_learning_rate=0.2,
    schedule="cosine",
)
RESNET18 = replace(RESNET20, label="ResNet-18", data="cifar100", model="resnet18", schedule="step")
LEAST_ERROR = 1e-3  # per cent, below every axis: bars of intervals that contain zero end here


def is_masked(curve: str) -> bool:
    """Whether a curve is one of m ⊙ w."""
    return curve in ("mask", UNREGULARIZED, "l1-mask", "spred", "pilot")


def label(curve: str) -> str:
    """The name of a curve in legends and tables."""
    from implicit_bias.training import METHODS

    return "Mask, α = 0" if curve == UNREGULARIZED else METHODS[curve].label


def look(curve: str) -> dict[str, Any]:
    """The colour and marker of a curve; the mask without regularization has the mask's, hollow."""
    if curve == UNREGULARIZED:
        return plotting.METHOD_LOOKS["mask"] | {"markerfacecolor": "white", "ls": "--"}
    return dict(plotting.METHOD_LOOKS[curve])


def pruned_once(
    training: Training,
    curve: str,
    strength: float,
    options: Mapping[str, float],
    seed: int,
    held_out: float | None,
    sparsities: Sequence[float],
    folder: str | None,
    device: str,
) -> Data:
    """A task of figure 2: train, then prune the smallest weights, once for each sparsity.

    Args:
        training: The network, its images and the learning rate.
        curve: A method's name, or :data:`UNREGULARIZED`.
        strength: Its strength.
        options: Further arguments of the method.
        seed: Of initial weights and batches.
        held_out: The part of the training images that judges, and takes no part in training; None: test images judge.
        sparsities: Fractions of weights to prune.
        folder: Where CIFAR is.
        device: Where to train.

    Returns:
        accuracy: Of each pruned network; nan if the run left the floating-point range.
        scale: For m ⊙ w with the preprint's regularizer and β = 1 the median of (m² − w²)/2, else nan.
        flow_scale: Likewise ½ exp(−4A), with A from the strengths and learning rates of all epochs.
        decay_scale: Likewise what the optimizer's decay alone leaves, step by step.
    """
    import torch

    from implicit_bias.training import METHODS, build, one_shot, train

    torch.set_num_threads(1)  # tasks share the cores, and results must not depend on how many there are
    data = images(training.data, training.share, training.pooling, folder, held_out)
    method = METHODS["mask" if curve == UNREGULARIZED else curve](strength, **options)
    has_scale = curve in ("mask", UNREGULARIZED, "pilot")
    scale = _measure_scale(method) if has_scale else [np.nan]
    result = train(
        build(training.model, data, seed), _untested(data), method, epochs=training.epochs,
        batch_size=training.batch_size, learning_rate=training.learning_rate, momentum=MOMENTUM,
        schedule=training.schedule, seed=seed, device=device, throw=False,
    )  # fmt: skip
    if result.status is not Status.CONVERGED:
        accuracy, scale = np.full(len(sparsities), np.nan), [np.nan]
    else:
        accuracy = one_shot(result.model, data, sparsities).accuracy
    flow, decay = predicted_scales(result, -(-len(data.train) // training.batch_size)) if has_scale else (np.nan,) * 2
    return {
        "accuracy": accuracy,
        "scale": np.array(scale[0]),
        "flow_scale": np.array(flow),
        "decay_scale": np.array(decay),
    }


def pruned_in_turn(
    training: Training,
    curve: str,
    strength: float,
    rewind: str,
    cycles: int,
    warm_up: int,
    seed: int,
    folder: str | None,
    device: str,
) -> Data:
    """A task of figure 3: train, prune a fifth of the weights left, rewind, and again.

    Args:
        training: The network, its images and the learning rate.
        curve: ``dense`` or ``mask``.
        strength: The method's.
        rewind: ``weights`` or ``learning-rate``.
        cycles: How often to train.
        warm_up: Epochs before the weights that are rewound to.
        seed: Of initial weights and batches.
        folder: Where CIFAR is.
        device: Where to train.

    Returns:
        accuracy: Of the network trained in each cycle on the test images, nan if a run left the floating-point range.
    """
    import torch

    from implicit_bias.training import METHODS, build, iterative

    torch.set_num_threads(1)
    data = images(training.data, training.share, training.pooling, folder, None)
    try:
        found = iterative(
            build(training.model, data, seed), data, lambda: METHODS[curve](strength), cycles=cycles, keep=KEPT_SHARE,
            rewind=rewind, warm_up=warm_up, epochs=training.epochs, batch_size=training.batch_size,
            learning_rate=training.learning_rate, momentum=MOMENTUM, schedule=training.schedule, seed=seed,
            device=device,
        )  # fmt: skip
    except SolverError:
        return {"accuracy": np.full(cycles, np.nan)}
    return {"accuracy": found.accuracy}


@cache
def images(name: str, share: float, pooling: int, folder: str | None, held_out: float | None) -> ImageData:
    """A data set, kept since reading it takes longer than an epoch.

    Args:
        name: Its name.
        share: The part of the training images that is used.
        pooling: Over squares of how many pixels images are averaged.
        folder: Where CIFAR is.
        held_out: The part of the used training images that stands in for the test images; None: test images judge.
    """
    from implicit_bias.training import load

    if held_out is not None:
        return images(name, share, pooling, folder, None).split(held_out, seed=0)
    data = load(name, folder)
    if share < 1:
        data = replace(data, train=data.split(1 - share, seed=1).train)
    return data if pooling == 1 else _averaged(data, pooling)


def _averaged(data: ImageData, pooling: int) -> ImageData:
    """Images of means over squares of pixels, rounded to bytes again."""
    import torch

    from implicit_bias.training import Images

    def smaller(part: Images) -> Images:
        means = torch.nn.functional.avg_pool2d(part.pixels.double(), pooling)
        return Images(means.round().to(part.pixels.dtype), part.labels)

    return replace(data, train=smaller(data.train), test=smaller(data.test))


def _untested(data: ImageData) -> ImageData:
    """The data with one test image left, since nobody reads the tests after every epoch, and they take time."""
    import torch

    return replace(data, test=data.test.take(torch.arange(1)))


def _measure_scale(method: Method) -> list[float]:
    """A list to which the method adds the median of (m² − w²)/2 over all weights when training has ended."""
    import torch

    from implicit_bias import masking

    found, finish = [], method.finish

    def measure(model: torch.nn.Module) -> None:
        with torch.no_grad():
            parts = [((f["m"] ** 2 - f["w"] ** 2) / 2).flatten() for f in masking.factors(model).values()]
            found.append(float(torch.cat(parts).double().median()))
        finish(model)

    method.finish = measure
    return found


def predicted_scales(result: TrainingResult, steps: int) -> tuple[float, float]:
    """Predictions of (m² − w²)/2 after a run from β = 1, without looking at its gradients.

    Args:
        result: Tells strengths and learning rates of all epochs.
        steps: Of an epoch.

    Returns:
        ½ exp(−4A), where momentum μ lets the flow's time pass 1 / (1 − μ) times as fast as steps × η; and ½ s², with
        s = 1 at first and multiplied by nothing but the optimizer's decay, momentum included.
    """
    decay, s, velocity = 0.0, 1.0, 0.0
    for record in result.history:
        decay += steps * record.strength * record.learning_rate / (1 - MOMENTUM)
        for _ in range(steps):
            velocity = MOMENTUM * velocity + 2 * record.strength * s
            s -= record.learning_rate * velocity
    return 0.5 * float(np.exp(-4 * decay)), 0.5 * s**2


def mean_and_interval(accuracy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over seeds, the last axis but one, and half the width of Student's 95 % confidence interval."""
    count = accuracy.shape[-2]
    spread = accuracy.std(axis=-2, ddof=1) / np.sqrt(count)
    return accuracy.mean(axis=-2), student.ppf((1 + CONFIDENCE) / 2, count - 1) * spread


def paired_difference(one: np.ndarray, other: np.ndarray, comparisons: int = 1) -> tuple[float, float]:
    """Mean difference of accuracies in points, paired by seed, and half the width of its interval.

    Args:
        one: A fraction for each seed.
        other: The fraction to subtract, for each seed.
        comparisons: How many intervals hold together with 95 % (Bonferroni).
    """
    gaps = 100 * (one - other)
    quantile = student.ppf(1 - (1 - CONFIDENCE) / 2 / comparisons, len(gaps) - 1)
    return float(gaps.mean()), float(quantile * gaps.std(ddof=1) / np.sqrt(len(gaps)))


def ahead(differences: Iterable[tuple[float, float]], text: str) -> Verdict:
    """SUPPORTED if every difference is positive with all of its interval, REFUTED if one is negative with all of its.

    Args:
        differences: Means and half the widths of their intervals, as :func:`paired_difference` gives them.
        text: The evidence.
    """
    found = list(differences)
    evidence = f"{text}. Intervals are over seeds, on the same test images, and for this comparison alone."
    gap, half = min(found, key=sum)
    if gap + half < 0:
        return Verdict(Outcome.REFUTED, evidence, counterexample={"gap": gap, "half_width": half})
    # Networks that all guess tie in every seed, in an interval without a width: that is no lead.
    missing = max(half - gap for gap, half in found) or np.finfo(float).tiny
    return from_residual(missing, 0.0, evidence, tolerance_reason="The lead must clear the interval of the difference.")


def nearest(levels: Iterable[float], wanted: Iterable[float]) -> list[int]:
    """The indices of the levels nearest to the wanted ones, each once."""
    found = np.asarray(list(levels))
    return sorted({int(np.argmin(np.abs(found - each))) for each in wanted})


def with_interval(mean: float, half: float) -> str:
    """A cell of a table."""
    return "diverged" if np.isnan(mean) else f"{mean:.1f} ± {half:.1f}"


def without_numbers(accuracies: Mapping[str, np.ndarray]) -> Verdict | None:
    """INCONCLUSIVE if a run of what is compared left the floating-point range, else None.

    This says something about its learning rate, and nothing about the method's accuracy.

    Args:
        accuracies: By name, with seeds along the first axis.
    """
    lost = {name: int(np.isnan(found).reshape(len(found), -1).any(axis=1).sum()) for name, found in accuracies.items()}
    if not any(lost.values()):
        return None
    text = ", ".join(f"{count} of {len(accuracies[name])} of {name}" for name, count in lost.items() if count)
    return Verdict(Outcome.INCONCLUSIVE, f"Runs left the floating-point range at their learning rate: {text}.")


def percent(sparsity: float) -> str:
    """A fraction as text, such as 95.6 %."""
    return f"{100 * sparsity:.3g} %"


def draw_errors(
    axes: Axes, sparsity: np.ndarray, mean: np.ndarray, half: np.ndarray, every: tuple[int, int], **look: Any
) -> None:
    """Draw errors in per cent against the weights left, with bars at a few of them, as all bars would hide the curves.

    Args:
        axes: Where.
        sparsity: Of each error.
        mean: The errors.
        half: Half the widths of their intervals.
        every: The first of the bars and marks, and how many errors on the next one is.
        look: Matplotlib's arguments of a line.
    """
    below = np.minimum(half, mean - LEAST_ERROR)
    kept = 100 * (1 - sparsity)
    axes.errorbar(kept, mean, (below, half), elinewidth=0.6, errorevery=every, markevery=every, **look)


def weights_left_axis(axes: Axes, sparsity: np.ndarray) -> None:
    """An axis of weights left in per cent, on which the preprint's steps are equally far apart, from all to few."""
    axes.set(xscale="log", xlabel="weights left (%)", xlim=(112, 89 * (1 - sparsity.max())))
    axes.xaxis.set_major_locator(FixedLocator([100, 50, 20, 10, 5, 2, 1, 0.5]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:g}")


def error_axis(axes: Axes, lowest: float, highest: float = 100) -> None:
    """A logarithmic axis of errors in per cent, of which 100 is the largest."""
    highest = min(highest, 100)
    axes.set(yscale="log", ylim=(lowest, highest))
    few = [1, 2, 5, 10, 20, 50, 100]
    axes.yaxis.set_major_locator(FixedLocator(few if highest > 10 * lowest else [*few, 3, 4, 7, 15, 30, 70]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
