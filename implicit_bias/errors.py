"""The errors that bad input raises; each message says what was got, what was expected and what to do."""

from __future__ import annotations

from importlib.util import find_spec


class InputError(ValueError):
    """Something that was passed in is wrong, and who passed it can mend it.

    Whatever the library refuses on purpose is one of these. Command line and explorer turn them, and nothing broader,
    into a sentence; any other ``ValueError`` is a bug of the library and keeps its traceback.
    """


class FormulaError(InputError):
    """A formula holds something outside the whitelist of names, operators and sizes."""


class DomainError(InputError):
    """A value lies outside the domain on which a potential or a derivation is defined."""


class NotCommutingError(InputError):
    """The vector fields do not commute, so no (time-dependent) Bregman potential exists by this route.

    Attributes:
        report: The :class:`~implicit_bias.symbolic.commuting.CommutingReport` with bracket and witness.
    """

    def __init__(self, message: str, report: object) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple:
        """So that one raised in a worker process can be raised again where the work was asked for, notes included."""
        return type(self), (str(self), self.report), vars(self)


class UnsupportedError(InputError):
    """The input is sound, but no solver of this library covers it."""


class MissingPackageError(ImportError):
    """A package that is needed here comes with an extra that is not installed."""


def require(extra: str, *packages: str) -> None:
    """Raise :class:`MissingPackageError`, with the command that installs it, unless all packages are there."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise MissingPackageError(
            f"{' and '.join(missing)} cannot be found, which this needs: pip install 'implicit-bias[{extra}]'."
        )
