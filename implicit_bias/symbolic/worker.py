"""Symbolic work in a process of its own, which has limits of time and memory and can be stopped.

The *owner*, any process that uses this library, starts one *template*: a Python that has loaded SymPy and waits. For
every request the template forks a *child*, which does the work and ends. The kernel stops a child that has computed too
long; the template stops one whose owner has turned away or died, and ends when the owner ends. As every child begins in
the same state, results depend on nothing but the request. Threads share a template; a forked owner starts its own.

The owner and a child talk over a socket of their own, which the owner hands to the template. What goes over it is text:
the name of a function and its arguments, and lines that :mod:`implicit_bias.symbolic.time_limit` describes.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import sympy as sp
from sympy.core.random import seed

from implicit_bias.symbolic import time_limit
from implicit_bias.symbolic.codec import UnencodableError, decoded, encoded
from implicit_bias.symbolic.time_limit import CRASH, TIME, answer, lines, stop_after, stopped_line, write_all

MEMORY_LIMIT = 512 * 2**20  # bytes that a child may take beyond what the template has
REMEMBERED = 256  # answers, of some kilobytes each
_SECONDS_TO_START = 60.0
_SECONDS_TO_END = 5.0
# A child that does not compute, as on a machine that is short of memory, is stopped when so much time has passed.
_PATIENCE = 10.0  # seconds
_PATIENCE_FACTOR = 5.0  # times the seconds of computing
_SECONDS_OF_REST = 0.1  # after which a template that has nothing to do makes a warm one
_LENGTH_BYTES = 8
_START = "import sys; sys.path[:] = sys.argv[1:]; from implicit_bias.symbolic.worker import serve; serve()"

_lock = threading.Lock()
_template: _Template | None = None
_why_in_place: str | None = None  # why no process can be started; empty where none is needed
_remembered: OrderedDict[bytes, list[bytes]] = OrderedDict()


def call(seconds: float, compute: Callable[..., Any], *arguments: object) -> Any:
    """Return what a function of ours returns in the worker process; see :func:`answers`."""
    (value,) = answers(seconds, compute, *arguments)
    return value


def answers(seconds: float, compute: Callable[..., Any], *arguments: object) -> Iterator[Any]:
    """Yield what a function of a module returns in the worker process, or each thing that it yields.

    What it was asked before, it is not asked again. What has no form as data, such as a function that a user made, is
    worked on where it is, and so is everything if no process can be started, which :func:`why_no_limit` tells.

    Args:
        seconds: The processor time it has, ``inf`` for any.
        compute: The function.
        *arguments: What it is called with.

    Raises:
        StoppedError: After what was yielded in time, if it was stopped.
        Exception: What the function raised, with its attributes, caused by the text of its traceback.
    """
    try:
        request = encoded([f"{compute.__module__}:{compute.__qualname__}", float(seconds), list(arguments)]).encode()
    except UnencodableError:
        found = None
    else:
        found = _asked(request, _PATIENCE + _PATIENCE_FACTOR * seconds)
    if found is not None:
        yield from map(answer, found)
        return
    result = compute(*arguments)
    yield from result if isinstance(result, Iterator) else (result,)


def why_no_limit() -> str | None:
    """One sentence if limits do not hold, as no process can be started; else None."""
    return (
        f"No limit of time or memory held, as no worker process could be started: {_why_in_place}."
        if (_why_in_place)
        else None
    )


def _asked(request: bytes, patience: float) -> list[bytes] | None:
    """The lines that answer a request, or None if there is no process to ask."""
    with _lock:
        if request in _remembered:
            _remembered.move_to_end(request)
            return _remembered[request]
    for _ in range(2):  # a template may have been killed since it was asked last
        template = _running()
        if template is None:
            return None
        try:
            found = template.ask(request, patience)
        except ConnectionError:
            template.close()
            continue
        if not found[-1].startswith(b"stopped"):
            with _lock:
                _remembered[request] = found
                if len(_remembered) > REMEMBERED:
                    _remembered.popitem(last=False)
        return found
    return [stopped_line(CRASH)]


def _running() -> _Template | None:
    """The template of this process, which is started if there is none."""
    global _template, _why_in_place
    with _lock:
        if _why_in_place is None and (_template is None or _template.has_ended):
            if _template is not None:
                _template.close()
            try:
                _template = _Template()
            except OSError as error:
                _template, _why_in_place = None, str(error) or type(error).__name__
        return _template if _why_in_place is None else None


@atexit.register
def stop() -> None:
    """End the template of this process, if it has one; the next request starts another."""
    if _template is not None:
        _template.close()


def forget() -> None:
    """Forget all answers, so that what is asked is worked on again."""
    with _lock:
        _remembered.clear()


def _leave() -> None:
    """Leave the template to the process that this one was forked from."""
    global _lock, _template
    _lock = threading.Lock()  # which another thread may have held
    if _template is not None:
        _template.leave()
        _template = None


class _Template:
    """The template as its owner sees it.

    Raises:
        OSError: If it cannot be started.
    """

    def __init__(self) -> None:
        if not hasattr(os, "fork"):
            raise OSError("this system does not copy processes")
        if not sys.executable or getattr(sys, "frozen", False):
            raise OSError("the path of Python is not known")
        self._control, theirs = socket.socketpair()
        self._connections: set[socket.socket] = set()
        # The order of sets must not depend on the process, nor sums on threads.
        settings = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-c", _START, *map(os.path.abspath, sys.path)]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - Python itself, with no words of a user's
                command, stdin=theirs, stdout=subprocess.DEVNULL, cwd=os.sep, env=os.environ | settings,
                start_new_session=True,  # what is typed at the terminal is meant for the owner
            )  # fmt: skip
        try:
            self._control.settimeout(_SECONDS_TO_START)
            if not self._control.recv(1):
                raise OSError("Python ended while it loaded SymPy")
            self._control.settimeout(None)
        except BaseException:
            self.close()
            raise

    @property
    def has_ended(self) -> bool:
        """Whether it was killed, or closed."""
        return self._process.poll() is not None

    def ask(self, request: bytes, patience: float) -> list[bytes]:
        """The lines with which a child answers.

        Raises:
            ConnectionError: If the template has ended.
        """
        ours, theirs = socket.socketpair()
        self._connections.add(ours)
        try:
            with ours:
                with theirs:
                    socket.send_fds(self._control, [b"\0"], [theirs.fileno()])
                sent = _exchanged(ours, request, patience)
        finally:
            self._connections.discard(ours)
        whole = [line for line in sent.splitlines(keepends=True) if line.endswith(b"\n")]
        if not whole and self.has_ended:
            raise ConnectionError
        return whole or [stopped_line(CRASH)]

    def close(self) -> None:
        """End it."""
        self._control.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def leave(self) -> None:
        """Close what would keep it from noticing that its owner has ended; for a process that was forked."""
        for connection in (self._control, *self._connections):
            connection.close()
        self._process.returncode = 0  # it is no child of this process, which need not wait for it


def _exchanged(connection: socket.socket, request: bytes, patience: float) -> bytes:
    """All that comes back on a request, with a line at its end if patience has."""
    end, sent = time.monotonic() + patience, []
    try:
        connection.settimeout(None if patience == float("inf") else patience)
        connection.sendall(len(request).to_bytes(_LENGTH_BYTES, "big") + request)
        while part := connection.recv(2**16):
            sent.append(part)
            if patience < float("inf"):
                connection.settimeout(max(end - time.monotonic(), 1e-3))
    except TimeoutError:
        sent.append(stopped_line(TIME))
    return b"".join(sent)


# What follows runs in the template and in its children.


def serve() -> NoReturn:
    """Be a template, whose owner is at the other end of the standard input, until that is closed."""
    global _why_in_place
    _why_in_place = ""
    control = socket.socket(fileno=0)
    for module in ("formulas", "closed_form"):
        importlib.import_module(f"implicit_bias.symbolic.{module}")
    seed(0)  # SymPy asks for assumptions in an order of its own random numbers
    sp.simplify(sp.exp(sp.Symbol("x")) + 1)  # loads what SymPy loads when it is first used
    _serve(control, may_warm_up=True)


def _serve(control: socket.socket, *, may_warm_up: bool) -> NoReturn:
    gc.collect()
    gc.freeze()  # so that a child that collects does not copy what all of them share
    control.sendall(b"\0")
    children: dict[int, _Child] = {}  # by both descriptors that tell of them
    warm, is_ready = None, False  # a second template with a full cache, which gets the requests once it is ready
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        told = poll.poll(1000 * _SECONDS_OF_REST if may_warm_up else None)
        if not told:
            warm, may_warm_up = _warm_template(), False
            poll.register(warm, select.POLLIN)
        # Requests come last, as a new child may get the numbers of descriptors that have just been closed.
        for descriptor, _ in sorted(told, key=lambda pair: pair[0] == control.fileno()):
            child = children.get(descriptor)
            if descriptor == control.fileno():
                is_open, given, _, _ = socket.recv_fds(control, 1, 1)
                if not is_open:
                    for running in children.values():
                        running.kill()
                    os._exit(0)
                for connection in (socket.socket(fileno=own) for own in given):
                    if warm is not None and is_ready:
                        socket.send_fds(warm, [b"\0"], [connection.fileno()])
                        connection.close()
                        continue
                    child = _Child(connection)
                    for own in (child.life, connection.fileno()):
                        children[own] = child
                        poll.register(own, 0)  # that the other end was closed is always told, and all that matters
            elif warm is not None and descriptor == warm.fileno():
                is_ready = bool(warm.recv(1))
                if not is_ready:  # it was killed
                    poll.unregister(warm)
                    warm = None
            elif child is not None and descriptor == child.life:
                for own in (child.life, child.connection.fileno()):
                    if children.pop(own, None):
                        poll.unregister(own)
                child.bury()
            elif child is not None:
                poll.unregister(descriptor)
                del children[descriptor]
                child.kill()


def _warm_template() -> socket.socket:
    """A copy of this template that first derives something, so that SymPy's cache is full; the socket to ask it by."""
    ours, theirs = socket.socketpair()
    if os.fork():
        theirs.close()
        return ours
    try:
        ours.close()
        importlib.import_module("implicit_bias.symbolic.closed_form").warm_up()
        _serve(theirs, may_warm_up=False)
    finally:
        os._exit(1)


