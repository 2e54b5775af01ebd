"""A limit on the time that symbolic algorithms may take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeLimitExceeded(BaseException):
    """Raised by :func:`time_limit`; no ``Exception``, as SymPy catches many of those and would go on."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt the Python code inside the block after some seconds, in any thread and on any platform.

    The clock is read whenever a function is called, so that a single long operation in C is not interrupted.

    Raises:
        TimeLimitExceeded: When the time is over.
    """
    deadline = time.monotonic() + seconds
    previous = sys.getprofile()

    def watch(frame: FrameType, *_: object) -> None:
        if time.monotonic() > deadline and not _is_finalizer(frame):
            raise TimeLimitExceeded

    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(previous)


def _is_finalizer(frame: FrameType) -> bool:
    """Whether the interpreter is cleaning up, where it swallows every exception and would lose this one."""
    return frame.f_code.co_name == "__del__" or frame.f_globals.get("__name__") in ("weakref", "_weakrefset")
