"""The errors that bad input raises. Each message says what we got, what we expected and what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from importlib.util import find_spec
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
Value = TypeVar("Value")


class InputError(ValueError):
    """An argument is wrong, and the caller can mend it.

    Every error that the library raises on purpose derives from this one. The command line and the explorer show it as
    one sentence, and no other ``ValueError``: that would be a bug of the library, which keeps its traceback.
    """


class FormulaError(InputError):
    """A formula contains a name, an operator or a size that is not on the whitelist."""


class DomainError(InputError):
    """A value lies outside the domain on which a potential or a derivation is defined.

    Attributes:
        condition: The formula in the initial values that has to be positive, where there is one.
        weight: The first weight for which it is not.
    """

    condition: str | None = None
    weight: int | None = None


class NotCommutingError(InputError):
    """The vector fields do not commute, so this route gives no (time-dependent) Bregman potential.

    Attributes:
        report: The :class:`~implicit_bias.symbolic.commuting.CommutingReport` with bracket and witness.
        alternatives: Regularizers whose combinations do commute, as SymPy expressions; empty if none were looked for
            or found.
    """

    def __init__(self, message: str, report: object, alternatives: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.report, self.alternatives = report, alternatives

    def __reduce__(self) -> tuple:
        """Make the error picklable, notes included, so that a worker process can hand it to its parent."""
        return type(self), (str(self), self.report), vars(self)


class UnsupportedError(InputError):
    """The input is sound, but no solver of this library covers it."""


class MissingPackageError(ImportError):
    """A package is missing that comes with an extra."""


def require(extra: str, *packages: str) -> None:
    """Raise :class:`MissingPackageError`, with the command that installs it, unless all packages are installed.

    The command works for a clone as well, whether or not an index has this library: pip finds it installed, and looks
    up only what the extra adds.
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise MissingPackageError(
            f"{' and '.join(missing)} {verb} needed here and not installed: pip install 'implicit-bias[{extra}]'."
        )


def unknown_name(module: str, name: str, known: Iterable[str], hint: str | None = None) -> AttributeError:
    """The error of a package whose attribute is unknown, with the likely one.

    Args:
        module: The package.
        name: What was asked of it.
        known: Its public names.
        hint: A question in brackets, in place of that of :func:`did_you_mean`.
    """
    # Without name= and obj= Python adds a guess of its own.
    return AttributeError(f"{module} has no {name!r}{hint or did_you_mean(name, known)}.", name=None, obj=None)


class Table(dict[str, Value]):
    """A dictionary whose error for an unknown key says which one was likely meant.

    >>> Table(mask=1)["maks"]
    Traceback (most recent call last):
    KeyError: "no entry is called 'maks' (did you mean mask?); known: mask"
    """

    def __missing__(self, key: str) -> Value:
        """Raise the error; ``get`` and ``in`` do not call this."""
        raise KeyError(f"no entry is called {key!r}{did_you_mean(key, self)}; known: {', '.join(self)}")


def known_options(function: Function) -> Function:
    """Let a function or a class say what was likely meant by an unknown option, and how it is called.

    Python 3.13 says the first by itself.

    >>> @known_options
    ... def flow(start, *, schedule=None):
    ...     "Follow a flow."
    >>> flow(1.0, shedule=0.1)
    Traceback (most recent call last):
    TypeError: flow() has no option 'shedule' (did you mean schedule?).
    >>> flow(schedule=0.1)
    Traceback (most recent call last):
    TypeError: flow(): missing a required argument: 'start'; write flow(start, *, schedule=None): Follow a flow.
    """
    if isinstance(function, type):
        made: Any = function
        made.__init__ = _with_known_options(made.__init__, lambda self, *_: type(self).__name__)
        return made
    return _with_known_options(function, lambda *_: function.__qualname__, inspect.getdoc(function))


def _with_known_options(function: Callable[..., Any], name_of: Callable[..., str], described: str | None = None) -> Any:
    called = inspect.signature(function)
    names = [each.name for each in called.parameters.values() if each.name not in ("self", "cls")]
    takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in called.parameters.values())

    @wraps(function)
    def checked(*args: object, **options: object) -> object:
        for option in options:
            if option not in names and not takes_any:
                raise TypeError(f"{name_of(*args)}() has no option {option!r}{did_you_mean(option, names)}.")
        try:
            called.bind(*args, **options)
        except TypeError as error:
            shown = [each.replace(annotation=inspect.Parameter.empty) for each in called.parameters.values()]
            form = inspect.Signature([each for each in shown if each.name in names])
            name, purpose = name_of(*args), (described or inspect.getdoc(args[0]) or "").partition("\n")[0]
            said = f": {purpose}" if ":math:" not in purpose else "."
            raise TypeError(f"{name}(): {error}; write {name}{form}{said}") from None
        return function(*args, **options)

    return checked


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question in brackets for an unknown name, or nothing where no known name is like it.

    A known name is like it if it has the same letters in another order, if it contains all of it, or if it or one of
    its words has most letters in common with it.

    >>> did_you_mean("pilit", ["mask", "pilot"])
    ' (did you mean pilot?)'
    >>> did_you_mean("grad", ["value", "gradient"]), did_you_mean("x", ["mask"])
    (' (did you mean gradient?)', '')
    >>> did_you_mean("sihn", ["sin", "sinh"])
    ' (did you mean sinh?)'
    """
    word, names = str(name).lower(), {each.lower(): each for each in known}
    words = {part: each for each in names for part in each.replace("-", "_").split("_") if len(part) > 3}
    near = [each for each in names if len(word) > 2 and sorted(each) == sorted(word)]
    near = near or get_close_matches(word, [each for each in names if len(word) > 2 and word in each], n=2, cutoff=0.0)
    near = near or get_close_matches(word, names, n=1) or [words[each] for each in get_close_matches(word, words, n=1)]
    return f" (did you mean {' or '.join(names[each] for each in near)}?)" if near else ""
