"""A file is whole at every moment: on a full disk, with several writers, and when writers are killed."""

import errno
import os
import random
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from implicit_bias import files
from implicit_bias.files import UNFINISHED, FolderInUseError, held, remove_unfinished, write_whole

OLD, NEW = b"old" * 1000, b"new" * 100_000
ROOT = Path(files.__file__).parents[1]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


def test_what_is_written_is_there(tmp_path):
    for content, expected in ((b"\0\r\n", b"\0\r\n"), (b"", b""), ("∇\n", "∇\n".encode())):
        write_whole(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == expected
    assert names(tmp_path) == ["file"]


def test_permissions_stay_and_new_files_get_the_usual_ones(tmp_path, old):
    old.chmod(0o640)
    write_whole(old, NEW)
    write_whole(tmp_path / "new", NEW)
    (tmp_path / "usual").write_bytes(NEW)
    assert old.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_other_names_of_the_old_file_keep_it(tmp_path, old):
    os.link(old, tmp_path / "data")
    write_whole(old, NEW)
    assert (tmp_path / "data").read_bytes() == OLD
    assert old.read_bytes() == NEW


def test_a_symbolic_link_stays_one(tmp_path, old):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link").symlink_to(old)
    write_whole(tmp_path / "elsewhere" / "link", NEW)
    assert old.read_bytes() == NEW
    assert (tmp_path / "elsewhere" / "link").is_symlink()


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, error in (("folder", IsADirectoryError), ("pipe", OSError), ("none/file", FileNotFoundError)):
        with pytest.raises(error) as caught:
            write_whole(tmp_path / name, NEW)
        assert caught.value.filename == str(tmp_path / name)
    assert names(tmp_path) == ["folder", "pipe"]


def test_a_file_that_must_not_be_written_stays(old, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anything
    with pytest.raises(PermissionError) as caught:
        write_whole(old, NEW)
    assert caught.value.filename == str(old)
    assert old.read_bytes() == OLD


@pytest.fixture(params=["a small disk", "a limit on files", "fsync"])
def full_disk(request, tmp_path, monkeypatch):
    """A folder on which nothing as long as NEW can be written."""
    if request.param == "a small disk":
        mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("cannot mount")
        yield tmp_path
        subprocess.run(["/bin/umount", "-l", str(tmp_path)], check=True)
    elif request.param == "a limit on files":
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, before[1]))
        yield tmp_path
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    else:

        def full(descriptor):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        (tmp_path / "file").write_bytes(OLD)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            yield tmp_path


def test_a_full_disk_leaves_the_old_file_and_nothing_else(full_disk):
    path = full_disk / "file"
    path.write_bytes(OLD)
    with pytest.raises(OSError) as caught:  # noqa: PT011
        write_whole(path, NEW)
    assert caught.value.errno in (errno.ENOSPC, errno.EFBIG)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == OLD
    assert names(full_disk) == ["file"]