class _Child:
    """A child as the template sees it: at work on the request that comes over a connection.

    Attributes:
        connection: To its owner.
        life: A descriptor whose other end is closed when the child ends.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.life, held = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                os.setpgid(0, 0)  # so that its own copies end with it
                _work(connection)
            finally:
                os._exit(0)
        os.close(held)

    def kill(self) -> None:
        """End it and its copies."""
        for kill in (os.kill, os.killpg):
            with suppress(ProcessLookupError):
                kill(self._pid, signal.SIGKILL)

    def bury(self) -> None:
        """Tell its owner how it ended, if it was not by itself."""
        os.close(self.life)
        _, status = os.waitpid(self._pid, 0)
        if os.WIFSIGNALED(status):
            reason = TIME if os.WTERMSIG(status) == signal.SIGPROF else CRASH
            with suppress(OSError):  # if the owner has turned away
                self.connection.sendall(stopped_line(reason))
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)  # other children hold copies of it
        self.connection.close()


def _work(connection: socket.socket) -> None:
    """Answer the request that comes over a connection, within limits."""
    time_limit.is_disposable = True
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries print as they fail
    name, seconds, arguments = _request(connection)
    _limit_memory()
    stop_after(seconds)
    module, function = name.split(":")
    for line in lines(getattr(importlib.import_module(module), function), arguments):
        write_all(connection.fileno(), line)
    connection.shutdown(socket.SHUT_RDWR)  # the owner need not wait for the template to notice the end


def _request(connection: socket.socket) -> list:
    with connection.makefile("rb") as stream:
        size = int.from_bytes(stream.read(_LENGTH_BYTES), "big")
        return decoded(stream.read(size).decode())


def _limit_memory() -> None:
    """Let this process take some memory beyond what it has, as far as the system tells how much that is."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except OSError:
        return
    limit = pages * resource.getpagesize() + MEMORY_LIMIT
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)
