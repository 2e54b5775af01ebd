"""A limit on the processor time that symbolic algorithms may take.

The time that the computing thread itself takes counts, so that results do not depend on what else a machine does; on
macOS and Windows, where another thread cannot ask for it, all time counts. A second thread sleeps until the time is
over and then has the interpreter raise an exception in the first one. That costs nothing while SymPy works (a profiling
hook, which is called at every function call, makes it three times slower), needs no signals, and so works in any thread
and on any platform.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TypeVar

import mpmath

from implicit_bias.errors import UnsupportedError

_BLINK = 0.001  # seconds that the watcher sleeps at least
_SOON = 0.001  # seconds that a finalizer is given
_PATIENCE = 500  # times that it is given them
_AGAIN = 0.5  # seconds after which an interruption that did not end the work is repeated
Result = TypeVar("Result")


class TimeLimitExceeded(BaseException):
    """Raised by :func:`within`; no ``Exception``, as SymPy catches many of those and would go on."""


def within(seconds: float, compute: Callable[..., Result], *arguments: object) -> Result:
    """Return ``compute(*arguments)``, interrupted after some seconds of computing wherever its Python code is.

    A single long operation in C is interrupted only when it returns. Limits may be nested.

    Raises:
        TimeLimitExceeded: When the time is over.
    """
    if seconds <= 0:
        raise TimeLimitExceeded
    thread, running, precision = threading.get_ident(), threading.Lock(), mpmath.mp.prec
    clock = _clock()
    watcher = threading.Thread(target=_watch, args=(thread, running, clock, clock() + seconds), daemon=True)
    # The exception must not come later than this function returns. The lock says whether the work goes on; C code
    # releases it, which cannot be interrupted half-way. After that the watcher may send one more exception, at most,
    # before it ends, and one may be on its way already; hence two joins, of which each may be interrupted once, and
    # a call at which whatever is still on its way arrives. It is not taken back instead: that would leave CPython 3.11
    # with a signal that nothing answers, which slows every later call and hangs the first one under a debugger.
    try:
        with running:
            watcher.start()
            return compute(*arguments)
    finally:
        try:
            watcher.join()
        finally:
            watcher.join()
            with suppress(TimeLimitExceeded):
                _receive()
            mpmath.mp.prec = precision  # mpmath restores it in Python code, which the interruption may have hit


def _receive() -> None:
    """Nothing; but the interpreter raises what another thread has sent when a function begins."""


def _clock() -> Callable[[], float]:
    """Tells, to any thread, the seconds that this one has computed so far."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.monotonic
    identifier = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(identifier)


class Deadline:
    """The time that the steps of one derivation share, all in the thread that made it.

    Args:
        seconds: Of computing, from now on; ``inf`` for no limit.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._clock = _clock()
        self._end = self._clock() + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left, negative if none."""
        return self._end - self._clock()

    def run(self, step: str, compute: Callable[..., Result], *arguments: object, share: float = 1.0) -> Result:
        """Return ``compute(*arguments)``.

        Args:
            step: What is done, for the message.
            compute: Any function.
            *arguments: What it is called with.
            share: The part of the time left that it may take.

        Raises:
            UnsupportedError: Naming the step, if its time is over before it is done, or SymPy gives up inside it, which
                it does with almost any exception.
        """
        try:
            return within(share * self.remaining, compute, *arguments)
        except TimeLimitExceeded:
            raise UnsupportedError(f"{step} took too long for a time limit of {self.seconds:g} seconds.") from None
        except UnsupportedError:
            raise
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise UnsupportedError(f"{step} failed inside SymPy: {type(error).__name__}: {error}.") from error


def _watch(thread: int, running: threading.Lock, clock: Callable[[], float], end: float) -> None:
    """Raise TimeLimitExceeded in a thread when its clock shows the end, and again until its work has ended."""
    has_ended = False
    while not has_ended and (left := end - clock()) > 0:
        has_ended = running.acquire(timeout=min(max(left, _BLINK), threading.TIMEOUT_MAX))
    while not has_ended:
        has_ended = _interrupt(thread, running)


def _interrupt(thread: int, running: threading.Lock) -> bool:
    """Raise TimeLimitExceeded in a thread, once no finalizer runs in it; return whether its work ends of that soon.

    It arrives when the next function begins, which must be none that the garbage collector calls; so that one rests.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(_PATIENCE):
            if not (_is_collecting() or _is_finalizing(thread)):
                break
            if running.acquire(timeout=_SOON):
                return True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeLimitExceeded))
        # Not for ever: an inner limit may have received what was meant for an outer one.
        return running.acquire(timeout=_AGAIN)
    finally:
        if was_enabled:
            gc.enable()


def _is_collecting() -> bool:
    """Whether the garbage collector is at work in another thread, which no frame tells while it frees what it found.

    Some of that lets other threads run, as tensors do. A second collection would not begin meanwhile.
    """
    begun: list[str] = []

    def callback(phase: str, _: dict[str, int]) -> None:
        begun.append(phase)

    gc.callbacks.append(callback)
    try:
        gc.collect(0)
    finally:
        gc.callbacks.remove(callback)
    return not begun


def _is_finalizing(thread: int) -> bool:
    """Whether a thread is cleaning up inside its work, where the interpreter prints every exception and goes on."""
    callbacks = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not within.__code__:
        is_finalizer = frame.f_code.co_name == "__del__" or frame.f_globals.get("__name__") in (
            "weakref",
            "_weakrefset",
        )
        if is_finalizer or frame.f_code in callbacks or _is_called_back(frame):
            return True
        frame = frame.f_back
    return False


def _is_called_back(frame: FrameType) -> bool:
    """Whether a frame is what a weak reference calls when its object is gone: a function of that reference alone."""
    names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
    return len(names) == 1 and isinstance(frame.f_locals.get(names[0]), weakref.ref)
