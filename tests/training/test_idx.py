"""IDX files of MNIST and Fashion-MNIST: written by hand, damaged in every way, and the official ones where they are."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias import training
from implicit_bias.training.data import idx
from implicit_bias.training.data.idx import FASHION_MNIST, FILES, MANIFEST

NAMES = ("mnist", "fashion-mnist")


def contents(train=7, test=3, height=5, width=4, seed=0):
    """The bytes of the four files, and the arrays that are in them."""
    random = np.random.default_rng(seed)
    found, arrays = [], []
    for count in (train, test):
        pixels = random.integers(0, 256, (count, height, width), dtype=np.uint8)
        labels = random.integers(0, 10, count, dtype=np.uint8)
        found += [
            struct.pack(">4I", 0x803, count, height, width) + pixels.tobytes(),
            struct.pack(">2I", 0x801, count) + labels.tobytes(),
        ]
        arrays.append((pixels, labels))
    return found, arrays


def write(folder: Path, found, packed=(), manifest=True):
    folder.mkdir(exist_ok=True)
    sums = ""
    for k, (name, content) in enumerate(zip(FILES, found, strict=True)):
        stored, path = (gzip.compress(content), f"{name}.gz") if k in packed else (content, name)
        (folder / path).write_bytes(stored)
        sums += f"{hashlib.sha256(stored).hexdigest()}  {path}\n"
    if manifest:
        (folder / MANIFEST).write_text(sums)
    return folder


@given(
    train=st.integers(1, 9), test=st.integers(1, 9), height=st.integers(1, 6), width=st.integers(1, 6),
    packed=st.sets(st.integers(0, 3)), name=st.sampled_from(NAMES),
)  # fmt: skip
def test_what_was_written_is_read(tmp_path_factory, train, test, height, width, packed, name):
    found, arrays = contents(train, test, height, width)
    data = training.load(name, write(tmp_path_factory.mktemp("idx"), found, packed))
    assert (data.name, data.shape, data.classes, data.augment) == (name, (1, height, width), 10, False)
    for part, (pixels, labels) in zip((data.train, data.test), arrays, strict=True):
        np.testing.assert_array_equal(part.pixels[:, 0].numpy(), pixels)
        np.testing.assert_array_equal(part.labels.numpy(), labels)


@pytest.mark.parametrize("name", NAMES)
def test_files_without_a_manifest_have_to_be_the_official_ones(tmp_path, name):
    folder = write(tmp_path / "files", contents()[0], manifest=False)
    with pytest.raises(ib.InputError, match="is not the official file, by the MD5"):
        training.load(name, folder)


@pytest.mark.parametrize("packed", [(), range(4)])
def test_the_checksum_is_of_the_content(tmp_path, monkeypatch, packed):
    """So files that a distribution packed anew are official as well."""
    found, _ = contents()
    sums = {
        name: hashlib.md5(content, usedforsecurity=False).hexdigest()
        for name, content in zip(FILES, found, strict=True)
    }
    monkeypatch.setattr(idx, "FASHION_MNIST", idx.IdxLayout("fashion-mnist", sums, tmp_path / "usual", "advice."))
    write(tmp_path / "usual", found, packed, manifest=False)
    assert len(training.load("fashion-mnist").train) == 7  # where the package installs it
    assert len(training.load("fashion-mnist", tmp_path / "usual").test) == 3


@given(which=st.integers(0, 3), packed=st.booleans(), data=st.data())
def test_any_damage_is_refused(tmp_path_factory, which, packed, data):
    """A byte that changed, a cut, or bytes at the end, in any file: by the checksums of the content."""
    found, _ = contents()
    folder = write(tmp_path_factory.mktemp("idx"), found, {which} if packed else ())
    path = folder / (FILES[which] + ".gz" * packed)
    stored = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["change", "cut", "more"]))
    if kind == "change":
        place = data.draw(st.integers(0, len(stored) - 1))
        stored[place] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del stored[data.draw(st.integers(0, len(stored) - 1)) :]
    else:
        stored += b"\0"
    path.write_bytes(bytes(stored))
    with pytest.raises(ib.InputError, match=f"{FILES[which]}.*{MANIFEST}"):
        training.load("mnist", folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: b""}, "begin with nothing"),
        ({0: b"\0\0\x08"}, "begin with 000008"),
        ({0: struct.pack(">4I", 0x801, 7, 5, 4) + bytes(140)}, "bytes in 3 axes"),
        ({0: struct.pack(">4I", 0x803, 7, 5, 4) + bytes(139)}, "bytes in 3 axes"),
        ({0: struct.pack(">4I", 0x803, 2**31, 2**31, 2**31) + bytes(140)}, "bytes in 3 axes"),
        ({0: struct.pack(">4I", 0x803, 0, 5, 4)}, "bytes in 3 axes"),
        ({1: struct.pack(">2I", 0x801, 6) + bytes(6)}, "6 labels for 7 images"),
        ({3: struct.pack(">2I", 0x801, 3) + bytes([1, 10, 2])}, "label 1 is 10; expected 0 to 9"),
        ({1: struct.pack(">2I", 0x803, 7) + bytes(7)}, "bytes in 1 axes"),
    ],
)
def test_files_that_a_manifest_vouches_for_are_checked_too(tmp_path, change, message):
    found, _ = contents()
    for which, content in change.items():
        found[which] = content
    with pytest.raises(ib.InputError, match=message):
        training.load("mnist", write(tmp_path / "files", found))


def test_no_folder_and_missing_files(tmp_path, monkeypatch):
    with pytest.raises(ib.InputError, match="is no folder"):
        training.load("mnist", tmp_path / "absent")
    folder = write(tmp_path / "files", contents()[0], manifest=False)
    (folder / FILES[0]).unlink()
    with pytest.raises(ib.InputError, match=r"train-images-idx3-ubyte: is missing, with and without \.gz"):
        training.load("mnist", folder)
    absent = idx.IdxLayout("fashion-mnist", FASHION_MNIST.md5, tmp_path / "absent", FASHION_MNIST.advice)
    monkeypatch.setattr(idx, "FASHION_MNIST", absent)
    with pytest.raises(ib.InputError, match="dataset-fashion-mnist"):
        training.load("fashion-mnist")


def test_a_manifest_that_lists_too_little(tmp_path):
    folder = write(tmp_path / "files", contents()[0])
    (folder / MANIFEST).write_text("nonsense\n")
    with pytest.raises(ib.InputError, match="lists no train-images-idx3-ubyte; write it anew by sha256sum"):
        training.load("mnist", folder)


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "_LARGEST", 100)
    with pytest.raises(ib.InputError, match="unpack to more than 100"):
        training.load("mnist", write(tmp_path / "files", contents()[0], packed=range(4)))


@pytest.mark.skipif(
    FASHION_MNIST.usual_folder is None or not FASHION_MNIST.usual_folder.is_dir(),
    reason="Debian's Fashion-MNIST is not on this machine",
)
def test_the_files_of_debian():
    data = training.load("fashion-mnist")
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert np.unique(data.train.labels.numpy(), return_counts=True)[1].tolist() == [6000] * 10
