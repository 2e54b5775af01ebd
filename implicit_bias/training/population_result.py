"""A trained population: its members, and their accuracies before and after pruning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from implicit_bias.training.data.images import ImageData
from implicit_bias.training.result import EpochRecord, TrainingResult
from implicit_bias.training.sparsity_curve import GRID, one_shot


@dataclass(frozen=True, eq=False)
class Member:
    """One run of a population.

    Attributes:
        strength: Of its method.
        seed: Of its initial weights, the order of its images and their augmentation.
        result: What :func:`~implicit_bias.training.train` returns for it.
        failure: What was not finite, and at which step; None if nothing was.
        start: The numbers of its method that ``starts`` gave.
    """

    strength: float
    seed: int
    result: TrainingResult
    failure: str | None
    start: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class PopulationResult:
    """A trained population.

    Attributes:
        members: The runs: for each strength the starts, and for each of these the seeds.
        data: The images.
        epochs: The number of epochs.
        seconds: Wall time of this call.
    """

    members: tuple[Member, ...]
    data: ImageData
    epochs: int
    seconds: float

    @property
    def accuracy(self) -> np.ndarray:
        """The fraction of test images that each run classifies correctly, (K, epochs); nan from where it failed."""
        return self._over_epochs(lambda record: record.test_accuracy)

    @property
    def l1_norm(self) -> np.ndarray:
        """‖x‖₁ of the weights of each run after every epoch, (K, epochs); nan from where it failed."""
        return self._over_epochs(lambda record: record.l1_norm)

    def _over_epochs(self, value: Callable[[EpochRecord], float]) -> np.ndarray:
        found = np.full((len(self.members), self.epochs), np.nan)
        for k, member in enumerate(self.members):
            found[k, : len(member.result.history)] = [value(record) for record in member.result.history]
        return found

    def one_shot(self, sparsities: Sequence[float] = GRID) -> np.ndarray:
        """Accuracies after pruning once, (K, sparsities), as of :func:`~implicit_bias.training.one_shot`.

        They are nan for a run that failed.
        """
        found = np.full((len(self.members), len(sparsities)), np.nan)
        for k, member in enumerate(self.members):
            if member.failure is None:
                found[k] = one_shot(member.result.model, self.data, sparsities).accuracy
        return found

    def __repr__(self) -> str:
        failed = sum(member.failure is not None for member in self.members)
        return f"PopulationResult({len(self.members)} runs, {self.epochs} epochs, {failed} failed)"
