"""A fixture for tests that must see the work that a worker process would do."""

import pytest

from implicit_bias.symbolic import worker


@pytest.fixture
def in_this_process(monkeypatch):
    """Lets symbolic work run in this thread, whose clock then measures it and whose patches it meets."""
    monkeypatch.setattr(worker, "_asked", lambda *_: None)
