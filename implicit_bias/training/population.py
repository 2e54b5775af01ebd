"""Training of many runs as one batch: strengths × seeds, each with the numbers that it would have alone."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from implicit_bias.errors import InputError, UnsupportedError
from implicit_bias.files import held
from implicit_bias.masking import kept_weights, unmask
from implicit_bias.status import Status
from implicit_bias.training.batches import Batches
from implicit_bias.training.data.images import ImageData
from implicit_bias.training.determinism import reproducible
from implicit_bias.training.devices import PRECISIONS, checked_device
from implicit_bias.training.learning_rates import LearningRate
from implicit_bias.training.loop import LoopSettings
from implicit_bias.training.methods import Method
from implicit_bias.training.population_loop import MemberRun, PopulationLoop
from implicit_bias.training.preparation import (
    at_least_one,
    begin,
    check_batches,
    check_method,
    check_model,
    checked_module,
    checked_rates,
    checked_seed,
    configuration_of,
    saved_run,
    sgd,
)
from implicit_bias.training.result import EpochRecord, Progress, TrainingResult
from implicit_bias.training.run_state import check_configuration
from implicit_bias.training.sparsity_curve import GRID, one_shot
from implicit_bias.validation import positive_number

_SECONDS_BETWEEN_REPORTS = 0.1
_MEMBERS_AT_ONCE_ON_CPU = 8
_SHARE_OF_GPU_MEMORY = 0.5


@dataclass(frozen=True, eq=False)
class Member:
    """One run of a population.

    Attributes:
        strength: Of its method.
        seed: Of its initial weights, the order of its images and their augmentation.
        result: What :func:`~implicit_bias.training.train` returns for it.
        failure: What was not finite, and at which step; None if nothing was.
    """

    strength: float
    seed: int
    result: TrainingResult
    failure: str | None


@dataclass(frozen=True, eq=False)
class PopulationResult:
    """A trained population.

    Attributes:
        members: The runs, seed after seed for each strength.
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


