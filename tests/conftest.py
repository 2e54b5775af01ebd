"""Hypothesis profiles: derandomized by default, `--hypothesis-profile=thorough` on demand."""

from hypothesis import HealthCheck, settings

# Deadlines measure the machine, not the code; deterministic examples make a red run reproducible.
settings.register_profile("default", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")
