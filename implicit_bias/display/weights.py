"""Weights: one vector against its indices, or many against a common axis."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from implicit_bias.display.picture import look
from implicit_bias.plotting import COLOURS

MOST = 100  # curves that one plot holds
_PIXELS = 1000  # more dots than that are smaller as pixels than as shapes


def draw_vector(ax: Axes, x: np.ndarray, options: dict[str, Any]) -> None:
    """x_i against i, as dots on stems."""
    as_pixels = len(x) > _PIXELS
    usual = {"color": COLOURS["projection"], "linestyle": "", "marker": "o", "markersize": 2.5, "rasterized": as_pixels}
    (dots,) = ax.plot(np.arange(len(x)), x, **look(options, **usual))
    ax.vlines(np.arange(len(x)), 0, x, colors=dots.get_color(), lw=0.6, label="_stems", rasterized=as_pixels)
    ax.set_xlabel("index $i$")
    ax.set_ylabel("weight $x_i$")


def draw_curves(ax: Axes, at: np.ndarray, x: np.ndarray, colour: str, options: dict[str, Any]) -> None:
    """The curves of those weights, of shape (k, n), that become largest."""
    marker = "o" if len(at) == 1 else ""
    line = look(options, color=colour, linewidth=0.7, marker=marker, markersize=2.5)
    for i in largest(x):
        ax.plot(at, x[:, i], **line)
        line.pop("label", None)  # one entry in the legend stands for all
    ax.set_ylabel("weights $x_i$")


def largest(x: np.ndarray) -> np.ndarray:
    """Indices, in order, of the weights that become largest in magnitude; x of shape (k, n)."""
    sizes = np.max(np.abs(x), axis=0, initial=0.0)
    return np.sort(np.argsort(-sizes, kind="stable")[:MOST])


def span(x: np.ndarray) -> str:
    """How many of the weights, shape (k, n), a plot shows."""
    n = x.shape[1]
    return f"{n} weights" if n <= MOST else f"the {MOST} largest of {n} weights"
