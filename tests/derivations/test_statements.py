"""Every claim of the ledger has a test of its statement that shares no code with its check."""

import importlib
from pathlib import Path

from statements import TESTED

import derivations

FILES = sorted(Path(__file__).parent.rglob("test_statements_*.py"))


def test_every_statement_of_the_ledger_is_tested(monkeypatch):
    for path in FILES:
        monkeypatch.syspath_prepend(path.parent)
        importlib.import_module(path.stem)
    # What was observed on networks is in words, and has tests of its own.
    assert {name for name, claim in derivations.ledger().items() if not claim.observation} == TESTED
