"""The verdicts that the repository keeps, for tests of several papers that need not run the ledger."""

import pytest

import derivations
from implicit_bias import Ledger


@pytest.fixture(scope="session")
def saved():
    """The saved verdicts by claim id, in the form that checks get for the claims that they use."""
    return Ledger.load(derivations.SAVED).verdicts
