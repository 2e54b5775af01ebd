"""Which runs one computation can stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from implicit_bias import masking
from implicit_bias.errors import InputError, UnsupportedError
from implicit_bias.training.batches import Batch, Batches
from implicit_bias.training.methods import Method
from implicit_bias.training.population_loop import MemberRun
from implicit_bias.training.preparation import public_numbers
from implicit_bias.training.restoration import ModelMemory
from implicit_bias.training.run_state import RunState, Setting, hyperparameters
from implicit_bias.training.stack import Objective, Stack

_ONE_BY_ONE = "train its runs one by one."


def check_stackable(run: MemberRun, batches: Batches) -> None:
    """Refuse networks whose runs would not be independent copies of one computation, and methods with steps unknown.

    Raises:
        UnsupportedError: If two passes in training give different outputs; or torch cannot compute several networks at
            once, with the buffers, such as running statistics, that each would have alone; or the method adds another
            penalty than strength · h, acts after steps, or has learning rates of its own.
    """
    model, batch = run.state.model, _some_images(batches)
    _check_method(run.state)
    memory = ModelMemory(model)
    try:
        model.train()
        first, objective = _own(run.state, batch)
        after = {name: values.clone() for name, values in model.named_buffers()}
        memory.restore()
        model.train()
        second, _ = _own(run.state, batch)
        memory.restore()
        if not torch.equal(first.nan_to_num(), second.nan_to_num()):
            raise UnsupportedError(
                "model: draws random numbers, such as dropout, which the runs of a population would not draw as alone; "
                "take a network that does not, or train its runs one by one."
            )
        _check_stack(run.state, batch, after, objective)
    finally:
        memory.restore()


def _own(state: RunState, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits, and the objective with the penalty, as :func:`~implicit_bias.training.train` computes them."""
    with torch.no_grad():
        logits = state.model(batch.images)
        loss, penalty = functional.cross_entropy(logits, batch.labels), state.method.penalty(state.model)
    return logits, loss if penalty is None else loss + penalty.detach()


def _check_method(state: RunState) -> None:
    optimizer, method = state.optimizer, type(state.method).__name__
    hooks = (*optimizer._optimizer_step_pre_hooks.values(), *optimizer._optimizer_step_post_hooks.values())
    # PILoT acts between epochs, and the loop multiplies as HAM does.
    known = masking.PILoT if state.method.growth_and_contraction() is None else (masking.PILoT, masking.HAM)
    if not all(isinstance(getattr(hook, "__self__", None), known) for hook in hooks):
        raise UnsupportedError(f"method: {method} acts on every step of its optimizer by hooks; {_ONE_BY_ONE}")
    groups = [{k: v for k, v in group.items() if k != "weight_decay"} for group in hyperparameters(optimizer)]
    usual = {k: v for k, v in optimizer.defaults.items() if k != "weight_decay"}
    for group in groups:
        other = next((name for name in usual if group.get(name) != usual[name]), None)
        if other is not None:
            raise UnsupportedError(f"method: {method} gives a group of parameters {other} of its own; {_ONE_BY_ONE}")
    in_model = set(map(id, state.model.parameters()))
    if any(id(p) not in in_model for group in optimizer.param_groups for p in group["params"]):
        raise UnsupportedError(f"method: {method} trains parameters that are not in the model; {_ONE_BY_ONE}")


def _check_stack(state: RunState, batch: Batch, after: Mapping[str, torch.Tensor], objective: torch.Tensor) -> None:
    """Take the gradients and the logits of a stack of one, as the loop does, and compare."""
    model, name = state.model, type(state.model).__name__
    stack = Stack([model], state.method.regularizer)
    strength = torch.tensor([state.method.strength], dtype=batch.images.dtype, device=batch.images.device)
    try:
        model.train()
        _, found, _, _ = stack.gradients(batch.images[None], batch.labels[None], strength)
        buffers = {name: values[0].clone() for name, values in stack.buffers.items()}
        model.eval()
        stack.logits(batch.images)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise UnsupportedError(
            f"model: torch.func.vmap cannot compute several {name} at once ({reason}); {_ONE_BY_ONE}"
        ) from error
    finally:
        stack.release()
    # The same numbers up to the rounding of other sums; what a pass replaces and does not change in place is lost.
    lost = next((n for n, values in buffers.items() if not _close(values, after[n])), None)
    if lost is not None:
        raise UnsupportedError(
            f"model: {lost} changes in every pass in a way that torch.func.vmap loses for several {name} at once; "
            f"{_ONE_BY_ONE}"
        )
    if not _close(found[0], objective):
        raise UnsupportedError(
            f"method: the penalty of {type(state.method).__name__} is not its strength times regularizer(model); "
            f"write it so, or {_ONE_BY_ONE}"
        )


