"""Steps with channels last, in bfloat16 and compiled, against the plain ones; and runs of them that are resumed."""

import shutil

import pytest
import torch
from small_runs import images, run, same, weights
from torch import nn

from implicit_bias import masking
from implicit_bias.errors import InputError
from implicit_bias.training import METHODS, build, train

COLOUR = images(n=70, test=20, shape=(3, 8, 8))
FEW = {"data": COLOUR, "model": "convnet", "epochs": 3, "batch_size": 32, "learning_rate": 0.05}
EVERY_WAY = ["channels_last", "compiled"]


@pytest.fixture(autouse=True)
def one_thread():
    """Sums in one order, so that what repeats does so bit by bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def traced(monkeypatch):
    """Compile up to the kernels, which are torch's own; the C++ compiler takes long. Returns a list of all graphs."""
    from torch._dynamo import lookup_backend

    compile_, finish, found = torch.compile, lookup_backend("aot_eager"), []

    def backend(graph, inputs):
        found.append(graph)
        return finish(graph, inputs)

    def by_traces(model, *, dynamic, options):
        assert options["triton.cudagraphs"]
        return compile_(model, dynamic=dynamic, backend=backend)

    monkeypatch.setattr(torch, "compile", by_traces)
    return found


def assert_near(one, other, tolerance):
    """Weights and numbers of every epoch agree, relative to the largest weight of each tensor."""
    assert len(one.history) == len(other.history)
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        assert (ours[name] - values).abs().max() <= tolerance * values.abs().max(), name
    for ours, theirs in zip(one.history, other.history, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=tolerance)
        assert ours.l1_norm == pytest.approx(theirs.l1_norm, rel=tolerance)
        assert ours.strength == pytest.approx(theirs.strength, rel=tolerance)


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_the_plain_steps(traced, method, way):
    """In float64 up to rounding: with penalties, decays, PILoT's strengths, and a last batch that is smaller."""
    strength = METHODS[method].usual_strength
    options = {**FEW, "method": method, "strength": strength, "precision": "64-true"}
    fast = run(**options, **{way: True})
    assert len(traced) == (way == "compiled")  # a single graph
    assert_near(fast, run(**options), 1e-10)
    assert all(p.is_contiguous() for p in fast.model.parameters())


@pytest.mark.parametrize("schedule", ["constant", "step"])
def test_schedules(traced, schedule):
    options = {**FEW, "schedule": schedule, "precision": "64-true"}
    assert_near(run(**options, channels_last=True, compiled=True), run(**options), 1e-10)


def test_running_statistics(traced):
    options = {**FEW, "data": images(n=20, test=6, shape=(3, 8, 8)), "model": "resnet20", "precision": "64-true"}
    options |= {"epochs": 2, "batch_size": 8}
    fast = run(**options, channels_last=True, compiled=True)
    assert_near(fast, run(**options), 1e-9)
    assert len(traced) == 1


def test_single_precision():
    """Relative 1e-4 in the weights after nine steps."""
    assert_near(run(**FEW, channels_last=True), run(**FEW), 1e-4)


@pytest.mark.filterwarnings("ignore:.*script_method:DeprecationWarning")  # in torch itself
@pytest.mark.skipif(shutil.which("g++") is None, reason="could not import a C++ compiler")
def test_kernels_of_the_compiler():
    """What a user gets on a CPU, masked and with PILoT: relative 1e-4 in the weights after nine steps."""
    options = {**FEW, "model": "lenet"}
    fast = run(**options, compiled=True)
    assert_near(fast, run(**options), 1e-4)


def test_bfloat16_keeps_weights_and_learns():
    """Weights, momentum and history are float32; its 8 digits of two leave all within a tenth after nine steps."""
    fast, plain = run(**FEW, precision="bf16-mixed", channels_last=True), run(**FEW)
    assert {p.dtype for p in fast.model.parameters()} == {torch.float32}
    assert_near(fast, plain, 0.1)
    assert not same(fast, plain)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("way", EVERY_WAY)
