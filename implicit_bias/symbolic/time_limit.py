"""A limit on the time that symbolic algorithms may take."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


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

    def watch(*_: object) -> None:
        if time.monotonic() > deadline:
            raise TimeLimitExceeded

    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(previous)
