"""The explorer in a process of its own."""

import pytest

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
