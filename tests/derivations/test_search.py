"""The search for counterexamples: it ends alike every time, at an instance that nothing simpler replaces."""

from dataclasses import replace

import pytest

import derivations
from derivations import mask
from implicit_bias.claims.judge import search

# Values in the order of quarters(): whole numbers first, then halves, then quarters, each by size.
ORDER = [0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 1.5, -1.5, 0.25, -0.25, 0.75, -0.75, 1.25, -1.25, 1.75, -1.75]


REFUTED_ON_TRAJECTORIES = [
    "lem-a.1",
    "lem-a.1-hyperbolic",
    "lem-a.2",
    "lem-a.3-df",
    "thm-2.1",
    "thm-3.1",
    "inverse-hessian",
    "rem-2.1-lipschitz",
    "eq-5",
    "thm-a.2",
]


@pytest.mark.parametrize("name", REFUTED_ON_TRAJECTORIES)
def test_no_part_of_a_counterexample_can_be_made_simpler(name, monkeypatch):
    """Two runs agree; with any one number replaced by a simpler one nothing fails, or the instance is not allowed."""
    claim, seen = derivations.ledger()[name], []

    def watched(instances, fails):
        found = search(instances, fails)
        seen.append((fails, found.smallest))
        return found

    monkeypatch.setattr(mask, "search", watched)
    assert claim.verdict() == claim.verdict()
    (fails, smallest), (_, again) = seen
    assert smallest == again
    drawn = ("m0", "w0", "target", "alpha", "time") if name != "thm-a.2" else ("Z1", "Z2", "y", "m0", "w0", "time")
    for part in drawn if name != "eq-5" else ("m0", "w0", "alpha"):
        value = getattr(smallest, part)
        for simpler in ORDER[: ORDER.index(value)]:
            other = replace(smallest, **{part: simpler})
            lawful = abs(other.w0) < other.m0 and getattr(other, "time", 1) > 0
            decays = name not in ("lem-a.2", "lem-a.3-df", "thm-3.1", "eq-5") or other.alpha > 0
            moves = name != "eq-5" or other.w0 != 0
            nonzero = name != "rem-2.1-lipschitz" or other.target > 0
            assert not (lawful and decays and moves and nonzero and fails(other)), f"{part} = {simpler} would do"
