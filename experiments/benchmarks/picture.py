"""Ratios of wall times and growth, drawn from what was saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullFormatter

from experiments.benchmarks import flow_methods, growth
from experiments.benchmarks.benchmark import Row
from implicit_bias import plotting

NEEDED = {"flow", "limit", "basis_pursuit", "growth"}  # the benchmarks that it shows
# Rivals are dark grey: markers, fills and dashes tell them apart.
_LOOKS: Mapping[str, Mapping[str, Any]] = {
    flow_methods.DIFFRAX: {"marker": "o", "ls": "-"},
    flow_methods.DOP853: {"marker": "s", "ls": (0, (4, 1.5)), "mfc": plotting.GREYS["paper"]},
    flow_methods.LSODA: {"marker": "^", "ls": (0, (1, 1))},
    flow_methods.TORCHDIFFEQ: {"marker": "D", "ls": (0, (5, 1.5, 1, 1.5)), "mfc": plotting.GREYS["paper"]},
}
_GROWTH_LOOKS = {"limit": (plotting.COLOURS["projection"], "o"), "flow": (plotting.COLOURS["flow"], "s")}


def draw(rows: Mapping[str, list[Row]]) -> Figure:
    """Flow ratios by end time, limit ratios as bars, growth with n and with d.

    Args:
        rows: The rows of every benchmark by its name.
    """
    figure = plt.figure(figsize=(7.2, 5.0), layout="constrained")
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.15, 1])[:, 0]
    sizes = list(dict.fromkeys((row["d"], row["n"]) for row in rows["flow"]))
    panels = _panels(upper, len(sizes))
    for axes, size in zip(panels, sizes, strict=True):
        _draw_flow(axes, [row for row in rows["flow"] if (row["d"], row["n"]) == size])
    panels[0].set_ylabel("times slower than implicit_bias")
    panels[-1].legend(*panels[0].get_legend_handles_labels(), loc="lower right", ncols=2)
    left, middle, right = lower.subplots(1, 3, width_ratios=[1.1, 1, 1])
    _draw_ratios(left, rows)
    _draw_growth(middle, rows["growth"], "n", "number of weights n")
    _draw_growth(right, rows["growth"], "d", "number of observations d")
    middle.set_ylabel("seconds")
    return figure


def _panels(figure: SubFigure, count: int) -> np.ndarray:
    return figure.subplots(1, count, sharey=True, squeeze=False)[0]


def _draw_flow(axes: Axes, rows: list[Row]) -> None:
    axes.axhline(1, color=plotting.COLOURS["truth"], lw=0.8)
    last = []
    for method, look in _LOOKS.items():
        chosen = [row for row in rows if row["method"] == method and row["ratio"] is not None]
        if chosen:
            ends, ratios = np.array([[row["end"], row["ratio"]] for row in chosen]).T
            axes.plot(ends, ratios, color=plotting.GREYS["note"], ms=4, lw=1.1, label=method, **look)
            last.append((ratios[-1], ends[-1]))
    below = {}
    for ratio, end in sorted(last):
        lift = 7 if ratio < 1.6 * below.get(end, 0.0) else 0  # numbers that would lie on each other
        axes.annotate(_times(ratio), (end, ratio), xytext=(5, lift), textcoords="offset points", va="center",
                      fontsize=7, color=plotting.GREYS["note"])  # fmt: skip
        below[end] = ratio
    converged = [row["converged_at"] for row in rows if row["converged_at"] is not None]
    if converged:
        axes.axvline(converged[-1], color=plotting.GREYS["guide"], lw=0.8, ls=":")
        axes.annotate("misfit $10^{-6}$", (converged[-1], 0.98), xycoords=("data", "axes fraction"), xytext=(3, 0),
                      textcoords="offset points", va="top", fontsize=7, color=plotting.GREYS["note"])  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="end time of the flow")
    axes.set_title(f"Flow to an error of $10^{{-9}}$: d = {rows[0]['d']}, n = {rows[0]['n']:,}")
    axes.margins(x=0.14)


def _draw_ratios(axes: Axes, rows: Mapping[str, list[Row]]) -> None:
    """Bars for the solvers of the same limits: how much longer they took."""
    bars = [
        (f"{_SHORT.get(row['method'], row['method'])}\n{row['d']} × {row['n']:,}", row["ratio"])
        for name in ("limit", "basis_pursuit")
        for row in rows[name]
        if not row["method"].startswith("implicit_bias")
    ]
    labels, ratios = zip(*bars, strict=True)
    places = np.arange(len(bars))[::-1]
    axes.barh(places, np.array(ratios) - 1, left=1, height=0.6, color=plotting.COLOURS["projection"])
    for place, ratio in zip(places, ratios, strict=True):
        axes.annotate(
            _times(ratio), (max(ratio, 1), place), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7
        )
    axes.axvline(1, color=plotting.COLOURS["truth"], lw=0.8)
    axes.set(xscale="log", xlim=(min(0.8, *ratios), 10 * max(ratios)), xlabel="times slower than implicit_bias")
    axes.set_yticks(places, labels)
    axes.set_title("Other solvers of the same limits")


_SHORT = {
    "CVXPY + Clarabel, dual": "Clarabel",
    "SciPy trust-constr, primal": "trust-constr",
    "SciPy linprog (HiGHS), one program": "HiGHS (vs 61 scales)",
}


def _draw_growth(axes: Axes, rows: list[Row], variable: str, label: str) -> None:
    series = [row for row in rows if row["variable"] == variable]
    for method, (colour, marker) in _GROWTH_LOOKS.items():
        chosen = [row for row in series if row["method"] == method]
        sizes, seconds = np.array([[row[variable], row["seconds"]] for row in chosen]).T
        slope = growth.exponent(rows, variable, method)
        axes.plot(sizes, seconds, marker=marker, ms=3.5, ls="", color=colour)
        fitted = sizes[np.array([bool(row["in_fit"]) for row in chosen])]
        level = np.exp(np.mean(np.log(seconds[-len(fitted) :]) - slope * np.log(fitted)))
        axes.plot(
            fitted, level * fitted**slope, color=colour, lw=1, label=rf"{method}: $\propto {variable}^{{{slope:.2f}}}$"
        )
    fixed = "d" if variable == "n" else "n"
    axes.set(xscale="log", yscale="log", xlabel=label)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.35)  # room for the legend
    axes.set_title(f"Growth at {fixed} = {series[0][fixed]:,}")
    axes.legend(loc="upper left")


def _times(ratio: float) -> str:
    return f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×" if ratio >= 1 else f"{ratio:.2f}×"
