"""Parameterizations are separable or coupled, equal if their formulas are, and say what is wrong with an argument."""

import time

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.errors import InputError


def test_strings_and_expressions_mean_the_same():
    m, w = sp.symbols("m w", positive=True)
    expected = ib.Parameterization("m*w", ["m", "w"])
    for same in (ib.Parameterization(m * w, [m, w]), ib.Parameterization("w*m", "m, w")):
        assert same == expected
        assert hash(same) == hash(expected)
        assert repr(same) == "Parameterization('m*w', ['m', 'w'])"
    assert ib.Parameterization("m*w", ["w", "m"]) != expected
    assert ib.Parameterization(["m*w"], ["m", "w"]) != expected
    assert expected != "m*w"


def test_coupled_outputs():
    neuron = ib.Parameterization(["m*w1", "m*w2"], ["m", "w1", "w2"])
    assert not neuron.separable
    assert len(neuron.outputs) == 2
    with pytest.raises(InputError, match="coupled"):
        _ = neuron.output
    assert (
        ib.Parameterization(np.array(["m*w", "m"]), "m,w").outputs == ib.Parameterization(["m*w", "m"], "m,w").outputs
    )


BAD = [
    (None, "m", "NoneType"),
    (5, "m", "int"),
    (0.5, "m", "float"),
    (b"m*w", "m,w", "bytes"),
    (int, "m", "type"),
    (lambda m: m, "m", "function"),
    ([], "m", "empty"),
    ([None], "m", "NoneType"),
    ([["m*w"]], "m,w", "list"),
    (["m*w", "m.__class__"], "m,w", "m.__class__"),
    (["m", "lambda: m"], "m", "lambda"),
    ("3", "m", "3 is constant"),
    ("m - m", "m", "0 is constant"),
    (["m", "1"], "m", "1 is constant"),
    ("m*w", "m", "'w'"),
    ("3", None, "3 is constant"),
    ("m*w", 5, "int"),
    (sp.Eq(sp.Symbol("m"), 1), "m", "Eq(m, 1)"),
]


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(("outputs", "params", "part"), BAD)
def test_what_is_no_parameterization(outputs, params, part):
    start = time.thread_time()
    with pytest.raises(ib.FormulaError) as caught:
        ib.Parameterization(outputs, params)
    assert time.thread_time() - start < 2
    assert part in str(caught.value)


@given(st.tuples(*[st.integers(-9, 9).filter(bool)] * 2))
def test_the_gradient_is_the_derivative(point):
    shape = ib.Parameterization("m**3*w - sin(m)*exp(w/9) + abs(m)*w", ["m", "w"])
    at = {"m": sp.Integer(point[0]), "w": sp.Integer(point[1])}

    def numeric(m, w):
        return m**3 * w - mp.sin(m) * mp.exp(w / 9) + abs(m) * w

    with mp.workdps(40):
        for entry, orders in zip(shape.gradient(shape.output), [(1, 0), (0, 1)], strict=True):
            expected = mp.diff(numeric, (mp.mpf(point[0]), mp.mpf(point[1])), orders)
            assert abs(mp.mpf(entry.subs(at).evalf(40)) - expected) < mp.mpf(10) ** -15 * (1 + abs(expected))


@pytest.mark.parametrize("names", ["S,N", "E,I", "Q,O", "beta,gamma", "zeta,C", "m,m0", "a,b"])
def test_any_allowed_name_works_throughout(names):
    first, second = names.split(",")
    shape = ib.Parameterization(f"{first}*{second}", names)
    report = shape.commutes_with(f"{first}**2")
    assert report.witness == {first: 1.0, second: 1.0}
    assert f"at {first}=1, {second}=1" in str(report)
    assert shape.commutes_with(f"{first}**2 + {second}**2").proved


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (None, r"init\['m'\].*None"),
        ("a", r"init\['m'\].*'a' \(str\)"),
        (1j, r"init\['m'\].*1j \(complex\)"),
        ([1.0, None], r"init\['m'\].*None.* at coordinate 1"),
        ([1.0, "2"], r"init\['m'\].*'2' \(str\) at coordinate 1"),
        ([1.0, 2j], r"init\['m'\].*2j.* at coordinate 1"),
        (np.array([1.0, 2j]), r"init\['m'\].*complex"),
        ([1.0, np.nan], r"init\['m'\].*index \(1,\) \(nan\)"),
        ([-np.inf, 1.0], r"init\['m'\].*index \(0,\) \(-inf\)"),
        ([[1.0], [2.0]], r"init\['m'\].*\(2, 1\)"),
    ],
)
def test_an_initial_value_that_is_no_finite_real_number_is_named(value, part):
    with pytest.raises(InputError, match=part):
        ib.Parameterization("m*w", "m,w").start({"m": value, "w": 1.0})


def test_initial_numbers_are_broadcast():
    shape = ib.Parameterization("m*w", "m,w")
    np.testing.assert_array_equal(shape.start({"m": [1, 2], "w": 0}), [[1, 2], [0, 0]])
    assert shape.start({"m": 1, "w": 0}).shape == (2,)


@pytest.mark.parametrize("power", [1.2, 1.5, 2.5, 3.0])
def test_designed_powers_have_the_gradient_of_their_formula(power):
    """The symbolic derivative of |u|^k sign(u) has a point mass of weight zero, which does not count."""
    g = ib.design(f"abs(x)**{power}").separable_map()
    u, step = np.array([[-1.3, -0.2, 0.1, 0.9]]), 1e-6
    slope = (g.output(u + step) - g.output(u - step)) / (2 * step)
    np.testing.assert_allclose(g.gradient(u)[0], slope, rtol=1e-7)


@pytest.mark.parametrize("formula", ["sign(u)", "sign(u)*(1 + u**2)", "u*sign(u - 1)"])
def test_a_formula_that_jumps_is_refused_where_its_flow_is_asked_for(formula):
    problem = ib.Regression([[1.0]], [1.0])
    with pytest.raises(ib.UnsupportedError, match="jumps"):
        ib.gradient_flow(problem, ib.Parameterization(formula, "u"), {"u": [2.0]}, [1.0])
