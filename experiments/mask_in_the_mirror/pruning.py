r"""Networks and their images, runs as tasks, and intervals over seeds, for figures 2 and 3 of the preprint."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from scipy.stats import t as student

from experiments.engine import Data
from implicit_bias import plotting

if TYPE_CHECKING:
    from implicit_bias.training import ImageData, Method

CONFIDENCE = 0.95
MOMENTUM = 0.9
KEPT_SHARE = 0.8  # of the weights, in each of the preprint's 25 steps
GRID = (0.0, *(1 - KEPT_SHARE ** np.arange(1, 26)).tolist())
UNREGULARIZED = "unregularized"
DATA_LABELS = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


@dataclass(frozen=True)
class Network:
    """A network, its images and its training.

    Attributes:
        label: Its name in titles.
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
        seeds: How many; they are 0, 1, ….
        together: How many seeds are one task: dense networks are faster side by side, convolutional ones are not.
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
    seeds: int = 3
    together: int = 1

    @property
    def title(self) -> str:
        """The network, its images and how long it is trained."""
        pixels = f" averaged {self.pooling} × {self.pooling}" if self.pooling > 1 else ""
        epochs = f"{self.epochs} epoch{'s' if self.epochs > 1 else ''}"
        part = f", {100 * self.share:g} % of the images" if self.share < 1 else ""
        return f"{self.label}, {DATA_LABELS[self.data]}{pixels}{part}, {epochs}"

    def groups(self, count: int | None = None) -> list[list[int]]:
        """The seeds, or the first ones of them, by task."""
        seeds = list(range(self.seeds if count is None else count))
        return [seeds[k : k + self.together] for k in range(0, len(seeds), self.together)]

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
    together=10,
)
# Smaller batches are more steps in the same time, in which masks stand a higher learning rate; in LeNet it is not quite
# the preprint's doubled one, and without decay it stays as it is.
BRISK_LENET = replace(LENET, batch_size=64, masked_learning_rate=0.15)
# Without averaging twenty seeds would take three times as long.
SMALL_LENET = replace(BRISK_LENET, pooling=2)
CONVNET = replace(
    SMALL_LENET,
    label="Convnet",
    model="convnet",
    masked_learning_rate=0.2,
    undecayed_learning_rate=0.2,
    together=1,
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
        return plotting.METHOD_LOOKS["mask"] | {"markerfacecolor": plotting.GREYS["paper"], "ls": "--"}
    return dict(plotting.METHOD_LOOKS[curve])


def pruned_once(
    training: Training,
    curve: str,
    strength: float,
    options: Mapping[str, float],
    seeds: Sequence[int],
    held_out: float | None,
    sparsities: Sequence[float],
    folder: str | None,
    device: str,
) -> Data:
    """A task of figure 2: train a population, then prune the smallest weights, once for each sparsity.

    Args:
        training: The network, its images and the learning rate.
        curve: A method's name, or :data:`UNREGULARIZED`.
        strength: Its strength.
        options: Further arguments of the method.
        seeds: Of initial weights and batches.
        held_out: The part of the training images that judges, and takes no part in training; None: test images judge.
        sparsities: Fractions of weights to prune.
        folder: Where the images are.
        device: Where to train.

    Returns:
        accuracy: Of each pruned network, (seeds, sparsities); nan if the run left the floating-point range.
    """
    import torch

    from implicit_bias.training import build, one_shot, train_population

    torch.set_num_threads(1)  # tasks share the cores, and results must not depend on how many there are
    data = images(training.data, training.share, training.pooling, folder, held_out)
    found = train_population(
        lambda seed: build(training.model, data, seed), data.untested(), maker(curve, options), [strength], seeds,
        epochs=training.epochs, batch_size=training.batch_size, learning_rate=training.learning_rate,
        momentum=MOMENTUM, schedule=training.schedule, device=device,
    )  # fmt: skip
    accuracy = np.full((len(seeds), len(sparsities)), np.nan)
    for row, member in zip(accuracy, found.members, strict=True):
        if member.failure is None:
            row[:] = one_shot(member.result.model, data, sparsities).accuracy
    return {"accuracy": accuracy}


def maker(curve: str, options: Mapping[str, float]) -> Callable[[float], Method]:
    """The function that makes a curve's method of training from its strength."""
    from implicit_bias.training import METHODS

    return partial(METHODS["mask" if curve == UNREGULARIZED else curve], **options)


def pruned_in_turn(
    training: Training,
    curve: str,
    strength: float,
    rewind: str,
    cycles: int,
    warm_up: int,
    seeds: Sequence[int],
    folder: str | None,
    device: str,
) -> Data:
    """A task of figure 3: train a population, prune a fifth of the weights that are left, rewind, and train again.

    Args:
        training: The network, its images and the learning rate.
        curve: ``dense`` or ``mask``.
        strength: The method's.
        rewind: ``weights`` or ``learning-rate``.
        cycles: How often to train.
        warm_up: After how many epochs the weights are kept that ``weights`` rewinds to.
        seeds: Of initial weights and batches.
        folder: Where the images are.
        device: Where to train.

    Returns:
        accuracy: Of the network trained in each cycle on the test images, (seeds, cycles); nan if a run left the
        floating-point range.
    """
    import torch

    from implicit_bias.training import build, iterative_population

    torch.set_num_threads(1)
    data = images(training.data, training.share, training.pooling, folder, None)
    found = iterative_population(
        lambda seed: build(training.model, data, seed), data, maker(curve, {}), [strength], seeds, cycles=cycles,
        keep=KEPT_SHARE, rewind=rewind, warm_up=warm_up, epochs=training.epochs, batch_size=training.batch_size,
        learning_rate=training.learning_rate, momentum=MOMENTUM, schedule=training.schedule, device=device,
    )  # fmt: skip
    return {"accuracy": np.array([np.full(cycles, np.nan) if each is None else each.accuracy for each in found])}


@cache
def images(name: str, share: float, pooling: int, folder: str | None, held_out: float | None) -> ImageData:
    """A data set, kept since reading it takes longer than an epoch.

    Args:
        name: Its name.
        share: The part of the training images that is used.
        pooling: Over squares of how many pixels images are averaged.
        folder: Where the images are.
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


def by_seed(parts: Iterable[np.ndarray], most: int) -> np.ndarray:
    """Rows of tasks one below the other, as many as the most seeds of a network; those that it lacks are nan."""
    found = np.concatenate(list(parts))
    return np.pad(found, [(0, most - len(found)), (0, 0)], constant_values=np.nan)


def mean_and_interval(accuracy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over seeds, the last axis but one, and half the width of Student's 95 % confidence interval."""
    count = accuracy.shape[-2]
    spread = accuracy.std(axis=-2, ddof=1) / np.sqrt(count)
    return accuracy.mean(axis=-2), student.ppf((1 + CONFIDENCE) / 2, count - 1) * spread


def nearest(levels: Iterable[float], wanted: Iterable[float]) -> list[int]:
    """The indices of the levels nearest to the wanted ones, each once."""
    found = np.asarray(list(levels))
    return sorted({int(np.argmin(np.abs(found - each))) for each in wanted})


def with_interval(mean: float, half: float) -> str:
    """A cell of a table."""
    return "diverged" if np.isnan(mean) else f"{mean:.1f} ± {half:.1f}"


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
