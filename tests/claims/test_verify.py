"""The verification of a saved ledger confirms true identities and rejects false ones, without SymPy."""

import ast
import inspect
import json
from contextlib import suppress
from fractions import Fraction
from itertools import islice

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import implicit_bias as ib
from implicit_bias.claims import Equation, Violation, domain, enclosure, judge, mutation
from implicit_bias.claims import verify as module
from implicit_bias.claims.verify import check_identity, check_violation, verify
from implicit_bias.cli import app

x, y = sp.symbols("x y", real=True)
p = sp.Symbol("p", positive=True)


def checked(stated, derived, *conditions):
    return check_identity("here", Equation(stated, derived, conditions=conditions).describe())


@pytest.mark.parametrize("code", [module, domain, enclosure, mutation])
def test_no_module_of_it_imports_sympy(code):
    tree = ast.parse(inspect.getsource(code))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    # Type checkers alone import Tree, whose module reads and writes expressions of SymPy.
    assert not any(name.startswith(("sympy", "implicit_bias.symbolic", "implicit_bias.claims.judge")) for name in names)


@pytest.mark.parametrize(
    ("stated", "derived", "conditions"),
    [
        ((x + 1) ** 2, x**2 + 2 * x + 1, ()),
        (sp.asinh(x), sp.log(x + sp.sqrt(x**2 + 1)), ()),
        (sp.atan(p) + sp.atan(1 / p), sp.pi / 2, ()),
        (sp.Abs(x), x, (x,)),
        (sp.cosh(x) ** 2 - sp.sinh(x) ** 2 - 1, sp.Integer(0), ()),
        (sp.log(x * y), sp.log(x) + sp.log(y), (x, y)),
        (sp.exp(-200 * p) + sp.exp(-300 * p), sp.exp(-200 * p) * (1 + sp.exp(-100 * p)), ()),
        (sp.sqrt(3 + 2 * sp.sqrt(2)), 1 + sp.sqrt(2), ()),
    ],
)
def test_true_identities_are_confirmed(stated, derived, conditions):
    finding = checked(stated, derived, *conditions)
    assert finding.outcome == "confirmed"
    assert finding.points == (40 if Equation(stated, derived).symbols else 1)
    assert finding.radius < 1e-30


@pytest.mark.parametrize(
    ("stated", "derived", "conditions"),
    [
        ((x + 1) ** 2, x**2 + 2 * x + 2, ()),
        (sp.Abs(x), x, ()),
        (sp.sqrt(x**2), x, ()),
        (sp.asinh(x), sp.log(x + sp.sqrt(x**2 + 1)) + sp.Rational(1, 10**60), ()),
        (sp.exp(x) - sp.exp(x) * (1 - sp.Rational(1, 10**70)), sp.Integer(0), ()),
        (sp.log(x * y), sp.log(x) + sp.log(y) + x / 10**40, (x, y)),
        (sp.Integer(2), sp.Integer(3), ()),
    ],
)
def test_false_identities_are_rejected(stated, derived, conditions):
    assert checked(stated, derived, *conditions).outcome == "rejected"


def test_numbers_beyond_all_measure_are_compared_in_balls():
    """e^(e^22) has too many digits for an exact fraction."""
    tower = sp.exp(sp.exp(22 + p))
    assert checked(tower * (1 + p), tower + p * tower).outcome == "confirmed"
    assert checked(tower * (1 + p), tower + 2 * p * tower).outcome == "rejected"


def test_without_points_of_the_domain_an_identity_stays_open():
    finding = checked(sp.sin(x) ** 2 + sp.cos(x) ** 2, sp.Integer(1), -1 - x**2)
    assert (finding.outcome, finding.points) == ("open", 0)
    assert "Only 0 points" in finding.reason


def test_sides_that_balls_cannot_tell_apart_stay_open():
    """A counterexample whose sides agree to 10,000 bits stays open; a true identity of such a size is confirmed."""
    tiny = sp.Pow(2, -10000)
    assert checked(x + tiny - x, tiny * sp.cos(x) ** 2 + tiny * sp.sin(x) ** 2).outcome == "confirmed"
    finding = check_violation("here", Violation(1 + tiny * sp.exp(x), sp.Integer(1), {"x": 1}).describe())
    assert finding.outcome == "open"


