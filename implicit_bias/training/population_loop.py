"""Epochs and steps of many runs side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional

from implicit_bias.masking.ham import multiply_
from implicit_bias.training import checkpoint as checkpoints
from implicit_bias.training.batches import Batches
from implicit_bias.training.learning_rates import LearningRate
from implicit_bias.training.result import EpochRecord
from implicit_bias.training.run_state import RunState
from implicit_bias.training.stack import Stack
from implicit_bias.training.weights import all_finite, size_and_tiny_weights

Report = Callable[[int, int, Callable[[], tuple[float, float]]], None]
"""Called with the epoch, the steps done in it, and what computes the mean loss and accuracy of the runs so far."""


@dataclass(eq=False)
class MemberRun:
    """One of the runs.

    Attributes:
        state: What changes in training; the same that a checkpoint of a single run holds.
        seed: Of the order of images and their augmentation.
        path: Its checkpoint, or None.
        history: A record of every complete epoch.
        failure: What was not finite, and when; None for a run in good health.
    """

    state: RunState
    seed: int
    path: Path | None = None
    history: tuple[EpochRecord, ...] = ()
    failure: str | None = None
    first_rates: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.first_rates = [group["lr"] for group in self.state.optimizer.param_groups]


@dataclass(frozen=True)
class _Rates:
    """The numbers of a step that do not change within an epoch, each of shape (K,) where runs differ.

    Attributes:
        rate: The learning rate.
        momentum: That of SGD.
        strengths: Factors of h.
        decays: Weight decay by the name of the parameter.
        growth: γ of HAM, if the method has it.
        contraction: c of HAM, likewise.
        multiplied: The names of the weights, on which HAM acts.
        trained: The names of the parameters that have a gradient; an optimizer leaves the others alone.
    """

    rate: float
    momentum: float
    strengths: torch.Tensor
    decays: dict[str, torch.Tensor]
    growth: torch.Tensor | None
    contraction: torch.Tensor | None
    multiplied: frozenset[str]
    trained: frozenset[str]


class PopulationLoop:
    """The loop over epochs and steps of several runs, which are at the same epoch, have one data set and one method.

    Each run takes the steps of :class:`~implicit_bias.training.loop.TrainingLoop`, up to the rounding of operations
    that act on all runs at once. A run whose loss is not finite goes on beside the others and leaves them alone.

    Args:
        members: The runs; their models' tensors become slices of common ones until the end.
        batches: Images on the device of the models.
        epochs: The number of epochs.
        batch_size: Images in a step.
        schedule: Learning rates over the epochs.
        save_every: Epochs between checkpoints.
        report: Called after every step.
    """

    def __init__(
        self,
        members: Sequence[MemberRun],
        batches: Batches,
        epochs: int,
        batch_size: int,
        schedule: LearningRate,
        save_every: int,
        report: Report,
    ) -> None:
        self._members, self._batches, self._epochs, self._size = members, batches, epochs, batch_size
        self._schedule, self._save_every, self._report = schedule, save_every, report
        self._steps = -(-len(batches.train) // batch_size)

    def run(self) -> None:
        """Train from the epoch at which the runs are to the last one."""
        members = self._members
        first = members[0].state
        strengths = [each.state.method.strength for each in members]
        regularizer = first.method.regularizer if any(strengths) else lambda model: None
        stack = Stack([each.state.model for each in members], regularizer)
        self._buffers = {name: torch.zeros_like(value) for name, value in stack.parameters.items()}
        self._trained = self._with_a_gradient()
        for k, each in enumerate(members):
            self._share_momentum(each, k)
        try:
            for epoch in range(len(members[0].history) + 1, self._epochs + 1):
                if all(each.failure for each in members):
                    break
                self._epoch(stack, epoch)
        finally:
            stack.release()
            for each in members:
                for state in each.state.optimizer.state.values():
                    state["momentum_buffer"] = state["momentum_buffer"].clone()

    def _with_a_gradient(self) -> frozenset[str]:
        """The names of the parameters that take part in the objective, and are not frozen."""
        state = max((each.state for each in self._members), key=lambda state: state.method.strength)
        chosen = {id(p) for group in state.optimizer.param_groups for p in group["params"] if p.requires_grad}
        named = {name: p for name, p in state.model.named_parameters() if id(p) in chosen}
        buffers = {name: values.clone() for name, values in state.model.named_buffers()}
        state.model.train()
        value = state.model(next(self._batches.epoch(seed=0, epoch=1, size=self._size)).images).sum()
        penalty = state.method.penalty(state.model)
        total = value if penalty is None else value + penalty
        found = torch.autograd.grad(total, list(named.values()), allow_unused=True)
        for name, values in state.model.named_buffers():
            values.copy_(buffers[name])  # the pass has moved running statistics
        return frozenset(name for name, gradient in zip(named, found, strict=True) if gradient is not None)

    def _share_momentum(self, member: MemberRun, k: int) -> None:
        """Let the optimizer of a run hold slices of the common momentum, with the numbers that it has."""
        optimizer = member.state.optimizer
        for name, parameter in member.state.model.named_parameters():
            if name not in self._trained:
                continue
            own = self._buffers[name][k]
            before = optimizer.state[parameter].get("momentum_buffer")
            if before is not None:
                own.copy_(before)
            optimizer.state[parameter]["momentum_buffer"] = own

    def _epoch(self, stack: Stack, epoch: int) -> None:
        began, members = time.perf_counter(), self._members
        factor = self._schedule((epoch - 1) / self._epochs)
        for each in members:
            for group, rate in zip(each.state.optimizer.param_groups, each.first_rates, strict=True):
                group["lr"] = rate * factor
        strengths = [each.state.method.present_strength for each in members]
        for each in members:
            each.state.model.train()
        losses, correct, objectives = self._steps_of(stack, epoch)
        finite = torch.isfinite(objectives)
        for k in torch.nonzero(~finite.all(0)).flatten().tolist():
            self._fail(members[k], "the loss is", epoch, int(torch.nonzero(~finite[:, k])[0]) + 1)
        for each in members:
            if not each.failure and not all_finite(each.state.model):
                self._fail(each, "the weights are", epoch, self._steps)
        test_losses, test_correct = self._test(stack)
        n, tests = len(self._batches.train), len(self._batches.test)
        seconds = (time.perf_counter() - began) / len(members)
        for k, each in enumerate(members):
            if each.failure:
                continue
            accuracy = correct[k] / n
            each.state.method.end_epoch(accuracy)
            norm, tiny = size_and_tiny_weights(each.state.model)
            record = EpochRecord(
                epoch=epoch,
                learning_rate=each.first_rates[0] * factor,
                train_loss=losses[k] / n,
                train_accuracy=accuracy,
                test_loss=test_losses[k] / tests,
                test_accuracy=test_correct[k] / tests,
                l1_norm=norm,
                strength=strengths[k],
                tiny_weights=tiny,
                seconds=seconds,
            )
            each.history = (*each.history, record)
            if each.path is not None and (epoch % self._save_every == 0 or epoch == self._epochs):
                checkpoints.write(each.path, each.state.tensors(), each.state.numbers(each.history))

    def _steps_of(self, stack: Stack, epoch: int) -> tuple[list[float], list[float], torch.Tensor]:
        """Take all steps of an epoch: total losses and correct answers of each run, objectives (steps, K)."""
        members, rates = self._members, self._rates(stack)
        sums = torch.zeros(2, len(members), dtype=torch.float64, device=rates.strengths.device)
        objectives, seen = [], 0
        for step, (images, labels) in enumerate(self._epoch_batches(epoch), start=1):
            gradients, objective, losses, correct = stack.gradients(images, labels, rates.strengths)
            self._move(stack, gradients, rates)
            sums += torch.stack([losses.to(sums.dtype), correct.to(sums.dtype)])
            objectives.append(objective)
            seen += labels.shape[1]
            self._report(epoch, step, partial(self._means, sums, seen))
        losses, correct = sums.tolist()
        return losses, correct, torch.stack(objectives)

    def _means(self, sums: torch.Tensor, seen: int) -> tuple[float, float]:
        alive = [k for k, each in enumerate(self._members) if not each.failure]
        loss, accuracy = (sums[:, alive].mean(1) / seen).tolist()
        return loss, accuracy

    def _epoch_batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Images (K, n, …) and labels (K, n), by the seed of each run."""
        seeds = list(dict.fromkeys(each.seed for each in self._members))
        row = torch.tensor([seeds.index(each.seed) for each in self._members], device=self._batches.train.labels.device)
        for parts in zip(*(self._batches.epoch(seed, epoch, self._size) for seed in seeds), strict=True):
            images, labels = torch.stack([part.images for part in parts]), torch.stack([part.labels for part in parts])
            yield images[row], labels[row]

    def _rates(self, stack: Stack) -> _Rates:
        """Collect learning rate, strengths and decays of all runs for this epoch."""
        members = self._members
        like = next(iter(stack.parameters.values()))

        def numbers(values: Sequence[float]) -> torch.Tensor:
            return torch.tensor(values, dtype=like.dtype, device=like.device)

        first = members[0].state
        names = {id(p): name for name, p in first.model.named_parameters()}
        decays = {}
        for k, group in enumerate(first.optimizer.param_groups):
            of_group = numbers([each.state.optimizer.param_groups[k]["weight_decay"] for each in members])
            if of_group.any():
                decays |= {names[id(p)]: of_group for p in group["params"]}
        pairs = [each.state.method.growth_and_contraction() for each in members]
        found = [pair for pair in pairs if pair is not None]
        growth, contraction = (numbers(values) for values in zip(*found, strict=True)) if found else (None, None)
        group = first.optimizer.param_groups[0]
        strengths = numbers([each.state.method.strength for each in members])
        weights = frozenset(names[id(p)] for p in group["params"])  # the first group; biases and norms are the second
        return _Rates(group["lr"], group["momentum"], strengths, decays, growth, contraction, weights, self._trained)

    def _move(self, stack: Stack, gradients: dict[str, torch.Tensor], rates: _Rates) -> None:
        """A step of SGD in the conventions of torch, and what the method adds to it."""
        for name in rates.trained:
            values, gradient, decay = stack.parameters[name], gradients[name], rates.decays.get(name)
            pull = gradient if decay is None else torch.addcmul(gradient, _along(decay, values), values)
            move = self._buffers[name].mul_(rates.momentum).add_(pull)
            values.sub_(move, alpha=rates.rate)
            if rates.growth is not None and rates.contraction is not None and name in rates.multiplied:
                growth, contraction = _along(rates.growth, values), _along(rates.contraction, values)
                multiply_(values, gradient, rates.rate, growth, contraction)

    def _test(self, stack: Stack) -> tuple[list[float], list[float]]:
        """Total losses and correct answers of each run on the test images."""
        for each in self._members:
            each.state.model.eval()
        sums = torch.zeros(2, len(self._members), dtype=torch.float64, device=self._batches.test.labels.device)
        for batch in self._batches.evaluation():
            logits = stack.logits(batch.images)
            losses = functional.cross_entropy(
                logits.flatten(0, 1), batch.labels.repeat(len(logits)), reduction="none"
            ).view(len(logits), -1)
            correct = (logits.argmax(2) == batch.labels).sum(1)
            sums += torch.stack([losses.to(sums.dtype).sum(1), correct.to(sums.dtype)])
        for each in self._members:
            each.state.model.train()
        losses, correct = sums.tolist()
        return losses, correct

    def _fail(self, member: MemberRun, what: str, epoch: int, step: int) -> None:
        if member.failure is None:
            in_all = (epoch - 1) * self._steps + step
            member.failure = f"{what} nan or inf at epoch {epoch}, step {step} of {self._steps} (step {in_all} in all)"


def _along(numbers: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Numbers (K,) with as many axes as values (K, ...)."""
    return numbers.view(-1, *[1] * (values.ndim - 1))
