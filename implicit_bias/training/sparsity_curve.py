"""Accuracy against sparsity, of a network that is pruned once after training, or trained and pruned in turn."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from implicit_bias import masking
from implicit_bias.errors import InputError, known_options
from implicit_bias.training.data.images import ImageData, check_data
from implicit_bias.training.learning_rates import LearningRate
from implicit_bias.training.methods import Method
from implicit_bias.training.train import train
from implicit_bias.validation import finite_array, whole_number

GRID = tuple(float(s) for s in 1 - 0.8 ** np.arange(1, 26))
"""The preprint's sparsities 1 − 0.8^k, k = 1 … 25."""

REWINDS = ("weights", "learning-rate")


@dataclass(frozen=True)
class SparsityCurve:
    """Accuracy of one network at several sparsities.

    Attributes:
        sparsity: Fractions of weights that are 0, shape (k,).
        accuracy: Fractions of test images that the network classifies correctly, shape (k,).
    """

    sparsity: np.ndarray
    accuracy: np.ndarray


def accuracy(model: nn.Module, data: ImageData) -> float:
    """The fraction of the test images that a network classifies correctly, in evaluation mode."""
    from implicit_bias.training.batches import Batches

    parameter = next(model.parameters())
    was_training, correct = model.training, 0
    model.eval()
    with torch.no_grad():
        for batch in Batches(data, parameter.device, parameter.dtype).evaluation():
            correct += int((model(batch.images).argmax(1) == batch.labels).sum())
    model.train(was_training)
    return correct / len(data.test)


@known_options
def one_shot(model: nn.Module, data: ImageData, sparsities: Iterable[float] = GRID) -> SparsityCurve:
    """Prune the smallest weights of a trained network, without training it further.

    Args:
        model: Masked or dense; left as it is.
        data: The data set whose test images give the accuracy.
        sparsities: Fractions in [0, 1]; 0 prunes nothing, and weights that are 0 already count.

    Raises:
        InputError: If a fraction is out of range, or ``sparsities`` is no list or ``data`` no data set.
    """
    check_data(data)
    if not isinstance(sparsities, Iterable):
        raise InputError(f"sparsities: expected a list of fractions, such as [{sparsities!r}], got {sparsities!r}.")
    wanted = list(sparsities)
    pruned = [masking.prune_(copy.deepcopy(model), s) for s in wanted]
    return SparsityCurve(
        np.array([masking.sparsity(each) for each in pruned]), np.array([accuracy(each, data) for each in pruned])
    )


