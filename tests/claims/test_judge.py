"""How checks come to verdicts: identities, the search for counterexamples, and the size of residuals."""

import math
from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias import errors
from implicit_bias.claims import Equation, Violation
from implicit_bias.claims.judge import TRIES, agreed, argue, from_residual, prove, quarters, refute, search

# Values in the order of quarters(): whole numbers first, then halves, then quarters, each by size.
ORDER = [0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 1.5, -1.5, 0.25, -0.25, 0.75, -0.75, 1.25, -1.25, 1.75, -1.75]


x, y = sp.symbols("x y", real=True)
positive = sp.Symbol("p", positive=True)
SQUARE = ((x + 1) ** 2, x**2 + 2 * x + 1)
makers = pytest.mark.parametrize(("make", "outcome"), [(prove, ib.Outcome.PROVED), (argue, ib.Outcome.ARGUED)])


@makers
def test_a_proof_carries_every_identity_with_how_it_was_decided(make, outcome):
    step = Equation(sp.sinh(x), (sp.exp(x) - sp.exp(-x)) / 2, "the definition of sinh")
    verdict = make("so", step, stated=SQUARE, conditions=(x,))
    assert verdict.outcome is outcome
    assert [each.says for each in verdict.identities] == ["", "the definition of sinh"]
    assert [(each.stated, each.derived) for each in verdict.identities] == [SQUARE, (step.stated, step.derived)]
    assert all(each.decided and each.conditions == (x,) for each in verdict.identities)


@makers
def test_a_failing_step_spoils_a_proof_but_refutes_nothing(make, outcome):
    assert make("", (x, x**2)).outcome is ib.Outcome.INCONCLUSIVE
    spoiled = make("", SQUARE, (x, x**2), stated=(x, x**3))
    assert spoiled.outcome is ib.Outcome.INCONCLUSIVE
    assert len(spoiled.identities) == 1
    assert spoiled.evidence == "a step of the check does not hold: x is not x**2 at x = -1."
    named = make("", Equation(x, x**2, "a step that fails"))
    assert named.evidence.startswith("a step that fails: ")


@makers
def test_a_statement_that_differs_is_refuted_by_the_smallest_numbers(make, outcome):
    correction = ib.Correction("x^2", prove("algebra", SQUARE))
    refuted = make("", stated=(x**2 + y, x**2 + 2 * y), correction=correction)
    assert refuted.outcome is ib.Outcome.REFUTED
    assert refuted.violation.numbers == {"x": 0, "y": 1}
    assert refuted.counterexample == {"x": 0.0, "y": 1.0, "deviation": -1.0}
    assert refuted.correction is correction
    assert make("", stated=(positive**2, positive**3)).violation.numbers == {"p": 2}
    assert make("", stated=(x**2, x**3), conditions=(x - 1,)).violation.numbers == {"x": 2}
    assert make("", stated=(sp.Integer(2), sp.Integer(3))).violation.numbers == {}


def test_what_differs_at_no_quarter_is_refuted_by_other_numbers():
    nowhere = sp.prod(x - sp.Rational(k, 4) for k in range(-12, 13))
    assert abs(prove("", stated=(nowhere, sp.Integer(0))).violation.numbers["x"]) > 3


n = sp.Symbol("n", integer=True)


@pytest.mark.parametrize(
    "sides",
    [(sp.Abs(n * (n - 1)), n * (n - 1)), (sp.Max(n, n**2), n**2), (positive + sp.Max(n, n**2), positive + n**2)],
)
def test_what_holds_for_whole_numbers_is_not_refuted_by_fractions(sides):
    assert prove("", stated=sides).outcome is not ib.Outcome.REFUTED


@makers
def test_what_has_a_value_nowhere_is_not_proved(make, outcome):
    nothing = (sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1) / (sp.cosh(x) ** 2 - sp.sinh(x) ** 2 - 1)
    assert make("", stated=(1 + nothing, sp.Integer(2))).outcome is ib.Outcome.INCONCLUSIVE
    found = make("", stated=SQUARE, conditions=(-(x**2) - 1,))
    assert found.outcome is ib.Outcome.INCONCLUSIVE
    assert "no point was found" in found.evidence


