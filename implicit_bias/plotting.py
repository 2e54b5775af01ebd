"""The look of every figure: one style, one colour for one thing, and files that change only when the figure does."""

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
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.typing import ColorType
from PIL import Image  # Matplotlib needs it as well

from implicit_bias.errors import InputError
from implicit_bias.files import write_whole

# One colour for one thing, in every figure. A test checks that no two are alike, that thin lines stand out from white
# paper, and that colours of one panel stay apart under common colour-vision deficiencies. Quantities:
COLOURS = {
    "truth": "#000000",
    "flow": "#D55E00",
    "projection": "#0072B2",  # the exact limit, and other curves derived from theory
    "prediction": "#10A0BA",  # of where a run ends, from its step alone
    "run": "#54256A",  # what a trained run did, beside theory
    "preprint": "#B8648F",  # a preprint's formula that differs from ours
    "basis pursuit": "#009E73",  # and L1 norms
    "minimum L2": "#595959",  # and L2 norms
    "maximum norm": "#966A00",
}
# Lines and words that stand for nothing themselves: axes of reference, notes, methods in the background, bands.
GREYS = {"note": "#404040", "guide": "#8A8A8A", "background": "#CCCCCC", "band": "#E8E8E8", "paper": "#FFFFFF"}
_OURS, _RIVAL = "#881243", GREYS["guide"]
# Methods of training, by their names in implicit_bias.training. Those of the mask are crimson and their rivals grey, so
# that ten methods need no ten colours; markers, dashes and names tell them apart.
METHOD_LOOKS: dict[str, dict[str, Any]] = {
    "dense": {"color": _RIVAL, "marker": "o", "ls": "-"},
    "l1": {"color": _RIVAL, "marker": "v", "ls": (0, (4, 1.5))},
    "l1-mask": {"color": _RIVAL, "marker": "D", "ls": (0, (1, 1))},
    "mask": {"color": _OURS, "marker": "s", "ls": "-"},
    "spred": {"color": _RIVAL, "marker": "^", "ls": "-"},
    "pilot": {"color": _OURS, "marker": "p", "ls": (0, (4, 1.5))},
    "continuous-sparsification": {"color": _RIVAL, "marker": "P", "ls": ":"},
    "powerpropagation": {"color": _RIVAL, "marker": "X", "ls": "--"},
    "str": {"color": _RIVAL, "marker": "<", "ls": (0, (5, 1.5, 1, 1.5))},
    "ham": {"color": _RIVAL, "marker": ">", "ls": "-."},
}
# From light to dark: settings that have an order, such as a scale, a decay or a strength.
SEQUENCE = LinearSegmentedColormap.from_list("settings", ["#5B9E9F", "#3B7176", "#1D4750", "#00212C"])


def sequence(count: int) -> list[str]:
    """Colours of so many ordered settings, from light to dark; one alone has the middle."""
    return [to_hex(SEQUENCE(place)) for place in (np.linspace(0, 1, count) if count > 1 else [0.5])]


_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear red, green and blue, by WCAG
_LEAST_CONTRAST = 4.5  # of words on white paper; thin lines need 3


def text_colour(colour: ColorType) -> str:
    """The colour of words about a line: the line's own, darkened as far as words need to be read on white paper.

    Linear red, green and blue shrink by one factor, so the hue stays, until the contrast is 4.5, as WCAG asks of words.

    Args:
        colour: Any colour of matplotlib; what is dark enough stays.
    """
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    shrunk = linear * (1.05 / _LEAST_CONTRAST - 0.05) / (_LUMINANCE @ linear + 1e-12)
    if np.all(shrunk >= linear):
        return to_hex(colour)
    darker = np.where(shrunk <= 0.0031308, 12.92 * shrunk, 1.055 * shrunk ** (1 / 2.4) - 0.055)
    red, green, blue = np.floor(255 * darker).astype(int).tolist()  # rounded down, where the contrast is larger
    return f"#{red:02x}{green:02x}{blue:02x}"


def _legible(figure: Figure) -> None:
    """Give all words of a figure a colour that they can be read in."""
    for text in figure.findobj(Text):
        text.set_color(text_colour(text.get_color()))


# Schedules: constant strengths from weak to strong, and the kinds of schedules.
SCHEDULE_COLOURS = {
    **dict(zip(("constant 0.003", "constant 0.01", "constant 0.03", "constant 0.1"), sequence(4), strict=True)),
    "constant": sequence(4)[2],
    "harmonic": "#859673",
    "quadratic": "#875B2F",
    "geometric": "#3F2F15",
    "early pulse": "#6E55C8",
    "late pulse": "#A88C3D",
}
_LAWS = {"harmonic": "1/k", "quadratic": "1/k²", "geometric": "0.95ᵏ"}
# Flows over the training that they describe.
FLOW_LOOK: dict[str, Any] = {"color": COLOURS["flow"], "ls": (0, (1, 2.4)), "lw": 0.9}

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
        """The figure at its own resolution, its words dark enough; the same figure gives the same bytes."""
        picture = BytesIO()
        _legible(self.figure)
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


def _opaque(picture: BytesIO) -> bytes:
    """The PNG without the transparency that no figure has, which makes it smaller."""
    whole, smaller = Image.open(picture), BytesIO()
    whole.convert("RGB").save(smaller, format="png", optimize=True, dpi=whole.info["dpi"])
    return smaller.getvalue()


def save(figure: Figure, folder: Path, stem: str = "figure") -> list[Path]:
    """Write a figure as PNG, SVG and PDF into an existing folder; the same figure gives the same bytes.

    Words that are too pale for white paper become as dark as :func:`text_colour` says.
    """
    without_date = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it warns about dates in matplotlib's own fonts
    _legible(figure)
    paths = []
    with style():
        for kind, metadata in without_date.items():
            picture = BytesIO()
            figure.savefig(picture, format=kind, metadata=metadata)
            paths.append(folder / f"{stem}.{kind}")
            write_whole(paths[-1], _opaque(picture) if kind == "png" else picture.getvalue())
    return paths
