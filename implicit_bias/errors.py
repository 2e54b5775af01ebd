"""The errors that bad input raises. Each message says what we got, what we expected and what to do."""

from __future__ import annotations

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
    """Raise :class:`MissingPackageError`, with the command that installs it, unless all packages are installed."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingPackageError(
            f"{' and '.join(missing)} is needed here and not installed: pip install 'implicit-bias[{extra}]'."
        )
