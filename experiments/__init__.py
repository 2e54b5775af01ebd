"""Experiments, one figure a module, in a package for each paper.

A module that defines ``EXPERIMENT`` is found by ``python -m experiments``, however deep it lies.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from implicit_bias.errors import require

if TYPE_CHECKING:  # workers of the engine load no experiments
    from experiments.experiment import Experiment

require("experiments", "joblib", "markdown_it", "PIL", "threadpoolctl")
_COMMANDS = (f"{__name__}.__main__", f"{__name__}.benchmarks", f"{__name__}.notebooks")  # hold no experiments


def registry() -> dict[str, Experiment]:
    """All experiments below this package by name."""
    names = [module.name for module in pkgutil.walk_packages(__path__, f"{__name__}.")]
    modules = [importlib.import_module(name) for name in names if not name.startswith(_COMMANDS)]
    found = [module.EXPERIMENT for module in modules if hasattr(module, "EXPERIMENT")]
    return {experiment.name: experiment for experiment in sorted(found, key=lambda experiment: experiment.name)}
