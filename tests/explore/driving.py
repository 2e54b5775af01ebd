"""Driving the page in a browser, as a person does."""

import re
import time
from urllib.parse import urlsplit

WAIT = 90_000  # milliseconds; the machine may be busy


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


def opened(browser, address, setting):
    """A page at the address of a setting, whatever comes of it."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(WAIT)
    page.goto(f"{address}/#{setting}")
    until(lambda: page.get_attribute("#pictures", "data-state") == "resting" or page.inner_text("#picture-said"))
    return page
