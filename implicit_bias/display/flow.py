"""A flow: its weights and its loss against flow time."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from implicit_bias.display.card import Html, badge, beside, card, joined, rows, text
from implicit_bias.display.picture import axes, draw_curves, draw_vector, look, picture, span
from implicit_bias.norm import norm
from implicit_bias.plotting import COLOURS
from implicit_bias.simulate import Trajectory
from implicit_bias.status import Status

_LOGARITHMIC_FROM = 100.0  # ratio of the last to the first positive time: a linear axis would not show both


def plot(flow: Trajectory, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw weights against time; see :meth:`implicit_bias.Trajectory.plot`."""
    with axes(ax) as target:
        draw_curves(target, flow.t, flow.x, COLOURS["flow"], options)
        _time_axis(target, flow.t)
    return target


def plot_loss(flow: Trajectory, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw the loss against time; see :meth:`implicit_bias.Trajectory.plot_loss`."""
    with axes(ax) as target:
        marker = "o" if len(flow.t) == 1 else ""
        target.plot(flow.t, flow.loss, **look(options, color=COLOURS["flow"], marker=marker, markersize=2.5))
        _time_axis(target, flow.t)
        if np.any(flow.loss > 0):
            target.set_yscale("log")
        target.set_ylabel("loss $f(x)$")
    return target


def html(flow: Trajectory) -> Html:
    """Status, numbers and pictures, of the first run where there are several."""
    if flow.runs is not None:
        return joined([text(repr(flow)), html(flow.of_run(0))])
    lines = []
    if flow.status is not Status.CONVERGED:
        lines = [(text("status"), badge(flow.status)), (text("advice"), text(flow.status.advice))]
    elif flow.steps is not None:
        lines = [(text("steps"), text(f"all {flow.steps[-1]} were made"))]
    if not len(flow.t):
        return card(text("Flow"), rows(lines))
    times = f"{len(flow.t)}, t = {flow.t[0]:g}" + (f" to {flow.t[-1]:g}" if len(flow.t) > 1 else "")
    lines += [
        (text("times"), text(times)),
        (text("weights"), text(f"x of shape {flow.x.shape}")),
        (text("drawn"), text(span(flow.x))),
        (text("last loss"), text(f"{flow.loss[-1]:.4g}")),
        (text("last ‖x‖₁, ‖x‖₂"), text(f"{np.sum(np.abs(flow.x[-1])):.6g}, {norm(flow.x[-1]):.6g}")),
        (text("decay A"), text(f"{flow.decay[-1]:.6g}")),
        (text("cost"), text(f"{flow.stats.evaluations} evaluations in {flow.stats.wall_time:.3g} s")),
    ]
    if len(flow.t) == 1:
        drawing = picture("Last weights of the flow", partial(draw_vector, x=flow.x[-1], options={}))
    else:
        drawing = picture("Weights and loss against flow time", partial(plot, flow), partial(plot_loss, flow))
    return card(text("Flow"), beside(rows(lines), drawing))


def _time_axis(ax: Axes, t: np.ndarray) -> None:
    positive = t[t > 0]
    if len(positive) > 1 and positive[-1] >= _LOGARITHMIC_FROM * positive[0]:
        ax.set_xscale("log")
    ax.set_xlabel("flow time $t$")
