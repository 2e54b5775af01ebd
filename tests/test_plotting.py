"""Pictures have the same bytes every time, PDFs hold their fonts, and colours differ also for colour-blind readers."""

import ast
import itertools
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import is_color_like, to_rgb

from implicit_bias import plotting

# How an eye without one kind of cone sees linear RGB, by Machado, Oliveira and Fernandes, "A physiologically-based
# model for simulation of color vision deficiency" (2009).
EYES = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
# Colours that one panel or one legend holds.
NAMED = plotting.COLOURS
METHODS = sorted({look["color"] for look in plotting.METHOD_LOOKS.values()})
DRAWN_TOGETHER = {
    "ends": [NAMED[name] for name in ("truth", "flow", "projection", "prediction", "run")],
    "norms": [NAMED[name] for name in ("truth", "flow", "projection", "run", "basis pursuit", "minimum L2")],
    "margins": [NAMED[name] for name in ("basis pursuit", "minimum L2", "maximum norm")],
    "errata": [NAMED[name] for name in ("flow", "projection", "preprint")],
    "methods": [*METHODS, NAMED["flow"], NAMED["truth"]],
    "figures 1a and 1b": [
        *(
            colour
            for name, colour in plotting.SCHEDULE_COLOURS.items()
            if name.startswith("constant ") or name in ("harmonic", "quadratic", "geometric")
        ),
        NAMED["flow"],
    ],
    "doses": [
        plotting.schedule_colour(name)
        for name in ("early pulse", "constant, then off", "harmonic, then off", "geometric", "late pulse")
    ],
}
EVERYTHING = {
    **NAMED,
    **{f"methods {colour}": colour for colour in METHODS},
    **{name: colour for name, colour in plotting.SCHEDULE_COLOURS.items() if name != "constant"},
}


def linear(colour):
    """Linear red, green and blue."""
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(colour):
    """With white paper, by WCAG."""
    return 1.05 / (XYZ[1] @ linear(colour) + 0.05)


def lab(colour, eye):
    """The colour in CIE L*a*b* as an eye sees it."""
    xyz = XYZ @ np.clip(np.asarray(eye) @ linear(colour), 0, 1) / XYZ.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("group", DRAWN_TOGETHER)
def test_colours_stay_apart(group, eye):
    """Colours in one picture are 15 apart, which is plain for thin lines; where colours touch, the eye just sees 2."""
    seen = [lab(colour, EYES[eye]) for colour in DRAWN_TOGETHER[group]]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15


def test_one_colour_is_one_thing():
    """No quantity, method or schedule looks like another in the whole project, nor does an ordered setting."""
    seen = {name: lab(colour, EYES["usual"]) for name, colour in EVERYTHING.items()}
    for (one, first), (other, second) in itertools.combinations(seen.items(), 2):
        assert np.linalg.norm(first - second) > 15, (one, other)
    others = [colour for name, colour in seen.items() if not name.startswith("constant")]
    for colour in plotting.sequence(50):
        assert min(np.linalg.norm(lab(colour, EYES["usual"]) - other) for other in others) > 15


DRAWN = [*EVERYTHING.values(), *plotting.sequence(7), *(plotting.GREYS[name] for name in ("note", "guide"))]


@pytest.mark.parametrize("colour", DRAWN)
def test_lines_stand_out_from_the_paper(colour):
    """WCAG asks for a contrast of 3 between a thin line and its ground."""
    assert contrast(colour) >= 3


@pytest.mark.parametrize("colour", DRAWN)
def test_words_are_darker_than_their_line_where_they_have_to(colour):
    """WCAG asks words for 4.5; the hue stays, and so does what is dark enough, as a second time does."""
    words = plotting.text_colour(colour)
    assert contrast(words) >= 4.5
    if contrast(colour) >= 4.5:
        assert words == colour.lower()
    else:
        assert contrast(words) < 4.6
        shares = [linear(each) / linear(each).sum() for each in (colour, words)]
        np.testing.assert_allclose(*shares, atol=0.005)
    assert plotting.text_colour(words) == words


