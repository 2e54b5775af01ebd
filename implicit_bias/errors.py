"""The errors that bad input raises. Each message says what we got, what we expected and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import find_spec


class InputError(ValueError):
    """An argument is wrong, and the caller can mend it.

    Every error that the library raises on purpose derives from this one. The command line and the explorer show it as
    one sentence, and no other ``ValueError``: that would be a bug of the library, which keeps its traceback.
    """


class FormulaError(InputError):
    """A formula contains a name, an operator or a size that is not on the whitelist."""


class DomainError(InputError):
    """A value lies outside the domain on which a potential or a derivation is defined."""


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
