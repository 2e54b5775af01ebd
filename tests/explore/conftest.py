"""The explorer in a process of its own."""

import re
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The address of a running explorer, whose working folder is empty."""
    folder = tmp_path_factory.mktemp("explorer")
    command = [sys.executable, "-m", "implicit_bias.cli", "explore", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert found is not None, "the explorer did not say where it is"
        yield found.group()
        assert process.poll() is None, "the explorer ended by itself"
    finally:
        process.kill()
        process.communicate()
