"""A limit on the processor time that a step of symbolic work may take.

The step runs in a copy of the process, which the kernel stops when its processor time is over, wherever it is, and
which sends its results back as data. So nothing is left half done, and results do not depend on what else a machine
does. Only a process that has a single thread and nothing to lose is copied: the one that a derivation runs in, see
:mod:`implicit_bias.symbolic.worker`. Anywhere else the steps run where they are, without a limit.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.codec import UnencodableError, decoded, decoded_error, encoded, encoded_error
from implicit_bias.symbolic.template import MEMORY, TIME, stopped_line

is_disposable = False  # whether this process may be copied; set by the worker
OPTIONAL_SECONDS = 2.0  # of computing, for each thing that a potential can do without
_SHORTEST_TIMER_SECONDS = 1e-6  # a timer that is set to 0 never ends
Result = TypeVar("Result")


class StoppedError(Exception):
    """Work was stopped before it was done; the message says why, without a subject: "took too long"."""


def within(seconds: float, compute: Callable[..., Result], *arguments: object) -> Result:
    """Return ``compute(*arguments)``, which has some seconds of processor time.

    Raises:
        StoppedError: When the time is over, or the memory does not suffice.
    """
    (answer,) = each_within(seconds, compute, [arguments])
    if isinstance(answer, StoppedError):
        raise answer
    return answer


def each_within(
    seconds: float, compute: Callable[..., Result], tasks: Sequence[tuple[object, ...]]
) -> list[Result | StoppedError]:
    """Return ``compute(*task)`` for each task, or a StoppedError where the seconds of processor time were over.

    An exception of one task is raised.
    """
    if not is_disposable or seconds == math.inf:
        return [compute(*task) for task in tasks]
    answers: list[Result | StoppedError] = []
    while len(answers) < len(tasks):
        answers += _in_a_copy(seconds, compute, tasks[len(answers) :])
    return answers


def _in_a_copy(
    seconds: float, compute: Callable[..., Result], tasks: Sequence[tuple[object, ...]]
) -> list[Result | StoppedError]:
    """The answers to some of the tasks, in turn: all, or those up to the first that had to be stopped."""
    left = signal.getitimer(signal.ITIMER_PROF)[0] or math.inf  # the copy spends the time of this process
    if min(seconds, left) <= 0:
        return [StoppedError(TIME)]
    read, write = os.pipe()
    copy = os.fork()
    if not copy:
        try:
            os.close(read)
            for task in tasks:
                stop_after(min(seconds, left - time.process_time()))
                for line in lines(compute, task):
                    write_all(write, line)
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        sent = pipe.read().splitlines(keepends=True)
    _, _, usage = os.wait4(copy, 0)
    if left < math.inf:
        stop_after(left - usage.ru_utime - usage.ru_stime)
    answers: list[Result | StoppedError] = []
    for line in (line for line in sent if line.endswith(b"\n")):
        try:
            answers.append(answer(line))
        except StoppedError as error:
            return [*answers, error]
    return answers if len(answers) == len(tasks) else [*answers, StoppedError(TIME)]


def stop_after(seconds: float) -> None:
    """Have the kernel end this process when it has computed for some seconds more, inf for never, or now."""
    if seconds <= 0:  # a short timer, set anew again and again, would never run out
        os.kill(os.getpid(), signal.SIGPROF)
    signal.setitimer(signal.ITIMER_PROF, 0 if seconds == math.inf else max(seconds, _SHORTEST_TIMER_SECONDS))


def lines(compute: Callable[..., object], arguments: Sequence[object]) -> Iterator[bytes]:
    """Do some work and yield lines to send: what it returns, each thing that it yields, or how it fails."""
    try:
        result = compute(*arguments)
        for value in result if isinstance(result, Iterator) else (result,):
            yield _line("value", encoded(value))
    except MemoryError:
        yield stopped_line(MEMORY)
    except Exception as error:
        yield _line("error", encoded_error(error))


def answer(line: bytes) -> Any:
    """Return the value in a line, or raise the exception in it."""
    kind, _, content = line.decode().partition(" ")
    if kind == "error":
        raise decoded_error(content)
    if kind == "stopped":
        raise StoppedError(content.strip())
    return decoded(content)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of some bytes, without a time limit, as half a line would be lost."""
    left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    signal.setitimer(signal.ITIMER_PROF, left)


def _line(kind: str, content: str) -> bytes:
    return f"{kind} {content}\n".encode()


def _computed() -> float:
    """The processor time of this process and of its copies that have ended, in seconds."""
    return time.process_time() + sum(os.times()[2:4])


class Deadline:
    """The processor time that the steps of one derivation share.

    Args:
        seconds: From now on; ``inf`` for no limit.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = _computed() + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left, negative if none."""
        return self._end - _computed()

    def run(self, step: str, compute: Callable[..., Result], *arguments: object, share: float = 1.0) -> Result:
        """Return ``compute(*arguments)``.

        Args:
            step: What is done, for the message.
            compute: Any function whose result can be sent as data.
            *arguments: What it is called with.
            share: The part of the time left that it may take.

        Raises:
            UnsupportedError: Naming the step, if it is stopped or its result cannot be sent as data.
        """
        try:
            return within(share * self.remaining, compute, *arguments)
        except StoppedError as error:
            raise UnsupportedError(f"{step} {error}; the time limit is {self.seconds:g} seconds.") from None
        except UnencodableError as error:
            raise UnsupportedError(f"{step} leads to functions that are not supported: {error}") from error
