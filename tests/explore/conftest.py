"""The explorer in a process of its own."""

import re
import subprocess
import sys

import pytest


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
