"""Symbolic work in a process of its own, which has limits of time and memory and can be stopped.

The *owner*, any process that uses this library, starts one *template*: a Python that has loaded SymPy and waits. For
every request the template forks a *child*, which does the work and ends. The kernel stops a child that has computed too
long; the template stops one whose owner has turned away or died, and ends when the owner ends. As every child begins in
the same state, results depend on nothing but the request. Threads share a template; a forked owner starts its own.

The owner and a child talk over a socket of their own, which the owner hands to the template. What goes over it is text:
the name of a function and its arguments, and lines that :mod:`implicit_bias.symbolic.time_limit` describes.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from sympy.core.random import seed

from implicit_bias.symbolic import template, time_limit
from implicit_bias.symbolic.codec import UnencodableError, decoded, encoded
from implicit_bias.symbolic.template import CRASH, LENGTH_BYTES, TIME, stopped_line
from implicit_bias.symbolic.time_limit import answer, lines, stop_after, write_all

MEMORY_LIMIT = 512 * 2**20  # bytes that a child may take beyond what the template has
REMEMBERED = 256  # answers, of some kilobytes each
# A child is stopped after the sum of both even if it has hardly computed, as on a machine short of memory.
_PATIENCE_SECONDS = 10.0  # by the clock
_PATIENCE_FACTOR = 5.0  # times the seconds of computing

_lock = threading.Lock()
_remembered: OrderedDict[bytes, list[bytes]] = OrderedDict()


def call(seconds: float, compute: Callable[..., Any], *arguments: object, patience: float | None = None) -> Any:
    """Return what a function of ours returns in the worker process; see :func:`answers`."""
    (value,) = answers(seconds, compute, *arguments, patience=patience)
    return value


def answers(
    seconds: float, compute: Callable[..., Any], *arguments: object, patience: float | None = None
) -> Iterator[Any]:
    """Yield what a function of a module returns in the worker process, or each thing that it yields.

    Answers are remembered. Arguments that cannot be sent as data, such as a function that a user made, are worked on in
    this process, and so is everything if no process can be started; :func:`why_no_limit` says why.

    Args:
        seconds: The processor time it has, ``inf`` for any.
        compute: The function.
        *arguments: What it is called with.
        patience: The seconds by the clock after which it is stopped in any case; by default many more than of processor
            time, as other processes may take most of the machine.

    Raises:
        StoppedError: After what was yielded in time, if it was stopped.
        Exception: What the function raised, with its attributes, caused by the text of its traceback.
    """
    try:
        request = encoded([f"{compute.__module__}:{compute.__qualname__}", float(seconds), list(arguments)]).encode()
    except UnencodableError:
        found = None
    else:
        found = _asked(request, _PATIENCE_SECONDS + _PATIENCE_FACTOR * seconds if patience is None else patience)
    if found is not None:
        yield from map(answer, found)
        return
    result = compute(*arguments)
    yield from result if isinstance(result, Iterator) else (result,)


def why_no_limit() -> str | None:
    """One sentence on why limits do not hold, if no process can be started; else None."""
    why = template.why_in_place()
    return f"No limit of time or memory held, as no worker process could be started: {why}." if why else None


def _asked(request: bytes, patience: float) -> list[bytes] | None:
    """The lines that answer a request, or None if there is no process to ask."""
    with _lock:
        if request in _remembered:
            _remembered.move_to_end(request)
            return _remembered[request]
    for _ in range(2):  # a template may have been killed since it was asked last
        running = template.running()
        if running is None:
            return None
        try:
            found = running.ask(request, patience)
        except ConnectionError:
            running.close()
            continue
        if not found[-1].startswith(b"stopped"):
            with _lock:
                _remembered[request] = found
                if len(_remembered) > REMEMBERED:
                    _remembered.popitem(last=False)
        return found
    return [stopped_line(CRASH)]


def forget() -> None:
    """Forget all answers, so that what is asked is worked on again."""
    with _lock:
        _remembered.clear()


# The rest runs in the template and in its children.


def serve() -> NoReturn:
    """Be a template until its owner closes the other end of the standard input."""
    template.need_none()
    control = socket.socket(fileno=0)
    importlib.import_module("implicit_bias.symbolic.formulas")
    seed(0)  # SymPy asks for assumptions in an order of its own random numbers
    importlib.import_module("implicit_bias.symbolic.closed_form").warm_up()
    gc.collect()
    gc.freeze()  # so that a child that collects does not copy what all of them share
    with suppress(ConnectionError):  # if the owner has ended meanwhile, which is noticed below
        control.sendall(b"\0")
    children: dict[int, _Child] = {}  # by both descriptors that tell of them
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        # Requests come last, as a new child may get the numbers of descriptors that have just been closed.
        for descriptor, _ in sorted(poll.poll(), key=lambda pair: pair[0] == control.fileno()):
            child = children.get(descriptor)
            if descriptor == control.fileno():
                given = _handed_over(control)
                if not given:
                    for running in children.values():
                        running.kill()
                    os._exit(0)
                for connection in (socket.socket(fileno=own) for own in given):
                    child = _Child(connection)
                    for own in (child.life, connection.fileno()):
                        children[own] = child
                        poll.register(own, 0)  # no events: a closed end is always reported
            elif child is not None and descriptor == child.life:
                for own in (child.life, child.connection.fileno()):
                    if children.pop(own, None):
                        poll.unregister(own)
                child.bury()
            elif child is not None:
                poll.unregister(descriptor)
                del children[descriptor]
                child.kill()


def _handed_over(control: socket.socket) -> list[int]:
    """The descriptor that comes with a request; none if the owner has ended."""
    try:
        return socket.recv_fds(control, 1, 1)[1]
    except ConnectionError:
        return []


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
        """Tell its owner why it was killed, if it was."""
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
        size = int.from_bytes(stream.read(LENGTH_BYTES), "big")
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


def _renew_lock() -> None:
    """For a process that was forked while another thread held the lock."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
