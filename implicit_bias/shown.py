"""How results show themselves: the one place where the pipeline reaches for what comes last in it, when it is asked."""

from __future__ import annotations

from types import ModuleType


class Shown:
    """A result with a card in notebooks; how one of its kind looks stands in :mod:`implicit_bias.display`."""

    @property
    def _display(self) -> ModuleType:
        from implicit_bias import display  # loads matplotlib

        return display

    def _repr_html_(self) -> str:
        return self._display.html(self)
