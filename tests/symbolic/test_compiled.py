"""Compiled formulas: those for one point against those for arrays, and both against mpmath."""

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from implicit_bias import Parameterization
from implicit_bias.symbolic.compiled import compiled, compiled_at_point
from implicit_bias.symbolic.formulas import parse

FORMULAS = (
    "m*w", "m**3*w - w**2/m", "sigmoid(m)*w", "abs(m)**1.5*sign(w)", "m**0.3", "(m - w)**(-2.5)", "sqrt(m) + log(w)",
    "tanh(m) + arctan(w)", "sinh(m)/cosh(w)", "arcsinh(m*w)", "arctanh(m) - arccosh(w)", "exp(m)*exp(-w)", "pi*m/3 + w",
)  # fmt: skip
numbers = st.one_of(st.floats(-3, 3), st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e3, -1e3, 1e200, -1e200]))


@pytest.mark.parametrize("formula", FORMULAS)
@given(point=st.tuples(numbers, numbers))
def test_at_a_point_as_on_arrays(formula, point):
    """Infinite, undefined and complex values, too: those are inf and nan."""
    symbols = sp.symbols("m w")
    expressions = [parse(formula, ["m", "w"]), parse("m + w", ["m", "w"])]
    with np.errstate(all="ignore"):
        arrays = compiled(symbols, expressions)(np.array(point))
    alone = compiled_at_point(symbols, expressions)(point)
    assert all(isinstance(value, (int, float)) for value in alone)
    np.testing.assert_allclose(alone, arrays, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("formula", ["sigmoid(m)*w", "abs(m)**1.5*w", "m**2*w", "sinh(m) - sinh(w)"])
@given(point=st.tuples(st.floats(0.1, 2), st.floats(-2, 2)))
def test_the_field_is_the_gradient_and_its_change_along_itself(formula, point):
    """By mpmath's numerical derivatives of the formula, of which it knows nothing else."""
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
    """∂g/∂w = 1/(1 + e^1000) is 0 to NumPy, and an OverflowError to Python."""
    assert Parameterization("sigmoid(m)*w", "m,w").field_at_point()((-1000.0, 2.0))[1] == 0.0