@makers
def test_nothing_is_proved_by_nothing(make, outcome):
    assert_open(make("it is obvious"), "needs identities")
    for nothing in (x - x, (x, x), (x + x, 2 * x)):
        assert_open(make("it is obvious", nothing), "needs identities")
        assert_open(make("it is obvious", SQUARE, stated=nothing), "nothing to check")
        assert len(make("", nothing, SQUARE).identities) == 1


@makers
def test_a_step_with_equal_sides_is_named_and_leaves_a_refutation_standing(make, outcome):
    """It is true, so it cannot make a refutation wrong; but it shows nothing, so nothing is proved with it."""
    doubled = Equation(x + x, 2 * x, says="It doubles.")
    assert_open(make("so", doubled, stated=SQUARE), "It doubles: both sides are 2*x, so there is nothing to check")
    assert_open(make("so", SQUARE, doubled), "It doubles: both sides are 2*x")
    assert_open(make("so", stated=Equation(x, x, says="Itself")), "Itself: both sides are x")
    found = make("so", doubled, SQUARE, stated=(x**2, x + 1))
    assert found.outcome is ib.Outcome.REFUTED
    assert len(found.identities) == 1
    refuted = refute("so", Violation(x, sp.Integer(0), {"x": 1}, ">"), doubled)
    assert (refuted.outcome, refuted.identities) == (ib.Outcome.REFUTED, ())
    assert_open(make("so", doubled, (x**2, x), stated=(x**2, x + 1)), "a step of the check does not hold")


def assert_open(verdict, part):
    assert verdict.outcome is ib.Outcome.INCONCLUSIVE
    assert part in verdict.evidence


@pytest.mark.parametrize(
    "proof",
    [
        lambda make: make("nothing at all"),
        lambda make: make("so", stated=(x**2, x * x)),  # SymPy wrote both in one form
        lambda make: make("so", x**3 - x**2),
        lambda make: make("so", stated=(sp.Float(0.5) * x, x / 2)),
        lambda make: make("so", stated=(sp.gamma(positive + 1), positive * sp.gamma(positive))),
        lambda make: make("so", stated=(x**3, x**2)),
    ],
)
@makers
def test_a_correction_that_is_not_shown_leaves_the_refutation_standing(make, outcome, proof):
    paper = ib.Paper("p", "T", "A")

    @paper.claim("wrong", statement=ib.Statement("f = ", x**2))
    def wrong(statement):
        return make("so", stated=(statement.formula, x**2 + x), correction=ib.Correction("f = …", proof(make)))

    verdict = ib.Ledger(paper.claims).run().verdicts["p/wrong"]
    assert verdict.outcome is ib.Outcome.REFUTED
    assert verdict.violation.numbers == {"x": 1}
    assert not verdict.correction.is_shown
    assert "correction not shown: " in repr(verdict)
    assert "Proposed instead, but not shown" in ib.Ledger(paper.claims, {wrong.id: verdict}).to_html()
    assert "proposed instead, but not shown" in verdict._repr_html_()


def test_an_identity_that_holds_only_in_numbers_is_no_proof():
    """π and its first 70 digits agree to 50 digits, and no simplification shows that they are equal."""
    nearly = sp.Rational(int(sp.pi.evalf(90) * 10**70), 10**70)
    assert prove("", (sp.pi, nearly)).outcome is ib.Outcome.INCONCLUSIVE


def test_an_expression_that_vanishes_is_split_into_two_sides():
    assert prove("", (x + 1) ** 2 - x**2 - 2 * x - 1).identities[0].derived == x**2 + 2 * x + 1
    assert prove("", sp.cosh(x) ** 2 - sp.sinh(x) ** 2 - 1).outcome is ib.Outcome.PROVED


