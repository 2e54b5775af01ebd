"""The template as its owner sees it: a Python that has loaded SymPy and is copied for every request.

This module needs the standard library alone, so that a template can start while its owner still loads what it needs.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading
import time

TIME, MEMORY, CRASH = "took too long", "took too much memory", "crashed its process"
LENGTH_BYTES = 8  # in front of every request
_SECONDS_TO_START = 300.0  # by the clock, as other processes may take most of the machine
_SECONDS_TO_END = 5.0
_START = "import sys; sys.path[:] = sys.argv[1:]; from implicit_bias.symbolic.worker import serve; serve()"

_lock = threading.Lock()
_template: Template | None = None
_why_in_place: str | None = None  # why no process can be started; empty where none is needed


def stopped_line(reason: str) -> bytes:
    """The line that tells of work that was stopped."""
    return f"stopped {reason}\n".encode()


def start() -> Template | None:
    """Return the template of this process, which may still be loading; None if there can be no template.

    Starts one if there is none.
    """
    global _template
    with _lock:
        if _why_in_place is None and (_template is None or _template.has_ended):
            if _template is not None:
                _template.close()
                _template = None
            try:
                _template = Template()
            except OSError as error:
                _work_in_place(error)
        return _template


def running() -> Template | None:
    """The template of this process once it is ready, or None if there can be none."""
    template = start()
    if template is None:
        return None
    try:
        template.wait()
    except OSError as error:
        template.close()
        with _lock:
            _work_in_place(error)
        return None
    return template


def why_in_place() -> str | None:
    """Why no process can be started, or empty where none is needed; None if all is well."""
    return _why_in_place


def need_none() -> None:
    """Do everything in this process from now on."""
    global _why_in_place
    _why_in_place = ""


@atexit.register
def stop() -> None:
    """End the template of this process, if it has one; the next request starts another."""
    if _template is not None:
        _template.close()


def _work_in_place(error: OSError) -> None:
    global _template, _why_in_place
    _template, _why_in_place = None, str(error) or type(error).__name__


def _leave() -> None:
    """Leave the template to the process that this one was forked from."""
    global _lock, _template
    _lock = threading.Lock()  # which another thread may have held
    if _template is not None:
        _template.leave()
        _template = None


class Template:
    """One template; it loads what it needs while its owner goes on.

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
        self._loading, self._is_ready = threading.Lock(), False
        # The order of sets must not depend on the process, nor sums on threads.
        settings = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-c", _START, *map(os.path.abspath, sys.path)]
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - Python itself, without user input
                    command, stdin=theirs, stdout=subprocess.DEVNULL, cwd=os.sep, env=os.environ | settings,
                    start_new_session=True,  # what is typed at the terminal is meant for the owner
                )  # fmt: skip
            except BaseException:
                self._control.close()
                raise

    @property
    def has_ended(self) -> bool:
        """Whether it was killed, or closed."""
        return self._process.poll() is not None

    def wait(self) -> None:
        """Wait until it has loaded what it needs.

        Raises:
            OSError: If it ends before, or takes far too long.
        """
        with self._loading:
            if self._is_ready:
                return
            self._control.settimeout(_SECONDS_TO_START)
            if not self._control.recv(1):
                raise OSError("Python ended while it loaded SymPy")
            self._control.settimeout(None)
            self._is_ready = True

    def ask(self, request: bytes, patience: float) -> list[bytes]:
        """The lines with which a child answers.

        Args:
            request: What to send.
            patience: The seconds after which it is stopped, whatever it does.

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
        """End it. It does not listen while it loads, and is killed then."""
        if not self._is_ready:
            self._process.kill()
        self._control.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def leave(self) -> None:
        """Close, in a forked process, what would keep the template from noticing that its owner has ended."""
        for connection in (self._control, *self._connections):
            connection.close()
        self._process.returncode = 0  # it is not a child of this process, so nothing needs to wait for it


def _exchanged(connection: socket.socket, request: bytes, patience: float) -> bytes:
    """Send a request and return all that comes back; if patience ends first, the last line says so."""
    end, sent = time.monotonic() + patience, []
    try:
        connection.settimeout(None if patience == float("inf") else patience)
        connection.sendall(len(request).to_bytes(LENGTH_BYTES, "big") + request)
        while part := connection.recv(2**16):
            sent.append(part)
            if patience < float("inf"):
                connection.settimeout(max(end - time.monotonic(), 1e-3))
    except TimeoutError:
        sent.append(stopped_line(TIME))
    return b"".join(sent)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)
