"""Drawing relies on no sign that rounding can change, as a tiny number may be zero or negative on another machine.

It uses the project's colours alone.
"""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from experiments import registry
from experiments.__main__ import FIGURES
from experiments.experiment import load
from implicit_bias import plotting

# Arrays that were asked for, not measured.
AXES = (
    "decay_strength",
    "dose",
    "doses",
    "flow_log10_scale",
    "log10_scale",
    "share",
    "share_log10_scale",
    "sparsity",
    "t",
    "times",
)
ROUNDING = 1e-5  # relative to the largest entry, and more than residuals, gaps and excesses of the saved runs


def rounded_otherwise(data, direction):
    """The data as other rounding might give them: measured numbers are moved, or tiny ones are zero (direction 0)."""
    changed = dict(data)
    for name, array in data.items():
        if array.dtype.kind == "f" and name not in AXES and np.isfinite(array).any():
            size = ROUNDING * np.max(np.abs(array[np.isfinite(array)]))
            changed[name] = np.where(np.abs(array) <= size, 0.0, array) if direction == 0 else array + direction * size
    return changed


COLOURS = {
    *map(to_hex, [*plotting.COLOURS.values(), *plotting.GREYS.values(), *plotting.SCHEDULE_COLOURS.values()]),
    *(to_hex(look["color"]) for look in plotting.METHOD_LOOKS.values()),
    *(to_hex(plotting.SEQUENCE(place)) for place in range(256)),
}


def colours_of(axes):
    """The colours of all lines and areas."""
    for line in axes.lines:
        yield line.get_color()
    for collection in axes.collections:
        yield from collection.get_facecolor()
        yield from collection.get_edgecolor()


@pytest.mark.parametrize("direction", [-1, 0, 1])
@pytest.mark.parametrize("name", list(registry()))
def test_other_rounding_can_be_drawn(name, direction):
    """Labels and limits that need a positive number would warn or raise on the figures under version control.

    They would do so in any layout, so the layout is left out, which takes most of the time.
    """
    data = rounded_otherwise(load(FIGURES / name), direction)
    with plotting.style():
        figure = registry()[name].draw(data)
        figure.set_layout_engine("none")
        figure.draw_without_rendering()
    foreign = {to_hex(colour) for axes in figure.axes for colour in colours_of(axes)} - COLOURS
    assert not foreign  # such as matplotlib's own, where a line was given none
    limits = [[*axes.get_xlim(), *axes.get_ylim()] for axes in figure.axes]
    plt.close(figure)
    assert limits
    assert np.all(np.isfinite(limits))
