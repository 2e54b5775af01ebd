"""Files that appear whole or not at all, and folders in which one run works at a time.

The locks are the operating system's (flock), so they end with the process that holds them, however it ends. A lock also
tells a file that another process is still writing from one that a killed process left behind. Windows and some network
drives have no such locks: files still appear whole there, but two runs can work in one folder, and leftovers stay.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

UNFINISHED = ".unfinished"
"""The suffix of a file that is being written; its name is a dot, 16 random hexadecimal digits and this."""

_LEFTOVERS = f".{'[0-9a-f]' * 16}{UNFINISHED}"
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


class FolderInUseError(OSError):
    """Another run works in the folder."""


def write_whole(path: str | Path, content: bytes | str) -> None:
    """Write a file so that its path always holds either all of the old content or all of the new, even if power fails.

    The content goes into a new file in the same folder, is flushed to the disk, and then replaces the old file at once.
    Hard links to the old file keep the old content; a symbolic link keeps pointing at the file, which is replaced.
    Unfinished files that killed processes left in the folder are removed.

    Args:
        path: The file, in an existing folder.
        content: Bytes, or text, which is encoded in UTF-8.

    Raises:
        OSError: If the file cannot be written; the old one stays.
    """
    data = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    try:
        mode = _replaceable(target)
        remove_unfinished(target.parent)
        _write(target, data, mode)
    except OSError as error:  # name the caller's file, not the temporary one
        raise OSError(error.errno, error.strerror, str(path)) from error


def remove_unfinished(folder: Path) -> None:
    """Remove the files that killed processes left unfinished in a folder; keep those that are being written."""
    for path in folder.glob(_LEFTOVERS):
        with contextlib.suppress(OSError):  # it is gone already, or belongs to another user
            descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if _lock(descriptor):
                    path.unlink()  # still the same file, since a name is never used twice
            finally:
                os.close(descriptor)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Keep other runs out of a folder.

    The lock is a file that says who holds it and since when. It is removed at the end. If a killed process left one
    behind, this takes it over.

    Args:
        lock: The lock file, whose name begins with a dot; its folder is made if it is missing.

    Raises:
        FolderInUseError: If another run holds the lock, in this process or another; the message says which.
        OSError: If the lock file cannot be made.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquired(lock)
    try:
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        os.truncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()} since {since}".encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink(missing_ok=True)
        os.close(descriptor)


def _replaceable(target: Path) -> int | None:
    """The permissions of the file to be replaced, or None if there is no such file.

    Raises:
        OSError: If it is not a regular file, or is write-protected. The system would let us replace a write-protected
            file, but whoever protected it wants to keep it.
    """
    if not target.exists():
        return None
    if not target.is_file():
        raise _os_error(errno.EISDIR if target.is_dir() else errno.EINVAL)
    if not os.access(target, os.W_OK):
        raise _os_error(errno.EACCES)
    return stat.S_IMODE(target.stat().st_mode)


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _write(target: Path, data: bytes, mode: int | None) -> None:
    unfinished, descriptor = _begun(target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                unfinished.chmod(mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if fcntl is not None:  # while we hold its lock
                os.replace(unfinished, target)
        if fcntl is None:  # Windows can only move a closed file
            os.replace(unfinished, target)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
    if hasattr(os, "O_DIRECTORY"):  # other systems cannot flush a folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _begun(folder: Path) -> tuple[Path, int]:
    """A new, empty, locked file and its descriptor."""
    while True:
        path = folder / f".{secrets.token_hex(8)}{UNFINISHED}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        _lock(descriptor, wait=True)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # another process removed it as a leftover before we locked it


def _acquired(lock: Path) -> int:
    """Take the lock and return its descriptor."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        if _lock(descriptor) is False:
            holder = os.read(descriptor, 300).decode(errors="replace") or "another process"
            os.close(descriptor)
            raise FolderInUseError(
                f"{lock.parent}: is in use by {holder} ({lock.name}); wait until it ends, or choose another folder."
            )
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # its holder removed it before we locked it


def _lock(descriptor: int, wait: bool = False) -> bool | None:
    """Try to lock a file: True if this process now holds the lock, None where the system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True
