"""Published statements about implicit bias, one a module, each with its derivation, its check and its verdict.

A module that defines ``CLAIM`` is in the ledger; nothing else needs to be registered.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path

from implicit_bias.claims import Ledger

RECORD = Path(__file__).with_name("recorded.json")
SAVED = Path(__file__).resolve().parents[1] / "figures" / "ledger.json"  # claims with their verdicts, for pages


def ledger() -> Ledger:
    """All claims of this package."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return Ledger(module.CLAIM for module in modules if hasattr(module, "CLAIM"))


def recorded() -> dict[str, str]:
    """The outcomes that the repository records, by claim id."""
    return json.loads(RECORD.read_text(encoding="utf-8"))