def test_an_interruption_leaves_the_old_file_and_nothing_else(old, monkeypatch):
    for step in ("fsync", "replace"):

        def interrupted(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(os, step, interrupted)
            with pytest.raises(KeyboardInterrupt):
                write_whole(old, NEW)
        assert old.read_bytes() == OLD
        assert names(old.parent) == ["file"]


@contextmanager
def program(code, *arguments):
    """A running Python program that has printed "ready"; it is killed at the end."""
    command = [
        sys.executable,
        "-c",
        f"from implicit_bias.files import *\nimport os, sys, time\n{code}",
        *map(str, arguments),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


STUCK = "os.fsync = lambda _: (print('ready', flush=True), time.sleep(60))\nwrite_whole(sys.argv[1], b'half')"


def test_what_a_killed_writer_left_goes_and_what_is_being_written_stays(old):
    with program(STUCK, old) as alive:
        with program(STUCK, old) as killed:
            assert len(names(old.parent)) == 3
            killed.kill()
            killed.wait()
            write_whole(old.with_name("other"), NEW)
            (left,) = (name for name in names(old.parent) if name.endswith(UNFINISHED))
        remove_unfinished(old.parent)
        assert left in names(old.parent)
        alive.kill()
        alive.wait()
        remove_unfinished(old.parent)
    assert names(old.parent) == ["file", "other"]
    assert old.read_bytes() == OLD


def test_files_of_others_are_no_leftovers(tmp_path):
    others = {".notes.unfinished", "0123456789abcdef.unfinished", ".0123456789ABCDEF.unfinished", ".link.unfinished"}
    for name in others:
        (tmp_path / name).write_text("mine")
    write_whole(tmp_path / "file", NEW)
    assert set(names(tmp_path)) == others | {"file"}
    (tmp_path / f".{'0' * 16}.unfinished").symlink_to(tmp_path / "file")
    remove_unfinished(tmp_path)
    assert (tmp_path / "file").read_bytes() == NEW


def test_a_file_that_was_taken_for_a_leftover_is_begun_again(old, monkeypatch):
    """If another process removes a new file before it is locked, writing begins again."""
    lock, taken = files._lock, []

    def late(descriptor, wait=False):
        if not taken:
            taken.extend(old.parent.glob(f".*{UNFINISHED}"))
            taken[0].unlink()
        return lock(descriptor, wait)

    monkeypatch.setattr(files, "_lock", late)
    write_whole(old, NEW)
    assert old.read_bytes() == NEW
    assert names(old.parent) == ["file"]


WRITE = """
import itertools
print('ready', flush=True)
for k in itertools.count():
    write_whole(sys.argv[1], sys.argv[2].encode() * (1, 10_000, 300_000)[k % 3])
"""


def test_two_writers_and_a_reader_and_kills_at_any_moment(old):
    """Every read sees one whole content although one writer or the other is killed again and again."""
    write_whole(old, b"0")
    moments, reads, seen = random.Random(0), 0, set()  # noqa: S311
    for kill in range(12):
        with program(WRITE, old, "a") as one, program(WRITE, old, "b") as other:
            end = time.monotonic() + moments.uniform(0.1, 0.5)
            while time.monotonic() < end:
                content = old.read_bytes()
                assert content == content[:1] * len(content)
                assert len(content) in (1, 10_000, 300_000)
                reads += 1
                seen.add(content[:1])
            (one if kill % 2 else other).kill()
    assert seen >= {b"a", b"b"}
    assert reads > 100
    write_whole(old, b"end")
    assert names(old.parent) == ["file"]


def test_a_folder_is_held_by_one_run(tmp_path):
    lock = tmp_path / "run" / ".lock"
    with held(lock):
        with pytest.raises(FolderInUseError, match=rf"{tmp_path}/run: is in use by process {os.getpid()} on .* since "):
            held(lock).__enter__()
        assert lock.exists()
    assert names(tmp_path / "run") == []
    with held(lock):
        pass


def test_a_lock_says_nothing_of_who_held_it_before(tmp_path):
    """A lock file names its holder alone, although a killed process left a longer text in it."""
    lock = tmp_path / ".lock"
    lock.write_text("process 1 on " + "another-machine" * 20)
    with held(lock):
        assert lock.read_text().startswith(f"process {os.getpid()} on {os.uname().nodename} since ")
        assert "another-machine" not in lock.read_text()


HOLD = "with held(__import__('pathlib').Path(sys.argv[1])): print('ready', flush=True); time.sleep(60)"


def test_the_second_is_told_who_and_a_kill_frees_the_folder(tmp_path):
    lock = tmp_path / ".lock"
    with program(HOLD, lock) as holder:
        with pytest.raises(FolderInUseError, match=f"process {holder.pid} on {os.uname().nodename} since 20"):
            held(lock).__enter__()
        holder.kill()
        holder.wait()
        assert lock.exists()
        with held(lock):
            pass
    assert names(tmp_path) == []


ENTER = """
from pathlib import Path
print('ready', flush=True)
entered = 0
while entered < 50:
    try:
        with held(Path(sys.argv[1])):
            os.close(os.open(sys.argv[2], os.O_CREAT | os.O_EXCL))  # fails where another one is inside
            entered += 1
            os.unlink(sys.argv[2])
    except FolderInUseError:
        pass
"""


def test_never_two_at_once(tmp_path):
    runs = [program(ENTER, tmp_path / ".lock", tmp_path / "inside") for _ in range(3)]
    with runs[0] as one, runs[1] as two, runs[2] as three:
        assert [run.wait(60) for run in (one, two, three)] == [0, 0, 0]
    assert names(tmp_path) == []


@pytest.mark.parametrize("missing", ["the module", "the file system's"])
def test_without_locks_files_are_whole_and_leftovers_stay(old, monkeypatch, missing):
    left = old.with_name(f".{'0' * 16}{UNFINISHED}")
    left.write_bytes(b"half")
    if missing == "the module":
        monkeypatch.setattr(files, "fcntl", None)
    else:

        def unsupported(*_):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

        monkeypatch.setattr(files.fcntl, "flock", unsupported)
    with held(old.with_name(".lock")):
        write_whole(old, NEW)
    assert old.read_bytes() == NEW
    assert names(old.parent) == [left.name, "file"]
