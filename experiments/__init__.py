"""Experiments, one figure a module. A module that defines ``EXPERIMENT`` is found by ``python -m experiments``."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # workers of the engine load no experiments
    from experiments.experiment import Experiment


def registry() -> dict[str, Experiment]:
    """All experiments of this package by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found = [module.EXPERIMENT for module in modules if hasattr(module, "EXPERIMENT")]
    return {experiment.name: experiment for experiment in found}
