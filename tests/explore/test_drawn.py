"""What the page shows in a browser: rings, names, numbers, fonts and colours."""

import itertools
import math
import re

import pytest

from implicit_bias.plotting import COLOURS
from tests.explore.driving import landing, opened, rest, set_to, tick_texts, told, typed, until, until_landing_changes


def test_formulas_have_the_font_that_comes_along(page):
    page.evaluate("document.fonts.ready")
    assert page.evaluate("[...document.fonts].map(f => [f.family, f.status])") == [["Mathematics", "loaded"]]
    assert page.evaluate("getComputedStyle(document.querySelector('#formulas math')).fontFamily").startswith("Math")


def test_one_thing_has_one_colour_in_the_explorer_and_in_figures(page):
    """On white paper; on a dark page the same hues are lighter."""
    of_figures = {"flow": "flow", "landing": "projection", "run": "run", "l1": "basis pursuit", "l2": "minimum L2"}
    for name, thing in of_figures.items():
        shown = page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}')")
        assert shown.lower() == COLOURS[thing].lower(), name


def test_a_flow_that_rounding_hides_is_not_drawn(page):
    page.select_option("#atlas", label="difference of fourth powers: u**4 - v**4")
    until(lambda: "g=u**4" in page.evaluate("() => location.hash"))
    page.wait_for_timeout(600)
    rest(page)
    assert page.locator("#layer-trained .flow").count() == 2
    set_to(page, scale="1000")
    assert "cannot be followed accurately in double precision" in told(page)
    assert page.locator("#layer-trained .flow, #layer-trained .head, #weights .flow").count() == 0
    assert page.locator("#layer-points .landing").count() == 1
    assert not page.locator("#legend span:has-text('gradient flow')").is_visible()


def test_a_ring_that_leaves_the_picture_in_a_node_of_the_grid_has_no_chord(browser, address):
    """R is a sum of squares here, and the ring of radius √0.8 leaves the picture at (0.8, −0.4), a node."""
    page = opened(browser, address, "g=u**4-v**4&u0=1,1&v0=1,1&.scale=10000")
    longest = 0.0
    for path in page.locator("#layer-plane path.level, #layer-plane path.reached").all():
        for piece in path.get_attribute("d").split("M")[1:]:
            points = [tuple(map(float, pair.split())) for pair in piece.split("L")]
            longest = max([longest, *(math.dist(*pair) for pair in itertools.pairwise(points))])
    assert 0 < longest < 30
    page.close()


def test_names_of_weights_do_not_touch(browser, address):
    """Where both weights end close to each other, at the right of the curves and beside the circles."""
    page = opened(browser, address, "g=a*b*c&a0=1,.5&b0=.7,.6&c0=.4,.6&.step=0.2")
    for panel in ("weights", "exponent"):
        boxes = page.evaluate(
            "id => [...document.querySelectorAll(`#${id} text`)].filter((t) => /^x[₁₂]$/.test(t.textContent))"
            ".map((t) => { const box = t.getBBox(); return [box.x, box.y, box.x + box.width, box.y + box.height]; })",
            panel,
        )
        (left, top, right, bottom), (left2, top2, right2, bottom2) = boxes
        assert right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top, panel
    assert page.inner_text("#which") == "x₁ solid, x₂ dashed"
    page.close()


def test_without_a_first_picture_nothing_is_to_be_held(browser, address):
    page = opened(browser, address, "g=m*w&m0=1,1&w0=0,0&.z=0,0")
    assert "z = 0" in page.inner_text("#picture-said")
    for name in ("hold-start", "hold-end0", "play", "legend", "potential"):
        assert not page.is_visible(f"#{name}"), name
    page.focus("#z1")
    page.keyboard.press("ArrowRight")
    rest(page)
    assert page.is_visible("#hold-start")
    page.close()


def test_a_limit_outside_the_picture_is_said_to_be_there(browser, address):
    page = opened(browser, address, "g=m*w&m0=1,.3&w0=.2,-.1&.step=0.5")
    assert "That limit lies outside the picture." in page.inner_text("#told")
    assert not page.is_visible("#legend span:has-text('exact limit')")
    page.close()


@pytest.mark.parametrize("scale", ["1", "10000"])
@pytest.mark.parametrize("formula", ["m*w", "u**2 - v**2", "u**2"])
def test_no_text_of_an_axis_is_cut(page, formula, scale):
    typed(page, formula)
    set_to(page, scale=scale)
    for name in ("plane", "weights", "potential", "mirror_map", "metric", "exponent"):
        width = page.evaluate("id => document.getElementById(id).clientWidth", name)
        for text, left, right in tick_texts(page, name):
            assert left >= 0, (name, text)
            assert right <= width + 1, (name, text)


def test_what_is_still_far_away_is_said_in_numbers(page):
    """A step so small that the run is still on its way, and no power of ten where none is needed."""
    set_to(page, step="0.001")
    assert re.search(r"has not arrived: its exact limit is still [\d.]+ away", told(page))
    assert "e+" not in told(page)


def test_deriving_is_said_beside_the_formula(page):
    page.fill("#regularizer", "")
    page.fill("#formula", "u**(9/4) - v**(9/4)")  # takes some seconds
    page.wait_for_selector("#doing:has-text('Deriving')")
    field, said = (page.locator(each).bounding_box() for each in ("#formula", "#doing"))
    assert 0 <= said["y"] - field["y"] - field["height"] < 10
    assert page.get_attribute("#doing", "role") == "status"  # read out politely
    until(lambda: not page.inner_text("#doing"))
    rest(page)


def test_the_legend_names_what_is_drawn(page):
    """A run that diverged has no limit."""

    def named():
        rest(page)
        return [each.inner_text() for each in page.locator("#legend span").all() if each.is_visible()]

    assert "the run’s exact limit" in named()
    page.focus("#step")
    page.keyboard.press("End")
    until(lambda: "diverged" in page.inner_text("#told"))
    assert "the run’s exact limit" not in named()
    assert "gradient flow" in named()


def test_another_regularizer_keeps_the_decay(page):
    decay = page.inner_text("output[for=decay]")
    assert decay != "0"
    before = landing(page)
    page.fill("#regularizer", "")
    until_landing_changes(page, before)
    page.fill("#regularizer", "m**2 + w**2")
    until(lambda: landing(page) == before)
    rest(page)
    assert page.inner_text("output[for=decay]") == decay


def test_the_circle_of_the_exponent_lies_on_a_curve(page):
    typed(page, "u**3 - v**3")
    curves = [
        [tuple(map(float, pair.split())) for pair in re.split("[ML]", path.get_attribute("d"))[1:]]
        for path in page.locator("#exponent .curve").all()
    ]
    circles = page.locator("#exponent circle.landing").all()
    assert len(circles) == 2
    for circle in circles:
        at = [float(circle.get_attribute(name)) for name in ("cx", "cy")]
        assert min(abs(x - at[0]) + abs(y - at[1]) for curve in curves for x, y in curve) < 0.3
