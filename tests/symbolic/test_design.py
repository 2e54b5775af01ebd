"""Parameterizations designed for a potential: their own gradient flow, integrated, must be its mirror flow."""

import importlib

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

import implicit_bias as ib

module = importlib.import_module("implicit_bias.symbolic.design")  # the package exports the function by this name
u = sp.Symbol("u")


def flow_error(shape, R, start, target, end):
    """The largest |R'(x_t) − R'(x_0) + L_t| along the flow of u for the loss ½(x − target)²."""
    symbol = sp.Symbol("u", real=True)
    g = shape.output.xreplace({u: symbol})
    weight = sp.lambdify(symbol, g, "numpy")
    slope = sp.lambdify(symbol, sp.diff(g, symbol).replace(sp.DiracDelta, lambda *_: sp.Integer(0)), "numpy")
    real = sp.Symbol("x", real=True)
    mirror = sp.lambdify(real, sp.diff(R.xreplace({sp.Symbol("x"): real}), real), "numpy")

    def field(_, state):
        pull = weight(state[0]) - target
        return [-slope(state[0]) * pull, pull]

    path = solve_ivp(field, (0, end), [start, 0.0], rtol=1e-11, atol=1e-12, t_eval=np.linspace(0, end, 9)).y
    x = np.array([weight(v) for v in path[0]])
    assert np.ptp(x) > 0.1  # the flow went somewhere
    return np.max(np.abs(np.array([mirror(v) for v in x]) - mirror(x[0]) + path[1]))


@pytest.mark.parametrize(
    ("R", "expected", "start", "target"),
    [
        ("x**2/2", "u", 0.3, -1.0),
        ("x**2 + 7*x - 3", "sqrt(2)*u/2", 0.3, 2.0),
        ("x*log(x) - x", "u**2/4", 2.0, 3.0),
        ("abs(x)**3", None, 0.5, 1.5),
        ("abs(x)**1.5", None, -1.0, -2.0),
        ("x**1.25", None, 1.0, 2.0),
        ("x**4/12", "sign(u)*sqrt(2*abs(u))", 0.5, 1.5),
        ("-log(x)", "exp(u)", 0.2, 3.0),
        ("-log(-x)", "-exp(-u)", 0.2, -3.0),
        ("-sqrt(x)", "u**4/16", 2.0, 3.0),
        ("exp(x)", None, 1.0, -0.5),
        ("x*arctan(x) - log(x**2 + 1)/2", "sinh(u)", 0.3, -2.0),
        ("x*log(x) + (1-x)*log(1-x)", "sin(u)/2 + 1/2", 0.3, 3.0),
    ],
)
def test_the_flow_is_the_mirror_flow_of_the_potential(R, expected, start, target):
    shape = ib.design(R)
    assert shape.params == ("u",)
    if expected is not None:
        assert shape == ib.Parameterization(expected, ["u"])
    # The integrator's tolerance 1e-11, times R'' below 10 and a few hundred steps.
    assert flow_error(shape, module.parse(R, ["x"]), start, target, 1.0) < 1e-7


@pytest.mark.parametrize(("power", "exponent"), [(1.25, "8/5"), (1.5, "4/3"), (3, "2/3"), (4, "1/2")])
def test_powers_give_powerpropagation(power, exponent):
    """|x|^p is the potential of x = sign(u)|u|^(2/p), up to the scale of u; p → 1 gives u|u|."""
    output = ib.design(f"abs(x)**{power}").output
    ratio = sp.simplify(output / (sp.sign(u) * sp.Abs(u) ** sp.Rational(exponent)))
    assert ratio.is_number
    assert ratio > 0


def test_strings_and_expressions_mean_the_same():
    x = sp.Symbol("x", positive=True)
    assert ib.design(x * sp.log(x) - x) == ib.design("x*log(x) - x")


@pytest.mark.parametrize(
    ("R", "where"),
    [("-x**2", "x = 0.0001"), ("x**3", "x = -"), ("sin(x)", "x = 0"), ("abs(x)**0.5", "x = 0"), ("log(x)", "x = 0")],
)
def test_a_potential_that_is_not_convex_is_refused_with_a_point(R, where):
    with pytest.raises(ValueError, match=rf"expected a convex R, but R'' = -.* at {where}"):
        ib.design(R)


@pytest.mark.parametrize("R", ["x", "3", "abs(x)", "2*x - 1"])
def test_an_affine_potential_is_refused(R):
    with pytest.raises(ValueError, match="affine"):
        ib.design(R)


def test_a_potential_of_no_real_point_is_refused():
    with pytest.raises(ValueError, match="real at none"):
        ib.design("log(-x**2)")


def test_a_kink_is_refused():
    with pytest.raises(ib.UnsupportedError, match="kink"):
        ib.design("abs(x) + x**2")


def test_the_hyperbolic_entropy_has_no_closed_form():
    with pytest.raises(ib.UnsupportedError, match="No closed form"):
        ib.design("x*arcsinh(x) - sqrt(x**2 + 1)")


def test_time_is_limited(monkeypatch):
    # Far less than SymPy needs for anything, so that the outcome does not depend on the machine.
    monkeypatch.setattr(module, "TIME_LIMIT", 0.01)
    with pytest.raises(ib.UnsupportedError, match=r"within 0\.01 seconds"):
        ib.design("-log(1 - x**2)")


@pytest.mark.parametrize("R", ["u**2", None, "x.__class__", ["x**2"]])
def test_a_bad_formula_is_a_formula_error(R):
    with pytest.raises(ib.FormulaError):
        ib.design(R)


def test_a_wrong_candidate_is_not_returned(monkeypatch):
    """The numerical check refuses what the algebra may get wrong."""
    monkeypatch.setattr(module, "_inverses", lambda *_: iter([module._U**3, 2 * module._U]))
    with pytest.raises(ib.UnsupportedError, match="No closed form"):
        ib.design("x**2/2")
