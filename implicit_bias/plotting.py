"""One look for every picture: a style, one colour per method, and files that do not change without a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

# Okabe and Ito's palette, which stays apart under the common colour-vision deficiencies.
COLOURS = {
    "truth": "#000000",
    "flow": "#D55E00",
    "projection": "#0072B2",
    "basis pursuit": "#009E73",
    "minimum L2": "#7F7F7F",
}
# Training methods, by their names in implicit_bias.training: colours and markers that no two share.
METHOD_LOOKS = {
    "dense": {"color": "#000000", "marker": "o"},
    "l1": {"color": "#D55E00", "marker": "v"},
    "l1-mask": {"color": "#E69F00", "marker": "D"},
    "mask": {"color": "#56B4E9", "marker": "s"},
    "spred": {"color": "#009E73", "marker": "^"},
    "pilot": {"color": "#0072B2", "marker": "o"},
    "continuous-sparsification": {"color": "#CC79A7", "marker": "P"},
    "powerpropagation": {"color": "#7F7F7F", "marker": "X"},
    "str": {"color": "#8C6D1F", "marker": "<"},
}
# Schedules of the strength: constants in blues from weak to strong, decaying ones in warm colours.
_CONSTANT_BLUES = {"0.003": "#A6CEE3", "0.01": "#62A8D2", "0.03": "#2171B5", "0.1": "#08306B"}
_DECAYING = {"harmonic": ("#E69F00", "1/k"), "quadratic": ("#D55E00", "1/k²"), "geometric": ("#882255", "0.95ᵏ")}
FLOW_LOOK = {"color": "black", "ls": (0, (1, 1.6)), "lw": 0.7}  # theory, drawn on a curve from training
SEQUENCE = "viridis_r"  # for an ordered quantity such as the decay

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "legend.fontsize": 7.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.dpi": 200,
    "svg.hashsalt": "implicit_bias",  # otherwise every drawing gets new random ids
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}


def schedule_colour(name: str) -> str:
    """The colour of a schedule by its name: ``constant 0.01``, ``harmonic``, ``quadratic`` or ``geometric``."""
    return _DECAYING[name][0] if name in _DECAYING else _CONSTANT_BLUES[name.removeprefix("constant ")]


def schedule_label(name: str) -> str:
    """What a legend calls a schedule."""
    return f"{name}, α ∝ {_DECAYING[name][1]}" if name in _DECAYING else name.replace("constant", "constant α =")


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house style inside this context, whatever the user's settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def save(figure: Figure, folder: Path, stem: str = "figure") -> list[Path]:
    """Write the figure as PNG and SVG into an existing folder; the same picture gives the same bytes."""
    paths = [folder / f"{stem}.png", folder / f"{stem}.svg"]
    with style():
        figure.savefig(paths[0], metadata={"Software": None})
        figure.savefig(paths[1], metadata={"Date": None, "Creator": None})
    return paths
