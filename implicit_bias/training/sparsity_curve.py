"""Accuracy against sparsity: a trained network pruned once, or trained and pruned in turn."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from implicit_bias import masking
from implicit_bias.errors import InputError
from implicit_bias.training.data.images import ImageData
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
        accuracy: Fractions of test images that are classified correctly, shape (k,).
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


def one_shot(model: nn.Module, data: ImageData, sparsities: Iterable[float] = GRID) -> SparsityCurve:
    """Prune the smallest weights of a trained network, without training it further.

    Args:
        model: Masked or dense; left as it is.
        data: Its test images judge.
        sparsities: Fractions in [0, 1]; 0 prunes nothing, and weights that are 0 already count.

    Raises:
        InputError: If a fraction is out of range.
    """
    wanted = list(sparsities)
    pruned = [masking.prune_(copy.deepcopy(model), s) for s in wanted]
    return SparsityCurve(
        np.array([masking.sparsity(each) for each in pruned]), np.array([accuracy(each, data) for each in pruned])
    )


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
    **training: object,
) -> SparsityCurve:
    r"""Train, prune the smallest of the weights left, rewind, and again: after k cycles :math:`1 - \text{keep}^k`.

    With ``rewind="weights"`` (iterative magnitude pruning, J. Frankle and M. Carbin, ICLR 2019) what is kept goes back
    to where it stood at the beginning, or after ``warm_up`` epochs; with ``"learning-rate"`` (A. Renda, J. Frankle,
    M. Carbin, ICLR 2020) it stays, and only the learning rate starts again. A mask starts anew in every cycle, with
    :math:`m_0 w_0 = x`.

    Args:
        model: A dense network; left as it is.
        data: What to train on and to judge by.
        method: Makes a new method for every cycle.
        cycles: How often to train; the k-th network has the sparsity :math:`1 - \text{keep}^{k-1}`.
        keep: The fraction of weights that survive each pruning, in (0, 1].
        rewind: ``"weights"`` or ``"learning-rate"``.
        warm_up: Epochs of training before the weights that are rewound to.
        progress: Called with the number of cycles done.
        training: Further arguments of :func:`~implicit_bias.training.train`, without a checkpoint: it holds one run.

    Returns:
        Accuracies of the trained networks.

    Raises:
        InputError: If an argument is out of range, or as in :func:`~implicit_bias.training.train`.
        SolverError: If the loss is nan or inf.
    """
    share = float(finite_array(keep, "keep", ndim=0))
    if not 0 < share <= 1:
        raise InputError(f"keep: expected a fraction in (0, 1], got {keep}.")
    if rewind not in REWINDS:
        raise InputError(f"rewind: expected 'weights' or 'learning-rate', got {rewind!r}.")
    if whole_number(cycles, "cycles") < 1 or whole_number(warm_up, "warm_up") < 0:
        raise InputError(f"cycles, warm_up: expected at least 1 and 0, got {cycles} and {warm_up}.")
    if training.get("checkpoint") is not None:
        raise InputError("checkpoint: holds one run, and this makes one in every cycle; leave it out.")
    model = copy.deepcopy(model)
    if warm_up:
        model = train(model, data, method(), **{**training, "epochs": warm_up, "schedule": "constant"}).model
    start = copy.deepcopy(model)
    found: list[tuple[float, float]] = []
    kept: dict[str, torch.Tensor] = {}
    for cycle in range(cycles):
        model = train(model, data, method(), **training).model
        found.append((masking.sparsity(model), accuracy(model, data)))
        masking.keep_(model, kept)  # methods that leave plain zeros forget which of them were pruned
        kept = masking.kept_weights(masking.prune_(model, 1 - share ** (cycle + 1)))
        model = masking.keep_(copy.deepcopy(start) if rewind == "weights" else model, kept)
        if progress is not None:
            progress(cycle + 1)
    return SparsityCurve(*np.array(found).T)
