"""The store gives back what was put in, or nothing: never a damaged or half-written file, and never a pickle."""

import errno
import os
import pickle
import threading
from io import BytesIO
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments.engine.store import Result, Store, StoreError, _checksum
from implicit_bias.errors import InputError

KEY = "ab" + "0" * 30
PACKED = Result({"x": np.arange(3.0), "name": np.array("mask")}, 0.5).packed()

names = st.text(max_size=8) | st.sampled_from(["file", "allow_pickle", "seconds", "about", "arr_0", "x.npy", "a/../b"])
arrays = hnp.arrays(
    hnp.scalar_dtypes() | hnp.unicode_string_dtypes() | hnp.byte_string_dtypes(),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)


def same(one, other):
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@given(st.dictionaries(names, arrays, max_size=4), st.floats(0, 1e6))
@example({"x": np.array(1.0), "x.npy": np.array([]), "": np.array(True), "\0": np.array(["ä", ""])}, 0.0)
@example({"x": np.array([np.nan, -0.0, np.inf]), "z": np.array([1j, np.nan]), "t": np.array("NaT", "M8[s]")}, 1.5)
def test_gives_what_was_put_in(tmp_path_factory, data, seconds):
    store = Store(tmp_path_factory.mktemp("store"))
    saved, loaded = store.save(KEY, Result(data, seconds).packed()), store.load(KEY)
    assert list(saved.data) == list(loaded.data) == list(data)
    assert saved.seconds == loaded.seconds == seconds
    for name, array in data.items():
        assert same(saved.data[name], array)
        assert same(loaded.data[name], array)


def test_every_damage_is_noticed(tmp_path):
    store = Store(tmp_path)
    store.save(KEY, PACKED)
    (path,) = tmp_path.rglob("*.npz")
    whole = path.read_bytes()
    damaged = [whole[:k] + bytes([whole[k] ^ 1 << k % 8]) + whole[k + 1 :] for k in range(len(whole))]
    for content in [*damaged, *(whole[:k] for k in range(len(whole))), whole + b"\0", whole + whole]:
        path.write_bytes(content)
        assert store.load(KEY) is None
    store.save(KEY, PACKED)
    assert path.read_bytes() == whole


def test_a_result_under_another_key_is_not_taken(tmp_path):
    store, other = Store(tmp_path), "ab" + "1" * 30
    store.save(KEY, PACKED)
    (path,) = tmp_path.rglob("*.npz")
    path.rename(path.with_name(f"{other}.npz"))
    assert store.load(KEY) is None
    assert store.load(other) is None


class Bomb:
    def __reduce__(self):
        return os._exit, (13,)


def saved_by_numpy(**arrays):
    buffer = BytesIO()
    np.savez(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue()


def single_array():
    buffer = BytesIO()
    np.save(buffer, np.arange(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an archive",
        pickle.dumps(Bomb()),
        saved_by_numpy(about=np.array([Bomb()], dtype=object)),
        saved_by_numpy(about=np.array('{"names": ["x"], "seconds": 0}'), arr_0=np.array([Bomb()], dtype=object)),
        saved_by_numpy(about=np.array('{"names": ["x"], "seconds": 0}')),
        saved_by_numpy(x=np.arange(3)),
        single_array(),
        PACKED[: len(PACKED) // 2],
    ],
)
def test_a_file_with_a_right_checksum_that_is_no_result_is_not_taken(tmp_path, content):
    path = tmp_path / KEY[:2] / f"{KEY}.npz"
    path.parent.mkdir()
    path.write_bytes(content + _checksum(KEY, content))
    assert Store(tmp_path).load(KEY) is None


@pytest.mark.parametrize("data", [{"x": np.array([Bomb()], dtype=object)}, {"x": Bomb()}, {1: np.ones(2)}, [1.0], None])
def test_what_is_not_made_of_named_arrays_is_refused(data):
    with pytest.raises(InputError, match=r"arrays by name|[Oo]bject arrays"):
        Result(data, 0.0).packed()


def test_pieces_left_behind_do_no_harm(tmp_path):
    (tmp_path / KEY[:2]).mkdir()
    (tmp_path / KEY[:2] / "tmp1.partial").write_bytes(PACKED[:20])
    store = Store(tmp_path)
    assert store.load(KEY) is None
    store.save(KEY, PACKED)
    assert store.load(KEY).seconds == 0.5


def save_often(folder, value):
    store = Store(folder)
    for _ in range(50):
        store.save(KEY, Result({"x": np.full(1000, value)}, 0.0).packed())


def test_two_processes_write_the_same_key(tmp_path):
    context = get_context("spawn")
    writers = [context.Process(target=save_often, args=(tmp_path, value)) for value in (1.0, 2.0)]
    for writer in writers:
        writer.start()
    threading.Event().wait(0.5)
    store, seen = Store(tmp_path), 0
    while any(writer.is_alive() for writer in writers):
        result = store.load(KEY)
        if result is not None:
            seen += 1
            assert len(set(result.data["x"])) == 1
        else:
            assert not seen  # once there is a result, there is one at every moment
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen
    assert [path.suffix for path in (tmp_path / KEY[:2]).iterdir()] == [".npz"]


def test_a_full_disk_gives_one_clear_error_and_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot be stored in .* \(No space left on device\)"):
        Store(tmp_path).save(KEY, PACKED)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_made_gives_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "store")
    assert store.load(KEY) is None
    with pytest.raises(StoreError, match=r"cannot be stored in .* \(Not a directory\)"):
        store.save(KEY, PACKED)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_gives_one_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"\(Permission denied\)"):
        Store(tmp_path).save(KEY, PACKED)
    tmp_path.chmod(0o700)
