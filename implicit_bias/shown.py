"""How results show themselves: the one place where the pipeline imports the display, which comes last in it."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from implicit_bias.errors import did_you_mean


class Shown:
    """A result that notebooks show as a card, which :mod:`implicit_bias.display` draws.

    Its error for an unknown attribute names those that it has.
    """

    @property
    def _display(self) -> ModuleType:
        from implicit_bias import display  # loads matplotlib

        return display

    def _repr_html_(self) -> str:
        return self._display.html(self)

    if not TYPE_CHECKING:  # a type checker would take every name for an attribute

        def __getattr__(self, name: str) -> object:
            """Raise ``AttributeError``; Python calls this for a name that it has not found."""
            kind = type(self)
            if name.startswith("_") or hasattr(kind, name):  # a property's own error is not about its name
                return object.__getattribute__(self, name)
            known = [each for each in dir(self) if not each.startswith("_") and not each.endswith("_at")]  # for solvers
            hint = did_you_mean(name, known) or f"; it has {', '.join(known)}"
            raise AttributeError(f"{kind.__name__} has no {name!r}{hint}.", name=None, obj=None)
