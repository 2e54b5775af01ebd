"""Training of many runs as one batch: strengths × starts × seeds, each with the numbers that it would have alone."""

from __future__ import annotations

import inspect
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from implicit_bias.errors import InputError, known_options
from implicit_bias.files import held
from implicit_bias.masking import kept_weights, unmask
from implicit_bias.status import Status
from implicit_bias.training.batches import Batches
from implicit_bias.training.checkpoint import Checkpoint
from implicit_bias.training.data.images import ImageData, check_data
from implicit_bias.training.determinism import reproducible
from implicit_bias.training.devices import checked_device
from implicit_bias.training.learning_rates import LearningRate
from implicit_bias.training.loop import LoopSettings
from implicit_bias.training.methods import Method, MethodEntry
from implicit_bias.training.population_loop import MemberRun, PopulationLoop
from implicit_bias.training.population_result import Member, PopulationResult
from implicit_bias.training.preparation import (
    at_least_one,
    begin,
    check_batches,
    check_method,
    check_model,
    checked_module,
    checked_rates,
    configuration_of,
    saved_run,
    sgd,
)
from implicit_bias.training.result import Progress, TrainingResult
from implicit_bias.training.run_state import check_configuration
from implicit_bias.training.sparsity_curve import Cycles, SparsityCurve, check_cycles, check_makes
from implicit_bias.training.stackable import check_alike, check_stackable
from implicit_bias.validation import finite_array, positive_number, seed_number

T = TypeVar("T")
Start = Mapping[str, float]

_SECONDS_BETWEEN_REPORTS = 0.1
_MEMBERS_AT_ONCE_ON_CPU = 8
_SHARE_OF_GPU_MEMORY = 0.5


