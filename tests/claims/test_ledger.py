"""The ledger: order and circles, runs in which verdicts flow, comparison with what was recorded, and the file."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy.abc import x

import implicit_bias as ib
from implicit_bias.claims import Equation, corrected
from implicit_bias.errors import InputError

IDENTITY = Equation((x + 1) ** 2, x**2 + 2 * x + 1, decided="expanded")
PROVED = ib.Verdict(ib.Outcome.PROVED, "algebra", identities=(IDENTITY,))
OPEN = ib.Verdict(ib.Outcome.INCONCLUSIVE, "open")
REFUTED = ib.Verdict(ib.Outcome.REFUTED, "fails", counterexample={"x": 1.0}, correction=ib.Correction("better", PROVED))


def _claim(name, uses=(), verdict=PROVED):
    return ib.Claim(name, f"statement {name}", "here", uses=tuple(uses), check=lambda: verdict)


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


LEDGER = ib.Ledger([_claim("a"), _claim("b", verdict=REFUTED)])
RECORD = {"a": "PROVED", "b": "REFUTED", "b/correction": "PROVED"}


def test_outcomes_list_corrections_too():
    assert LEDGER.outcomes() == {}
    assert LEDGER.run().outcomes() == RECORD


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
    sentences = ib.Ledger(LEDGER.values(), verdicts).differences(recorded)
    assert [s.split(":")[0] for s in sentences] == names


def counted(calls, name, uses=(), verdict=PROVED):
    """A claim that notes every run of its check, and the verdicts that the check was given."""
    return ib.Claim(name, "s", "here", uses=uses, check=lambda used: calls.append((name, dict(used))) or verdict)


def test_no_check_runs_twice_and_verdicts_flow_along_uses():
    calls = []
    ledger = ib.Ledger(
        [
            counted(calls, "top", ("left", "right")),
            counted(calls, "left", ("base",)),
            counted(calls, "right", (corrected("wrong"), "base")),
            counted(calls, "wrong", ("base",), verdict=REFUTED),
            counted(calls, "base", verdict=OPEN),
        ]
    )
    checked = ledger.run()
    assert sorted(name for name, _ in calls) == sorted(ledger)
    given = dict(calls)
    assert given["base"] == {}
    assert given["left"] == {"base": OPEN}
    assert given["right"] == {"wrong": PROVED, "base": OPEN}
    assert given["top"] == {"left": PROVED, "right": PROVED}
    assert (list(checked), dict(ledger.verdicts)) == (list(ledger), {})
    assert {name: each.outcome.value for name, each in checked.verdicts.items()} == {
        "base": "INCONCLUSIVE", "left": "PROVED", "wrong": "REFUTED", "right": "PROVED", "top": "PROVED",
    }  # fmt: skip


def test_a_run_of_some_claims_runs_what_they_use_and_nothing_else():
    calls, shown = [], []
    ledger = ib.Ledger([counted(calls, "k/a"), counted(calls, "k/b", ("k/a",)), counted(calls, "k/c")])

    def progress(names):
        shown.extend(names)
        return names

    checked = ledger.run(["b"], progress=progress)
    assert [name for name, _ in calls] == shown == list(checked.verdicts) == ["k/a", "k/b"]
    assert list(checked) == list(ledger)
    with pytest.raises(InputError, match="no verdict on k/c"):
        checked.to_html()


@pytest.mark.parametrize(
    ("uses", "verdict", "parts"),
    [
        (("b",), REFUTED, ("'a' uses 'b'", r"corrected\('b'\)")),
        ((corrected("b"),), PROVED, ("'a' uses 'b' as corrected", "is PROVED: use it as it is")),
        ((corrected("b"),), OPEN, ("'a' uses 'b' as corrected", "is INCONCLUSIVE")),
        (
            (corrected("b"),),
            replace(REFUTED, correction=None),
            ("'a' uses 'b' as corrected", "and has no correction"),
        ),
    ],
)
def test_what_is_refuted_is_used_as_corrected_alone(uses, verdict, parts):
    calls = []
    ledger = ib.Ledger([counted(calls, "a", uses), _claim("b", verdict=verdict)])
    for part in parts:
        with pytest.raises(InputError, match=part):
            ledger.run()
    assert calls == []


def test_a_check_that_fails_is_inconclusive_and_the_rest_goes_on():
    def fails():
        raise ZeroDivisionError("a bug in a check")

    claims = [
        ib.Claim("a", "s", "here", check=fails),
        ib.Claim("b", "s", "here", check=lambda: 42),
        ib.Claim("c", "s", "here", uses=("a",), check=lambda used: used["a"]),
        _claim("d"),
    ]
    verdicts = ib.Ledger(claims).run().verdicts
    assert {name: each.outcome.value for name, each in verdicts.items()} == {
        "a": "INCONCLUSIVE", "b": "INCONCLUSIVE", "c": "INCONCLUSIVE", "d": "PROVED",
    }  # fmt: skip
    assert "ZeroDivisionError: a bug in a check" in verdicts["a"].evidence
    assert 'raise ZeroDivisionError("a bug in a check")' in verdicts["a"].traceback
    assert "returned int" in verdicts["b"].evidence


def test_short_ids_are_those_of_one_claim():
    ledger = ib.Ledger([_claim("one/a"), _claim("two/a"), _claim("two/b"), _claim("b")])
    assert [ledger.full_id(name) for name in ("one/a", "two/b", "b")] == ["one/a", "two/b", "b"]
    with pytest.raises(InputError, match="Several claims are called 'a'; it may be one/a or two/a"):
        ledger.full_id("a")
    with pytest.raises(InputError, match="No claim is called 'c'; known: one/a, two/a, two/b, b"):
        ledger.run(["c"])


def test_a_saved_ledger_comes_back_as_it_was(tmp_path):
    refuted = replace(REFUTED, residual=0.5, tolerance=1e-6, tolerance_reason="rounding")
    checked = ib.Ledger(
        [
            _claim("k/b", verdict=refuted),
            replace(_claim("k/a", [corrected("k/b")]), hypotheses=("x > 0",), figure="f.png", observation=True),
        ]
    ).run()
    checked.save(tmp_path / "ledger.json")
    read = ib.Ledger.load(tmp_path / "ledger.json")
    assert dict(read) == dict(checked)
    assert list(read) == ["k/b", "k/a"]
    assert isinstance(read["k/a"].uses[0], corrected)
    assert (read.date, read.versions) == (checked.date, checked.versions)
    # An identity keeps the structure that it was saved with, which SymPy may write in another order.
    assert {name: each.describe() for name, each in read.verdicts.items()} == {
        name: each.describe() for name, each in checked.verdicts.items()
    }
    assert read.date
    assert {"python", "numpy", "sympy"} <= read.versions.keys()
    assert read.outcomes() == {"k/b": "REFUTED", "k/b/correction": "PROVED", "k/a": "PROVED"}


def test_a_ledger_is_saved_after_its_run(tmp_path):
    with pytest.raises(InputError, match="no verdict on a, b; run"):
        LEDGER.save(tmp_path / "ledger.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda saved: "{", "expected a ledger in JSON"),
        (lambda saved: json.dumps([]), "'claims' is missing"),
        (lambda saved: json.dumps({**saved, "date": None}), "'date' is of type NoneType"),
        (lambda saved: json.dumps({**saved, "claims": []}), "'claims' is of type list"),
        (lambda saved: changed(saved, outcome="SURE"), "'SURE', expected one of PROVED, ARGUED"),
        (lambda saved: changed(saved, outcome="REFUTED"), "needs a counterexample"),
        (lambda saved: changed(saved, uses=["unknown"]), "'a' uses 'unknown'"),
        (lambda saved: changed(saved, uses=["a"]), "a -> a"),
    ],
)
def test_what_is_no_saved_ledger_is_refused(spoil, part, tmp_path):
    path = tmp_path / "ledger.json"
    LEDGER.run().save(path)
    path.write_text(spoil(json.loads(path.read_text())))
    with pytest.raises(InputError, match=part):
        ib.Ledger.load(path)


def changed(saved, **changes):
    saved["claims"]["a"] |= changes
    return json.dumps(saved)
