"""The identities that a derivation is checked by: each derivation has the expected ones, and each notices its error."""

import math
from dataclasses import replace

import pytest
import sympy as sp

import implicit_bias as ib
from implicit_bias.claims.verdict import Outcome
from implicit_bias.symbolic import by_flow, by_metric
from implicit_bias.symbolic.assumptions import DECAY, X, Z
from implicit_bias.symbolic.candidate import duality
from implicit_bias.symbolic.identities import Statement, checked
from implicit_bias.symbolic.joint_flow import JointFlow, joint_flow
from implicit_bias.symbolic.time_limit import Deadline
from implicit_bias.symbolic.zero_test import by_numbers

COMMUTING = "∇g and ∇h commute"
FLOW = {"the flow starts at θ₀", "θ follows ∇g in s", "θ follows −∇h in A"}
DUALITY = {"∇R* inverts ∇R", "∇R is the slope of R", "∇R* is the slope of R*", "R and R* are conjugate"}
METRIC = {
    "1/R″ is ‖∇g‖²",
    "∇R is the slope of R",
    "R″ is the slope of ∇R",
    "decay moves ∇R as −∇h moves θ",
    "the slope at the start is zero",
}
EXPECTED = {
    "by_sine": (
        "m*w",
        "m**2 + w**2",
        FLOW | DUALITY | {"∇R* is x(s)", "the metric is ‖∇g‖²", "the minimizer has zero slope"},
    ),
    "by_inversion": ("u**2", "u**2", FLOW | DUALITY | {"the metric is ‖∇g‖²", "the minimizer has zero slope"}),
    "by_metric": ("sinh(u)", "2*sinh(u)", METRIC | {"∇R* inverts ∇R"}),
    "by_metric, not solved": ("atan(u)", "atan(u)", METRIC),
    "curve_alone": ("u**3 - v**3", "u**3 + v**3", FLOW),
}
u, m, w = sp.symbols("u m w", real=True)
NEVER = Deadline(math.inf)


@pytest.mark.parametrize("way", EXPECTED)
def test_a_derivation_rests_on_these_identities(way):
    g, h, names = EXPECTED[way]
    derivation = ib.derive(g, h)
    assert {identity.name for identity in derivation.identities} == names | {COMMUTING}
    assert len(derivation.identities) == len(names) + 1


def _failing(candidate_or_statements):
    """The names of the statements that numbers refute."""
    statements = getattr(candidate_or_statements, "statements", candidate_or_statements)
    region = getattr(candidate_or_statements, "region", ())
    return {
        name
        for name, _, residuals in statements
        if any(by_numbers(sp.sympify(r), region).outcome is Outcome.REFUTED for r in residuals)
    }


SQUARE = u**2, u**2, [u]
MASK = m * w, m**2 + w**2, [m, w]


@pytest.mark.parametrize(("g", "h", "symbols"), [SQUARE, MASK], ids=["square", "mask"])
@pytest.mark.parametrize(
    ("error", "failing"),
    [(0, set()), (1, FLOW), (Z, FLOW - {"the flow starts at θ₀"}), (DECAY, FLOW - {"the flow starts at θ₀"})],
)
def test_every_component_of_the_flow_is_checked(g, h, symbols, error, failing):
    flow = joint_flow(g, h, symbols)
    for k in range(len(symbols)):
        theta = flow.theta.as_mutable()
        theta[k] += error
        assert _failing(by_flow.along_the_flow(JointFlow(symbols, theta), g, h, NEVER)) == failing


POTENTIAL, MIRROR_MAP = X * sp.asinh(X) - sp.sqrt(1 + X**2), sp.asinh(X)


@pytest.mark.parametrize(
    ("wrong", "error", "failing"),
    [
        (None, 0, set()),
        (0, X, {"∇R is the slope of R", "R and R* are conjugate"}),
        (0, 1, {"R and R* are conjugate"}),
        (1, 1, {"∇R* inverts ∇R", "∇R is the slope of R", "R and R* are conjugate"}),
        (2, 1, {"∇R* inverts ∇R", "∇R* is the slope of R*"}),
        (3, Z, {"∇R* is the slope of R*", "R and R* are conjugate"}),
    ],
)
def test_each_formula_of_a_dual_pair_is_checked(wrong, error, failing):
    formulas = [POTENTIAL, MIRROR_MAP, sp.sinh(Z), sp.cosh(Z)]
    if wrong is not None:
        formulas[wrong] += error
    assert _failing(duality(*formulas)) == failing


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        ({}, set()),
        ({"scale": 2}, {"∇R* is x(s)", "the metric is ‖∇g‖²"}),
        ({"shift": 2}, {"∇R* is x(s)"}),
        ({"rate": 2}, {"∇R* is x(s)", "the metric is ‖∇g‖²"}),
    ],
)
def test_a_hyperbolic_sine_is_checked(monkeypatch, change, failing):
    g, h, symbols = MASK
    flow = joint_flow(g, h, symbols)
    moved = by_flow.along_the_flow(flow, g, h, NEVER)
    invert = by_flow.invert

    def inverted(curve, time):
        form = invert(curve, time)
        return replace(form, **{name: factor * getattr(form, name) for name, factor in change.items()})

    monkeypatch.setattr(by_flow, "invert", inverted)
    found = by_flow.by_sine(flow, g, moved, NEVER)
    assert _failing([s for s in found.statements if s not in moved.statements]) == failing
    assert [s for s in found.statements if s in moved.statements] == moved.statements


