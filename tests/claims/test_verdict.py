"""Verdicts carry what their outcome needs."""

import dataclasses
import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.claims import Equation, Violation
from implicit_bias.errors import InputError

numbers = st.floats(allow_nan=True, allow_infinity=True)
x = sp.Symbol("x", real=True)
SQUARE = Equation((x + 1) ** 2, x**2 + 2 * x + 1, "the square of a sum", (x,), decided="expanded")


def test_the_six_outcomes():
    expected = ["PROVED", "ARGUED", "SUPPORTED", "REFUTED", "INCONCLUSIVE", "NOT_APPLICABLE"]
    assert [o.value for o in ib.Outcome] == expected
    assert all(ib.Outcome[o.value] is o for o in ib.Outcome)


def test_a_refutation_needs_a_counterexample():
    with pytest.raises(InputError, match="counterexample="):
        ib.Verdict(ib.Outcome.REFUTED, "it fails", residual=1.0, tolerance=0.1)
    assert ib.Verdict(ib.Outcome.REFUTED, "it fails", counterexample={"m0": 1.0}).counterexample == {"m0": 1.0}


def test_a_counterexample_holds_numbers():
    with pytest.raises(InputError, match="INCONCLUSIVE"):
        ib.Verdict(ib.Outcome.REFUTED, "it fails", counterexample={"m0": math.nan})


@given(numbers, numbers)
@example(1.0, math.inf)
@example(-math.inf, 1.0)
@example(0.0, math.nan)
def test_support_needs_a_residual_within_its_tolerance(residual, tolerance):
    if math.isfinite(residual) and residual <= tolerance < math.inf:
        assert ib.Verdict(ib.Outcome.SUPPORTED, "close", residual, tolerance).residual == residual
    else:
        with pytest.raises(InputError, match="a finite residual <= a finite tolerance"):
            ib.Verdict(ib.Outcome.SUPPORTED, "close", residual, tolerance)


@pytest.mark.parametrize("given_numbers", [{}, {"residual": 0.0}, {"tolerance": 1.0}])
def test_support_needs_numbers(given_numbers):
    with pytest.raises(InputError, match="residual= and tolerance="):
        ib.Verdict(ib.Outcome.SUPPORTED, "close", **given_numbers)


@pytest.mark.parametrize("outcome", [ib.Outcome.PROVED, ib.Outcome.ARGUED])
def test_a_proof_carries_identities_that_were_checked(outcome):
    with pytest.raises(InputError, match="needs identities="):
        ib.Verdict(outcome, "believe me")
    with pytest.raises(InputError, match="how they were decided"):
        ib.Verdict(outcome, "believe me", identities=(Equation((x + 1) ** 2, x**2 + 2 * x + 1),))
    assert ib.Verdict(outcome, "algebra", identities=(SQUARE,)).identities == (SQUARE,)


def test_a_violation_gives_the_numbers_of_the_counterexample():
    violation = Violation(x**2, x, {"x": Fraction(1, 2)})
    assert ib.Verdict(ib.Outcome.REFUTED, "it fails", violation=violation).counterexample == {"x": 0.5}


@pytest.mark.parametrize("outcome", [ib.Outcome.INCONCLUSIVE, ib.Outcome.NOT_APPLICABLE])
def test_the_other_outcomes_need_only_evidence(outcome):
    verdict = ib.Verdict(outcome, "because")
    assert (verdict.residual, verdict.tolerance, verdict.correction, dict(verdict.counterexample)) == (
        None,
        None,
        None,
        {},
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.__setattr__("outcome", ib.Outcome.REFUTED)


def test_a_correction_has_a_verdict_of_its_own():
    correction = ib.Correction("x = 2", ib.Verdict(ib.Outcome.PROVED, "algebra", identities=(SQUARE,)))
    verdict = ib.Verdict(ib.Outcome.REFUTED, "x = 1 fails", counterexample={"x": 2.0}, correction=correction)
    assert verdict.correction is not None
    assert verdict.correction.verdict.outcome is ib.Outcome.PROVED


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False), min_size=1),
    st.text(),
)
def test_a_verdict_is_read_as_it_was_described(number, counterexample, words):
    proved = ib.Verdict(ib.Outcome.PROVED, words, identities=(SQUARE,))
    correction = ib.Correction("x = 2", proved)
    for verdict in (
        proved,
        ib.Verdict(ib.Outcome.SUPPORTED, words, number, number, tolerance_reason=words),
        ib.Verdict(ib.Outcome.REFUTED, words, number, 1e-6, counterexample, correction, tolerance_reason=words),
        ib.Verdict(ib.Outcome.REFUTED, words, violation=Violation(x, x**2, {"x": Fraction(2, 3)}, ">")),
        ib.Verdict(ib.Outcome.INCONCLUSIVE, words, traceback=words),
    ):
        assert ib.Verdict.read(json.loads(json.dumps(verdict.describe()))) == verdict


def test_numbers_of_sympy_and_numpy_are_kept_as_floats():
    half: Any = sp.Rational(1, 2)  # no float to a type checker, but checks compute such numbers
    verdict = ib.Verdict(ib.Outcome.REFUTED, "far", half, np.float64(1e-6), counterexample={"m0": half + half / 2})
    assert json.loads(json.dumps(verdict.describe()))["counterexample"] == {"m0": 0.75}
    assert ib.Verdict.read(verdict.describe()).residual == 0.5


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"outcome": "SURE"}, "'outcome' is 'SURE', expected one of PROVED"),
        ({"outcome": None}, "'outcome' is of type NoneType"),
        ({"evidence": 1}, "'evidence' is of type int"),
        ({"counterexample": {"x": []}}, "'x' is of type list"),
        ({"correction": {"outcome": "PROVED", "evidence": ""}}, "'statement' is missing"),
        ({"outcome": "SUPPORTED"}, "needs residual="),
        ({"identities": []}, "needs identities="),
        ({"identities": [{}]}, "'symbols' is missing"),
        ({"violation": {"left": "1"}}, "'symbols' is missing"),
    ],
)
def test_what_is_no_verdict_is_not_read(changes, part):
    with pytest.raises(InputError, match=part):
        ib.Verdict.read(ib.Verdict(ib.Outcome.PROVED, "algebra", identities=(SQUARE,)).describe() | changes)
