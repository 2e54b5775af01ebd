"""Errors of a command, in one line on stderr; Typer itself reports wrong options."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import typer
from rich.console import Console

from implicit_bias.errors import InputError, MissingPackageError

BAD_INPUT = 2
FAILED = 1


def fail(command: str, what: str | Exception, code: int, console: Console | None = None) -> NoReturn:
    """Say what went wrong, in one line, and exit.

    Args:
        command: The command that was called.
        what: The error, or a sentence about it.
        code: The exit code.
        console: Where to say it; stderr by default.
    """
    line = f"{command}: {' '.join(_in_words(what).split())}"
    (console or Console(stderr=True)).print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def _in_words(what: str | Exception) -> str:
    """The message of an error; for one of the operating system the file and the reason, without its number."""
    if not isinstance(what, OSError) or not what.strerror:
        return str(what)
    reason = what.strerror[0].lower() + what.strerror[1:]
    return f"{reason}." if what.filename is None else f"{what.filename}: {reason}."


@contextmanager
def bad_input_fails(command: str) -> Iterator[None]:
    """Exit with 2 on bad input or if a package is missing, and with 1 if a solver fails."""
    from implicit_bias.status import SolverError

    try:
        with unwritten_files_fail(command):
            yield
    except (InputError, MissingPackageError) as error:
        fail(command, error, BAD_INPUT)
    except SolverError as error:
        fail(command, error, FAILED)


@contextmanager
def unwritten_files_fail(command: str) -> Iterator[None]:
    """Exit with 2 if a file cannot be read or written: the disk may be full, or another run may hold the folder."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader has gone, as head does, and wants no more
            raise
        if error.filename is None:
            _give_up_printing()
        fail(command, error, BAD_INPUT)


def _give_up_printing() -> None:
    """Send what is still to be printed nowhere, or Python tries again at its end and fails in words of its own."""
    with suppress(OSError):  # where printing is captured, there is no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
