"""Every claim of the ledger has a test of its statement that shares no code with its check."""

import importlib
from pathlib import Path

from statements import TESTED

import derivations

MODULES = [path.stem for path in Path(__file__).parent.glob("test_statements_*.py")]


def test_every_statement_of_the_ledger_is_tested():
    for name in MODULES:
        importlib.import_module(name)
    assert set(derivations.ledger()) == TESTED
