"""How results show themselves: the one place where the pipeline imports the display, which comes last in it."""

from __future__ import annotations

from types import ModuleType


class Shown:
    """A result that notebooks show as a card, which :mod:`implicit_bias.display` draws."""

    @property
    def _display(self) -> ModuleType:
        from implicit_bias import display  # loads matplotlib

        return display

    def _repr_html_(self) -> str:
        return self._display.html(self)