def test_a_run_is_resumed_bit_by_bit(traced, tmp_path, way, precision):
    options = {**FEW, "precision": precision, way: True}
    whole = run(**options)
    path = tmp_path / "run.safetensors"

    def stop(progress):
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(**options, checkpoint=path, progress=stop)
    resumed = run(**options, checkpoint=path, resume=True)
    assert same(resumed, whole)
    assert [r.train_loss for r in resumed.history] == [r.train_loss for r in whole.history]
    with pytest.raises(InputError, match=f"another run \\({way}: True there, False here"):
        run(**{**options, way: False}, checkpoint=path, resume=True)


def test_a_model_whose_kernels_lie_otherwise_is_resumed_bit_by_bit(tmp_path):
    """A checkpoint knows no order in memory, which fused steps of momentum take for granted."""

    def one(**options):
        model = build("convnet", COLOUR).to(memory_format=torch.channels_last)
        model.fc2.weight = nn.Parameter(model.fc2.weight.detach().T.clone().T)
        return train(model, COLOUR, METHODS["dense"](), epochs=3, batch_size=32, schedule="constant", **options)

    path = tmp_path / "run.safetensors"

    def stop(progress):
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one(checkpoint=path, progress=stop)
    assert same(one(checkpoint=path, resume=True), one())


def test_kernels_are_in_the_other_order_while_it_trains(monkeypatch):
    found = []

    def look(progress):
        found.extend(p for p in model.parameters() if p.ndim == 4 and p.shape[1] > 1)
        assert all(p.is_contiguous(memory_format=torch.channels_last) for p in found)
        assert all(p.grad is None or p.grad.is_contiguous(memory_format=torch.channels_last) for p in found)

    model = build("convnet", COLOUR)
    train(model, COLOUR, METHODS["mask"](), epochs=1, batch_size=32, channels_last=True, progress=look)
    assert len(set(map(id, found))) == 4  # m and w of two kernels


class Plain(nn.Module):
    """A hidden layer that the compiler need not know."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(192, 3)

    def forward(self, x):
        return self.layer(x.flatten(1))


def test_what_cannot_be_compiled_is_one_sentence(monkeypatch, tmp_path):
    compile_ = torch.compile

    def broken(graph, inputs):
        raise RuntimeError("no such compiler here.\nLong stories")

    monkeypatch.setattr(torch, "compile", lambda model, **_: compile_(model, backend=broken))
    model = Plain()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    with pytest.raises(InputError, match=r"torch\.compile cannot compile Plain here \(.*no such compiler here"):
        train(model, COLOUR, METHODS["mask"](), epochs=1, compiled=True)
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    assert masking.effective_weights(model) == {}

    def absent(model, **_):
        raise RuntimeError("Dynamo is not supported")

    monkeypatch.setattr(torch, "compile", absent)
    with pytest.raises(InputError, match="Dynamo is not supported"):
        train(model, COLOUR, METHODS["mask"](), epochs=1, compiled=True)


def test_compiled_is_for_one_device():
    with pytest.raises(InputError, match="compiled: is for one device, got 2"):
        run(compiled=True, devices=2)


def test_many_runs_are_all_compiled(traced):
    """Torch compiles a few models of a class, and computes further ones without, which would be slow without a word."""
    for _ in range(10):
        run(epochs=1, compiled=True)
    assert len(traced) == 10


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("way", "tolerance"),
    [({"channels_last": True}, 1e-3), ({"compiled": True}, 1e-3), ({"compiled": True, "precision": "bf16-mixed"}, 0.1)],
)
@pytest.mark.parametrize("model", ["convnet", "resnet20"])
def test_a_gpu_takes_the_plain_steps_and_resumes(model, way, tolerance, tmp_path):
    """With captured graphs, for nine steps; a resumed run ends where the whole one does."""
    options = {**FEW, "model": model, "device": "cuda", "learning_rate": 0.01}
    fast = run(**options, **way)
    assert_near(fast, run(**options), tolerance)
    path = tmp_path / "run.safetensors"

    def stop(progress):
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(**options, **way, checkpoint=path, progress=stop)
    assert_near(run(**options, **way, checkpoint=path, resume=True), fast, tolerance)
