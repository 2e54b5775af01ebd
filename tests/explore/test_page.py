"""The page in a browser: it loads nothing from elsewhere, follows the finger, and refuses mistakes and attacks."""

import json
import re
from urllib.parse import urlsplit

import pytest

from tests.explore.driving import WAIT, drag, landing, observed, rest, until, until_landing_changes
from tests.explore.frame_rate import while_dragged

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


def test_the_line_is_held_where_a_mark_lies_on_it(page):
    before = landing(page)
    drag(page, "#layer-points .l2", (0, 40))
    until_landing_changes(page, before)
    z1, z2, y = observed(page)
    assert (z1, z2) == (1.0, 2.0)
    assert y < 2


def test_a_start_that_is_dragged_where_none_is_returns(page):
    """Squares are positive; the picture says so while the finger is there, and the handle goes back when it lets go."""
    page.fill("#regularizer", "")
    page.fill("#formula", "u**2")
    until(lambda: "g=u**2" in page.evaluate("() => location.hash"))
    rest(page)
    page.evaluate("() => { location.hash = location.hash.replace('.y=2', '.y=-2') }")
    page.wait_for_selector("main.stale")
    before = page.get_attribute("#hold-start", "transform")
    drag(page, "#hold-start", (-60, 20))
    page.wait_for_timeout(500)
    until(lambda: page.get_attribute("#hold-start", "transform") == before)
    assert "can reach" in page.inner_text("#picture-said")


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
    other.fill("#formula", "exp(u) - exp(v)")  # takes nearly all the time that it may have
    other.wait_for_selector("#doing:has-text('Deriving')")
    page.focus("#scale")
    page.keyboard.press("ArrowLeft")
    until(lambda: landing(page) != before)
    assert "Deriving" in other.inner_text("#doing")
    assert landing(other) == before
    other.close()


def test_many_formulas_in_a_hurry_end_at_the_last_one(page):
    """At most three are derived at a time, so that the last does not wait for all; until then the picture is grey."""
    most, under_way = [0], set()
    page.on("request", lambda each: under_way.add(each) if each.url.endswith("/formulas") else None)
    page.on("response", lambda each: under_way.discard(each.request))
    page.on("request", lambda _: most.append(len(under_way)))
    page.fill("#regularizer", "")
    page.fill("#formula", "m +* w")
    page.wait_for_selector("main.stale")
    for k in range(9):
        page.fill("#formula", f"u**({2 * k + 7}/4) - v**({2 * k + 7}/4)")  # each takes seconds
        page.wait_for_timeout(350)
    assert page.get_attribute("main", "class") == "awaited"
    assert "Deriving" in page.inner_text("#doing")
    assert page.inner_text("#formula-said") == ""  # which was about another formula
    assert not page.is_visible("#told")
    page.fill("#formula", "u**2 - v**2")
    until(lambda: "g=u**2+" in page.evaluate("() => location.hash"))
    rest(page)
    assert max(most) == 3
    assert page.get_attribute("main", "class") == ""
    assert "arcsinh" in page.inner_text("#formulas")
    first, second = landing(page)
    assert first + 2 * second == pytest.approx(2.0, abs=1e-4)
