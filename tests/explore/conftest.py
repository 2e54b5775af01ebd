"""The explorer in a process of its own, and Chromium."""

import re
import shutil
import subprocess
import sys

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """Where a running explorer answers; its working folder is empty."""
    folder = tmp_path_factory.mktemp("explorer")
    command = [sys.executable, "-m", "implicit_bias.cli", "explore", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        yield re.search(r"http://127\.0\.0\.1:\d+", line).group()
        assert process.poll() is None, "the explorer ended by itself"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def browser():
    """The Chromium of this machine."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no Chromium on PATH (looked for {', '.join(BROWSERS)})")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