@given(st.fractions(-4, 4, max_denominator=8), st.sampled_from(["!=", ">"]))
def test_a_counterexample_is_confirmed_where_exact_arithmetic_says_so(number, relation):
    finding = check_violation("here", Violation(x**2, x, {"x": number}, relation).describe())
    excess = number**2 - number
    assert finding.outcome == ("confirmed" if excess > 0 or (relation == "!=" and excess) else "rejected")


PAPER = ib.Paper("k", "T", "A")


@PAPER.claim("right", statement=ib.Statement(r"\sinh(2x) = ", 2 * sp.sinh(x) * sp.cosh(x)))
def right(statement):
    return judge.prove("Expanded.", stated=(statement.formula, sp.sinh(2 * x)))


@PAPER.claim("wrong", statement=ib.Statement(r"\sinh(2x) = ", sp.sinh(x) * sp.cosh(x)))
def wrong(statement):
    correction = ib.Correction(str(right.statement), right.verdict())
    return judge.prove("Expanded.", stated=(statement.formula, sp.sinh(2 * x)), correction=correction)


@PAPER.claim("measured", statement="something far off")
def measured():
    return judge.from_residual(1.0, 0.1, "Measured.", refuted_above=0.5, x=1.0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "ledger.json"
    ib.Ledger(PAPER.claims).run().save(path)
    return path


def test_a_saved_ledger_is_verified_with_its_corrections_and_mutants(saved):
    found = verify(saved, changed=True)
    assert [(each.place, each.outcome, each.points) for each in found.identities] == [
        ("k/right, identity 1", "confirmed", 40),
        ("k/wrong/correction, identity 1", "confirmed", 40),
    ]
    assert [(each.place, each.outcome) for each in found.counterexamples] == [("k/wrong", "confirmed")]
    assert found.unstated == ("k/measured",)
    assert (found.mutants_rejected, found.mutants_left, found.failures) == (12, (), ())


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("identities", lambda each: each[0] | {"stated": ["Mul", "2", each[0]["stated"]]}),
        ("violation", lambda each: each | {"numbers": {"x": "0"}}),
    ],
)
def test_a_ledger_that_was_tampered_with_fails(saved, tmp_path, where, change):
    ledger = json.loads(saved.read_text())
    claim = ledger["claims"]["k/right" if where == "identities" else "k/wrong"]
    claim[where] = [change(claim[where])] if where == "identities" else change(claim[where])
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(ledger))
    assert [each.outcome for each in verify(path).failures] == ["rejected"]


DEEP = 5000 * '["sin", ' + '"1"' + 5000 * "]"
OTHER = '{"claims": {"a": {"outcome": "INCONCLUSIVE", %s}}}'


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "expected a ledger in JSON"),
        ("[]", "expected a ledger in JSON"),
        ('{"claims": []}', "got no object of claims"),
        ('{"claims": {"a": null}}', "a: expected an object with a verdict, got null"),
        ('{"claims": {"a": []}}', "a: expected an object with a verdict, got list"),
        (
            '{"claims": {"a": {"outcome": "REFUTED", "counterexample": {"x": 1}, "correction": []}}}',
            "a/correction: expected an object with a verdict, got list",
        ),
        ('{"claims": {"a": {"identities": 3}}}', "a: 'identities' is of type int"),
        (OTHER % '"identities": [{}]', "a, identity 1: 'symbols' is missing"),
        (
            OTHER % '"identities": [{"symbols": {}, "conditions": [], "stated": ["os"], "derived": "1"}]',
            "Expected the tree",
        ),
        (
            OTHER % f'"identities": [{{"symbols": {{}}, "conditions": [], "stated": {DEEP}, "derived": "1"}}]',
            "expected a ledger in JSON|a, identity 1: An expression is nested more than 150 deep",
        ),
        (
            OTHER % '"violation": {"symbols": {"x": ["real"]}, "numbers": {"x": "1/0"}, "relation": ">"}',
            "a: Expected a fraction",
        ),
        (
            OTHER % '"violation": {"numbers": {}, "symbols": {}, "left": "x", "right": "1", "relation": ">"}',
            "a: Expected a fraction",
        ),
        (OTHER % '"violation": {"numbers": {}, "symbols": {"x": ["real"]}, "relation": ">"}', "a: 'x' is missing"),
        (
            OTHER % '"violation": {"numbers": {}, "symbols": {}, "left": "1", "right": "1", "relation": "<"}',
            "a: 'relation' is '<', expected one of !=, >",
        ),
        (OTHER % '"identities": [{"symbols": {"x": ["positive", "negative"]}}]', "x: expected what a symbol is"),
    ],
)
def test_what_is_no_ledger_is_refused(tmp_path, content, part):
    path = tmp_path / "ledger.json"
    path.write_text(content)
    with pytest.raises(ib.InputError, match=part):
        verify(path)