def train_population(
    build: Callable[[int], nn.Module],
    data: ImageData,
    method: Callable[[float], Method],
    strengths: Sequence[float] = (0.0,),
    seeds: Sequence[int] = (0,),
    *,
    epochs: int,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    batch_size: int = 256,
    schedule: str | LearningRate = "cosine",
    device: str | torch.device = "cpu",
    precision: str = "32-true",
    members_at_once: int | None = None,
    checkpoints: str | Path | None = None,
    save_every: int = 1,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> PopulationResult:
    r"""Train a network for every strength and seed by SGD, many of them as one batch.

    Each run has the numbers that :func:`~implicit_bias.training.train` gives it alone, up to rounding: its own initial
    weights, order of images, augmentation and penalty, and the adaptive strength of its own that PILoT finds. A run
    whose loss stops being finite ends there, and leaves the others as they are, to the last bit.

    Args:
        build: Makes the dense network of a seed, such as ``lambda seed: training.build("lenet", data, seed)``. All have
            one architecture, without running statistics (batch normalization) and random numbers (dropout).
        data: The images.
        method: Makes a method for a strength, such as ``training.METHODS["pilot"]``.
        strengths: The strengths; each is trained with every seed.
        seeds: Of initial weights, order and augmentation.
        epochs: The number of epochs.
        learning_rate: The first learning rate; it and what follows are as in :func:`~implicit_bias.training.train`.
        momentum: The momentum of SGD.
        batch_size: Images of each run in a step.
        schedule: The learning rates.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        precision: ``"32-true"`` or ``"64-true"``.
        members_at_once: How many runs are trained side by side; the others wait, so memory is bounded. By default what
            half of a GPU's free memory holds; on a CPU 8, and 1 for networks with convolutions, which are no faster
            together there.
        checkpoints: A folder for a checkpoint of each run, ``STRENGTH-SEED.safetensors``; each is the one that
            ``train`` would write, and either continues what the other began.
        save_every: Epochs between checkpoints.
        resume: Continue from the checkpoints that exist; without it they are an error.
        progress: Called about ten times a second with the mean loss and accuracy of the runs that train; epochs count
            over all runs, one group after the other.

    Raises:
        InputError: As in :func:`~implicit_bias.training.train`; or a strength or a seed comes twice, or the networks
            differ in their architecture.
        UnsupportedError: If a network has running statistics or random numbers.
        FolderInUseError: If another run writes the folder.

    >>> from implicit_bias import training
    >>> digits = training.load("digits")
    >>> found = train_population(
    ...     lambda seed: training.build("lenet", digits, seed), digits, training.METHODS["mask"], [0.0, 1e-4], [0, 1],
    ...     epochs=1,
    ... )
    >>> found, found.accuracy.shape, found.one_shot([0.5, 0.9]).shape
    (PopulationResult(4 runs, 1 epochs, 0 failed), (4, 1), (4, 2))
    """
    began = time.perf_counter()
    pairs = _pairs(strengths, seeds)
    at_least_one(epochs, "epochs")
    at_least_one(batch_size, "batch_size")
    at_least_one(save_every, "save_every")
    rates = checked_rates(schedule)
    first_rate = positive_number(learning_rate, "learning_rate")
    make_optimizer = sgd(positive_number(momentum, "momentum", zero_allowed=True))
    place = checked_device(device, 1)
    if place.type == "mps":
        raise InputError("device: expected 'cpu' or 'cuda', got 'mps'; train on the CPU.")
    if precision not in ("32-true", "64-true"):
        raise InputError(f"precision: expected '32-true' or '64-true', got {precision!r}.")
    if members_at_once is not None:
        at_least_one(members_at_once, "members_at_once")
    folder = None if checkpoints is None else Path(checkpoints)
    if folder is None and resume:
        raise InputError("resume: there is nothing to resume from; name the folder of the checkpoints.")
    with ExitStack() as context:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            context.enter_context(held(folder / ".lock"))
        context.enter_context(reproducible(place))
        members = []
        for strength, seed in pairs:
            settings = LoopSettings(
                epochs, batch_size, save_every, seed, rates, _path(folder, strength, seed), log_dir=None
            )
            model, chosen = checked_module(build(seed)), method(strength)
            check_method(chosen)
            saved = saved_run(settings.path, resume)
            if not members:
                check_model(model, data)
                check_batches(model, data, batch_size, place, 1)
                _check_stackable(model)
            configuration = configuration_of(model, data, chosen, settings) | {
                "schedule": schedule if isinstance(schedule, str) else "a function",
                "precision": precision,
            }
            if saved is not None:
                check_configuration(saved, configuration)
            model.to(place, PRECISIONS[precision])
            state = begin(model, chosen, make_optimizer, first_rate, epochs, configuration)
            run = MemberRun(state, seed, settings.path)
            if saved is not None:
                run.history = state.restore(saved)
            members.append(run)
        _check_alike([run.state.model for run in members])
        batches = Batches(data, place, PRECISIONS[precision])
        groups = list(_groups(members, members_at_once or _members_at_once(members[0], batches, batch_size), epochs))
        for number, group in enumerate(groups):
            report = _Reports(progress, number * epochs, len(groups) * epochs, -(-len(data.train) // batch_size))
            PopulationLoop(group, batches, epochs, batch_size, rates, save_every, report).run()
        for run in members:
            run.state.method.finish(run.state.model)
            if kept_weights(run.state.model):
                unmask(run.state.model)
    seconds = time.perf_counter() - began
    return PopulationResult(
        tuple(
            Member(strength, seed, _result(run, seconds / len(members)), run.failure)
            for (strength, seed), run in zip(pairs, members, strict=True)
        ),
        data,
        epochs,
        seconds,
    )


def _pairs(strengths: Sequence[float], seeds: Sequence[int]) -> list[tuple[float, int]]:
    chosen = [positive_number(strength, "strengths", zero_allowed=True) for strength in strengths]
    numbers = [checked_seed(seed) for seed in seeds]
    for name, values in (("strengths", chosen), ("seeds", numbers)):
        if not values or len(set(values)) < len(values):
            raise InputError(f"{name}: expected one or more different numbers, got {values}.")
    return [(strength, seed) for strength in chosen for seed in numbers]


def _path(folder: Path | None, strength: float, seed: int) -> Path | None:
    return None if folder is None else folder / f"{strength!r}-{seed}.safetensors"


def _groups(members: Sequence[MemberRun], size: int, epochs: int) -> Iterator[list[MemberRun]]:
    """Runs to train side by side: they are at the same epoch, and have not ended."""
    by_epoch = defaultdict(list)
    for run in members:
        if len(run.history) < epochs:
            by_epoch[len(run.history)].append(run)
    for _, runs in sorted(by_epoch.items()):
        yield from (runs[begin : begin + size] for begin in range(0, len(runs), size))


def _members_at_once(member: MemberRun, batches: Batches, batch_size: int) -> int:
    """How many runs fit into the memory of a GPU, or are fast together on a CPU."""
    model = member.state.model
    if batches.train.labels.device.type == "cpu":
        # Convolutions with weights of their own for each run are slower together than one after the other.
        return (
            1 if any(isinstance(part, nn.modules.conv._ConvNd) for part in model.modules()) else _MEMBERS_AT_ONCE_ON_CPU
        )
    device = batches.train.labels.device
    sizes = [0]
    hooks = [
        part.register_forward_hook(lambda _, inputs, output: sizes.append(_bytes(inputs) + _bytes(output)))
        for part in model.modules()
    ]
    try:
        with torch.no_grad():
            images = next(batches.epoch(seed=0, epoch=1, size=batch_size)).images
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    # Values, gradients, momentum and two steps in between, for parameters; forward and backward, for activations.
    each = 5 * _bytes(list(model.parameters())) + 4 * sum(sizes)
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, int(_SHARE_OF_GPU_MEMORY * free / each))


def _bytes(value: object) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    return sum(map(_bytes, value)) if isinstance(value, tuple | list) else 0


def _check_stackable(model: nn.Module) -> None:
    """Refuse networks whose runs would not be independent copies of one computation."""
    for name, part in model.named_modules():
        if getattr(part, "running_mean", None) is not None:
            raise UnsupportedError(
                f"model: {name} ({type(part).__name__}) keeps running statistics, which a population does not train; "
                "take a network without them, or train its runs one by one."
            )
        if isinstance(part, nn.modules.dropout._DropoutNd) and part.p:
            raise UnsupportedError(
                f"model: {name} ({type(part).__name__}) draws random numbers, which the runs of a population would not "
                "draw as alone; set p=0, or train its runs one by one."
            )


def _check_alike(models: Sequence[nn.Module]) -> None:
    first = {name: tensor.shape for name, tensor in models[0].state_dict().items()}
    for model in models[1:]:
        if {name: tensor.shape for name, tensor in model.state_dict().items()} != first:
            raise InputError("build: expected networks of one architecture for all seeds, got different ones.")


def _result(run: MemberRun, seconds: float) -> TrainingResult:
    status = Status.CONVERGED if run.failure is None else Status.NOT_FINITE
    return TrainingResult(run.state.model, run.history, status, seconds)


class _Reports:
    """Calls ``progress`` about ten times a second, and after every epoch."""

    def __init__(self, progress: Callable[[Progress], None] | None, before: int, epochs: int, steps: int) -> None:
        self._progress, self._before, self._epochs, self._steps = progress, before, epochs, steps
        self._last = -float("inf")

    def __call__(self, epoch: int, step: int, means: Callable[[], tuple[float, float]]) -> None:
        now = time.perf_counter()
        if self._progress is None or (step < self._steps and now - self._last < _SECONDS_BETWEEN_REPORTS):
            return
        loss, accuracy = means()
        self._progress(Progress(self._before + epoch, self._epochs, step, self._steps, loss, accuracy, None))
        self._last = now
