"""What tests of several papers share: the verdicts that the repository keeps, without running the ledger."""

import pytest

import derivations
from implicit_bias import Ledger


@pytest.fixture(scope="session")
def saved():
    """The verdicts by claim id; also what the check of a claim is given that uses others."""
    return Ledger.load(derivations.SAVED).verdicts
