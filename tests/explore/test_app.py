"""The page in a browser: it loads nothing from elsewhere, draws, and refuses mistakes and attacks."""

from urllib.parse import urlsplit

import pytest

WAIT = 90_000  # milliseconds; the machine may be busy
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
    """A page that has drawn its first picture; page.addresses holds all that it requests, which must be local."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(WAIT)
    page.addresses = []
    page.on("request", lambda request: page.addresses.append(request.url))
    page.on("websocket", lambda socket: page.addresses.append(socket.url))
    page.goto(address)
    page.wait_for_selector(".picture svg")
    yield page
    outside = [url for url in page.addresses if not is_local(url)]
    page.close()
    assert outside == []


def is_local(url):
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost")


def landing(page):
    return page.locator(".picture").first.get_attribute("data-landing")


def type_formula(page, text, field=0):
    box = page.locator("marimo-text input").nth(field)
    box.fill(text)
    box.press("Enter")


def until_landing_changes(page, before):
    page.wait_for_function(
        "before => { const p = document.querySelector('.picture'); return p && p.dataset.landing !== before }",
        arg=before,
    )


def test_it_loads_from_this_machine_alone(page):
    assert len(page.addresses) > 10
    page.wait_for_selector(".formulas .katex")
    assert "$$" not in page.locator(".formulas").inner_text()


def test_a_typed_formula_yields_its_potential(page):
    before = landing(page)
    type_formula(page, "", field=1)
    type_formula(page, "p**2 - q**2")
    page.wait_for_selector(".controls .row:has-text('q0')")
    until_landing_changes(page, before)
    page.wait_for_selector(".formulas .katex:has-text('arsinh')")
    first, second = map(float, landing(page).split())
    assert first + 2 * second == pytest.approx(2.0, abs=1e-4)


def test_a_slider_changes_the_picture(page):
    before, drawn = landing(page), page.locator(".picture").first.inner_html()
    thumb = page.locator("[data-cell-name=controls] .row:has-text('scale') [role=slider]")
    for _ in range(3):
        thumb.press("ArrowLeft")
    until_landing_changes(page, before)
    assert page.locator(".picture").first.inner_html() != drawn
    first, second = map(float, landing(page).split())
    assert first < float(before.split()[0])  # a smaller scale lands nearer to the sparse point
    assert first + 2 * second == pytest.approx(2.0, abs=1e-4)


def test_another_regularizer_leaves_the_sliders_where_they_are(page):
    thumb = page.locator("[data-cell-name=controls] .row:has-text('scale') [role=slider]")
    before = landing(page)
    for _ in range(3):
        thumb.press("ArrowLeft")
    until_landing_changes(page, before)
    moved, before = thumb.get_attribute("aria-valuenow"), landing(page)
    type_formula(page, "", field=1)
    until_landing_changes(page, before)
    assert thumb.get_attribute("aria-valuenow") == moved


def test_the_atlas_fills_the_fields(page):
    before = landing(page)
    three_layers = page.locator("marimo-dropdown option", has_text="three layers").get_attribute("value")
    page.locator("marimo-dropdown select").select_option(value=three_layers)
    until_landing_changes(page, before)
    assert page.locator("marimo-text input").first.input_value() == "a*b*c"
    page.wait_for_selector(".formulas:has-text('No closed form')")


def test_a_regularizer_that_does_not_commute(page):
    type_formula(page, "m**2", field=1)
    message = page.locator("[data-field=regularizer]:not(:empty)")
    message.wait_for()
    assert "m**2 + w**2" in message.inner_text()
    page.wait_for_selector(".trouble")


def test_a_wrong_formula_is_answered_beside_its_field(page, tmp_path):
    file, told = tmp_path / "made", ""
    message = page.locator("[data-field=formula]:not(:empty)")
    for attack, part in WRONG_FORMULAS:
        type_formula(page, attack.format(file=file))
        page.wait_for_function(
            "told => ![told, ''].includes(document.querySelector('[data-field=formula]')?.innerText.trim() ?? '')",
            arg=told,
        )
        told = message.inner_text().strip()
        assert part in told
        assert message.locator("img").count() == 0
        assert not file.exists()
    type_formula(page, "sinh(u)")
    type_formula(page, "", field=1)
    message.wait_for(state="detached")
    page.wait_for_selector(".picture svg")


def test_a_phone_has_no_sideways_scrolling(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.set_default_timeout(WAIT)
    page.goto(address)
    page.wait_for_selector(".formulas .katex")
    assert page.evaluate("document.querySelector('#App').scrollWidth <= document.querySelector('#App').clientWidth")
    assert page.evaluate("document.body.classList.contains('dark')")
    page.close()
