"""Identities and counterexamples are read back from their trees as they were, and nothing else is read."""

import json
from fractions import Fraction

import mpmath as mp
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.claims import Equation, Violation
from implicit_bias.claims.tree import OPERATIONS, described, expression, tree

x, y = sp.symbols("x y", real=True)
p = sp.Symbol("p", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
fractions = st.fractions(-5, 5, max_denominator=9).map(lambda q: sp.Rational(q.numerator, q.denominator))
FUNCTIONS = [sp.exp, sp.log, sp.sinh, sp.asinh, sp.tanh, sp.sin, sp.atan, sp.Abs, sp.sign]
expressions = st.recursive(
    fractions | st.sampled_from([x, y, p, n, sp.pi, sp.E]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] * pair[1]),
        st.tuples(inner, st.sampled_from([2, 3, -1, sp.Rational(1, 2)])).map(lambda pair: (pair[0] + 7) ** pair[1]),
        st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda pair: pair[0](pair[1] + 11)),
    ),
    max_leaves=8,
).filter(lambda e: e.is_finite is not False and not e.has(sp.zoo, sp.nan, sp.oo, sp.I))


@given(expressions)
def test_a_tree_is_read_as_it_was_written(e):
    written = json.loads(json.dumps(tree(e)))
    symbols = {s.name: s for s in e.free_symbols}
    assert tree(expression(written, symbols)) == written
    assert expression(written, symbols, evaluate=True) == e


@given(expressions)
def test_an_equation_is_read_as_it_was_described(e):
    equation = Equation(e, e + p, "moved", (p - 1, y), "not at all")
    read = Equation.read(json.loads(json.dumps(equation.describe())))
    assert read.describe() == equation.describe()
    assert read.symbols == equation.symbols
    violation = Violation(e, e + p, dict.fromkeys("xypn", Fraction(2)), ">")
    again = Violation.read(json.loads(json.dumps(violation.describe())))
    assert (again.describe(), again.numbers) == (violation.describe(), violation.numbers)


@pytest.mark.parametrize(
    "e",
    [
        *(x * 0.5, sp.Function("f")(x), sp.Derivative(sp.Function("f")(x), x), sp.gamma(x)),
        *(sp.Piecewise((x, x > 0), (1, True)), sp.I, sp.oo, x + sp.Integer(10) ** 5000),
    ],
)
def test_what_balls_cannot_evaluate_is_no_identity(e):
    for make in (lambda: Equation(e, x), lambda: Violation(x, e, {"x": 1})):
        with pytest.raises(ib.UnsupportedError, match="cannot be stored as an identity"):
            make()


@pytest.mark.parametrize("value", ["x", 0.5, None, [x]])
def test_a_side_is_an_expression_or_an_exact_number(value):
    with pytest.raises(ib.InputError, match="Expected an expression of SymPy"):
        Equation(x, value)
    assert Equation(x**2, Fraction(1, 2)).derived == sp.Rational(1, 2)
    assert Violation(x, 2, {"x": 1}).right == 2


def test_an_equation_with_equal_sides_is_trivial_and_no_evidence():
    trivial = Equation(x + x, 2 * x, decided="seen")
    assert trivial.is_trivial
    assert not Equation(x + x, 3 * x).is_trivial
    with pytest.raises(ib.InputError, match=r"whose sides differ, got 2\*x on both"):
        ib.Verdict(ib.Outcome.PROVED, "so", identities=(trivial,))


def test_symbols_of_one_name_are_refused_and_dummies_renamed():
    with pytest.raises(ib.InputError, match="Two symbols are called x"):
        Equation(x, sp.Symbol("x", positive=True) + 1)
    first, second = sp.Dummy("x", real=True), sp.Dummy("x", real=True)
    assert list(Equation(x + first, second).symbols) == ["x", "x'", "x''"]


@pytest.mark.parametrize("declared", [{"even": True}, {"imaginary": True}, {"prime": True}, {"real": False}])
def test_symbols_are_declared_in_ways_that_can_be_sampled(declared):
    with pytest.raises(ib.UnsupportedError, match="declared to be"):
        Equation(sp.Symbol("k", **declared) + 1, x)


@pytest.mark.parametrize(
    ("symbol", "number"), [(n, Fraction(1, 2)), (n, -1), (p, 0), (sp.Symbol("z", nonzero=True), 0)]
)
def test_a_violation_keeps_to_what_its_symbols_are_declared_to_be(symbol, number):
    with pytest.raises(ib.InputError, match="is declared to be"):
        Violation(symbol, 0, {symbol.name: number})


def test_a_violation_has_a_relation_and_numbers_of_any_size():
    with pytest.raises(ib.InputError, match="expected the relation"):
        Violation(x, 0, {"x": 1}, "<")
    assert Violation(x, 0, {"x": -(10**400)}).floats() == {"x": -float("inf")}


