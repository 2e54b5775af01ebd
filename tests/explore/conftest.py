"""The explorer in a process of its own, and its page in a browser."""

import pytest

from tests.explore.driving import WAIT, is_local, rest
from tests.explore.frame_rate import started


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The address of a running explorer, whose working folder is empty."""
    process, address = started(tmp_path_factory.mktemp("explorer"))
    try:
        yield address
        assert process.poll() is None, "the explorer ended by itself"
    finally:
        process.kill()
        process.communicate()


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
