"""Checkpoints come back as they were written, and files that are damaged or foreign are refused."""

import contextlib
import hashlib
import json
import os

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save, save_file
from small_runs import images, run, same
from torch import nn

from implicit_bias.errors import InputError
from implicit_bias.training import checkpoint as checkpoints
from implicit_bias.training import train
from implicit_bias.training.methods import METHODS


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "run.safetensors"
    run(epochs=2, checkpoint=path)
    return path


def test_what_is_written_is_read(tmp_path):
    tensors = {"a": torch.rand(3, 4), "b": torch.tensor(2), "c": torch.rand(2).bfloat16(), "empty": torch.zeros(0)}
    tensors["tied"], tensors["part"] = tensors["a"], tensors["a"].T
    numbers = {"x": 0.1, "list": [1, None, "α"], "inside": {"y": 1e-300}}
    checkpoints.write(tmp_path / "folder" / "file", tensors, numbers)
    found = checkpoints.read(tmp_path / "folder" / "file")
    assert found.numbers == numbers
    assert found.tensors.keys() == tensors.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in tensors.items())
    assert os.listdir(tmp_path / "folder") == ["file"]


def test_equal_runs_write_equal_files(tmp_path):
    for name in ("one", "other"):
        checkpoints.write(tmp_path / name, {"a": torch.ones(2), "b": torch.zeros(3)}, {"x": 1, "y": "z"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_truncated_files_are_refused_and_left(path):
    content = path.read_bytes()
    for length in (0, 5, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match="truncated or no checkpoint"):
            run(epochs=2, checkpoint=path, resume=True)
        assert path.read_bytes() == content[:length]


def test_a_flipped_bit_is_found(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="does not agree with its own checksum"):
        checkpoints.read(path)


def test_foreign_files_are_refused(path):
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="expected a file of the format"):
        checkpoints.read(path)
    with pytest.raises(InputError, match="there is no such checkpoint"):
        checkpoints.read(path.parent / "nothing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "convnet"}, "model: LeNet there, ConvNet here"),
        ({"seed": 1}, "initial weights: .*; seed: 0 there, 1 here"),
        ({"method": "mask"}, "method: pilot there, mask here"),
        ({"strength": 1e-3}, "strength of the method: 0.0001 there, 0.001 here"),
        ({"epochs": 1}, "epochs: 2 there, 1 here"),
        ({"learning_rate": 0.3}, "lr of group 1: 0.1 there, 0.3 here"),
        ({"data": "other"}, "images: "),
    ],
)
def test_checkpoints_of_other_runs_are_refused(path, change, message):
    before = path.read_bytes()
    if "data" in change:
        change = {"data": images(seed=1)}
    with pytest.raises(InputError, match=message):
        run(**{"epochs": 2, "checkpoint": path, "resume": True} | change)
    assert path.read_bytes() == before


def test_weights_are_no_run(path):
    """The command line writes them beside the checkpoint, in the same format."""
    checkpoints.write(path, run(epochs=1).model.state_dict(), {"data": "rows"})
    with pytest.raises(InputError, match="holds weights, but no run"):
        run(checkpoint=path, resume=True)


@pytest.mark.parametrize("entry", ["[]", "null", "3"])
def test_foreign_entries_of_the_header_are_refused(tmp_path, entry):
    (tmp_path / "file").write_bytes(save({"a": torch.zeros(3)}, {checkpoints.HEADER: entry}))
    with pytest.raises(InputError, match="got 'none'"):
        checkpoints.read(tmp_path / "file")


TENSORS = {"a": torch.arange(4.0), "b": torch.arange(3), "c": torch.zeros(2, 3)}


def changed_content():
    """Contents that differ from TENSORS in a name, a type of the same bits, a shape, a value, an entry or a number."""
    yield {"a2" if k == "a" else k: v for k, v in TENSORS.items()}, '{"x": 1}'  # in the same order
    yield TENSORS | {"a": TENSORS["b"], "b": TENSORS["a"]}, '{"x": 1}'
    yield TENSORS | {"a": TENSORS["a"].view(torch.int32)}, '{"x": 1}'
    yield TENSORS | {"c": TENSORS["c"].T.contiguous()}, '{"x": 1}'
    yield TENSORS | {"c": -TENSORS["c"]}, '{"x": 1}'
    yield {"a": TENSORS["a"]}, '{"x": 1}'
    yield TENSORS, '{"x": 2}'
    yield TENSORS, '{"x": 1, "y": 1}'
    yield TENSORS, '{"x": 1.0}'


