"""The page in a browser: it loads nothing from elsewhere, follows the finger, and refuses mistakes and attacks."""

import itertools
import json
import math
import re
import time
from urllib.parse import urlsplit

import pytest

from implicit_bias.plotting import COLOURS
from tests.explore.frame_rate import while_dragged

WAIT = 90_000  # milliseconds; the machine may be busy
LEAST_FRAMES = 3.0  # a second, on a machine that may do six other things; alone it draws far more
WRONG_FORMULAS = [  # with a part of the message for each; messages of neighbours differ
    ("m +* w", "cannot read"),
    ("__import__('os').system('touch {file}')", "__import__"),
    ("m*open('{file}', 'w')", "open"),
    ('"*10**9**9"', "expected real numbers"),
    ("m*9**9**9**9", "exponent"),
    ("(" * 450 + "m" + ")" * 450, "cannot read"),
    ("<img src=http://m>*m", "cannot read"),
]


@pytest.fixture
def page(browser, address):
    """A page that rests at its first picture; page.addresses holds all that it requests, which must be local."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(WAIT)
    page.addresses, page.mistakes = [], []
    page.on("request", lambda request: page.addresses.append(request.url))
    page.on("pageerror", lambda error: page.mistakes.append(str(error)))
    page.on("console", lambda said: page.mistakes.append(said.text) if said.type == "error" else None)
    page.goto(address)
    rest(page)
    yield page
    outside, mistakes = [url for url in page.addresses if not is_local(url)], page.mistakes
    page.close()
    assert (outside, mistakes) == ([], [])


def is_local(url):
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost")


def rest(page):
    page.wait_for_selector("#pictures[data-state=resting]")


def landing(page):
    return [float(value) for value in page.get_attribute("#pictures", "data-landing").split()]


def until(condition):
    """Wait until something becomes true; the page's policy forbids Playwright's own way to."""
    end = time.monotonic() + WAIT / 1000
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


def until_landing_changes(page, before):
    until(lambda: landing(page) != before)
    rest(page)


def drag(page, selector, by):
    box = page.locator(selector).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for k in range(1, 6):
        page.mouse.move(x + by[0] * k / 5, y + by[1] * k / 5)
    page.mouse.up()


def observed(page):
    """The entries of z, and y, as the sliders tell them."""
    return [float(page.inner_text(f"output[for={name}]").replace("−", "-")) for name in ("z1", "z2", "y")]


def test_it_loads_from_this_machine_alone(page):
    assert {urlsplit(url).path for url in page.addresses} >= {
        "/",
        "/explorer.js",
        "/drawing.js",
        "/style.css",
        "/picture",
    }
    assert page.locator("#formulas math").count() >= 5
    assert page.locator("#formulas code").count() == 0


def test_a_formula_is_derived_as_it_is_typed(page):
    before = landing(page)
    page.fill("#regularizer", "")
    page.locator("#formula").press_sequentially("")
    page.fill("#formula", "p**2 - q**2")  # and no Enter
    page.wait_for_selector("label:has-text('q₀ of x₂')")
    until_landing_changes(page, before)
    assert "arcsinh" in page.inner_text("#formulas")
    first, second = landing(page)
    assert first + 2 * second == pytest.approx(2.0, abs=1e-4)


def test_the_start_is_dragged(page):
    """The end stays on the line, the start is where the finger let go, and the scale of the mask stays what it was."""
    before, init = landing(page), page.evaluate("() => location.hash")
    drag(page, "#hold-start", (60, -30))
    until_landing_changes(page, before)
    where = page.get_attribute("#hold-start", "aria-label")
    x = [float(value.replace("−", "-")) for value in re.findall(r"[−\d.]+", where.split(":")[0])]
    assert x[0] > 0.1
    assert x[1] > 0.05
    parts = dict(part.split("=") for part in page.evaluate("() => location.hash.slice(1)").split("&"))
    assert "m0=1%2C1" in init
    for k in range(2):
        m, w = (float(parts[name].split("%2C")[k]) for name in ("m0", "w0"))
        assert m * w == pytest.approx(x[k], rel=1e-3)
        assert m**2 - w**2 == pytest.approx(1.0, abs=1e-5)


def test_the_line_is_shifted_and_turned(page):
    before, (z1, z2, y) = landing(page), observed(page)
    drag(page, "#hold-end0", (-30, 40))
    until_landing_changes(page, before)
    turned = observed(page)
    assert turned[:2] != [z1, z2]
    assert turned[0] ** 2 + turned[1] ** 2 == pytest.approx(z1**2 + z2**2, rel=1e-2)
    before = landing(page)
    page.focus("#hold-line")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowUp")
    until_landing_changes(page, before)
    shifted = observed(page)
    assert shifted[:2] == turned[:2]
    assert shifted[2] != turned[2]
    x = landing(page)
    assert shifted[0] * x[0] + shifted[1] * x[1] == pytest.approx(shifted[2], abs=2e-3)
    assert turned[2] != y


def test_the_picture_follows_the_finger(page):
    """At best of some tries, as others may keep the machine busy."""
    rates = []
    while len(rates) < 6 and max(rates, default=0.0) < LEAST_FRAMES:
        rates.append(while_dragged(page, "#hold-start", 1.5).rate)
        rest(page)
    assert max(rates) >= LEAST_FRAMES


def test_a_formula_that_cannot_begin_where_the_last_one_did_takes_its_usual_start(page):
    """No picture starts from w = 0 under a logarithm; one sentence beside the formula says where it begins instead."""
    page.fill("#regularizer", "")
    until(lambda: page.is_disabled("#decay"))
    rest(page)
    page.fill("#formula", "log(m) - log(w)")
    page.wait_for_selector("#restart:has-text('m\u00a0=\u00a01, w\u00a0=\u00a01')")
    rest(page)
    assert page.inner_text("output[for=init-1-0]") == "1"
    assert page.locator("main.stale").count() == 0
    assert page.get_attribute("#restart", "role") == "status"
    page.fill("#formula", "m**2 + w**2")  # which has a picture from there
    until(lambda: page.inner_text("#restart") == "")
    rest(page)
    assert page.inner_text("output[for=init-1-0]") == "1"


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


def test_a_slider_changes_the_picture(page):
    before, drawn = landing(page), page.inner_html("#layer-plane")
    page.focus("#scale")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    until_landing_changes(page, before)
    assert page.inner_html("#layer-plane") != drawn
    first, second = landing(page)
    assert first < before[0]  # a smaller scale lands nearer to the sparse point
    assert first + 2 * second == pytest.approx(2.0, abs=1e-4)


def test_another_regularizer_leaves_the_sliders_where_they_are(page):
    before = landing(page)
    page.focus("#scale")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    until_landing_changes(page, before)
    moved, before = page.input_value("#scale"), landing(page)
    page.fill("#regularizer", "")
    until_landing_changes(page, before)
    assert page.input_value("#scale") == moved
    assert page.is_disabled("#decay")


def test_the_atlas_fills_the_fields(page):
    before = landing(page)
    page.select_option("#atlas", label="three layers: a*b*c")
    until_landing_changes(page, before)
    assert page.input_value("#formula") == "a*b*c"
    assert "No closed form" in page.inner_text("#remark")


def test_a_regularizer_that_does_not_commute_gets_one_that_does(page):
    """The last picture stays, greyed, with the sentence beside the field; a click takes the suggestion."""
    drawn = page.inner_html("#layer-plane")
    page.fill("#regularizer", "m**2")
    page.wait_for_selector("main.stale")
    assert "[∇g, ∇h] ≠ 0" in page.inner_text("#regularizer-said")
    assert page.get_attribute("#regularizer", "aria-invalid") == "true"
    assert page.inner_html("#layer-plane") == drawn
    page.click("#instead button:has-text('m**2 + w**2')")
    page.wait_for_selector("main:not(.stale)")
    assert page.input_value("#regularizer") == "m**2 + w**2"
    assert page.locator("#instead button").count() == 0


def test_a_picture_that_cannot_be_drawn_leaves_the_last_one(page):
    drawn = page.inner_html("#layer-plane")
    page.evaluate("() => { location.hash = location.hash.replace('.z=1%2C2', '.z=0%2C0') }")
    page.wait_for_selector("main.stale")
    assert "z = 0" in page.inner_text("#picture-said")
    assert page.inner_html("#layer-plane") == drawn
    page.focus("#z1")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("main:not(.stale)")


def test_a_wrong_formula_is_answered_beside_its_field(page, tmp_path):
    file, told = tmp_path / "made", ""
    for attack, part in WRONG_FORMULAS:
        page.fill("#formula", attack.format(file=file))
        until(lambda told=told: page.inner_text("#formula-said").strip() not in ("", told))
        told = page.inner_text("#formula-said").strip()
        assert part in told
        assert page.locator("main img").count() == 0
        assert page.locator("main.stale").count() == 1
        assert not file.exists()
    page.fill("#regularizer", "")
    page.fill("#formula", "sinh(u)")
    page.wait_for_selector("main:not(.stale)")
    assert page.inner_text("#formula-said") == ""


def test_the_address_holds_the_picture(page, browser):
    before = landing(page)
    drag(page, "#hold-end1", (10, 30))
    until_landing_changes(page, before)
    other = browser.new_page(viewport={"width": 1280, "height": 900})
    other.set_default_timeout(WAIT)
    other.goto(page.url)
    rest(other)
    assert landing(other) == landing(page)
    for layer in ("plane", "points", "trained"):
        assert other.inner_html(f"#layer-{layer}") == page.inner_html(f"#layer-{layer}")
    other.close()


def test_back_leads_to_the_last_formula(page):
    before, shown = landing(page), page.url
    page.fill("#regularizer", "")
    page.fill("#formula", "sinh(u)")
    until_landing_changes(page, before)
    assert page.url != shown
    changed = landing(page)
    while page.input_value("#formula") != "m*w" or page.input_value("#regularizer") == "":
        page.go_back()
    until_landing_changes(page, changed)
    assert landing(page) == before


@pytest.mark.parametrize(
    "address_of",
    ["#g=m*w&m0=1e400,x&w0=&.scale=-1&.step=0&.z=1", "#g=%3Cscript%3Ealert(1)%3C/script%3E", "#h=1", "#g="],
)
def test_a_broken_address_does_no_harm(browser, address, address_of):
    page = browser.new_page()
    page.set_default_timeout(WAIT)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/{address_of}")
    until(lambda: page.inner_text("#formula-said") or page.get_attribute("#pictures", "data-state") == "resting")
    assert page.locator("body script").count() == 0
    assert errors == []
    page.close()


def test_training_plays(page):
    """The flow, the run and its limit move together; at the end all of the path is drawn."""
    whole = page.inner_html("#layer-trained")
    assert "run-limit" in whole
    page.click("#play")
    until(lambda: page.input_value("#moment") not in ("0", "1"))
    assert len(page.get_attribute("#layer-trained .dots", "d")) < len(re.findall(r'class="dots" d="([^"]*)"', whole)[0])
    page.click("#play")
    paused = page.input_value("#moment")
    page.focus("#moment")
    page.keyboard.press("End")
    assert paused != page.input_value("#moment") == "1"
    assert page.inner_html("#layer-trained") == whole


def test_a_diverging_run_says_so(page):
    page.focus("#step")
    page.keyboard.press("End")
    until(lambda: "diverged" in page.inner_text("#told"))


def test_the_exports(page):
    with page.expect_download() as saved:
        page.click("#svg")
    text = saved.value.path().read_text("utf-8")
    assert text.startswith("<svg")
    assert 'class="reached"' in text
    assert "var(" not in text
    with page.expect_download() as saved:
        page.click("#png")
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as saved:
        page.click("#python")
    assert "ib.bregman_projection" in saved.value.path().read_text("utf-8")


def test_the_keyboard_reaches_everything(page):
    """Tab visits every control once, each with a name."""
    names, page_start = [], page.evaluate("() => document.activeElement.tagName")
    assert page_start == "BODY"
    for _ in range(40):
        page.keyboard.press("Tab")
        names.append(page.evaluate("() => document.activeElement.id"))
    for wanted in ("atlas", "formula", "regularizer", "hold-line", "hold-end0", "hold-end1", "hold-start", "play",
                   "moment", "init-0-0", "init-1-1", "scale", "decay", "z1", "z2", "y", "step", "svg",
                   "python"):  # fmt: skip
        assert wanted in names
    assert page.get_by_role("slider", name="m at the start, of weight 2").count() == 1
    assert page.get_by_role("slider", name="Moment of training").count() == 1
    assert page.get_by_role("button", name=re.compile("Start at .* arrow keys")).count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser, address, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme, bypass_csp=True)
    page.set_default_timeout(WAIT)
    page.goto(address)
    rest(page)
    page.fill("#regularizer", "m**2")  # with a message and suggestions
    page.wait_for_selector("#instead button")
    found = axe.run(page).response["violations"]
    serious = [
        (each["id"], [node["html"][:120] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == [], json.dumps(serious, indent=1)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_no_sideways_scrolling(browser, address, scheme):
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True, is_mobile=True)
    page.set_default_timeout(WAIT)
    page.goto(address)
    rest(page)
    assert page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") == (scheme == "light")
    box = page.locator("#hold-start .reach").bounding_box()
    assert box["width"] >= 44  # for a finger
    page.click("summary")
    for selector in ("#formulas dd", "#script"):  # a shadow says that there is more of it
        wide = page.locator(selector).first
        assert wide.evaluate("e => e.scrollWidth > e.clientWidth")
        assert "local" in wide.evaluate("e => getComputedStyle(e).backgroundAttachment")
    page.close()


def test_two_clients_do_not_meet(page, browser, address):
    """While the formula of one is stuck, the other's picture follows."""
    other = browser.new_page(viewport={"width": 1280, "height": 900})
    other.set_default_timeout(WAIT)
    other.goto(address)
    rest(other)
    before = landing(page)
    other.fill("#regularizer", "")
    other.fill("#formula", "u**(7/4) - v**(7/4)")  # takes all the time that it may have
    other.wait_for_selector("#doing:has-text('Deriving')")
    page.focus("#scale")
    page.keyboard.press("ArrowLeft")
    until(lambda: landing(page) != before)
    assert "Deriving" in other.inner_text("#doing")
    assert landing(other) == before
    other.close()


