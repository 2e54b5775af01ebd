"""A run learns, repeats, and says what is wrong with its settings, its model or its data."""

import dataclasses
import math
import time

import pytest
import torch
from small_runs import images, run, same
from torch import nn

from implicit_bias import SolverError, Status, masking
from implicit_bias.errors import InputError
from implicit_bias.training import METHODS, MODELS, Images, build, load, train, write_stand_in
from implicit_bias.training.tensorboard import TensorBoard


class Dropout(nn.Module):
    """A network that draws from PyTorch's global generator."""

    def __init__(self, *_):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Dropout(0.5), nn.Linear(8, 3))

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_and_leaves_a_dense_model(method):
    data = images()
    result = run(data, method=method, strength=0.0, epochs=8)
    last = result.history[-1]
    assert result.status is Status.CONVERGED
    assert last.test_accuracy > 0.8
    assert last.train_loss < result.history[0].train_loss
    assert result.model.state_dict().keys() == build("lenet", data).state_dict().keys()
    assert masking.effective_weights(result.model) == {}
    norm = sum(float(p.abs().sum()) for name, p in result.model.state_dict().items() if name.endswith("weight"))
    if method != "continuous-sparsification":  # which rounds its mask at the end
        assert last.l1_norm == pytest.approx(norm, rel=1e-5)
    with torch.no_grad():
        logits = result.model.eval()(_normalized(data))
    accuracy = float((logits.argmax(1) == data.test.labels).float().mean())
    if method != "continuous-sparsification":
        assert accuracy == pytest.approx(last.test_accuracy)


def _normalized(data):
    mean, deviation = (v.float()[:, None, None] for v in (data.mean(), data.deviation()))
    return (data.test.pixels.float() - mean) / deviation


@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains_on_cifar(model, tmp_path):
    data = load("cifar10", write_stand_in(tmp_path, records=4))
    data = dataclasses.replace(data, train=data.train.take(torch.arange(12)), test=data.test)
    result = run(data, model, epochs=1, batch_size=6)
    assert math.isfinite(result.history[-1].test_loss)
    assert same(result, run(data, model, epochs=1, batch_size=6))


def test_a_run_is_plain_gradient_descent():
    """With all data in each step, so that shuffling does not matter, a run takes the steps written out here."""
    data = images(n=30)
    result = run(data, method="dense", strength=0.01, precision="64-true", batch_size=30, epochs=5, learning_rate=0.05)
    model = build("lenet", data).double()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    mean, deviation = (v[:, None, None] for v in (data.mean(), data.deviation()))
    x = (data.train.pixels.double() - mean) / deviation
    for epoch in range(5):
        optimizer.param_groups[0]["lr"] = 0.05 * (1 + math.cos(math.pi * epoch / 5)) / 2
        optimizer.zero_grad()
        penalty = 0.01 * sum((p**2).sum() for p in decayed)
        (nn.functional.cross_entropy(model(x), data.train.labels) + penalty).backward()
        optimizer.step()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(result.model.state_dict()[name], value, rtol=1e-10, atol=1e-12)


def test_runs_repeat_and_leave_the_global_state_alone():
    data = images()
    torch.manual_seed(5)
    first = torch.rand(1)
    torch.manual_seed(5)
    one = train(_seeded(Dropout), data, METHODS["dense"](), epochs=2)
    assert torch.equal(torch.rand(1), first)
    assert not torch.are_deterministic_algorithms_enabled()
    assert same(one, train(_seeded(Dropout), data, METHODS["dense"](), epochs=2))
    assert not same(one, train(_seeded(Dropout), data, METHODS["dense"](), epochs=2, seed=1))


def _seeded(kind):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind()


def test_progress_counts_steps_and_epochs():
    seen = []
    result = run(progress=seen.append)
    ends = [p for p in seen if p.record is not None and p.record.epoch == p.epoch]
    assert [p.epoch for p in ends] == [1, 2, 3, 4]
    assert all(p.step == p.steps == 7 for p in ends)
    assert ends[-1].record == result.history[-1]


def test_mixed_precision_keeps_weights_in_single():
    result = run(precision="bf16-mixed", epochs=6)
    assert all(p.dtype is torch.float32 for p in result.model.parameters())
    assert result.history[-1].test_accuracy > 0.8


