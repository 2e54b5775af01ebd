"""Drawing a scene: the plane of two weights, and the curves of one.

It is drawn again whenever a slider moves. Ticks are therefore placed and labelled here, in plain text: with the
locators and formatters of Matplotlib, drawing takes 1.6 times as long.
"""

from __future__ import annotations

import io

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.markers import TICKDOWN, TICKLEFT
from matplotlib.ticker import MaxNLocator

from implicit_bias import plotting
from implicit_bias.explore.scene import Scene

_FLOW, _LANDING = plotting.COLOURS["flow"], plotting.COLOURS["projection"]
_L1, _L2 = plotting.COLOURS["basis pursuit"], plotting.COLOURS["minimum L2"]
_DESCENT = "#E69F00"
_WEIGHTS = ("#0072B2", "#CC79A7")


def draw(scene: Scene) -> Figure:
    """The plane and the curves side by side, in the house style."""
    with plotting.style():
        figure = Figure(figsize=(8.4, 4.68))
        left, right = figure.subfigures(1, 2, squeeze=False)[0]
        _plane(left, scene)
        _curves(right, scene)
    return figure


def draw_plane(scene: Scene) -> Figure:
    """Level sets of R, the constraint, the flow's path and where it lands."""
    with plotting.style():
        figure = Figure(figsize=(4.2, 4.68))
        _plane(figure, scene)
    return figure


def draw_curves(scene: Scene) -> Figure:
    """R, ∇R, metric and local exponent of one weight."""
    with plotting.style():
        figure = Figure(figsize=(4.2, 4.68))
        _curves(figure, scene)
    return figure


def _plane(figure: Figure | SubFigure, scene: Scene) -> None:
    axes = figure.add_axes((0.13, 0.23, 0.83, 0.745))
    scale = scene.landing_level if scene.landing_level > 0 else float(scene.levels[-1])
    excess, levels = scene.excess / scale, scene.levels / scale
    shades = colormaps["Blues"](np.linspace(0.28, 0.6, len(levels)))
    axes.contour(*scene.grid, excess, levels=levels, colors=shades, linewidths=0.8, zorder=1)
    if scene.landing_level in scene.levels:
        axes.contour(*scene.grid, excess, levels=[1.0], colors=[_LANDING], linewidths=1.1, zorder=2)
    (left, right), (low, high) = scene.window
    axes.axhline(0, color="0.8", lw=0.6, zorder=0)
    axes.axvline(0, color="0.8", lw=0.6, zorder=0)
    _constraint(axes, scene)
    if np.array_equal(*scene.minimum_l1):
        axes.plot(*scene.minimum_l1[0], "D", ms=6, color=_L1, mec="white", mew=0.6, ls="", label="minimum L1", zorder=5)
    else:
        axes.plot(*scene.minimum_l1.T, "D-", ms=6, lw=3, alpha=0.8, color=_L1, mec="white", mew=0.6, label="minimum L1",
                  zorder=4)  # fmt: skip
    axes.plot(*scene.minimum_l2, "s", ms=6, color=_L2, mec="white", mew=0.6, ls="", label="minimum L2", zorder=5)
    axes.plot(*scene.path.T, color=_FLOW, lw=1.8, label="gradient flow", zorder=6)
    if scene.descent is not None:
        axes.plot(*scene.descent.T, "o", ms=2.6, color=_DESCENT, mec="white", mew=0.2, ls="", zorder=7,
                  label=scene.descent_note)  # fmt: skip
    axes.plot(*scene.start, "o", ms=5, color="white", mec=_FLOW, mew=1.4, ls="", label="start", zorder=8)
    axes.plot(*scene.landing, "o", ms=8.5, color="none", mec=_LANDING, mew=1.8, ls="", zorder=9,
              label="argmin R on the line")  # fmt: skip
    axes.plot(*scene.path[-1], "o", ms=3.6, color=_FLOW, ls="", zorder=9)
    axes.set(xlim=(left, right), ylim=(low, high))  # a square on the page, as both are equally long
    _frame(axes, _ticks(left, right, 5), _ticks(low, high, 5))
    axes.text(1.0, -0.085, "weight x₁", transform=axes.transAxes, ha="right")
    axes.text(-0.13, 1.0, "x₂", transform=axes.transAxes, va="center")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.07, 0.0), ncols=2, columnspacing=1.6,
                  handlelength=1.8, labelspacing=0.35)  # fmt: skip


def _constraint(axes: Axes, scene: Scene) -> None:
    """The line z·x = y, through the minimum-L2 point."""
    z = np.array(scene.setting.z)
    along = np.array([-z[1], z[0]]) / np.linalg.norm(z)
    reach = 4 * max(high - low for low, high in scene.window)
    ends = scene.minimum_l2 + np.array([[-reach], [reach]]) * along
    axes.plot(*ends.T, color=plotting.COLOURS["truth"], lw=0.9, ls=(0, (4, 2)), zorder=3, label="z·x = y")


