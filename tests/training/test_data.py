"""Images are those of their source, and files that are damaged, changed or missing are named."""

import hashlib

import numpy as np
import pytest
import torch

from implicit_bias.errors import InputError
from implicit_bias.training import DATA, ImageData, Images, load, write_stand_in
from implicit_bias.training.data import cifar
from implicit_bias.training.data.augmentation import Shifts


@pytest.mark.parametrize(
    ("name", "sizes", "shape"), [("mnist", (4000, 1000), (1, 28, 28)), ("digits", None, (1, 8, 8))]
)
def test_data_that_ship(name, sizes, shape):
    data = load(name)
    assert data.shape == shape
    assert data.classes == 10
    if sizes:
        assert (len(data.train), len(data.test)) == sizes
        assert torch.bincount(data.test.labels).tolist() == [100] * 10
        assert repr(data) == (
            "ImageData('mnist', train=Images(n=4000, 1×28×28, uint8), test=Images(n=1000, 1×28×28, uint8), classes=10)"
        )
    # Nearest class means tell digits apart, so labels belong to their images.
    train, test = (part.pixels.flatten(1).double() for part in (data.train, data.test))
    means = torch.stack([train[data.train.labels == k].mean(0) for k in range(10)])
    assert float((torch.cdist(test, means).argmin(1) == data.test.labels).double().mean()) > 0.7


@pytest.mark.parametrize(("name", "classes"), [("cifar10", 10), ("cifar100", 100)])
def test_stand_ins_are_read_as_cifar(tmp_path, name, classes):
    data = load(name, write_stand_in(tmp_path, name, records=200))
    assert data.shape == (3, 32, 32)
    assert data.classes == classes
    assert data.augment
    assert len(data.train) == (1000 if name == "cifar10" else 200)
    layout = cifar.CIFAR10 if name == "cifar10" else cifar.CIFAR100
    first = next(iter(layout.train))
    record = (tmp_path / first).read_bytes()[: layout.record_bytes]
    assert int(data.train.labels[0]) == record[layout.label_bytes - 1]
    assert data.train.pixels[0].flatten().tolist() == list(record[layout.label_bytes :])
    again = load(name, write_stand_in(tmp_path / "again", name, records=200))
    assert data.digest() == again.digest()


def test_files_in_the_folder_of_the_archive(tmp_path):
    write_stand_in(tmp_path / "cifar-10-batches-bin", records=2)
    assert len(load("cifar10", tmp_path).train) == 10


def test_damaged_stand_ins(tmp_path):
    write_stand_in(tmp_path, records=5)
    file = tmp_path / "data_batch_2.bin"
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    with pytest.raises(InputError, match=r"data_batch_2\.bin: .*truncated or changed"):
        load("cifar10", tmp_path)
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=r"data_batch_2\.bin"):
        load("cifar10", tmp_path)
    file.unlink()
    with pytest.raises(InputError, match=r"data_batch_2\.bin: is missing; put https"):
        load("cifar10", tmp_path)
    (tmp_path / "train.bin").write_bytes(b"")
    with pytest.raises(InputError, match="lists no train"):
        load("cifar100", tmp_path)


def test_records_that_are_another_format(tmp_path):
    write_stand_in(tmp_path, records=5)
    file = tmp_path / "data_batch_1.bin"
    sums = tmp_path / cifar.MANIFEST
    lines = sums.read_text().splitlines()
    for content, message in ((b"\x0b" + bytes(3072), "has the label 11"), (bytes(3000), "no whole number of records")):
        file.write_bytes(content)
        sums.write_text("\n".join([f"{hashlib.sha256(content).hexdigest()}  data_batch_1.bin", *lines[1:]]))
        with pytest.raises(InputError, match=message):
            load("cifar10", tmp_path)


def test_files_without_a_manifest_have_to_be_official(tmp_path):
    write_stand_in(tmp_path, records=5)
    (tmp_path / cifar.MANIFEST).unlink()
    with pytest.raises(InputError, match="expected 30730000 bytes, got 15365"):
        load("cifar10", tmp_path)
    (tmp_path / "data_batch_1.bin").write_bytes(bytes(30_730_000))
    with pytest.raises(InputError, match="is not the official file"):
        load("cifar10", tmp_path)
    with pytest.raises(InputError, match="was not generated; name another folder"):
        write_stand_in(tmp_path)