def test_a_violation_has_a_number_for_each_symbol():
    with pytest.raises(ib.InputError, match="y has none"):
        Violation(x, y, {"x": 1})
    with pytest.raises(ib.InputError, match="A search that finds nothing"):
        Violation(x, y, {"x": None, "y": 1})


DESCRIBED = Equation(x**2, x + p, "says", (p,), "so").describe()
VIOLATION = Violation(x**2, x, {"x": Fraction(1, 2)}).describe()


@pytest.mark.parametrize(
    ("kind", "saved", "part"),
    [
        (Equation, [], "'symbols' is missing"),
        (Equation, DESCRIBED | {"symbols": []}, "'symbols' is of type list, expected object"),
        (Equation, DESCRIBED | {"symbols": {"x": ["odd"], "p": ["positive"]}}, "x: expected what a symbol is declared"),
        (Equation, DESCRIBED | {"symbols": {"x": ["real"]}}, "expected the tree|Expected the tree"),
        (Equation, DESCRIBED | {"stated": ["__import__", "os"]}, "Expected the tree"),
        (Equation, DESCRIBED | {"stated": "x + 1"}, "Expected a fraction"),
        (Equation, DESCRIBED | {"stated": ["Add"]}, "Expected the tree"),
        (Equation, DESCRIBED | {"conditions": "p"}, "'conditions' is of type"),
        (Violation, VIOLATION | {"relation": "<"}, "the relation '!=' or '>', got '<'"),
        (Violation, VIOLATION | {"numbers": {"x": "1/0"}}, "Expected a fraction"),
        (Violation, VIOLATION | {"numbers": {"x": "half"}}, "Expected a fraction"),
        (Violation, VIOLATION | {"numbers": []}, "'numbers' is of type list, expected object"),
    ],
)
def test_what_is_no_identity_is_not_read(kind, saved, part):
    with pytest.raises(ib.InputError, match=part):
        kind.read(saved)


sizes = st.fractions(Fraction(1, 7), 3, max_denominator=7)


@given(st.sampled_from(sorted(OPERATIONS)), sizes, sizes)
def test_a_ball_contains_the_value_to_50_digits(name, first, second):
    """The value of each operation is mpmath's, at arguments where it is real."""
    from implicit_bias.claims.enclosure import enclosure

    arguments = [str(first), str(second)] if name in ("Add", "Mul", "Pow", "Max", "Min") else [str(first)]
    if name in ("asin", "acos", "atanh"):
        arguments = [str(first / 4)]
    if name == "acosh":
        arguments = [str(first + 1)]
    with mp.workdps(60):
        a, *more = (mp.mpf(Fraction(each).numerator) / Fraction(each).denominator for each in arguments)
        of_two = {"Add": lambda b: a + b, "Mul": lambda b: a * b, "Pow": lambda b: a**b, "Max": lambda b: max(a, b),
                  "Min": lambda b: min(a, b)}  # fmt: skip
        of_one = {"Abs": abs, "LambertW": mp.lambertw, "log": mp.log}
        value = of_two[name](*more) if more else of_one.get(name, getattr(mp, name, None))(a)
        ball = enclosure([name, *arguments], {}, 256)
        assert ball.is_finite()
        assert abs(mp.mpf(ball.mid().str(70, radius=False)) - value) < mp.mpf(10) ** -50 * (1 + abs(value))


@pytest.mark.parametrize(
    ("node", "value"),
    [
        (["Pow", "0", "1/2"], 0), (["Pow", "0", "2/3"], 0), (["Pow", "-2", "3"], -8), (["Pow", "-2", "-1"], -0.5),
        (["Pow", "4", "3/2"], 8), (["Pow", "4", "-1/2"], 0.5), (["log", "8", "2"], 3), (["sign", "-3"], -1),
    ],
)  # fmt: skip
def test_powers_of_zero_and_of_negative_numbers(node, value):
    from implicit_bias.claims.enclosure import enclosure

    ball = enclosure(node, {}, 256)
    assert abs(ball - value) < 1e-60


@pytest.mark.parametrize(
    "node", [["log", "-1"], ["Pow", "-2", "1/2"], ["Pow", "0", "-1"], ["acosh", "1/2"], ["asin", "2"]]
)
def test_what_is_not_real_has_no_finite_ball(node):
    from implicit_bias.claims.enclosure import enclosure

    assert not enclosure(node, {}, 256).is_finite()


@pytest.mark.parametrize("kind", ["real", "positive", "negative", "nonnegative", "nonpositive", "integer", "rational"])
def test_an_equal_symbol_is_described_alike_however_it_was_made(kind):
    """SymPy may put one that names all its assumptions in the place of another."""
    symbol = sp.Symbol("q", **{kind: True})
    twin = sp.Symbol("q", **symbol.assumptions0)
    assert twin == symbol
    assert described(twin) == described(symbol)
