"""axe-core, run in Chromium, finds nothing serious on the pages that this project writes.

The pages are written here from what was saved, so that a change of the code is seen before anybody writes them anew.
"""

import re

import numpy as np
import pytest

import derivations
from experiments import registry, report
from experiments.__main__ import FIGURES
from implicit_bias.claims import Ledger

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
SERIOUS = {"serious", "critical"}


def findings(tab, rules=()):
    """What axe-core finds, by all rules or by some: lines of impact, rule, number of places and the first of them."""
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    # Formulas have the colours of the text around them, and so many elements that they alone would take minutes.
    found = axe.Axe().run(tab, context={"exclude": [["math"]]}, options=options).response["violations"]
    return [
        f"{each['impact']} {each['id']}, {len(each['nodes'])} times, first {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in SERIOUS
    ]


def contrast(*colours):
    """The ratio of luminances of two colours as a browser writes them, rgb(1, 2, 3), by WCAG's definition."""
    linear = [np.array(re.findall(r"\d+", each)[:3], float) / 255 for each in colours]
    linear = [np.where(each <= 0.04045, each / 12.92, ((each + 0.055) / 1.055) ** 2.4) for each in linear]
    dark, light = sorted(each @ (0.2126, 0.7152, 0.0722) for each in linear)
    return (light + 0.05) / (dark + 0.05)


def contrast_of_placeholder(tab, field):
    """The contrast of what stands in an empty field, of which axe-core takes no notice."""
    look = "box => [getComputedStyle(box, '::placeholder').color, getComputedStyle(box).backgroundColor]"
    return contrast(*tab.locator(field).first.evaluate(look))


# What is wider than the screen or than its box. A box may scroll if the keyboard reaches it and a shadow says so.
TOO_WIDE = """async () => {
  document.querySelectorAll('details').forEach(e => { e.open = true; });
  await new Promise(done => setTimeout(() => requestAnimationFrame(done)));  // they have told that they are open
  const whole = document.scrollingElement.scrollWidth, found = whole > innerWidth ? [`the page: ${whole}`] : [];
  for (const box of document.querySelectorAll('body :not(math *)')) {
    const look = getComputedStyle(box);
    const isCut = box.clientWidth > 0 && box.scrollWidth > box.clientWidth + 1;
    if (!isCut || !['auto', 'scroll'].includes(look.overflowX)) continue;
    const isReached = box.tabIndex >= 0 || box.querySelector('a, button, summary') !== null;
    const hasShadow = look.backgroundAttachment.includes('local') && look.backgroundAttachment.includes('scroll');
    if (!isReached || !hasShadow) found.push(`${isReached} ${hasShadow} ${box.outerHTML.slice(0, 120)}`);
  }
  return found;
}"""


def too_wide(tab, pages, width):
    """What of some pages does not fit, by page."""
    tab.set_viewport_size({"width": width, "height": 844})
    found = {}
    for page in pages:
        tab.goto(page.as_uri())
        found[page.name] = tab.evaluate(TOO_WIDE)
    return {name: each for name, each in found.items() if each}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A folder with the page of all figures, whose pictures are links, and the pages of the ledger."""
    folder = tmp_path_factory.mktemp("pages")
    for each in FIGURES.iterdir():
        if each.is_dir() and not each.name.startswith("."):
            (folder / each.name).symlink_to(each)
    (folder / "ledger").unlink(missing_ok=True)
    report.write(folder, registry())
    Ledger.load(derivations.SAVED).save_pages(folder / "ledger.html", root="..")
    return folder


def opened(context, page):
    """A tab with the page, all of its folds open: what they hide is looked at as well."""
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    return tab


@pytest.mark.parametrize("name", ["index.html", "ledger.html", "ledger/mask-in-the-mirror.html"])
def test_nothing_serious_is_found(browser, pages, name):
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        assert findings(opened(context, pages / name)) == []


@pytest.mark.parametrize("name", ["index.html", "ledger/mask-in-the-mirror.html"])
def test_text_stands_out_on_a_dark_page(browser, pages, name):
    with browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="dark") as context:
        assert findings(opened(context, pages / name), ["color-contrast"]) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_a_field_asks_for_can_be_read(browser, pages, scheme):
    with browser.new_context(color_scheme=scheme) as context:
        assert contrast_of_placeholder(opened(context, pages / "ledger.html"), ".filter input") > 4.5
    assert contrast("rgb(118, 118, 118)", "rgb(255, 255, 255)") == pytest.approx(4.54, abs=0.005)  # WCAG's example


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_screen_without_a_hint(browser, pages, width):
    every = [pages / "index.html", pages / "ledger.html", *sorted((pages / "ledger").glob("*.html"))]
    assert len(every) > len(derivations.papers())
    with browser.new_context() as context:
        assert too_wide(context.new_page(), every, width) == {}


def test_what_is_too_wide_is_found(browser, tmp_path):
    """The check can fail: a page that is too wide, a box without a shadow, and one that the keyboard does not reach."""
    page = tmp_path / "wide.html"
    page.write_text(
        "<p style='width: 500px'>wide<pre style='overflow: auto' tabindex=0>" + 200 * "x" + "</pre>"
        "<div style='overflow: auto; background: linear-gradient(red, red) local, linear-gradient(red, red) scroll'>"
        "<p style='width: 3000px'>wider"
    )
    with browser.new_context() as context:
        page, shadow, reached = too_wide(context.new_page(), [page], 390)["wide.html"]
    assert (page, shadow[:10], reached[:10]) == ("the page: 508", "true false", "false true")


def test_boxes_that_scroll_on_a_phone_are_reached_by_the_keyboard(browser, pages):
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        assert findings(opened(context, pages / "index.html"), ["scrollable-region-focusable"]) == []


def test_a_fault_is_found(browser):
    """The check can fail: a picture without words, grey on grey, and a button without a name."""
    with browser.new_context() as context:
        tab = context.new_page()
        tab.set_content(
            '<html lang="en"><title>t</title><main><img src="data:,"><p style="color:#aaa">pale</p><button></button>'
        )
        assert {line.split()[1].strip(",") for line in findings(tab)} == {"image-alt", "color-contrast", "button-name"}
