"""Hypothesis profiles: derandomized by default, `--hypothesis-profile=thorough` on demand; CUDA tests need CUDA."""

import pytest
import torch
from hypothesis import HealthCheck, settings

# Deadlines measure the machine, not the code; deterministic examples make a red run reproducible.
settings.register_profile("default", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


def pytest_collection_modifyitems(items):
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("cuda"):
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))