NONSENSE = st.recursive(
    st.sampled_from(["1", "x", "1/0", "", "Symbol", "Add", "Pow", "log", "pi", "positive", ">", None, 2, 0.5, True]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inside, max_size=2),
    max_leaves=6,
)
SQUARE = (x + 1) ** 2


@given(
    st.sampled_from([Equation(SQUARE, x**2 + 2 * x + 1), Violation(SQUARE, x, {"x": 1})]),
    st.dictionaries(
        st.sampled_from(["symbols", "conditions", "stated", "derived", "left", "right", "numbers", "relation"]),
        NONSENSE,
        max_size=2,
    ),
)
def test_nonsense_in_any_field_is_refused_or_judged(entry, changes):
    """Nothing but InputError comes out."""
    check = check_identity if isinstance(entry, Equation) else check_violation
    with suppress(ib.InputError):
        finding = check("a", {**entry.describe(), **changes})
        assert finding.outcome in ("confirmed", "rejected", "open")


HUGE = sp.Integer(10) ** 80


@pytest.mark.parametrize(
    ("stated", "derived"),
    [
        (["Add", ["Symbol", "x"], str(HUGE), str(-HUGE)], ["Mul", "2", ["Symbol", "x"]]),
        (["sin", ["Add", ["Symbol", "x"], str(HUGE)]], ["cos", ["Symbol", "x"]]),
        (
            ["Pow", ["Symbol", "x"], "2"],
            ["Mul", ["Pow", ["Pow", ["Symbol", "x"], "1/2"], "2"], ["Abs", ["Symbol", "x"]]],
        ),
        (["Symbol", "x"], ["Symbol", "x"]),
        ("1", "1"),
    ],
    ids=["cancels", "inside a function", "real on a part alone", "the same", "nothing"],
)
def test_what_only_looks_like_an_identity_is_rejected(stated, derived):
    """The second opinion takes trees that no Equation would hold."""
    saved = {"stated": stated, "derived": derived, "symbols": {"x": ["real"]}}
    assert check_identity("a", saved).outcome == "rejected"


def test_terms_that_cancel_beyond_every_precision_stay_open():
    huge = "1" + 3900 * "0"
    saved = {"stated": ["Add", ["Symbol", "x"], huge, f"-{huge}"], "derived": ["Mul", "2", ["Symbol", "x"]]}
    assert check_identity("a", saved | {"symbols": {"x": ["real"]}}).outcome == "open"


def test_a_bug_in_the_evaluation_keeps_its_type(saved, monkeypatch):
    """It must not look like a damaged file."""

    def broken(*_):
        raise TypeError("a bug")

    monkeypatch.setattr(module, "_meeting", broken)
    with pytest.raises(TypeError, match="a bug"):
        verify(saved)


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        ({"outcome": "PROVED", "identities": []}, "PROVED without identities."),
        ({"outcome": "ARGUED"}, "ARGUED without identities."),
        ({"outcome": "REFUTED"}, "REFUTED without a counterexample."),
        (
            {"outcome": "SUPPORTED", "residual": 5, "tolerance": 1},
            "SUPPORTED with the residual 5 beyond the tolerance 1.",
        ),
    ],
)
def test_a_verdict_without_what_it_needs_is_rejected(verdict, reason, tmp_path):
    (tmp_path / "l.json").write_text(json.dumps({"claims": {"a": verdict}}))
    (found,) = verify(tmp_path / "l.json").failures
    assert (found.outcome, found.reason) == ("rejected", reason)


def test_a_proof_with_a_counterexample_is_rejected(saved, tmp_path):
    ledger = json.loads(saved.read_text())
    ledger["claims"]["k/right"]["violation"] = ledger["claims"]["k/wrong"]["violation"]
    (tmp_path / "l.json").write_text(json.dumps(ledger))
    (found,) = verify(tmp_path / "l.json").failures
    assert found.reason == "PROVED with a counterexample."


