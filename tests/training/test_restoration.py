"""A training that fails, in whatever way, leaves the model as it was, and the call can be made again."""

import copy
import dataclasses
import errno

import pytest
import torch
from small_runs import images, same
from torch import nn

from implicit_bias import SolverError, masking
from implicit_bias.errors import InputError
from implicit_bias.training import METHODS, build, train
from implicit_bias.training import checkpoint as checkpoints
from implicit_bias.training.methods.mask import Mask
from implicit_bias.training.restoration import ModelMemory


class Network(nn.Module):
    """A network with tied and frozen weights, norms with statistics, a part in evaluation, and a fault to be set."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
            self.a, self.b, self.scale = nn.Linear(64, 64), nn.Linear(64, 64), nn.LayerNorm(64)
            self.out = nn.Linear(64, 3)
            self.rest = nn.Sequential(nn.Dropout(0.1), nn.BatchNorm1d(64)).eval()
        self.b.weight = self.a.weight
        self.scale.bias.requires_grad_(False)
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.register_buffer("wide", torch.ones(1).expand(3), persistent=False)
        self.passes, self.log, self.fault = 0, [], None

    def forward(self, x):
        self.passes += 1
        self.log.append(len(x))
        self.seen += 1
        h = torch.relu(self.norm(self.conv(x))).flatten(1)
        h = self.rest(self.scale(torch.relu(self.b(torch.relu(self.a(h))))))
        if self.training and self.fault is not None and float(self.seen) > 15:
            h = self.fault(h)
        return self.out(h)


class BackwardError(Exception):
    pass


class Backward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise BackwardError("no gradient today")


def network(fault=None):
    model = Network()
    masking.prune_(model, 0.3, select=lambda name, _: name == "out.weight")
    calls = []
    model.handle = model.conv.register_forward_hook(lambda *_: calls.append(1))
    model.fault = fault
    for p in model.parameters():
        p.grad = torch.full_like(p, 1e3) if p.requires_grad else None
    return model


def raising(error):
    def raise_it(*_, **__):
        raise error

    return raise_it


def described(model):
    """Everything that a user can see of a model: objects by their identity, tensors by their bits."""
    parts = {}
    for path, module in model.named_modules():
        parts[path] = (
            id(module), module.__class__, module.training, list(module._modules), list(module._forward_hooks),
            {name: id(p) for name, p in module._parameters.items()},
            {name: id(b) for name, b in module._buffers.items()},
            set(module._non_persistent_buffers_set),
        )  # fmt: skip
    tensors = {
        name: (
            id(t), t.data_ptr(), t.dtype, t.device, t.requires_grad, t.detach().clone(),
            None if t.grad is None else t.grad.clone(),
        )
        for name, t in [*model.named_parameters(remove_duplicate=False), *model.named_buffers()]
    }  # fmt: skip
    return parts, tensors, list(model.log), model.passes


def assert_same(model, before):
    parts, tensors, log, passes = described(model)
    assert parts == before[0]
    assert tensors.keys() == before[1].keys()
    for name, (*facts, value, gradient) in tensors.items():
        *expected, old_value, old_gradient = before[1][name]
        assert facts == expected, name
        assert torch.equal(value, old_value), name
        assert (gradient is None) == (old_gradient is None), name
        assert gradient is None or torch.equal(gradient, old_gradient), name
    assert (log, passes) == before[2:]


def full_disk(monkeypatch, writes=2):
    write, left = checkpoints.write, [writes]

    def limited(*arguments):
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= 1
        write(*arguments)

    monkeypatch.setattr(checkpoints, "write", limited)


def at_epoch(epoch, error):
    def progress(state):
        if state.record is not None and state.record.epoch == epoch:
            raise error

    return progress


class Broken(torch.optim.SGD):
    def step(self, closure=None):
        super().step(closure)
        raise ZeroDivisionError("in step")


class FailsToStart(Mask):
    def start(self, *_):
        raise LookupError("start")


class FailsToFinish(Mask):
    def finish(self, model):
        super().finish(model)
        raise LookupError("finish")


class Halfway(Mask):
    def prepare(self, model):
        super().prepare(model)
        model.extra = nn.Linear(2, 2)
        del model.rest
        model.requires_grad_(False)
        raise LookupError("prepare")


# For every failure: the error that it raises, and the arguments of the call that bring it about.
FAILURES = {
    "forward": (RuntimeError, {"fault": raising(RuntimeError("no output today"))}),
    "forward, a shape": (RuntimeError, {"fault": lambda h: h[:, :-1]}),
    "backward": (BackwardError, {"fault": Backward.apply}),
    "loss": (SolverError, {"fault": lambda h: h * float("nan")}),
    "divergence": (SolverError, {"learning_rate": 1e30}),
    "progress": (KeyError, {"progress": at_epoch(2, KeyError("progress"))}),
    "interruption": (KeyboardInterrupt, {"progress": at_epoch(2, KeyboardInterrupt())}),
    "interruption in a step": (KeyboardInterrupt, {"fault": raising(KeyboardInterrupt())}),
    "exit": (SystemExit, {"progress": at_epoch(1, SystemExit(3))}),
    "schedule": (ArithmeticError, {"schedule": raising(ArithmeticError("schedule"))}),
    "optimizer made": (TypeError, {"optimizer": lambda groups, lr: torch.optim.SGD(groups, lr, speed=3)}),
    "optimizer's step": (ZeroDivisionError, {"optimizer": lambda groups, lr: Broken(groups, lr)}),
    "optimizer's decay": (ValueError, {"optimizer": torch.optim.Adafactor, "method": lambda: Mask(0.1)}),
    "optimizer's numbers": (
        ValueError,
        {"optimizer": lambda groups, lr: torch.optim.SGD(groups, torch.tensor(lr))},
    ),
    "method prepares": (LookupError, {"method": lambda: Halfway(0.1)}),
    "method starts": (LookupError, {"method": lambda: FailsToStart(0.1)}),
    "method finishes": (LookupError, {"method": lambda: FailsToFinish(0.1)}),
    "images": (ValueError, {"data": lambda: images(shape=(1, 7, 7))}),
    "classes": (ValueError, {"data": lambda: images(classes=2)}),
    "last batch": (ValueError, {"batch_size": 101}),
    "disk": (OSError, {"disk": True}),
}


def failing(tmp_path, monkeypatch, name, **changes):
    error, call = FAILURES[name]
    call = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01} | call | changes
    model = network(call.pop("fault", None))
    method = call.pop("method", lambda: Mask(1e-4))()
    data = call.pop("data", images)()
    if call.pop("disk", False):
        full_disk(monkeypatch)
    call["checkpoint"] = tmp_path / "run.safetensors"
    before, random = described(model), torch.get_rng_state()
    with pytest.raises(error) as caught:
        train(model, data, method, **call)
    assert torch.equal(torch.get_rng_state(), random)
    assert not torch.are_deterministic_algorithms_enabled()
    assert_same(model, before)
    return model, caught.value


@pytest.mark.parametrize("name", FAILURES)
def test_a_training_that_fails_leaves_the_model_as_it_was(name, tmp_path, monkeypatch):
    failing(tmp_path, monkeypatch, name)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
def test_with_every_method_and_precision(method, precision, tmp_path, monkeypatch):
    """Methods replace tensors, and 64-bit training replaces the memory of every parameter."""
    kind = METHODS[method]
    failing(tmp_path, monkeypatch, "interruption", precision=precision, method=lambda: kind(1e-4))


@pytest.mark.parametrize("name", ["interruption", "disk", "interruption in a step"])
def test_the_same_model_resumes(name, tmp_path, monkeypatch):
    model, _ = failing(tmp_path, monkeypatch, name)
    monkeypatch.undo()
    model.fault = None
    again = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01}
    resumed = train(model, images(), Mask(1e-4), checkpoint=tmp_path / "run.safetensors", resume=True, **again)
    assert resumed.model is model
    undisturbed = train(network(), images(), Mask(1e-4), **again)
    assert same(resumed, undisturbed)
    assert model.b.weight is model.a.weight


def test_attributes_that_came_meanwhile_go():
    """Attributes that a forward pass added are removed; those that it changed or deleted are as before."""
    layer = torch.nn.Linear(2, 2)
    layer.name, layer.count = "first", 1
    memory = ModelMemory(layer)
    layer.seen, layer.count = torch.ones(3), 2
    del layer.name
    memory.restore()
    assert not hasattr(layer, "seen")
    assert (layer.name, layer.count) == ("first", 1)


def test_hooks_can_still_be_removed(tmp_path, monkeypatch):
    model, _ = failing(tmp_path, monkeypatch, "interruption")
    model.handle.remove()
    assert not model.conv._forward_hooks


def test_another_user_of_the_parameters_sees_nothing():
    """A layer outside of the model that shares a weight keeps its object, its values and its precision."""
    model = network(raising(RuntimeError("no output today")))
    outside = nn.Linear(64, 3)
    outside.weight = model.a.weight
    before = outside.weight.detach().clone()
    with pytest.raises(RuntimeError, match="no output today"):
        train(model, images(), METHODS["powerpropagation"](1e-4), epochs=4, batch_size=32, precision="64-true")
    assert model.a.weight is outside.weight
    assert torch.equal(outside.weight, before)
    assert outside.weight.dtype == torch.float32


def test_gradients_from_before_do_not_enter_the_first_step():
    with_gradients, without = network(), network()
    without.zero_grad()
    results = [train(m, images(), METHODS["dense"](1e-3), epochs=1, batch_size=32) for m in (with_gradients, without)]
    assert same(*results)


@pytest.mark.parametrize(("n", "size", "smallest"), [(203, 101, 1), (203, 202, 1), (1, 5, 1), (12, 1, 1)])
def test_a_last_batch_that_a_norm_cannot_take_is_named_before_anything_is_done(n, size, smallest, tmp_path):
    with pytest.raises(
        ValueError, match=rf"Network takes no batch of {smallest} in training \(Expected more than 1 value"
    ):
        train(network(), images(n), METHODS["dense"](), epochs=1, batch_size=size, checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    train(build("convnet", images(n)), images(n), METHODS["dense"](), epochs=1, batch_size=size)  # other norms take it


def test_the_trial_leaves_no_trace():
    """Statistics of batch normalization after one epoch are those of its steps alone."""
    result = train(network(), images(96), METHODS["dense"](), epochs=1, batch_size=32)
    assert int(result.model.norm.num_batches_tracked) == 3
    assert result.model.log == [2, 32, 32, 32, 40]  # the first is the check of shapes, in evaluation


def test_lazy_layers_are_refused_in_one_sentence():
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    with pytest.raises(InputError, match=r"^1\.weight: has no shape yet; run the lazy module on one batch first\.$"):
        train(model, images(), METHODS["dense"](), epochs=1)
    assert isinstance(model[1], nn.LazyLinear)
    with torch.no_grad():
        model(torch.ones(1, 1, 6, 6))
    train(model, images(), Mask(), epochs=1)


def test_without_an_error_what_diverged_is_returned():
    result = train(network(lambda h: h * float("nan")), images(), Mask(), epochs=4, batch_size=32, throw=False)
    assert masking.effective_weights(result.model) == {}
    assert len(result.history) < 4
    with pytest.raises(SolverError) as caught:
        train(network(lambda h: h * float("nan")), images(), Mask(), epochs=4, batch_size=32)
    assert caught.value.result.history == tuple(
        dataclasses.replace(record, seconds=other.seconds)
        for record, other in zip(result.history, caught.value.result.history, strict=True)
    )


def test_a_failure_of_a_copy_leaves_the_original():
    model = network(raising(RuntimeError("no output today")))
    model.zero_grad()
    del model.handle
    model.conv._forward_hooks.clear()
    copied = copy.deepcopy(model)
    before = described(model)
    with pytest.raises(RuntimeError, match="no output today"):
        train(copied, images(), Mask(), epochs=4, batch_size=32)
    assert_same(model, before)