def test_a_saved_picture_has_no_pale_words(tmp_path):
    """In its axes, legends and notes; lines keep their colours."""
    with plotting.style():
        figure, axes = plt.subplots()
        (line,) = axes.plot([0, 1], color=NAMED["flow"], label="flow")
        note = axes.annotate("flow", (0, 0), color=NAMED["flow"])
        legend = axes.legend(labelcolor="linecolor").get_texts()[0]
    for way in (lambda: plotting.save(figure, tmp_path), plotting.Picture(figure, "A line.").png):
        for text in (note, legend):
            text.set_color(NAMED["flow"])
        way()
        assert min(contrast(text.get_color()) for text in (note, legend)) >= 4.5
    assert line.get_color() == NAMED["flow"]
    plt.close(figure)


def test_ordered_settings_darken():
    lightness = [lab(colour, EYES["usual"])[0] for colour in plotting.sequence(7)]
    assert np.all(np.diff(lightness) < -5)
    assert plotting.sequence(3)[1] == plotting.sequence(1)[0]


def test_methods_can_be_told_without_colours():
    assert len({look["marker"] for look in plotting.METHOD_LOOKS.values()}) == len(plotting.METHOD_LOOKS)


def test_a_schedule_that_ends_looks_like_itself():
    assert plotting.schedule_colour("harmonic, then off") == plotting.schedule_colour("harmonic")


ROOT = Path(__file__).parents[1]
DRAWING = [
    path
    for folder in ("experiments", "implicit_bias/notebooks", "implicit_bias/display")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.name != "card.py"  # the cards' outcomes are words on a page, not lines in a picture
]
COLOUR_WORDS = {
    "color", "colors", "c", "ecolor", "edgecolor", "edgecolors", "facecolor", "facecolors", "mec", "mfc",
    "markeredgecolor", "markerfacecolor", "colour",
}  # fmt: skip


@pytest.mark.parametrize("path", DRAWING, ids=lambda path: path.stem)
def test_no_picture_has_a_colour_of_its_own(path):
    """Colours come from plotting alone; only "none" and matplotlib's grey scale for images are named elsewhere."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.fullmatch(r"#[0-9A-Fa-f]{6}|C\d|viridis\w*|tab:\w+|k[<>ov.-]|0\.\d+", node.value), node.value
        if isinstance(node, ast.keyword) and node.arg in COLOUR_WORDS:
            own = [inner.value for inner in ast.walk(node.value) if isinstance(inner, ast.Constant)]
            literal = isinstance(node.value, ast.Constant | ast.IfExp)
            words = [word for word in own if isinstance(word, str) and is_color_like(word)]
            assert not literal or set(words) <= {"none"}, (path.name, node.lineno, words)


def drawn():
    with plotting.style():
        figure, axes = plt.subplots(figsize=(3, 2), layout="constrained")
        axes.plot([0, 1], [0, 1], label="∇R(x) = −L")
        axes.set(title=r"$\lim_{t\to\infty} x_t$", xlabel="weight")
        axes.legend()
    plt.close(figure)
    return figure


def test_the_same_picture_gives_the_same_bytes(tmp_path, monkeypatch):
    for name, epoch in (("first", "0"), ("second", "1000000000")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)  # would be the date of the file, if it had one
        (tmp_path / name).mkdir()
        paths = plotting.save(drawn(), tmp_path / name)
        assert [path.name for path in paths] == ["figure.png", "figure.svg", "figure.pdf"]
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_a_pdf_holds_its_fonts_and_no_date(tmp_path):
    *_, path = plotting.save(drawn(), tmp_path)
    content = path.read_bytes()
    streams = [_inflated(found) for found in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)]
    everything = content + b"".join(streams)
    assert b"/FontFile2" in everything  # an embedded TrueType font
    assert b"/Type3" not in everything
    assert not re.search(rb"/(CreationDate|ModDate|Producer|Creator)\b", everything)
    fonts = [stream for stream in streams if stream.startswith(b"\x00\x01\x00\x00")]
    assert len(fonts) == everything.count(b"/FontFile2 ") > 0


def _inflated(stream):
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return stream
