"""Constants are symbols of a formula that training does not move; numbers can be put in for them."""

import pickle

import numpy as np
import pytest
import sympy as sp

import implicit_bias as ib
from implicit_bias.symbolic.assumptions import Constant
from implicit_bias.symbolic.codec import decoded, encoded
from implicit_bias.symbolic.commuting import gradient
from implicit_bias.symbolic.smoothness import ends_of_flow

PROBLEM = ib.Regression([[1.0]], [1.0])
START = {"m": [1.0], "w": [0.2]}
SCALED = ib.Parameterization("c*m*w", constants="c")


@pytest.mark.parametrize(
    ("formula", "h", "constants", "init"),
    [
        ("c*m*w", "m**2 + w**2", {"c": 2.0}, {"m": 1.0, "w": 0.0}),
        ("m*w", "c*(m**2 + w**2)", {"c": 0.3}, {"m": 1.0, "w": 0.2}),
        ("c*u**2", "u**2", {"c": 3.0}, {"u": 0.5}),
        ("m*w + c*m", None, {"c": 1.5}, {"m": 2.0, "w": 0.2}),
        ("x*m*w", "A*m**2 + A*w**2", {"x": 1.5, "A": 2.0}, {"m": 1.0, "w": 0.2}),
        ("a*m*w", "m**2 + w**2", {"a": 0.7}, {"m": 1.0, "w": 0.2}),
    ],
)
def test_the_potential_is_that_of_the_formula_with_numbers(formula, h, constants, init):
    """Numbers put in after the derivation give the potential of a derivation of the formula with these numbers."""
    derivation = ib.derive(ib.Parameterization(formula, regularizer=h, constants=list(constants)))
    assert derivation.proved
    assert set(constants) <= {s.name for s in derivation.potential.free_symbols}
    decay = 0.0 if h is None else 0.3
    found = derivation.at({**init, **constants}, decay)
    expected = ib.derive(derivation.parameterization.with_constants(constants)).at(init, decay)
    assert type(found) is type(expected)
    points = np.array([0.1, 0.8, 2.0])
    np.testing.assert_allclose(found.gradient(points), expected.gradient(points), rtol=1e-12)


def test_a_derivation_keeps_constants_as_plain_symbols():
    derivation = ib.derive(SCALED, "m**2 + w**2")
    c, m0, w0, A = sp.symbols("c m0 w0 A")
    assert sp.simplify(derivation.scale - c * (m0**2 - w0**2) * sp.exp(-4 * A) / 2) == 0
    assert derivation.rate == 2 * c
    assert derivation.small_scale is None
    assert derivation.with_constants({"c": 2.0}).rate == 4


def test_names_avoid_constants_until_these_are_numbers():
    derivation = ib.derive(ib.Parameterization("x*a*u", "u", "A*u", constants="x, a, A"))
    assert (derivation.names.weight, derivation.names.decay, derivation.names.scale) == ("y", "D", "b")
    known = derivation.with_constants({"x": 2, "a": 1, "A": 3})
    x, A, u0 = sp.symbols("x A u0")
    assert sp.expand(known.minimizer - 2 * (u0 - 3 * A)) == 0
    assert known.mirror_map.free_symbols <= {x, A, u0}


def test_what_holds_for_some_constants_alone_is_refuted_with_a_witness():
    report = SCALED.commutes_with("m**2 + c*w**2")
    assert not report.holds
    assert report.witness["c"] > 0
    assert report.witness["c"] != 1
    assert any(float(value) != 0 for value in report.bracket.subs(report.witness))
    assert "c=" in str(report)


def test_regularizers_are_searched_with_constants():
    m, w, c = sp.symbols("m w c")
    assert SCALED.commuting_regularizers(3) == [m * w, m**2 + w**2]
    (only,) = ib.Parameterization("c*m**2 + w", constants="c").commuting_regularizers(0, ["c*m**2 + w"])
    assert sp.simplify(only / (c * m**2 + w)).is_number


def test_a_rate_of_unknown_sign_is_no_error():
    derivation = ib.derive(ib.Parameterization("(c - k)*m*w", constants="c,k"))
    assert not derivation.closed_form
    assert "sign is not known" in " ".join(derivation.notes)


