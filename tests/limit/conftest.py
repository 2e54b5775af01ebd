"""A fixture of tests of the path of a vanishing scale."""

import pytest

from implicit_bias.limit import exact_path as exact_path_module


@pytest.fixture
def in_doubles(monkeypatch):
    """No path is computed in fractions, as for large systems."""
    monkeypatch.setattr(exact_path_module, "_MOST_ENTRIES", 0)
