"""Files that appear whole or not at all, and folders in which one run works at a time.

Locks are the operating system's (flock), so they end with the process that holds them, however it ends. They tell what
a killed process left behind from what another one is writing. Where there are none, as on Windows and on some network
drives, files are whole all the same, but nobody is kept out of a folder and leftovers stay.
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
"""How names of files end that are being written; 16 random hexadecimal digits and a dot stand before it."""

_LEFTOVERS = f".{'[0-9a-f]' * 16}{UNFINISHED}"
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)


class FolderInUseError(OSError):
    """Another run works in the folder."""


def write_whole(path: str | Path, content: bytes | str) -> None:
    """Write a file so that at any moment, even of a power failure, the path holds all of the old or of the new one.

    The content goes into a new file in the same folder, from there to the disk, and then in place of the old file at
    once. Hard links to the old file keep the old content; of a symbolic link the file that it leads to is replaced.
    What killed processes left unfinished in the folder is removed.

    Args:
        path: The file, in an existing folder.
        content: Bytes, or a text to be encoded in UTF-8.

    Raises:
        OSError: If it cannot be written; what was there before stays.
    """
    data = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    try:
        mode = _replaceable(target)
        remove_unfinished(target.parent)
        _write(target, data, mode)
    except OSError as error:  # names the file that was asked for, not the one beside it
        raise OSError(error.errno, error.strerror, str(path)) from error


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left unfinished in a folder; what is being written stays."""
    for path in folder.glob(_LEFTOVERS):
        with contextlib.suppress(OSError):  # gone already, or another user's
            descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if _lock(descriptor):
                    path.unlink()  # the same file, since names are never used twice
            finally:
                os.close(descriptor)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Keep other runs out of a folder.

    The lock is a file that says who holds it and since when. It is removed at the end; that of a killed process is
    taken over.

    Args:
        lock: The file, whose name begins with a dot; its folder is made if it is missing.

    Raises:
        FolderInUseError: If another run holds it, in this process or another one; the message says which.
        OSError: If the file cannot be made.
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
    """The permissions of the file that is to be replaced, if there is one.

    Raises:
        OSError: If it is no regular file, or must not be written. Replacing needs no permission to write the old file,
            but whoever took that away wants to keep it.
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
            if fcntl is not None:  # while it is locked
                os.replace(unfinished, target)
        if fcntl is None:  # Windows moves closed files only
            os.replace(unfinished, target)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
    if hasattr(os, "O_DIRECTORY"):  # elsewhere folders cannot be flushed
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
        os.close(descriptor)  # another process took it for a leftover before it was locked


def _acquired(lock: Path) -> int:
    """The descriptor of the lock, which this process now holds."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        if _lock(descriptor) is False:
            holder = os.read(descriptor, 300).decode(errors="replace") or "another process"
            os.close(descriptor)
            raise FolderInUseError(
                f"{lock.parent}: is in use by {holder} ({lock.name}); wait until that ends, or name another folder."
            )
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # whoever held it removed it in between


def _lock(descriptor: int, wait: bool = False) -> bool | None:
    """Whether this process now holds the lock on a file, None where there are no locks."""
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
