"""Rounding that is to be seen."""

import pytest
from small_systems import PRODUCT, U

from implicit_bias.limit import error_bound as module


@pytest.fixture
def coarse(monkeypatch):
    """Bounds are put together as if numbers had ten bits, though they have 53."""
    monkeypatch.setattr(module, "UNIT_ROUNDOFF", U)
    monkeypatch.setattr(module, "sum_error", lambda terms: 0.0)


@pytest.fixture
def coarse_products(monkeypatch):
    monkeypatch.setattr(module, "sum_error", lambda terms: terms * PRODUCT)
