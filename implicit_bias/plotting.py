"""One look for every picture: a style, one colour per method, and files that do not change without a reason."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from implicit_bias.files import write_whole

# Mostly Okabe and Ito's palette, which stays apart under the common colour-vision deficiencies; a test measures that.
COLOURS = {
    "truth": "#000000",
    "flow": "#D55E00",
    "projection": "#0072B2",  # and whatever else theory derives
    "preprint": "#CC79A7",  # what is stated there and differs from what is derived
    "basis pursuit": "#009E73",  # and L1 norms
    "minimum L2": "#595959",  # and L2 norms
}
# Training methods, by their names in implicit_bias.training: colours and markers that no two share.
METHOD_LOOKS = {
    "dense": {"color": "#000000", "marker": "o"},
    "l1": {"color": "#D55E00", "marker": "v"},
    "l1-mask": {"color": "#E69F00", "marker": "D"},
    "mask": {"color": "#56B4E9", "marker": "s"},
    "spred": {"color": "#009E73", "marker": "^"},
    "pilot": {"color": "#0072B2", "marker": "p"},
    "continuous-sparsification": {"color": "#CC79A7", "marker": "P"},
    "powerpropagation": {"color": "#332288", "marker": "X"},
    "str": {"color": "#6B4F00", "marker": "<"},
}
# Schedules of the strength, from Tol's muted palette, so that none looks like a method: constants in blues from weak to
# strong, decaying ones in warm colours, and others.
SCHEDULE_COLOURS = {
    "constant 0.003": "#A6CEE3",
    "constant 0.01": "#62A8D2",
    "constant 0.03": "#2171B5",
    "constant 0.1": "#08306B",
    "constant": "#332288",
    "harmonic": "#999933",
    "quadratic": "#CC6677",
    "geometric": "#882255",
    "early pulse": "#88CCEE",
    "late pulse": "#44AA99",
}
_LAWS = {"harmonic": "1/k", "quadratic": "1/k²", "geometric": "0.95ᵏ"}
FLOW_LOOK: dict[str, Any] = {"color": "black", "ls": (0, (1, 1.6)), "lw": 0.7}  # theory, drawn on a curve from training
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
    "pdf.fonttype": 42,  # fonts are embedded as they are, so that text can be searched and edited
}


def schedule_colour(name: str) -> str:
    """The colour of a schedule by its name; one that is switched off, ``harmonic, then off``, has the same."""
    return SCHEDULE_COLOURS[name.removesuffix(", then off")]


def schedule_label(name: str) -> str:
    """What a legend calls a schedule."""
    return f"{name}, α ∝ {_LAWS[name]}" if name in _LAWS else name.replace("constant", "constant α =")


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house style inside this context, whatever the user's settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def save(figure: Figure, folder: Path, stem: str = "figure") -> list[Path]:
    """Write the figure as PNG, SVG and PDF into an existing folder; the same picture gives the same bytes."""
    without_date = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns of the dates in matplotlib's own fonts
    paths = []
    with style():
        for kind, metadata in without_date.items():
            picture = BytesIO()
            figure.savefig(picture, format=kind, metadata=metadata)
            paths.append(folder / f"{stem}.{kind}")
            write_whole(paths[-1], picture.getvalue())
    return paths