def test_many_formulas_in_a_hurry_end_at_the_last_one(page):
    """At most two are derived at a time, so that the last one does not wait for all; until then the picture is grey."""
    most, under_way = [0], set()
    page.on("request", lambda each: under_way.add(each) if each.url.endswith("/formulas") else None)
    page.on("response", lambda each: under_way.discard(each.request))
    page.on("request", lambda _: most.append(len(under_way)))
    page.fill("#regularizer", "")
    for k in range(9):
        page.fill("#formula", f"u**({2 * k + 7}/4) - v**({2 * k + 7}/4)")  # each takes seconds
        page.wait_for_timeout(350)
    assert page.get_attribute("main", "class") == "awaited"
    assert "Deriving" in page.inner_text("#doing")
    assert not page.is_visible("#told")
    page.fill("#formula", "u**2 - v**2")
    until(lambda: "g=u**2+" in page.evaluate("() => location.hash"))
    rest(page)
    assert max(most) == 2
    assert page.get_attribute("main", "class") == ""
    assert "arcsinh" in page.inner_text("#formulas")
    first, second = landing(page)
    assert first + 2 * second == pytest.approx(2.0, abs=1e-4)


def told(page):
    rest(page)
    return page.inner_text("#told")


def set_to(page, **parts):
    """Open the address of the page with other numbers."""
    rest(page)
    before = page.evaluate("() => location.hash")
    for name, value in parts.items():
        before = re.sub(rf"(\.{name}=)[^&]*", rf"\g<1>{value}", before)
    page.evaluate("hash => { location.hash = hash }", before)
    page.wait_for_timeout(600)  # until the page has asked for it
    rest(page)


def typed(page, formula, regularizer=""):
    page.fill("#regularizer", regularizer)
    page.fill("#formula", formula)
    until(lambda: page.evaluate("() => new URLSearchParams(location.hash.slice(1)).get('g')") == formula)
    rest(page)


def tick_texts(page, name):
    """The texts of a panel, with where each begins and ends in pixels of the panel."""
    return page.evaluate(
        "id => [...document.querySelectorAll(`#${id} text`)].map((t) => { const box = t.getBBox();"
        " return [t.textContent, box.x, box.x + box.width]; })",
        name,
    )


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


def opened(browser, address, setting):
    """A page at the address of a setting, whatever comes of it."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(WAIT)
    page.goto(f"{address}/#{setting}")
    until(lambda: page.get_attribute("#pictures", "data-state") == "resting" or page.inner_text("#picture-said"))
    return page


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
            ".map((t) => { const box = t.getBBox(); return [box.x, box.y, box.x + box.width, box.y + box.height - 2]; })",
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