@known_options
def iterative(
    model: nn.Module,
    data: ImageData,
    method: Callable[[], Method],
    *,
    cycles: int,
    keep: float = 0.8,
    rewind: str = "weights",
    warm_up: int = 0,
    progress: Callable[[int], None] | None = None,
    epochs: int,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    batch_size: int = 256,
    optimizer: str | Callable[..., Optimizer] = "sgd",
    schedule: str | LearningRate = "cosine",
    seed: int = 0,
    device: str | torch.device = "cpu",
    devices: int = 1,
    precision: str = "32-true",
) -> SparsityCurve:
    r"""Train, prune the smallest of the weights left, rewind and repeat: k cycles prune :math:`1 - \text{keep}^k`.

    With ``rewind="weights"`` (iterative magnitude pruning, J. Frankle and M. Carbin, ICLR 2019) the weights that are
    left go back to their values at the beginning, or after ``warm_up`` epochs; with ``"learning-rate"`` (A. Renda,
    J. Frankle, M. Carbin, ICLR 2020) they stay, and only the learning rate starts again. A mask starts anew in every
    cycle, with :math:`m_0 w_0 = x`. There is no checkpoint, since a checkpoint holds one run.

    Args:
        model: A dense network; left as it is.
        data: The images to train on, and those that give the accuracy.
        method: Makes a new method for every cycle.
        cycles: The number of trainings; the k-th network has the sparsity :math:`1 - \text{keep}^{k-1}`.
        keep: The fraction of weights that survive each pruning, in (0, 1].
        rewind: ``"weights"`` or ``"learning-rate"``.
        warm_up: The number of epochs before the values that weights go back to.
        progress: Called with the number of cycles done.
        epochs: The number of epochs in each cycle; it and what follows are as in :func:`~implicit_bias.training.train`.
        learning_rate: The first learning rate of each cycle.
        momentum: The momentum of SGD.
        batch_size: Images in a step.
        optimizer: ``"sgd"`` or a function.
        schedule: The learning rates of each cycle; the warm-up keeps the first one.
        seed: The seed of all cycles.
        device: Where to train.
        devices: The number of devices.
        precision: The precision of the training.

    Returns:
        Accuracies of the trained networks.

    Raises:
        InputError: If an argument is out of range, or as in :func:`~implicit_bias.training.train`.
        SolverError: If the loss is nan or inf.
    """
    share = check_cycles(cycles, keep, rewind, warm_up)
    check_data(data)
    check_makes(method, "method", "training.METHODS['mask']")
    run = partial(
        train, learning_rate=learning_rate, momentum=momentum, batch_size=batch_size, optimizer=optimizer, seed=seed,
        device=device, devices=devices, precision=precision,
    )  # fmt: skip
    model, untested = copy.deepcopy(model), data.untested()
    if warm_up:
        model = run(model, untested, method(), epochs=warm_up, schedule="constant").model
    found = Cycles(share, rewind)
    found.begin(model)
    for cycle in range(cycles):
        model = run(model, untested, method(), epochs=epochs, schedule=schedule).model
        model = found.next(model, data)
        if progress is not None:
            progress(cycle + 1)
    return found.curve()


def check_cycles(cycles: int, keep: float, rewind: str, warm_up: int) -> float:
    """Return the share that every pruning keeps, or raise ``InputError``."""
    share = float(finite_array(keep, "keep", ndim=0))
    if not 0 < share <= 1:
        raise InputError(f"keep: expected a fraction in (0, 1], got {keep}.")
    if rewind not in REWINDS:
        raise InputError(f"rewind: expected 'weights' or 'learning-rate', got {rewind!r}.")
    if whole_number(cycles, "cycles") < 1 or whole_number(warm_up, "warm_up") < 0:
        raise InputError(f"cycles, warm_up: expected at least 1 and 0, got {cycles} and {warm_up}.")
    return share


def check_makes(function: object, name: str, example: str) -> None:
    """Raise ``InputError`` for what is no function that makes something."""
    if not callable(function):
        raise InputError(f"{name}: expected a function, such as {example}, got {function!r}.")


class Cycles:
    """Prunes and rewinds a network between the trainings of :func:`iterative`.

    Args:
        share: The fraction of weights that survive each pruning.
        rewind: ``"weights"`` or ``"learning-rate"``.
    """

    def __init__(self, share: float, rewind: str) -> None:
        self._share, self._rewind = share, rewind
        self._start: nn.Module = nn.Module()
        self._kept: dict[str, torch.Tensor] = {}
        self._found: list[tuple[float, float]] = []

    def begin(self, model: nn.Module) -> None:
        """Remember the values that weights go back to."""
        self._start = copy.deepcopy(model)

    def next(self, model: nn.Module, data: ImageData) -> nn.Module:
        """Note a trained network's sparsity and accuracy, prune it, and return the one to train next."""
        self._found.append((masking.sparsity(model), accuracy(model, data)))
        masking.keep_(model, self._kept)  # a method that leaves plain zeros does not know which of them were pruned
        self._kept = masking.kept_weights(masking.prune_(model, 1 - self._share ** len(self._found)))
        return masking.keep_(copy.deepcopy(self._start) if self._rewind == "weights" else model, self._kept)

    def curve(self) -> SparsityCurve:
        """The accuracies that were noted."""
        return SparsityCurve(*np.array(self._found).T)
