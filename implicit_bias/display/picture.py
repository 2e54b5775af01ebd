"""Small pictures for cards, the axes that plots draw on, and the drawing of weights."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cbook import normalize_kwargs
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from implicit_bias.display.card import Html
from implicit_bias.plotting import COLOURS, style

MOST_CURVES = 100  # in one plot
_MOST_SHAPES = 1000  # more dots make a smaller file as pixels
_PANEL = (3.3, 2.3)  # inches


@contextmanager
def axes(given: Axes | None) -> Iterator[Axes]:
    """The given axes as they are, or pyplot's current ones in the house style, so that several calls share a plot."""
    if given is not None:
        yield given
        return
    from matplotlib import pyplot

    with style():
        yield pyplot.gca()


def look(options: dict[str, Any], **usual: Any) -> dict[str, Any]:
    """Options of a line, with abbreviations such as ``lw`` written out, over the usual ones."""
    return usual | normalize_kwargs(options, Line2D)


def picture(alt: str, *panels: Callable[[Axes], object]) -> Html:
    """Panels side by side as an inline SVG, on white even in a dark notebook.

    Args:
        alt: The picture in words.
        panels: Each draws on its axes.
    """
    with style():
        # pyplot does not know this figure, so nothing keeps it once the picture is drawn.
        figure = Figure(figsize=(_PANEL[0] * len(panels), _PANEL[1]), layout="constrained")
        for ax, draw in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            draw(ax)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    # An image of its own keeps the ids in one SVG apart from those in the next.
    data = base64.b64encode(file.getvalue()).decode("ascii")
    look = "background:#ffffff;border-radius:4px;max-width:100%;height:auto;display:block"
    return Html(f'<img alt="{escape(alt)}" style="{look}" src="data:image/svg+xml;base64,{data}">')


def draw_vector(ax: Axes, x: np.ndarray, options: dict[str, Any]) -> None:
    """Draw x_i against i, as dots on stems."""
    as_pixels = len(x) > _MOST_SHAPES
    usual = {"color": COLOURS["projection"], "linestyle": "", "marker": "o", "markersize": 2.5, "rasterized": as_pixels}
    (dots,) = ax.plot(np.arange(len(x)), x, **look(options, **usual))
    ax.vlines(np.arange(len(x)), 0, x, colors=dots.get_color(), lw=0.6, label="_stems", rasterized=as_pixels)
    ax.set_xlabel("index $i$")
    ax.set_ylabel("weight $x_i$")


def draw_curves(ax: Axes, at: np.ndarray, x: np.ndarray, colour: str, options: dict[str, Any]) -> None:
    """Draw the curves of the weights that become largest; x of shape (k, n)."""
    marker = "o" if len(at) == 1 else ""
    line = look(options, color=colour, linewidth=0.7, marker=marker, markersize=2.5)
    for i in largest(x):
        ax.plot(at, x[:, i], **line)
        line.pop("label", None)  # one entry in the legend stands for all
    ax.set_ylabel("weights $x_i$")


def largest(x: np.ndarray) -> np.ndarray:
    """Indices, in order, of the weights that become largest in magnitude; x of shape (k, n)."""
    sizes = np.max(np.abs(x), axis=0, initial=0.0)
    return np.sort(np.argsort(-sizes, kind="stable")[:MOST_CURVES])


def span(x: np.ndarray) -> str:
    """How many of the weights, shape (k, n), a plot shows."""
    n = x.shape[1]
    return f"{n} weights" if n <= MOST_CURVES else f"the {MOST_CURVES} largest of {n} weights"
