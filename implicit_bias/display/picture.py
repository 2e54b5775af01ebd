"""Small pictures inside a card, and the axes that plots draw on."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from implicit_bias.display.card import Html
from implicit_bias.plotting import style

_PANEL = (3.3, 2.3)  # inches


@contextmanager
def axes(given: Axes | None) -> Iterator[Axes]:
    """The given axes as they are, or else pyplot's current ones in the house style, so that calls draw on one plot."""
    if given is not None:
        yield given
        return
    from matplotlib import pyplot

    with style():
        yield pyplot.gca()


def look(options: dict[str, Any], **usual: Any) -> dict[str, Any]:
    """Options of a line over the usual ones, which have full names; ``lw`` is ``linewidth``, and so on."""
    return usual | normalize_kwargs(options, Line2D)


def picture(alt: str, *panels: Callable[[Axes], object]) -> Html:
    """Panels side by side as an inline SVG, on white also where the notebook is dark.

    Args:
        alt: What is seen, in words.
        panels: Each draws on its axes.
    """
    with style():
        # A figure that pyplot does not know is gone when the picture is drawn.
        figure = Figure(figsize=(_PANEL[0] * len(panels), _PANEL[1]), layout="constrained")
        for ax, draw in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            draw(ax)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    # An image of its own keeps the ids in one SVG apart from those in the next.
    data = base64.b64encode(file.getvalue()).decode("ascii")
    look = "background:#ffffff;border-radius:4px;max-width:100%;height:auto;display:block"
    return Html(f'<img alt="{escape(alt)}" style="{look}" src="data:image/svg+xml;base64,{data}">')
