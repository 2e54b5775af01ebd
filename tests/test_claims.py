"""Claims and their ledger: order, circles, comparison with what was recorded."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.claims import from_residual, outcomes
from implicit_bias.errors import InputError

PROVED = ib.Verdict(ib.Outcome.PROVED, "algebra")
REFUTED = ib.Verdict(ib.Outcome.REFUTED, "fails", counterexample={"x": 1.0}, correction=ib.Correction("better", PROVED))


def _claim(name, uses=(), verdict=PROVED):
    return ib.Claim(name, f"statement {name}", "here", uses=tuple(uses), check=lambda: verdict)


def test_a_claim_runs_its_check_when_asked():
    calls = []
    claim = ib.Claim("a", "s", "here", check=lambda: calls.append(1) or PROVED)
    assert calls == []
    assert claim.verdict() is PROVED
    assert calls == [1]


@pytest.mark.parametrize("result", [None, True, ib.Outcome.PROVED, "PROVED"])
def test_a_check_returns_a_verdict(result):
    with pytest.raises(TypeError, match=f"Claim a: .*{type(result).__name__}.*Verdict"):
        ib.Claim("a", "s", "here", check=lambda: result).verdict()


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"id": ""}, "non-empty"),
        ({"statement": ""}, "non-empty"),
        ({"check": None}, "Claim a: .*check="),
        ({"check": PROVED}, "Claim a: .*check="),
        ({"uses": ("b")}, "Claim a: .*uses="),
        ({"hypotheses": "f is convex"}, "Claim a: .*hypotheses="),
    ],
)
def test_incomplete_claims_are_refused(fields, part):
    complete = {"id": "a", "statement": "s", "source": "here", "check": lambda: PROVED}
    with pytest.raises(InputError, match=part):
        ib.Claim(**(complete | fields))


@given(
    st.integers(1, 8).flatmap(lambda n: st.tuples(*[st.sets(st.integers(0, max(0, k - 1))) for k in range(n)])),
    st.randoms(),
)
def test_a_ledger_lists_what_is_used_before_what_uses_it(uses, random):
    claims = [_claim(str(k), [str(j) for j in used if j < k]) for k, used in enumerate(uses)]
    random.shuffle(claims)
    ledger = ib.Ledger(claims)
    order = list(ledger)
    assert sorted(order) == sorted(c.id for c in claims)
    assert len(ledger) == len(claims)
    for claim in claims:
        assert ledger[claim.id] is claim
        assert all(order.index(used) < order.index(claim.id) for used in claim.uses)


@pytest.mark.parametrize(
    ("claims", "part"),
    [
        ([_claim("a"), _claim("a")], "two claims are called 'a'"),
        ([_claim("a", ["b"])], "'a' uses 'b'"),
        ([_claim("a", ["a"])], "a -> a"),
        ([_claim("a", ["b"]), _claim("b", ["c"]), _claim("c", ["a"])], "a -> b -> c -> a"),
    ],
)
def test_ledgers_that_cannot_be_ordered(claims, part):
    with pytest.raises(InputError, match=part):
        ib.Ledger(claims)


def test_an_empty_ledger_has_no_entries():
    assert dict(ib.Ledger([])) == {}
    with pytest.raises(KeyError):
        ib.Ledger([])["a"]


def test_outcomes_list_corrections_too():
    assert outcomes({"a": PROVED, "b": REFUTED}) == {"a": "PROVED", "b": "REFUTED", "b/correction": "PROVED"}


LEDGER = ib.Ledger([_claim("a"), _claim("b", verdict=REFUTED)])
RECORD = {"a": "PROVED", "b": "REFUTED", "b/correction": "PROVED"}


@pytest.mark.parametrize(
    ("verdicts", "recorded", "names"),
    [
        ({"a": PROVED, "b": REFUTED}, RECORD, []),
        ({"a": PROVED}, RECORD, []),
        ({}, RECORD, []),
        ({"a": REFUTED}, RECORD, ["a", "a/correction"]),
        ({"b": PROVED}, RECORD, ["b", "b/correction"]),
        ({"a": PROVED}, {}, ["a"]),
        ({"b": REFUTED}, {"b": "REFUTED"}, ["b/correction"]),
        ({}, RECORD | {"c": "PROVED"}, ["c"]),
        ({}, RECORD | {"c/correction": "PROVED"}, ["c/correction"]),
    ],
)
def test_differences_name_every_entry_that_changed(verdicts, recorded, names):
    sentences = LEDGER.differences(verdicts, recorded)
    assert [s.split(":")[0] for s in sentences] == names


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 10))
def test_a_residual_supports_refutes_or_does_neither(residual, tolerance, threshold):
    verdict = from_residual(residual, tolerance, "measured", refuted_above=threshold, m0=1.0)
    if residual <= tolerance:
        expected = ib.Outcome.SUPPORTED
    else:
        expected = ib.Outcome.REFUTED if residual > threshold else ib.Outcome.INCONCLUSIVE
    assert verdict.outcome is expected
    assert (verdict.residual, verdict.tolerance, verdict.evidence) == (residual, tolerance, "measured")
    assert dict(verdict.counterexample) == ({"m0": 1.0} if expected is ib.Outcome.REFUTED else {})


@pytest.mark.parametrize("residual", [math.nan, math.inf, 5.0])
def test_nothing_is_refuted_without_a_threshold_and_numbers(residual):
    assert from_residual(residual, 1.0, "measured", m0=1.0).outcome is ib.Outcome.INCONCLUSIVE
    assert from_residual(residual, 1.0, "measured", refuted_above=2.0).outcome is ib.Outcome.INCONCLUSIVE


@pytest.mark.parametrize("residual", [math.nan, math.inf, -math.inf])
def test_a_computation_that_failed_neither_supports_nor_refutes(residual):
    assert from_residual(residual, math.inf, "measured", refuted_above=0.0, m0=1.0).outcome is ib.Outcome.INCONCLUSIVE


def test_a_residual_keeps_the_reason_for_its_tolerance():
    for residual in (0.5, 1.5, 3.0):
        verdict = from_residual(residual, 1.0, "measured", refuted_above=2.0, tolerance_reason="rounding", m0=1.0)
        assert verdict.tolerance_reason == "rounding"