def _close(first: torch.Tensor, second: torch.Tensor) -> bool:
    return torch.allclose(first.double(), second.double(), rtol=1e-4, atol=1e-6, equal_nan=True)


def check_alike(runs: Sequence[MemberRun], starts: Sequence[Mapping[str, float]], batches: Batches) -> None:
    """Refuse runs that one computation cannot stand for: it has the layers and the numbers of the first.

    Raises:
        InputError: If methods with one start differ in more than strength, or the network of a run computes something
            else than the first one with its tensors.
    """
    batch = _some_images(batches)
    first = runs[0].state
    of_start: list[tuple[Mapping[str, float], RunState]] = []
    for run, start in zip(runs, starts, strict=True):
        state = run.state
        like = next((other for known, other in of_start if known == start), None)
        if like is None:
            of_start.append((start, state))
        else:
            _check_numbers(like.method, state.method)
        if type(state.method) is not type(first.method):
            _check_numbers(first.method, state.method)
        if state is not first:
            is_like = _layers(state.model) == _layers(first.model) and (
                like is None or repr(state.model) == repr(like.model)
            )
            if not is_like:
                raise InputError("build: expected networks of one architecture for all seeds, got different ones.")
            if not _computes_the_same(first, state, batch):
                name = "build" if start == starts[0] else "starts"
                raise InputError(
                    f"{name}: the network of seed {run.seed}{f' and start {dict(start)}' if start else ''} computes "
                    "something else than the first one with its weights; runs of a population may differ in their "
                    "tensors alone, so train one population for each."
                )


def _check_numbers(one: Method, other: Method) -> None:
    if type(other) is not type(one) or _apart_from_strength(other) != _apart_from_strength(one):
        raise InputError(
            "method: expected methods that differ in strength alone, got "
            f"{type(one).__name__} with {_apart_from_strength(one)} and {type(other).__name__} with "
            f"{_apart_from_strength(other)}; train one population for each."
        )


def _apart_from_strength(method: Method) -> dict[str, Setting]:
    return {name: value for name, value in public_numbers(method).items() if name != "strength"}


def _layers(model: nn.Module) -> dict[str, tuple[object, ...]]:
    """The shape of every parameter and buffer, and whether it is trained."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: (tensor.shape, tensor.requires_grad) for name, tensor in tensors.items()}


def _computes_the_same(first: RunState, other: RunState, batch: Batch) -> bool:
    """Compare a network with the first one that has its tensors, in training with the penalty, and in tests."""
    memories = ModelMemory(first.model), ModelMemory(other.model)
    own, standing = Objective(other.model, other.method.regularizer), Objective(first.model, first.method.regularizer)
    strength = torch.ones((), dtype=batch.images.dtype, device=batch.images.device)
    named = (*other.model.named_parameters(), *other.model.named_buffers())
    tensors = {name: tensor.detach().clone() for name, tensor in named}
    try:
        with torch.no_grad():
            for training in (False, True):
                first.model.train(training)
                other.model.train(training)
                values = [
                    standing.of(tensors, batch.images, batch.labels, strength)[0],
                    own(batch.images, batch.labels, strength)[0],
                ]
                if not torch.allclose(*values, rtol=1000 * torch.finfo(strength.dtype).eps, equal_nan=True):
                    return False
    finally:
        for memory in memories:
            memory.restore()
    return True


def _some_images(batches: Batches) -> Batch:
    return next(batches.epoch(seed=0, epoch=1, size=8))
