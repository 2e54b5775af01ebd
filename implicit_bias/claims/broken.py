"""The verdict of a check that raised an error instead of returning one."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from implicit_bias.claims.verdict import Outcome, Verdict
from implicit_bias.errors import UnsupportedError
from implicit_bias.status import SolverError
from implicit_bias.symbolic.time_limit import StoppedError

# These say that a solver, the computer algebra or the memory is at its end, and not that the check has a fault.
AT_THEIR_END = (SolverError, StoppedError, UnsupportedError, NotImplementedError, MemoryError, TimeoutError)
LONGEST_MESSAGE = 240  # characters of an error's message that are quoted


def raised(error: BaseException, check: Callable[..., Verdict]) -> Verdict:
    """INCONCLUSIVE, with what was raised and where: the check is broken, unless a solver was only at its end.

    Args:
        error: What the check raised.
        check: The check.
    """
    text = "".join(traceback.format_exception(error))
    place = _place(error, check)
    where = f" ({place})" if place else ""
    is_broken = not isinstance(error, AT_THEIR_END)
    what = "The check is broken" if is_broken else "The check ended without a verdict"
    evidence = f"{what}: {_message(error)}{where}"
    return Verdict(Outcome.INCONCLUSIVE, _writable(evidence), traceback=_writable(text), is_broken=is_broken)


def _message(error: BaseException) -> str:
    """The type and the message of an error in one line."""
    if isinstance(error, SystemExit):
        return f"it ends the program, by exit({'' if error.code is None else repr(error.code)})"
    lines = traceback.format_exception_only(error)
    # Lines that begin with spaces are the code of a SyntaxError; behind the message there may be notes.
    found = next((line for line in lines if not line.startswith(" ")), type(error).__name__)
    short = " ".join(found.removeprefix(f"{type(error).__module__}.").split())
    return short if len(short) <= LONGEST_MESSAGE else f"{short[:LONGEST_MESSAGE]}…"


def _place(error: BaseException, check: Callable[..., Verdict]) -> str:
    """The file and the last line in it that led to the error, or where the check begins; empty if nobody knows."""
    while isinstance(check, partial):
        check = check.func
    plain = inspect.unwrap(check)
    code = getattr(plain, "__code__", None) or getattr(vars(type(plain)).get("__call__"), "__code__", None)
    if code is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    line = next((each.lineno for each in reversed(frames) if each.filename == code.co_filename), code.co_firstlineno)
    return f"{Path(code.co_filename).name}, line {line}"


def _writable(text: str) -> str:
    """The text without what no file can hold, such as half of a pair of surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