def test_archives_are_checked_before_they_are_opened(tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"half of it")
    with pytest.raises(InputError, match="expected the MD5 c32a1d4ab5d03f1284b67883e8d87530"):
        load("cifar10", tmp_path)


def test_archives_are_read_in_memory(tmp_path, monkeypatch):
    import dataclasses
    import tarfile

    source = write_stand_in(tmp_path / "source", records=3)
    archive = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source, "cifar-10-batches-bin")
    checksum = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(cifar, "CIFAR10", dataclasses.replace(cifar.CIFAR10, archive_md5=checksum))
    assert load("cifar10", tmp_path).digest() == load("cifar10", source).digest()


def test_names_and_folders(tmp_path):
    with pytest.raises(InputError, match="known: mnist, digits, fashion-mnist, cifar10, cifar100"):
        load("imagenet")
    with pytest.raises(InputError, match="name the folder"):
        load("cifar10")
    with pytest.raises(InputError, match="is no folder"):
        load("cifar10", tmp_path / "nowhere")
    with pytest.raises(InputError, match="takes none"):
        load("digits", tmp_path)
    assert DATA == ("mnist", "digits", "fashion-mnist", "cifar10", "cifar100")


def test_a_split_is_stratified_and_hides_the_test_images():
    random = np.random.default_rng(0)
    labels = torch.from_numpy(random.integers(0, 4, 400))
    images = Images(torch.arange(400.0).reshape(-1, 1, 1, 1), labels)
    data = ImageData("numbers", images, Images(torch.full((4, 1, 1, 1), -1.0), torch.arange(4)), 4)
    split = data.split(0.25, seed=3)
    both = torch.cat([split.train.pixels, split.test.pixels]).flatten()
    assert both.sort().values.tolist() == list(range(400))
    counts, held = torch.bincount(labels), torch.bincount(split.test.labels)
    assert ((held - counts / 4).abs() <= 0.5).all()
    assert split.digest() == data.split(0.25, seed=3).digest() != data.split(0.25, seed=4).digest()
    with pytest.raises(InputError, match="leaves a part empty"):
        data.split(1.0)


def test_moments():
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (20, 2, 5, 5), generator=random, dtype=torch.uint8)
    part = Images(pixels, torch.zeros(20, dtype=torch.int64))
    data, wide = ImageData("noise", part, part, 1), pixels.double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(data.mean(), wide.mean(1))
    torch.testing.assert_close(data.deviation(), wide.std(1, correction=0))


def test_shifts_are_crops_of_the_padded_image():
    random = torch.Generator().manual_seed(1)
    pixels = torch.randint(1, 256, (9, 3, 8, 8), generator=random, dtype=torch.uint8)
    shifts = Shifts.draw(9, random, torch.device("cpu"))
    moved = shifts.apply(pixels, slice(0, 9))
    for k in range(9):
        row, column = shifts.corner[k].tolist()
        padded = torch.nn.functional.pad(pixels[k], (4, 4, 4, 4))
        expected = padded[:, row : row + 8, column : column + 8]
        assert torch.equal(moved[k], expected.flip(2) if shifts.mirrored[k] else expected)
    assert 0 < int(shifts.mirrored.sum()) < 9


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (torch.zeros(3, 4), torch.zeros(3, dtype=torch.int64), "pixels: expected shape"),
        (torch.zeros(3, 1, 2, 2), torch.zeros(2, dtype=torch.int64), "labels: expected 3"),
        (torch.zeros(3, 1, 2, 2), torch.zeros(3), "of int64"),
        (torch.zeros(3, 1, 2, 2, dtype=torch.int32), torch.zeros(3, dtype=torch.int64), "bytes"),
    ],
)
def test_images_that_are_none(pixels, labels, message):
    with pytest.raises(InputError, match=message):
        Images(pixels, labels)