@known_options
def train_population(
    build: Callable[[int], nn.Module],
    data: ImageData,
    method: Callable[..., Method],
    strengths: Sequence[float] = (0.0,),
    seeds: Sequence[int] = (0,),
    starts: Sequence[Start] = ({},),
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
    r"""Train a network for every strength, start and seed by SGD, many of them as one batch.

    Each run has the numbers that :func:`~implicit_bias.training.train` gives it alone, up to rounding: its own initial
    weights, order of images, augmentation and penalty, and the adaptive strength of its own that PILoT finds. A run
    whose loss stops being finite ends there, and leaves the others as they are, to the last bit.

    Args:
        build: Makes the dense network of a seed, such as ``lambda seed: training.build("lenet", data, seed)``. All have
            one architecture, without random numbers (dropout).
        data: The images.
        method: Makes a method for a strength, such as ``training.METHODS["pilot"]``.
        strengths: The strengths; each is trained with every start and seed.
        seeds: Of initial weights, order and augmentation.
        starts: Further numbers of the method, by name, that decide where training starts and not what the network
            computes, such as ``[{"beta": 0.1}, {"beta": 1.0}]`` for the initial scale β/2 of masks. A method is made by
            ``method(strength, **start)``.
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
        checkpoints: A folder for a checkpoint of each run, ``STRENGTH-SEED.safetensors``, with its start
            ``STRENGTH-SEED-beta=0.1.safetensors``; each is the one that ``train`` would write, and either continues
            what the other began.
        save_every: Epochs between checkpoints.
        resume: Continue from the checkpoints that exist, also for more epochs; without it they are an error.
        progress: Called about ten times a second with the mean loss and accuracy of the runs that train; epochs count
            over all runs, one group after the other.

    Raises:
        InputError: As in :func:`~implicit_bias.training.train`; or a strength, a start or a seed comes twice, or the
            networks differ in more than the numbers that are trained.
        UnsupportedError: If a network has random numbers, or ``torch.func.vmap`` does not know one of its operations
            (recurrent layers), or loses a buffer that changes in every pass; or if a method of yours changes steps or
            the loss in a way of its own.
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
    places = _places(strengths, starts, seeds)
    _check_makers(build, data, method)
    folder = None if checkpoints is None else Path(checkpoints)
    if folder is None and resume:
        raise InputError("resume: there is nothing to resume from; name the folder of the checkpoints.")
    settings = _Settings(
        data, epochs, learning_rate, momentum, batch_size, schedule, device, precision, members_at_once, save_every
    )
    methods, models = [_made(method, place) for place in places], [build(place.seed) for place in places]
    checked_device(device, 1)
    with ExitStack() as context:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            context.enter_context(held(folder / ".lock"))
        paths = [None if folder is None else folder / f"{place.name}.safetensors" for place in places]
        runs = _trained(models, methods, places, settings, paths, resume, progress)
    seconds = time.perf_counter() - began
    return PopulationResult(
        tuple(
            Member(place.strength, place.seed, _result(run, seconds / len(runs)), run.failure, place.start)
            for place, run in zip(places, runs, strict=True)
        ),
        data,
        epochs,
        seconds,
    )


@known_options
def iterative_population(
    build: Callable[[int], nn.Module],
    data: ImageData,
    method: Callable[..., Method],
    strengths: Sequence[float] = (0.0,),
    seeds: Sequence[int] = (0,),
    starts: Sequence[Start] = ({},),
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
    schedule: str | LearningRate = "cosine",
    device: str | torch.device = "cpu",
    precision: str = "32-true",
    members_at_once: int | None = None,
) -> list[SparsityCurve | None]:
    r"""Train, prune, rewind and repeat, as :func:`~implicit_bias.training.iterative`, by strength, start and seed.

    Args:
        build: As in :func:`train_population`, like all others that :func:`~implicit_bias.training.iterative` lacks.
        data: The images to train on, and those that give the accuracy.
        method: Makes a method for a strength, a new one for every cycle.
        strengths: The strengths; each is trained with every start and seed.
        seeds: Of initial weights, order and augmentation, the same in all cycles.
        starts: Numbers of the method by name, as in :func:`train_population`.
        cycles: The number of trainings.
        keep: The fraction of weights that survive each pruning, in (0, 1].
        rewind: ``"weights"`` or ``"learning-rate"``.
        warm_up: The number of epochs before the values that weights go back to.
        progress: Called with the number of cycles done.
        epochs: The number of epochs in each cycle.
        learning_rate: The first learning rate of each cycle.
        momentum: The momentum of SGD.
        batch_size: Images of each run in a step.
        schedule: The learning rates of each cycle; the warm-up keeps the first one.
        device: Where to train.
        precision: ``"32-true"`` or ``"64-true"``.
        members_at_once: How many runs are trained side by side.

    Returns:
        A curve for each run, in the order of :func:`train_population`; None for one whose loss stopped being finite.
    """
    share = check_cycles(cycles, keep, rewind, warm_up)
    places = _places(strengths, starts, seeds)
    _check_makers(build, data, method)
    settings = _Settings(
        data.untested(), epochs, learning_rate, momentum, batch_size, schedule, device, precision, members_at_once
    )
    models = [build(place.seed) for place in places]
    alive, found = list(range(len(places))), [Cycles(share, rewind) for _ in places]

    def train_all(settings: _Settings) -> None:
        runs = _trained(
            [models[k] for k in alive], [_made(method, places[k]) for k in alive], [places[k] for k in alive], settings
        )
        ended = [k for k, run in zip(alive, runs, strict=True) if run.failure is not None]
        alive[:] = [k for k in alive if k not in ended]

    if warm_up:
        train_all(replace(settings, epochs=warm_up, schedule="constant"))
    for k in alive:
        found[k].begin(models[k])
    for cycle in range(cycles):
        if alive:
            train_all(settings)
        for k in alive:
            models[k] = found[k].next(models[k], data)
        if progress is not None:
            progress(cycle + 1)
    return [each.curve() if k in alive else None for k, each in enumerate(found)]


@dataclass(frozen=True)
class _Settings:
    """Arguments that all runs share, checked."""

    data: ImageData
    epochs: int
    learning_rate: float
    momentum: float
    batch_size: int
    schedule: str | LearningRate
    device: str | torch.device
    precision: str
    members_at_once: int | None
    save_every: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "save_every", "members_at_once"):
            if name != "members_at_once" or self.members_at_once is not None:
                at_least_one(getattr(self, name), name)
        positive_number(self.learning_rate, "learning_rate")
        positive_number(self.momentum, "momentum", zero_allowed=True)
        checked_rates(self.schedule)
        if self.precision not in ("32-true", "64-true"):
            raise InputError(f"precision: expected '32-true' or '64-true', got {self.precision!r}.")


def _trained(
    models: Sequence[nn.Module],
    methods: Sequence[Method],
    places: Sequence[_Place],
    settings: _Settings,
    paths: Sequence[Path | None] | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> list[MemberRun]:
    """Train networks in place, and leave them dense, or pruned as they were."""
    data, precision, epochs, size = settings.data, settings.precision, settings.epochs, settings.batch_size
    rates, make_optimizer = checked_rates(settings.schedule), sgd(settings.momentum)
    on = checked_device(settings.device, 1)
    if on.type == "mps":
        raise InputError("device: expected 'cpu' or 'cuda', got 'mps'; train on the CPU.")
    dtype = torch.float64 if precision == "64-true" else torch.float32
    for model, method in zip(models, methods, strict=True):
        checked_module(model)
        check_method(method)
    tensors = [tensor for model in models for tensor in (*model.parameters(), *model.buffers())]
    for name, given in (("build", tensors), ("method", methods)):
        if len(set(map(id, given))) < len(given):
            raise InputError(
                f"{name}: expected a new one in every call, got one, or parts of one, for several runs; make it in the "
                "call."
            )
    members: list[MemberRun] = []
    checkpoints: list[Checkpoint | None] = []
    with reproducible(on):
        for model, method, place, path in zip(models, methods, places, paths or [None] * len(models), strict=True):
            saved = saved_run(path, resume)
            if not members:
                check_model(model, data)
                check_batches(model, data, size, on, 1)
            of_loop = LoopSettings(epochs, size, settings.save_every, place.seed, rates, path, log_dir=None)
            configuration = configuration_of(model, data, method, of_loop) | {
                "schedule": settings.schedule if isinstance(settings.schedule, str) else "a function",
                "precision": precision,
            }
            if saved is not None:
                check_configuration(saved, configuration)
            model.to(on, dtype)
            model.zero_grad(set_to_none=True)
            state = begin(model, method, make_optimizer, settings.learning_rate, epochs, configuration)
            members.append(MemberRun(state, place.seed, path))
            checkpoints.append(saved)
        batches = Batches(data, on, dtype)
        check_stackable(max(members, key=lambda run: run.state.method.strength), batches)
        check_alike(members, [place.start for place in places], batches)
        for run, saved in zip(members, checkpoints, strict=True):
            if saved is not None:
                run.history = run.state.restore(saved)
        at_once = settings.members_at_once or _members_at_once(models[0], batches, size)
        groups = list(_groups(members, at_once, epochs))
        for number, group in enumerate(groups):
            report = _Reports(progress, number * epochs, len(groups) * epochs, -(-len(data.train) // size))
            PopulationLoop(group, batches, epochs, size, rates, settings.save_every, report).run()
        for run in members:
            run.state.method.finish(run.state.model)
            if kept_weights(run.state.model):
                unmask(run.state.model)
    return members


@dataclass(frozen=True)
class _Place:
    """Where a run stands among the others: its strength, start and seed."""

    strength: float
    seed: int
    start: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The stem of its checkpoint."""
        return "-".join([repr(self.strength), str(self.seed), *(f"{k}={v!r}" for k, v in sorted(self.start.items()))])


def _places(strengths: Sequence[float], starts: Sequence[Start], seeds: Sequence[int]) -> list[_Place]:
    chosen = [positive_number(each, "strengths", zero_allowed=True) for each in _several(strengths, "strengths")]
    numbers = [seed_number(seed) for seed in _several(seeds, "seeds")]
    begun: list[dict[str, float]] = []
    for start in _several(starts, "starts"):
        if not isinstance(start, Mapping) or not all(isinstance(name, str) for name in start):
            raise InputError(f"starts: expected mappings of names to numbers, such as {{'beta': 0.1}}, got {start!r}.")
        begun.append({name: float(finite_array(value, f"starts: {name}", ndim=0)) for name, value in start.items()})
    for name, values in (("strengths", chosen), ("seeds", numbers), ("starts", begun)):
        if not values or any(value in values[:k] for k, value in enumerate(values)):
            raise InputError(f"{name}: expected one or more different numbers, got {values}.")
    return [_Place(strength, seed, start) for strength in chosen for start in begun for seed in numbers]


def _several(values: Sequence[T], name: str) -> list[T]:
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise InputError(f"{name}: expected a list, such as [{values!r}], got {values!r}.")
    return list(values)


def _check_makers(build: object, data: ImageData, method: object) -> None:
    """Raise ``InputError`` unless networks and methods can be made, for data."""
    check_data(data)
    check_makes(build, "build", "lambda seed: training.build('lenet', data, seed)")
    check_makes(method, "method", "training.METHODS['mask']")


def _made(method: Callable[..., Method], place: _Place) -> Method:
    """A new method for a run."""
    if place.start:
        try:
            inspect.signature(method.make if isinstance(method, MethodEntry) else method).bind(0.0, **place.start)
        except TypeError as error:
            raise InputError(f"starts: the method cannot be made with {', '.join(place.start)}: {error}.") from None
    return method(place.strength, **place.start)


def _groups(members: Sequence[MemberRun], size: int, epochs: int) -> Iterator[list[MemberRun]]:
    """Runs to train side by side: they are at the same epoch, and have not ended."""
    by_epoch = defaultdict(list)
    for run in members:
        if len(run.history) < epochs:
            by_epoch[len(run.history)].append(run)
    for _, runs in sorted(by_epoch.items()):
        yield from (runs[begin : begin + size] for begin in range(0, len(runs), size))


def _members_at_once(model: nn.Module, batches: Batches, batch_size: int) -> int:
    """How many runs fit into the memory of a GPU, or are fast together on a CPU."""
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
