"""What goes wrong is said in one line on stderr; Typer itself says what is wrong with a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console

from implicit_bias.errors import InputError

BAD_INPUT = 2
FAILED = 1


def fail(command: str, what: str | Exception, code: int, console: Console | None = None) -> NoReturn:
    """Say what went wrong, in one line, and exit.

    Args:
        command: The command that was called.
        what: What went wrong.
        code: The exit code.
        console: Where to say it; stderr by default.
    """
    line = f"{command}: {' '.join(_in_words(what).split())}"
    (console or Console(stderr=True)).print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def _in_words(what: str | Exception) -> str:
    """The message of an error; of one of the operating system, the file and the reason without its number."""
    if not isinstance(what, OSError) or not what.strerror:
        return str(what)
    reason = what.strerror[0].lower() + what.strerror[1:]
    return f"{reason}." if what.filename is None else f"{what.filename}: {reason}."


@contextmanager
def bad_input_fails(command: str) -> Iterator[None]:
    """Exit with 2 on what the user can correct, with 1 on a solver that fails."""
    from implicit_bias.status import SolverError

    try:
        with unwritten_files_fail(command):
            yield
    except InputError as error:
        fail(command, error, BAD_INPUT)
    except SolverError as error:
        fail(command, error, FAILED)


@contextmanager
def unwritten_files_fail(command: str) -> Iterator[None]:
    """Exit with 2 where a file cannot be read or written, as on a full disk, or another run holds the folder."""
    try:
        yield
    except OSError as error:
        fail(command, error, BAD_INPUT)