def test_a_diverging_run_stops_and_keeps_its_last_good_epoch(tmp_path):
    path = tmp_path / "run.safetensors"

    def schedule(time):
        return 1.0 if time < 0.5 else 1e30

    with pytest.raises(SolverError, match=r"nan or inf at epoch 3, step \d of 7 .*keeps the run after epoch 2"):
        run(method="dense", schedule=schedule, checkpoint=path)
    result = run(method="dense", schedule=schedule, throw=False)
    assert result.status is Status.NOT_FINITE
    assert len(result.history) == 2
    with pytest.raises(SolverError, match="epoch 3"):
        run(method="dense", schedule=schedule, checkpoint=path, resume=True)


def test_nan_in_data_is_found_before_training():
    pixels = torch.rand(8, 1, 6, 6)
    pixels[5, 0, 2, 2] = float("nan")
    with pytest.raises(InputError, match="the first is image 5"):
        Images(pixels, torch.zeros(8, dtype=torch.int64))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs: expected at least 1"),
        ({"batch_size": 0}, "batch_size"),
        ({"seed": -1}, "seed"),
        ({"learning_rate": -0.1}, "learning_rate"),
        ({"momentum": float("nan")}, "momentum"),
        ({"schedule": "linear"}, "schedule: expected cosine"),
        ({"optimizer": "newton"}, "optimizer: expected 'sgd'"),
        ({"precision": "8-bit"}, "precision: expected one of"),
        ({"device": "abacus"}, "device: expected .cpu., .cuda."),
        ({"device": "cuda:99"}, "CUDA was asked for|devices:"),
        ({"device": "cuda:999"}, "CUDA was asked for|devices:"),
        ({"device": "cpu:1"}, "device: expected .cpu., .cuda."),
        ({"devices": 0}, "devices: expected at least 1"),
        ({"resume": True}, "nothing to resume from"),
    ],
)
def test_bad_settings_say_what_to_do(settings, message):
    with pytest.raises(InputError, match=message):
        run(**settings)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has CUDA")
def test_cuda_that_is_absent():
    with pytest.raises(InputError, match=r"CUDA was asked for.*use device='cpu'"):
        run(device="cuda")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(5, 3)), "cannot take images of shape"),
        (nn.Sequential(nn.Flatten(), nn.Linear(36, 4)), r"expected logits of shape \(2, 3\)"),
        (nn.Flatten(), "no parameters to train"),
        ("lenet", "expected a torch.nn.Module"),
    ],
)
def test_models_that_do_not_fit(model, message):
    with pytest.raises(InputError, match=message):
        train(model, images(), METHODS["dense"](), epochs=1)


def test_weights_that_are_nan():
    model = build("lenet", images())
    model.fc1.weight.data[0, 0] = float("nan")
    with pytest.raises(InputError, match="nan or inf"):
        train(model, images(), METHODS["dense"](), epochs=1)


def test_tensorboard_shows_every_epoch_once(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def interrupt(progress):
        if progress.record is not None and progress.record.epoch == 3:
            raise KeyboardInterrupt

    settings = {"checkpoint": tmp_path / "run.safetensors", "log_dir": tmp_path / "log", "save_every": 2}
    with pytest.raises(KeyboardInterrupt):
        run(progress=interrupt, **settings)
    result = run(resume=True, **settings)
    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    points = events.Scalars("train/loss")
    assert [point.step for point in points] == [1, 2, 3, 4]
    assert points[-1].value == pytest.approx(result.history[-1].train_loss)


def test_no_two_logs_of_tensorboard_begin_in_one_second(tmp_path):
    """TensorBoard reads them in the order of their names; a resumed run whose name sorted first lost its epochs."""
    time.sleep(1 - time.time() % 1)  # to the start of a second
    for epoch in (1, 2):
        with TensorBoard(tmp_path, epoch):
            pass
    seconds = [path.name.split(".")[3] for path in tmp_path.iterdir()]
    assert len(set(seconds)) == 2


@pytest.mark.cuda
@pytest.mark.parametrize("model", ["lenet", "convnet"])
def test_a_gpu_repeats_itself_and_agrees_with_the_cpu(model):
    one, other = (run(model=model, device="cuda", precision="64-true") for _ in range(2))
    assert same(one, other)
    cpu = run(model=model, precision="64-true")
    for name, value in cpu.model.state_dict().items():
        torch.testing.assert_close(one.model.state_dict()[name].cpu(), value, rtol=1e-6, atol=1e-8)