def test_the_checksum_covers_names_types_shapes_values_and_numbers(tmp_path):
    checkpoints.write(tmp_path / "file", TENSORS, {"x": 1})
    with safe_open(tmp_path / "file", framework="pt") as file:
        header = json.loads(file.metadata()[checkpoints.HEADER])
    for tensors, numbers in changed_content():
        entry = json.dumps(header | {"numbers": numbers})
        (tmp_path / "other").write_bytes(save(tensors, {checkpoints.HEADER: entry}))
        with pytest.raises(InputError, match="does not agree with its own checksum"):
            checkpoints.read(tmp_path / "other")
    digests = {checkpoints.tensors_digest(tensors) for tensors, text in changed_content() if text == '{"x": 1}'}
    assert len(digests | {checkpoints.tensors_digest(TENSORS)}) == 7


def entries():
    """Headers that a damaged or foreign file may hold, some of them with the right checksum."""
    deep = "[" * 100_000
    yield from ("", "[]", "null", "3", '"text"', "{", deep, '{"format":' + deep, "9" * 5000, "NaN", "\x00", "{}")
    strange = (
        None,
        3,
        1.5,
        [],
        {},
        True,
        "\ud800",
        "",
        deep,
        "null",
        "[]",
        "3",
        '"x"',
        "{",
        "9" * 5000,
        '{"x":' + deep,
    )
    for numbers in strange:
        text = numbers if isinstance(numbers, str) else ""
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        for checksum in (digest, None, 3, [], "no"):
            yield json.dumps({"format": checkpoints.FORMAT, "sha256": checksum, "numbers": numbers})
    for form in (None, 3, [], {}, "implicit_bias checkpoint 0"):
        yield json.dumps({"format": form})


def test_damaged_headers_are_one_error(tmp_path):
    for entry in entries():
        (tmp_path / "file").write_bytes(save({}, {checkpoints.HEADER: entry}))
        with pytest.raises(InputError, match=r"^/.*(is damaged|so it is damaged|expected a file|did not write it)"):
            checkpoints.read(tmp_path / "file")


def test_random_damage_is_one_error(path):
    content, rng = path.read_bytes(), np.random.default_rng(0)
    end = 8 + int.from_bytes(content[:8], "little")
    for _ in range(300):
        damaged = bytearray(content)
        for where in rng.integers(0, end, rng.integers(1, 5)):
            damaged[where] = rng.integers(256)
        path.write_bytes(damaged)
        if bytes(damaged) != content:
            with contextlib.suppress(ValueError):  # other white space in the JSON is no damage
                found = checkpoints.read(path)
                assert found.numbers.keys() == {"configuration", "history", "method", "optimizer"}


def test_a_run_is_not_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(InputError, match="holds a run already; resume it"):
        run(epochs=2, checkpoint=path)
    assert path.read_bytes() == before


def test_resuming_before_the_first_checkpoint_starts_a_run(tmp_path):
    assert same(run(checkpoint=tmp_path / "new", resume=True), run())


def test_tied_weights(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.out = nn.Linear(36, 36), nn.Linear(36, 36), nn.Linear(36, 3)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.out(torch.relu(self.b(torch.relu(self.a(x.flatten(1))))))

    def tied(**settings):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return train(Tied(), images(), METHODS["mask"](), epochs=3, learning_rate=0.01, **settings)

    def interrupt(progress):
        if progress.record is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tied(checkpoint=tmp_path / "run", progress=interrupt)
    resumed = tied(checkpoint=tmp_path / "run", resume=True)
    assert same(resumed, tied())
    assert resumed.model.a.weight is resumed.model.b.weight


def test_a_full_disk_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.write(path, {"a": torch.zeros(3)}, {})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