def test_the_minimizer_is_checked():
    for (g, h, symbols), way in ((MASK, by_flow.by_sine), (SQUARE, by_flow.by_inversion)):
        flow = joint_flow(g, h, symbols)
        moved = by_flow.along_the_flow(flow, g, h, NEVER)
        wrong = replace(moved, formulas=moved.formulas | {"minimizer": 2 * moved.formulas["minimizer"]})
        assert _failing(way(flow, g, wrong, NEVER)) == {"the minimizer has zero slope"}


def test_an_inversion_is_checked(monkeypatch):
    g, h, symbols = SQUARE
    flow = joint_flow(g, h, symbols)
    moved = by_flow.along_the_flow(flow, g, h, NEVER)
    assert _failing(by_flow.by_inversion(flow, g, moved, NEVER)) == set()
    inverse = by_flow._inverse
    monkeypatch.setattr(by_flow, "_inverse", lambda *arguments: inverse(*arguments) + X)
    found = by_flow.by_inversion(flow, g, moved, NEVER)
    wrong = {"the metric is ‖∇g‖²", "the minimizer has zero slope", "∇R* inverts ∇R"}
    assert _failing(found) >= wrong
    assert [s for s in found.statements if s in moved.statements] == moved.statements


@pytest.mark.parametrize(
    ("wrong", "error", "failing"),
    [
        (None, 0, set()),
        (0, 1, {"1/R″ is ‖∇g‖²", "R″ is the slope of ∇R"}),
        (1, X, {"∇R is the slope of R"}),
        (2, X, METRIC - {"1/R″ is ‖∇g‖²", "decay moves ∇R as −∇h moves θ"} | {"∇R* inverts ∇R"}),
        (
            2,
            DECAY,
            METRIC - {"1/R″ is ‖∇g‖²", "R″ is the slope of ∇R", "the slope at the start is zero"} | {"∇R* inverts ∇R"},
        ),
        ("curve", Z, {"∇R* inverts ∇R"}),
    ],
)
def test_a_metric_is_checked(monkeypatch, wrong, error, failing):
    integrated, solved = by_metric._integrated_metric, by_metric._solved
    right = integrated(sp.sinh(u), 2 * sp.sinh(u), u)
    found = [formula + (error if k == wrong else 0) for k, formula in enumerate(right)]
    monkeypatch.setattr(by_metric, "_integrated_metric", lambda *_: tuple(found))
    monkeypatch.setattr(by_metric, "_solved", lambda *a: solved(right[2], a[1]) + (error if wrong == "curve" else 0))
    assert _failing(by_metric.by_metric(sp.sinh(u), 2 * sp.sinh(u), [u], NEVER)) == failing


def _statement(*residuals):
    return Statement("name", "equation", [sp.sympify(r) for r in residuals])


def test_what_is_checked_is_told_by_its_worst_residual():
    proved, supported = sp.sin(u) ** 2 + sp.cos(u) ** 2 - 1, sp.atan(sp.exp(u)) + sp.atan(sp.exp(-u)) - sp.pi / 2
    (identity,) = checked([_statement(proved, 0)], (), NEVER)
    assert identity.outcome is Outcome.PROVED
    assert identity.residual == proved
    for residuals in ((proved, supported), (supported, proved), (supported,)):
        (identity,) = checked([_statement(*residuals)], (), NEVER)
        assert identity.outcome is Outcome.SUPPORTED
    outcomes = [one.outcome for one in checked([_statement(supported), Statement("other", "", [proved])], (), NEVER)]
    assert outcomes == [Outcome.SUPPORTED, Outcome.PROVED]


@pytest.mark.parametrize(
    ("residuals", "part"),
    [((u, 0), "failed its own check"), ((0, 1), "failed its own check"), ((sp.log(-1 - u**2),), "could not")],
)
def test_a_statement_that_fails_or_cannot_be_checked_gives_no_closed_form(residuals, part):
    with pytest.raises(ib.UnsupportedError, match=rf"{part}.*name"):
        checked([_statement(*residuals)], (), NEVER)


def test_statements_are_checked_where_the_conditions_hold():
    for positive in (u, u - 1 / u**3):
        (identity,) = checked([_statement(sp.Abs(positive) - positive)], (positive,), NEVER)
        assert identity.outcome is Outcome.PROVED
    (identity,) = checked([_statement(sp.Abs(u) - u)], (2 * u,), NEVER)  # no |2u| to replace
    assert identity.outcome is Outcome.SUPPORTED
    with pytest.raises(ib.UnsupportedError, match="failed"):
        checked([_statement(sp.Abs(u) - u)], (-u,), NEVER)
