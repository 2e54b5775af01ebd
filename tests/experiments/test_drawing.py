"""Drawing assumes no sign that rounding can change: what is tiny on one machine is zero or negative on another."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from experiments import registry
from experiments.__main__ import FIGURES
from experiments.experiment import load
from implicit_bias import plotting

# What was asked, not measured.
AXES = ("decay_strength", "dose", "doses", "flow_log10_scale", "log10_scale", "sparsity", "t", "times")
ROUNDING = 1e-5  # beside the largest entry: above what residuals, gaps and excesses of the saved runs are


def rounded_otherwise(data, direction):
    """The data as other rounding could have left them: all that was measured is moved, or what is tiny is zero."""
    changed = dict(data)
    for name, array in data.items():
        if array.dtype.kind == "f" and name not in AXES and np.isfinite(array).any():
            size = ROUNDING * np.max(np.abs(array[np.isfinite(array)]))
            changed[name] = np.where(np.abs(array) <= size, 0.0, array) if direction == 0 else array + direction * size
    return changed


@pytest.mark.slow
@pytest.mark.parametrize("direction", [-1, 0, 1])
@pytest.mark.parametrize("name", list(registry()))
def test_other_rounding_can_be_drawn(name, direction):
    """From the figures under version control; a label or a limit that needs a positive number would warn or raise.

    It does so whatever the layout, which takes most of the time.
    """
    data = rounded_otherwise(load(FIGURES / name), direction)
    with plotting.style():
        figure = registry()[name].draw(data)
        figure.set_layout_engine("none")
        figure.draw_without_rendering()
    plt.close(figure)