@pytest.mark.parametrize(
    ("relation", "number", "refutes"),
    [("!=", 2, True), ("!=", 1, False), (">", 2, True), (">", Fraction(1, 2), False), (">", 1, False)],
)
def test_an_exact_instance_refutes_if_balls_tell_its_sides_apart(relation, number, refutes):
    violation = Violation(x**2, x, {"x": number}, relation)
    verdict = refute("computed", violation, SQUARE, time=3.0)
    assert verdict.outcome is (ib.Outcome.REFUTED if refutes else ib.Outcome.INCONCLUSIVE)
    if refutes:
        assert verdict.counterexample == {"x": float(number), "time": 3.0}
        assert (verdict.violation, len(verdict.identities)) == (violation, 1)


def test_an_instance_whose_steps_fail_refutes_nothing():
    assert refute("", Violation(x**2, x, {"x": 2}), (x, x**2)).outcome is ib.Outcome.INCONCLUSIVE


@pytest.mark.parametrize("least", [0.25, -2.0])
def test_quarters_lists_simple_numbers_first(least):
    """The search shrinks to the failing number that comes first in the list."""
    for k, value in enumerate(allowed := [value for value in ORDER if value >= least]):
        barred = allowed[:k]
        assert search(quarters(least, 2), lambda x, barred=barred: x not in barred).smallest == value


@pytest.mark.parametrize("corner", [(0, 0, 0), (4, 0, 1), (2, 3, 4)])
def test_a_box_shrinks_to_its_corner(corner):
    """All points above a corner fail; shrinking finds the corner, and says what it has tried."""
    points = st.tuples(*[st.integers(0, 6)] * 3)

    def fails(point):
        return all(value >= least for value, least in zip(point, corner, strict=True))

    found = search(points, fails)
    assert found.smallest == corner
    assert found.smallest in found.tried
    assert len(set(found.tried)) == len(found.tried)


def test_without_a_failure_there_is_no_counterexample():
    found = search(st.integers(0, 10**6), lambda value: False)
    assert found.smallest is None
    assert 0.8 * TRIES <= len(found.tried) <= TRIES


def test_searching_needs_hypothesis(monkeypatch):
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    for needs in (lambda: quarters(0, 1), lambda: search(st.integers(), bool)):
        with pytest.raises(errors.MissingPackageError, match=r"hypothesis.*implicit-bias\[judge\]"):
            needs()


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


@makers
@pytest.mark.parametrize("deviation", [1e-3, -1.0, 0.5, 0.51, math.nan, math.inf, -math.inf])
def test_an_argument_holds_if_numbers_agree(make, outcome, deviation):
    argued = make("so", SQUARE)
    verdict = agreed(argued, lambda: deviation, 0.5, "rounding")
    assert (verdict.tolerance, verdict.tolerance_reason) == (0.5, "rounding")
    if -1.0 <= deviation <= 0.5:
        assert (verdict.outcome, verdict.residual, verdict.identities) == (outcome, deviation, argued.identities)
    else:
        assert verdict.outcome is ib.Outcome.INCONCLUSIVE
        assert verdict.evidence == f"The identities hold, but the numbers deviate by {deviation:.1e}. so"


@makers
def test_no_numbers_are_asked_where_the_identities_do_not_hold(make, outcome):
    for verdict in (make("so", (x, x**2)), make("so", stated=(x, x**2))):
        assert agreed(verdict, lambda: 1 / 0, 0.5, "rounding") is verdict


def test_a_residual_keeps_the_reason_for_its_tolerance():
    for residual in (0.5, 1.5, 3.0):
        verdict = from_residual(residual, 1.0, "measured", refuted_above=2.0, tolerance_reason="rounding", m0=1.0)
        assert verdict.tolerance_reason == "rounding"


@pytest.mark.parametrize(
    ("least", "largest", "values"),
    [(0, 1, [0, 1, 0.5, 0.25, 0.75]), (0.3, 0.9, [0.5, 0.75]), (-0.3, 0.2, [0, -0.25]), (0.5, 0.5, [0.5])],
)
def test_quarters_lie_between_their_bounds_the_simplest_first(least, largest, values):
    assert list(quarters(least, largest).elements) == values


def test_without_a_quarter_there_is_nothing_to_draw():
    with pytest.raises(ib.InputError, match=r"a multiple of 1/4 between them, got 0\.3 and 0\.4"):
        quarters(0.3, 0.4)