@pytest.mark.parametrize("outcome", ["Proved", ["PROVED"], None])
def test_an_unknown_outcome_is_refused(outcome, tmp_path):
    (tmp_path / "l.json").write_text(json.dumps({"claims": {"a": {"outcome": outcome}}}))
    with pytest.raises(ib.InputError, match="a: 'outcome' is"):
        verify(tmp_path / "l.json")


@pytest.mark.parametrize("number", ["1e9999999", "0x10", " 1", "1/-2", "٣", "1" * 5000, "1.5"])
def test_numbers_are_plain_fractions(number):
    with pytest.raises(ib.InputError, match="Expected a fraction"):
        domain.fraction(number)


def test_counterexamples_outside_of_what_is_declared_are_rejected():
    inside = Violation(p**2, p, {"p": 2}).describe()
    finding = check_violation("here", {**inside, "numbers": {"p": "-1"}})
    assert (finding.outcome, finding.reason) == ("rejected", "p = -1 is not positive.")


@pytest.mark.parametrize(
    ("stated", "derived"),
    [
        (sp.sign(sp.Symbol("u", nonnegative=True)), sp.Integer(1)),
        (sp.Max(p, 10), sp.Integer(10)),
        (sp.Max(sp.Abs(x), sp.Rational(1, 20)), sp.Abs(x)),
        (sp.Abs(sp.sign(x)), sp.Integer(1)),
        (sp.prod(sp.Symbol("k", integer=True, positive=True) - j for j in range(1, 7)), sp.Integer(0)),
    ],
)
def test_zero_and_extreme_sizes_are_tried(stated, derived):
    assert checked(stated, derived).outcome == "rejected"


def test_a_sign_of_what_is_not_real_is_no_number():
    sign = sp.sign(sp.sqrt(x) + 1)
    assert checked(sign, 1 + sp.Abs(x) - x, x).outcome == "confirmed"
    assert checked(sign, 1 + sp.Abs(x) - x).outcome == "rejected"  # one side has a value where the other has none
    assert check_violation("here", Violation(sign, 3 + 0 * x, {"x": -1}).describe()).outcome == "open"


def test_a_sample_covers_both_signs_and_several_sizes():
    drawn = [numbers["x"] for numbers in islice(domain.points({"x": ["real"]}), 200)]
    assert min(drawn) < -1 < Fraction(-1, 4) < Fraction(1, 4) < 1 < max(drawn)
    assert all(any(low < abs(value) < 2 * low for value in drawn) for low in (0.0625, 0.25, 1, 4))
    whole = [numbers["n"] for numbers, _ in zip(domain.points({"n": ["negative", "integer"]}), range(50), strict=False)]
    assert all(value < 0 and value.denominator == 1 for value in whole)


TRUE = judge.prove("so", stated=((x + 1) ** 2, x**2 + 2 * x + 1))
TRUE_TWICE = judge.prove("so", (x**3 - x, x * (x**2 - 1)), stated=((x + 1) ** 2, x**2 + 2 * x + 1))
FALSE = judge.prove("so", stated=(x**2, x))


@pytest.mark.parametrize(
    ("verdicts", "lines"),
    [
        ([TRUE], ["1 of 1 identity confirmed at 40 points", "No verdict rests on an exact counterexample."]),
        ([FALSE], ["No verdict rests on an identity.", "1 of 1 exact counterexample confirmed."]),
        ([TRUE_TWICE, FALSE], ["2 of 2 identities confirmed at 80 points", "1 of 1 exact counterexample confirmed."]),
        ([FALSE, FALSE], ["No verdict rests on an identity.", "2 of 2 exact counterexamples confirmed."]),
    ],
)
def test_the_command_counts_as_a_person_would(verdicts, lines, tmp_path):
    claims = [
        ib.Claim(str(k), "s", "here", check=lambda verdict=verdict: verdict) for k, verdict in enumerate(verdicts)
    ]
    path = tmp_path / "ledger.json"
    ib.Ledger(claims).run().save(path)
    result = CliRunner().invoke(app, ["verify", str(path), "--mutants"])
    assert result.exit_code == 0
    assert " 0 " not in result.output
    for line, expected in zip(result.output.splitlines(), lines, strict=False):
        assert line.startswith(expected)
    assert ("changed identities" in result.output) == any(verdict.identities for verdict in verdicts)