def _curves(figure: Figure | SubFigure, scene: Scene) -> None:
    panels = [figure.add_axes((left, bottom, 0.355, 0.315)) for bottom in (0.615, 0.135) for left in (0.115, 0.615)]
    curves = (scene.potential, scene.mirror_map, scene.metric, scene.exponent)
    titles = ("potential R − min R", "mirror map R′", "metric 1/R″", "local exponent p(s)")
    for axes, values, title in zip(panels, curves, titles, strict=True):
        across = np.log10(scene.distance) if values is scene.exponent else scene.x
        for k in (0,) if scene.alike else (0, 1):
            axes.plot(across[k], values[k], color=_WEIGHTS[k], lw=1.5, ls="-" if k == 0 else (0, (4, 1.5)),
                      label=f"x{'₁₂'[k]}")  # fmt: skip
        axes.text(0, 1.06, title, transform=axes.transAxes, fontsize=8)
    left, right = float(np.min(scene.x)), float(np.max(scene.x))
    for axes, values in zip(panels[:3], curves[:3], strict=True):
        low, high = _limits(values)
        axes.set(xlim=(left, right), ylim=(low, high))
        _frame(axes, _ticks(left, right, 3), _ticks(low, high, 3), "weight x")
    panels[1].axhline(0, color="0.8", lw=0.6, zorder=0)
    _exponent(panels[3], scene)
    if not scene.alike:
        panels[0].legend(loc="upper center", handlelength=2.2)


def _exponent(axes: Axes, scene: Scene) -> None:
    """The exponent over the logarithm of the distance, and where on it the two weights land."""
    distances = np.abs(scene.landing - scene.minimizer)
    for k, (distance, exponent) in enumerate(zip(distances, scene.landing_exponent, strict=True)):
        if scene.distance[k][0] <= distance <= scene.distance[k][-1]:
            place = float(np.log10(distance)), float(exponent)
            axes.plot(*place, "o", ms=5, mfc="none", mew=1.5, ls="", mec=_WEIGHTS[0 if scene.alike else k])
            axes.annotate(f"x{'₁₂'[k]}", place, (4, 3), textcoords="offset points", fontsize=7)
    top = float(np.max(scene.exponent))
    top = 2.1 if top < 2.2 else 1.05 * min(top, 6.0)
    axes.set_ylim(0.9, top)
    left, right = (float(np.log10(end)) for end in (np.min(scene.distance), np.max(scene.distance)))
    axes.set_xlim(left, right)
    powers = range(int(np.ceil(left - 1e-9)), int(np.floor(right + 1e-9)) + 1, max(1, round((right - left) / 4)))
    _frame(axes, {power: _power_of_ten(power) for power in powers}, _ticks(0.9, top, 3), "distance s from argmin R")
    for value, name in ((1, "L1"), (2, "L2")):
        axes.axhline(value, color="0.8", lw=0.6, zorder=0)
        axes.text(left + 0.03 * (right - left), value + 0.02, name, fontsize=6.5, color="0.45", va="bottom")


def _limits(values: np.ndarray) -> tuple[float, float]:
    """The limits of an axis, without values that run away near the end of a domain."""
    middle = 12 * float(np.median(np.abs(values)))
    low, high = max(float(np.min(values)), -middle), min(float(np.max(values)), middle)
    size = max(abs(low), abs(high))
    if not high - low > 1e-6 * size:  # a constant, but for rounding
        return (low + high) / 2 - (size / 2 or 1.0), (low + high) / 2 + (size / 2 or 1.0)
    return low - 0.04 * (high - low), high + 0.06 * (high - low)


def _frame(axes: Axes, across: dict[float, str], up: dict[float, str], label: str = "") -> None:
    """Axes at the left and below, ticks with their texts, and a label below."""
    axes.set_axis_off()
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    to_x, to_y = axes.get_xaxis_transform(), axes.get_yaxis_transform()
    axes.plot([0, 0, 1], [1, 0, 0], transform=axes.transAxes, color="black", lw=0.7, clip_on=False, zorder=10)
    for ticks, marker, place in ((across, TICKDOWN, to_x), (up, TICKLEFT, to_y)):
        zeros = np.zeros(len(ticks))
        where = (list(ticks), zeros) if marker == TICKDOWN else (zeros, list(ticks))
        axes.plot(*where, marker=marker, ms=3, mew=0.7, color="black", ls="", transform=place, clip_on=False)
    box, points = axes.get_window_extent(), 72 / axes.figure.dpi
    width, height = points * box.width, points * box.height
    for value, text in across.items():
        axes.text(value, -5 / height, text, transform=to_x, ha="center", va="top", fontsize=7)
    for value, text in up.items():
        axes.text(-5 / width, value, text, transform=to_y, ha="right", va="center", fontsize=7)
    axes.text(0.5, -15 / height, label, transform=axes.transAxes, ha="center", va="top")
    axes.set(xlim=(left, right), ylim=(low, high))


def _ticks(low: float, high: float, count: int) -> dict[float, str]:
    """Round values between two ends, with just enough digits to tell them apart."""
    values = [value for value in MaxNLocator(count).tick_values(low, high) if low <= value <= high]
    values = [0.0 if abs(value) < 1e-9 * (high - low) else value for value in values]
    largest = max(map(abs, values), default=0.0)
    power = int(np.floor(np.log10(largest))) if largest > 0 else 0
    exponent = power if abs(power) > 3 else 0
    step = (values[1] - values[0]) / 10.0**exponent if len(values) > 1 else 1.0
    digits = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    if round(step, digits) != round(step, digits + 1):  # 0.25 needs one more than 0.2
        digits += 1
    labels = [f"{value / 10.0**exponent:.{digits}f}".replace("-", "−") for value in values]
    if exponent and labels:
        labels[-1] = f"{labels[-1]}·{_power_of_ten(exponent)}"
    return dict(zip(values, labels, strict=True))


def _power_of_ten(power: int) -> str:
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")) if power else "1"


def svg(figure: Figure, transparent: bool = False) -> str:
    """The figure as an SVG element for a page; the same picture always gives the same text."""
    buffer = io.StringIO()
    with plotting.style():
        figure.savefig(buffer, format="svg", transparent=transparent, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    with plotting.style():
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
