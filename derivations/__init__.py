"""Published statements about implicit bias, one package a paper, each with its derivation, its check and its verdict.

A package that defines ``PAPER`` is in the ledger with all claims of its modules; nothing else needs to be registered.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path

from implicit_bias import Ledger, Paper
from implicit_bias.errors import require

RECORD = Path(__file__).with_name("recorded.json")
SAVED = Path(__file__).resolve().parents[1] / "figures" / "ledger.json"  # claims with their verdicts, for pages


def papers() -> list[Paper]:
    """The papers of all packages in this one, with the claims of all their modules.

    Raises:
        MissingPackageError: If Hypothesis is not installed, with which the checks search for counterexamples.
    """
    require("judge", "hypothesis")
    found = [module.name for module in pkgutil.walk_packages(__path__, f"{__name__}.")]
    modules = [importlib.import_module(name) for name in sorted(found) if not name.endswith(".__main__")]
    return [vars(module)["PAPER"] for module in modules if hasattr(module, "__path__") and hasattr(module, "PAPER")]


def ledger() -> Ledger:
    """All claims, paper by paper."""
    known = papers()
    # By module, as which one is imported first depends on who asks.
    claims = (claim for paper in known for claim in sorted(paper.claims, key=lambda claim: str(claim.module)))
    return Ledger(claims, papers=known)


def recorded() -> dict[str, str]:
    """The outcomes that the repository records, by claim id."""
    return json.loads(RECORD.read_text(encoding="utf-8"))
