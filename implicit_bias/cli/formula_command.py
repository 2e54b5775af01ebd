"""A command whose formula may begin with a minus."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class FormulaCommand(TyperCommand):
    """A command without short options, so that a word with a single minus in front can only be a formula."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put a space, which no formula minds, in front of such a word, so that it is not taken as an option."""
        return super().parse_args(ctx, [f" {word}" if _begins_with_minus(word) else word for word in args])


def _begins_with_minus(word: str) -> bool:
    return word.startswith("-") and not word.startswith("--")
