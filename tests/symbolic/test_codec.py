"""Results as JSON come back unchanged, nothing is evaluated on the way, and no other classes are made."""

import json
import random
import time

import pytest
import sympy as sp

import implicit_bias as ib
from implicit_bias.symbolic.assumptions import DECAY, X
from implicit_bias.symbolic.codec import UnencodableError, decoded, decoded_error, encoded, encoded_error

SYMBOLS = [X, DECAY, sp.Symbol("x"), sp.Symbol("x", positive=True), sp.Dummy("x"), sp.Symbol("m0", real=True)]
NUMBERS = [
    sp.Rational(-3, 7), sp.Integer(7) ** 2000, sp.Float("1.25", 50), sp.Float(-1e-300), sp.pi, sp.E, sp.I, sp.oo,
    -sp.oo, sp.zoo, sp.nan, sp.Integer(0), sp.Integer(-1), sp.S.Half,
]  # fmt: skip
FUNCTIONS = [sp.exp, sp.log, sp.sin, sp.asinh, sp.Abs, sp.sign, sp.LambertW, sp.erf, sp.atanh, sp.DiracDelta, sp.re]


def same(first, second):
    return (
        type(first) is type(second)
        and first == second
        and len(first.args) == len(second.args)
        and (not first.is_Symbol or first.assumptions0 == second.assumptions0)
        and all(map(same, first.args, second.args))
    )


def some_expression(generator, depth):
    """A random expression that is not evaluated, so it may have forms that SymPy would simplify."""
    if depth == 0:
        return generator.choice(generator.choice([SYMBOLS, NUMBERS]))
    inside = [some_expression(generator, depth - 1) for _ in range(2)]
    kind = generator.choice([sp.Add, sp.Mul, sp.Pow, None])
    if kind is None:
        return generator.choice(FUNCTIONS)(inside[0], evaluate=False)
    return kind(*inside, evaluate=False)


@pytest.mark.parametrize("seed", range(40))
def test_an_expression_keeps_its_structure(seed):
    expression = some_expression(random.Random(seed), 4)  # noqa: S311
    assert same(decoded(encoded(expression)), expression)


@pytest.mark.parametrize(
    "value",
    [
        sp.S.Reals, sp.Interval(-sp.oo, sp.oo), sp.Interval.open(-X, sp.oo), sp.Max(X, 1), sp.And(X > 0, DECAY > 1),
        sp.Piecewise((X, X > 0), (-X, True)), sp.Integral(sp.exp(X**2), X), sp.true, sp.S.EmptySet,
    ],
    ids=str,
)  # fmt: skip
def test_conditions_sets_and_integrals(value):
    assert same(decoded(encoded(value)), value)


def test_plain_data():
    value = {"a": [1, -(2**90), 1.5, None, True], ("k", 2): (float("inf"), "ü"), "m": sp.Matrix([X, 1])}
    back = decoded(encoded(value))
    assert back == value
    assert isinstance(back["m"], sp.MutableDenseMatrix)
    assert isinstance(decoded(encoded(sp.ImmutableMatrix([X]))), sp.ImmutableMatrix)


def test_a_number_that_takes_hours_is_read_at_once():
    """Reading evaluates nothing: the sine of so large a number would need a million digits of π."""
    large = sp.sin(sp.exp(sp.Integer(10) ** 9, evaluate=False), evaluate=False)
    began = time.perf_counter()
    assert decoded(encoded(sp.sign(large, evaluate=False))).args[0].func is sp.sin
    assert time.perf_counter() - began < 1


def test_a_derivation_comes_back_whole():
    derivation = ib.derive("m*w", "m**2 + w**2")
    for value in (derivation.commuting, derivation.identities, derivation.domain):
        assert decoded(encoded(value)) == value


def test_an_exception_keeps_type_arguments_attributes_and_notes():
    report = ib.Parameterization("m*w").commutes_with("m**2")
    try:
        raise ib.NotCommutingError("they do not", report)
    except ib.NotCommutingError as error:
        error.add_note("a note")
        back = decoded_error(encoded_error(error))
    assert type(back) is ib.NotCommutingError
    assert str(back) == "they do not"
    assert back.report == report
    assert back.__notes__ == ["a note"]
    assert "test_codec.py" in str(back.__cause__)


def test_an_exception_of_sympy_is_told_by_its_name():
    back = decoded_error(encoded_error(sp.PolynomialError("no polynomial")))
    assert type(back) is RuntimeError
    assert "PolynomialError: no polynomial" in str(back)


@pytest.mark.parametrize(
    "value", [object(), sp.Function("f")(X), len, {1, 2}, sp.Wild("w")], ids=lambda value: type(value).__name__
)
def test_what_has_no_form_as_data(value):
    with pytest.raises(UnencodableError, match="no form as data"):
        encoded(value)


@pytest.mark.parametrize(
    "reference", ["os:system", "implicit_bias.symbolic.codec:encoded", "builtins:print", "builtins:dict"]
)
def test_no_other_class_is_made(reference):
    with pytest.raises((UnencodableError, TypeError)):
        decoded(json.dumps({"object": reference, "fields": []}))
    with pytest.raises(KeyError):
        decoded(json.dumps({"expression": [["Lambda_", 0], [0]]}))
