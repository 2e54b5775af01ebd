"""The site, built once for each worker, and a browser without a network that reads it."""

import subprocess
import sys

import pytest

from tests.documentation.pages import ROOT


class Built(dict):
    """The pages of the site by their places, and its folder."""

    def __init__(self, pages, folder):
        super().__init__(pages)
        self.folder = folder


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "docs/build.py", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return Built(
        {
            path.relative_to(folder).as_posix(): path.read_text("utf-8")
            for path in folder.rglob("*.html")
            if not path.is_relative_to(folder / "repository" / "figures")  # these have tests of their own
        },
        folder,
    )


@pytest.fixture(scope="module")
def site(built, browser):
    """The site read from disk, by a browser without a network."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.failures = []
    page.on("pageerror", lambda error: page.failures.append(str(error)))
    page.on("requestfailed", lambda request: page.failures.append(request.url))
    page.folder = built.folder.as_uri()
    yield page
    context.close()