@pytest.mark.parametrize(("constant", "passes"), [(0.5, False), (2.0, True)])
def test_levels_are_judged_by_numbers_for_the_constants(constant, passes):
    """The gradient of |u|^(1 + c) is Lipschitz at u = 0 if c is at least 1, which a symbol does not tell."""
    u, c = sp.Symbol("u"), Constant("c", positive=True)
    formula = sp.Abs(u) ** (1 + c)
    assert ends_of_flow(formula, gradient(formula, [u]), [u]) == [u]
    known = formula.xreplace({c: sp.Rational(constant)})
    assert (ends_of_flow(known, gradient(known, [u]), [u]) == []) is passes


@pytest.mark.parametrize(
    ("ask", "part"),
    [
        (lambda d: d.at(m=1, w=0), r"number for each constant \(c\), got none"),
        (lambda d: d.at(), r"number for each constant \(c\), got none"),
        (lambda d: d.at(m=1, w=0, c=-1), "c: expected a positive number, got -1"),
        (lambda d: d.at(m=1, w=0, c=[1.0, 2.0]), "c: expected"),
        (lambda d: d.at(m=1, w=0, c=2, k=3), "k"),
        (lambda d: ib.mirror_flow(PROBLEM, d, START, [1.0]), r"number for each constant \(c\)"),
        (lambda d: ib.gradient_flow(PROBLEM, SCALED, START, [1.0]), "with_constants"),
        (lambda d: ib.descent(PROBLEM, SCALED, START, 0.1, 3), "with_constants"),
        (lambda d: ib.NumericalPotential(SCALED, START), "with_constants"),
        (lambda d: SCALED.separable_map(), "with_constants"),
        (lambda d: SCALED.field_at_point(), "with_constants"),
        (lambda d: SCALED.with_constants({"k": 1.0}), r"for each constant \(c\), got k"),
        (lambda d: ib.Parameterization("m*w").with_constants({"c": 1.0}), r"\(none\), got c"),
    ],
)
def test_numbers_are_asked_for_where_they_are_needed(ask, part):
    derivation = ib.derive(SCALED)
    with pytest.raises(ib.InputError, match=part):
        ask(derivation)


@pytest.mark.parametrize(
    ("arguments", "constants", "part"),
    [
        (("c*m*w", "c,m,w"), "c", "c is a parameter, too"),
        (("m*w",), "c", "c occurs in no formula"),
        (("c",), "c", "c is constant"),
        (("c*m",), "pi", "constants: the name 'pi' is taken"),
        (("c*m",), 5, "constants: expected a list of names, got int"),
    ],
)
def test_what_cannot_be_a_constant(arguments, constants, part):
    with pytest.raises(ib.FormulaError, match=part):
        ib.Parameterization(*arguments, constants=constants)


def test_a_parameterization_with_constants_is_a_value():
    assert ib.Parameterization("c*m*w", ["m", "w"], constants=["c"]) == SCALED
    assert ib.Parameterization("c*m*w") != SCALED
    assert eval(repr(SCALED), {"Parameterization": ib.Parameterization}) == SCALED  # noqa: S307
    assert pickle.loads(pickle.dumps(SCALED)) == SCALED  # noqa: S301
    assert SCALED.with_constants({"c": 0.1}) == ib.Parameterization("m*w/10", ["m", "w"])
    assert decoded(encoded(Constant("c", positive=True))) == Constant("c", positive=True)


def test_flows_with_numbers_agree():
    """The dual flow of the potential with its constant is the flow of the parameters with the same number."""
    dual = ib.mirror_flow(PROBLEM, ib.derive(SCALED), START | {"c": 2.0}, [0.3, 1.0])
    theta = ib.gradient_flow(PROBLEM, SCALED.with_constants({"c": 2.0}), START, [0.3, 1.0])
    np.testing.assert_allclose(dual.x, theta.x, atol=1e-9)


def test_the_card_names_the_constants():
    assert "constants" in SCALED._repr_html_()
    assert "constants" not in ib.Parameterization("m*w")._repr_html_()
    assert ib.derive(SCALED)._repr_html_()
