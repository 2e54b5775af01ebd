"""The look of every figure: one style, one colour for each method, and files that change only when the figure does."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from implicit_bias.errors import InputError
from implicit_bias.files import write_whole

# Mostly Okabe and Ito's palette. A test checks that its colours stay apart under common colour-vision deficiencies.
COLOURS = {
    "truth": "#000000",
    "flow": "#D55E00",
    "projection": "#0072B2",  # and other curves derived from theory
    "prediction": "#56B4E9",  # of where a run ends, from its step alone
    "preprint": "#CC79A7",  # a preprint's formula that differs from ours
    "basis pursuit": "#009E73",  # and L1 norms
    "minimum L2": "#595959",  # and L2 norms
}
# Colour and marker of each training method, by its name in implicit_bias.training; no two methods share one.
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
    "ham": {"color": "#9922EE", "marker": ">"},
}
# Colours of schedules. They come from Tol's muted palette, so that no schedule looks like a method. Constant strengths
# are blue, from weak to strong; decaying ones have warm colours.
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
FLOW_LOOK: dict[str, Any] = {"color": "black", "ls": (0, (1, 1.6)), "lw": 0.7}  # theory, drawn over training
SEQUENCE = "viridis_r"  # for an ordered quantity such as the decay

_PIXELS_PER_INCH = 110  # of a figure on a page; the picture itself may have more

STYLE: dict[Any, str | float | bool] = {
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
    "svg.hashsalt": "implicit_bias",  # without it every file gets new random ids
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # embeds whole fonts, so that text can be searched and edited
}


def schedule_colour(name: str) -> str:
    """The colour of a schedule by its name; ``harmonic, then off`` has the colour of ``harmonic``."""
    return SCHEDULE_COLOURS[name.removesuffix(", then off")]


def schedule_label(name: str) -> str:
    """The name of a schedule in a legend."""
    return f"{name}, α ∝ {_LAWS[name]}" if name in _LAWS else name.replace("constant", "constant α =")


@contextmanager
def style() -> Iterator[None]:
    """Draw in this project's style inside the context, whatever the user's settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


@dataclass(frozen=True)
class Picture:
    """A figure with its alternative text, as a notebook shows it.

    Attributes:
        figure: A figure of matplotlib.
        text: What there is to see, in a sentence or two, for whoever does not see it.

    Raises:
        InputError: If the text is empty.
    """

    figure: Figure
    text: str

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise InputError("Picture: expected a text that says what there is to see, got an empty one.")

    def png(self) -> bytes:
        """The figure at its own resolution; the same figure gives the same bytes."""
        picture = BytesIO()
        self.figure.savefig(picture, format="png", dpi=self.figure.dpi, metadata={"Software": None})
        return picture.getvalue()

    @property
    def width(self) -> int:
        """Pixels that it takes on a page."""
        return round(self.figure.get_figwidth() * _PIXELS_PER_INCH)

    def _repr_html_(self) -> str:
        data = b64encode(self.png()).decode("ascii")
        look = f"width:{self.width}px;max-width:100%;height:auto;background:#ffffff"
        return f'<img alt="{escape(self.text)}" style="{look}" src="data:image/png;base64,{data}">'


def save(figure: Figure, folder: Path, stem: str = "figure") -> list[Path]:
    """Write a figure as PNG, SVG and PDF into an existing folder; the same figure gives the same bytes."""
    without_date = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns about dates in matplotlib's own fonts
    paths = []
    with style():
        for kind, metadata in without_date.items():
            picture = BytesIO()
            figure.savefig(picture, format=kind, metadata=metadata)
            paths.append(folder / f"{stem}.{kind}")
            write_whole(paths[-1], picture.getvalue())
    return paths
