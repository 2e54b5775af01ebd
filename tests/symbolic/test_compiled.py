"""Compiled formulas for one point and for arrays against each other, and both against mpmath."""

import builtins
import functools
import keyword
import math
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy.core.alphabets import greeks

import implicit_bias as ib
from implicit_bias import Parameterization
from implicit_bias.symbolic.compiled import compiled, compiled_at_point
from implicit_bias.symbolic.formulas import CONSTANTS, FUNCTIONS, parse

FORMULAS = (
    "m*w", "m**3*w - w**2/m", "sigmoid(m)*w", "abs(m)**1.5*sign(w)", "m**0.3", "(m - w)**(-2.5)", "sqrt(m) + log(w)",
    "tanh(m) + arctan(w)", "sinh(m)/cosh(w)", "arcsinh(m*w)", "arctanh(m) - arccosh(w)", "exp(m)*exp(-w)", "pi*m/3 + w",
)  # fmt: skip
numbers = st.one_of(st.floats(-3, 3), st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e3, -1e3, 1e200, -1e200]))


@functools.cache
def both_ways(formula):
    symbols = sp.symbols("m w")
    expressions = [parse(formula, ["m", "w"]), parse("m + w", ["m", "w"])]
    return compiled(symbols, expressions), compiled_at_point(symbols, expressions)


@pytest.mark.parametrize("formula", FORMULAS)
@given(point=st.tuples(numbers, numbers))
def test_at_a_point_as_on_arrays(formula, point):
    """A formula compiled for one point has the values of that for arrays, also inf, and nan for complex numbers."""
    on_arrays, at_point = both_ways(formula)
    with np.errstate(all="ignore"):
        arrays = on_arrays(np.array(point))
    alone = at_point(point)
    assert all(isinstance(value, (int, float)) for value in alone)
    np.testing.assert_allclose(alone, arrays, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("formula", ["sigmoid(m)*w", "abs(m)**1.5*w", "m**2*w", "sinh(m) - sinh(w)"])
@given(point=st.tuples(st.floats(0.1, 2), st.floats(-2, 2)))
def test_the_field_is_the_gradient_and_its_change_along_itself(formula, point):
    """The field is ∇g and its change along itself is ∇²g ∇g, by mpmath's numerical derivatives of the formula."""
    g = sp.lambdify(sp.symbols("m w"), parse(formula, ["m", "w"]), "mpmath")
    with mp.workdps(40):
        m, w = (mp.mpf(value) for value in point)
        gradient = mp.diff(g, (m, w), (1, 0)), mp.diff(g, (m, w), (0, 1))
        hessian = [[mp.diff(g, (m, w), (2, 0)), mp.diff(g, (m, w), (1, 1))],
                   [mp.diff(g, (m, w), (1, 1)), mp.diff(g, (m, w), (0, 2))]]  # fmt: skip
        bend = [row[0] * gradient[0] + row[1] * gradient[1] for row in hessian]
    found = Parameterization(formula, "m,w").field_at_point()(point)
    assert found == pytest.approx([float(value) for value in (*gradient, *bend)], rel=1e-9, abs=1e-12)


def test_where_python_overflows_numpy_is_asked():
    """∂g/∂w = 1/(1 + e^1000) raises an OverflowError in Python; NumPy gives 0, which is returned."""
    assert Parameterization("sigmoid(m)*w", "m,w").field_at_point()((-1000.0, 2.0))[1] == 0.0


@pytest.mark.parametrize("u", [3.0, 25.0, -25.0])
def test_the_slope_of_a_saturated_tanh_does_not_cancel(u):
    """1 − tanh² would be 0 or noise; a solver that follows it would take 60 times as many steps."""
    found = Parameterization("tanh(m)*w", "m,w").field_at_point()((u, 2.0))
    slope = 2 / np.cosh(u) ** 2
    assert found[0] == pytest.approx(slope, rel=1e-12, abs=0)
    assert found[2] == pytest.approx(-2 * np.tanh(u) * slope * slope + np.tanh(u) / np.cosh(u) ** 2, rel=1e-9, abs=0)


# All names that mean something else in SymPy, in Python or in the modules that formulas are compiled with.
TAKEN = sorted(
    name
    for name in {
        *dir(sp),
        *dir(builtins),
        *dir(math),
        *dir(np),
        *dir(mp),
        *greeks,
        "e",
        "j",
        "lambda_",
        "theta_0",
        "x0",
    }
    if name.isidentifier() and not name.startswith("_") and name not in (*FUNCTIONS, *CONSTANTS, *keyword.kwlist)
)
LETTERS = [name for name in TAKEN if len(name) <= 2]


@settings(max_examples=40)  # each reads a formula in the worker process
@given(st.one_of(st.sampled_from(LETTERS), st.sampled_from(TAKEN)), st.sampled_from(LETTERS), st.floats(0.3, 2))
def test_no_name_means_anything_but_the_parameter(name, other, value):
    """Whatever the names, values, gradients and bends are those of the formula written by hand in mpmath."""
    assume(name != other)
    shape = Parameterization(f"exp(1)*{name}*{other} + sin({name}) - 2*pi*{other}**3", [name, other])
    e, pi, a, b = mp.e, mp.pi, mp.mpf(value), mp.mpf("0.7")
    gradient = [e * b + mp.cos(a), e * a - 6 * pi * b**2]
    bend = [-mp.sin(a) * gradient[0] + e * gradient[1], e * gradient[0] - 12 * pi * b * gradient[1]]
    point = np.array([[value], [0.7]])
    maps = shape.separable_map()
    found = [maps.output(point)[0], *maps.gradient(point)[:, 0], *maps.bend(point)[:, 0]]
    expected = [float(v) for v in (e * a * b + mp.sin(a) - 2 * pi * b**3, *gradient, *bend)]
    assert found == pytest.approx(expected, rel=1e-13, abs=1e-13)
    assert shape.field_at_point()((value, 0.7)) == pytest.approx(expected[1:], rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("names", ["E,I", "x,z", "A,S", "lambda_,x0", "N,O"])
def test_derivations_do_not_depend_on_names(names):
    first, second = names.split(",")
    here = ib.derive(Parameterization(f"{first}*{second}", names), f"{first}**2 + {second}**2")
    there = ib.derive(Parameterization("m*w", "m,w"), "m**2 + w**2")
    x = np.array([-3.0, 0.2, 5.0])
    at, expected = (
        d.at({name: [1.5] * 3, other: [0.4] * 3}, decay=0.3)
        for d, name, other in ((here, first, second), (there, "m", "w"))
    )
    np.testing.assert_array_equal(at.gradient(x), expected.gradient(x))
    assert here.proved
    letters = here.names
    values = {letters.initial(first): 1.5, letters.initial(second): 0.4, letters.decay: 0.3, letters.weight: 0.2}
    assert float(here.mirror_map.subs(values)) == pytest.approx(expected.gradient(x)[1], rel=1e-13)


SIZES = st.integers(-250, 290)
EXPONENTS = st.fractions(Fraction(-5), Fraction(5), max_denominator=63).filter(lambda p: abs(p.numerator) <= 64)


@settings(max_examples=25)  # each reads a formula in the worker process
@given(SIZES, st.integers(1, 10**25), EXPONENTS, st.floats(0.5, 2))
def test_huge_and_tiny_numbers_and_fractional_powers(size, digits, exponent, value):
    """Numbers that double precision cannot hold, such as huge integers, are rounded once."""
    number = f"{digits}" + "0" * size if 0 <= size <= 60 else repr(float(f"{digits}e{size - 25}"))
    shape = Parameterization(f"{number}*u**({exponent}) + u", "u")
    with mp.workdps(60):
        c, p, u = mp.mpf(number), mp.mpf(exponent.numerator) / exponent.denominator, mp.mpf(value)
        expected = c * u**p + u, c * p * u ** (p - 1) + 1
        bend = c * p * (p - 1) * u ** (p - 2) * expected[1]
    maps, point = shape.separable_map(), np.array([[value]])
    assert maps.output(point)[0] == pytest.approx(float(expected[0]), rel=1e-13)
    assert maps.gradient(point)[0, 0] == pytest.approx(float(expected[1]), rel=1e-12)
    if abs(bend) < 1e300:
        assert maps.bend(point)[0, 0] == pytest.approx(float(bend), rel=1e-11, abs=1e-300)
        assert shape.field_at_point()((value,)) == pytest.approx([float(expected[1]), float(bend)], rel=1e-11)


def test_values_may_be_lists():
    functions = ib.Parameterization("exp(1)*u*e", "u, e").separable_map()
    np.testing.assert_allclose(functions.output([[2.0], [3.0]]), [6 * np.e], rtol=1e-15)
    np.testing.assert_allclose(functions.gradient([[2], [3]]), [[3 * np.e], [2 * np.e]], rtol=1e-15)
