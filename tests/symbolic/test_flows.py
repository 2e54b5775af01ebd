"""Closed-form flows against an integrator."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import implicit_bias as ib
from implicit_bias.symbolic.flows import solve_flow
from implicit_bias.symbolic.regularizer_flow import followed
from implicit_bias.symbolic.separation import real_logarithms
from implicit_bias.symbolic.solving import _roots

p, q = SYMBOLS = sp.symbols("p q", real=True)
t = sp.Symbol("t", real=True)
few = settings(max_examples=max(10, settings.default.max_examples // 5))  # each takes long
FIELDS = {
    "powers": (p**3 / 8, 1 / q),
    "saddle": (q, p),
    "growth and decay": (2 * p, -2 * q),
    "coupled": (p + 2 * q, 2 * p - q),
    "rotation": (-q, p),
    "shear": (q, sp.Integer(0)),
    "shift": (sp.Integer(1), sp.Rational(-1, 3)),
    "affine": (q + 1, p - 2),
    "sink": (-p, -p / 2 - q),
    "logistic": (p - p**2, -sp.exp(q)),
    "circle": (1 + p**2 / 4, 1 / (2 * q)),
    "affine beside a power": (2 * p, -(q**3)),
    "rest": (sp.Integer(0), sp.Integer(0)),
}


@pytest.mark.parametrize("name", FIELDS)
def test_the_flow_is_the_integrated_field(name):
    field = sp.Matrix(FIELDS[name])
    flow = solve_flow(field, SYMBOLS, t)
    start = np.array([0.7, -1.3])
    velocity = sp.lambdify(SYMBOLS, list(field))
    integrated = solve_ivp(lambda _, y: velocity(*y), (0, 1.5), start, method="DOP853", rtol=1e-12, atol=1e-13)
    values = _at(flow, 1.5, start)
    assert np.array(values, dtype=complex).ravel() == pytest.approx(integrated.y[:, -1], rel=1e-10, abs=1e-10)


def _at(flow, time, start):
    values = {"t": time, "p0": start[0], "q0": start[1]}
    return flow.xreplace({s: sp.Float(values[s.name]) for s in flow.free_symbols}).evalf()


@given(st.lists(st.integers(-3, 3), min_size=6, max_size=6))
@example([1, 2, 2, -1, 0, 0])  # SymPy's exponential of its matrix has t/t
@settings(max_examples=10)  # each exponential of a matrix takes long
def test_affine_flows_start_where_they_start(entries):
    """At time 0 nothing has moved, and the velocity there is the field's."""
    a, b, c, d, e, f = entries
    field = sp.Matrix([a * p + b * q + e, c * p + d * q + f])
    flow = solve_flow(field, SYMBOLS, t)
    start = (0.5, 1.25)
    here = [complex(value) for value in _at(flow, 0, start)]
    assert here == pytest.approx(start, abs=1e-12)
    velocity = [complex(value) for value in _at(flow.diff(t), 0, start)]
    assert velocity == pytest.approx([complex(v) for v in field.subs({p: 0.5, q: 1.25})], abs=1e-9)


@few
@given(
    st.sampled_from(sorted(set(FIELDS) - {"rest", "powers", "circle", "affine beside a power"})),
    st.integers(-3, 3),
    st.integers(-3, 3),
)
def test_flowing_twice_is_flowing_for_the_sum_of_the_times(name, first, second):
    flow = solve_flow(sp.Matrix(FIELDS[name]), SYMBOLS, t)
    start = (0.5, 1.25)
    halfway = [complex(v).real for v in _at(flow, first / 4, start)]
    twice = [complex(v) for v in _at(flow, second / 4, halfway)]
    assert twice == pytest.approx([complex(v) for v in _at(flow, (first + second) / 4, start)], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("field", [(p * q, p), (q**2, p * q), (1 / q, q / p)])
def test_coupled_fields_that_are_not_affine_are_unsupported(field):
    with pytest.raises(ib.UnsupportedError, match="neither affine nor decoupled"):
        solve_flow(sp.Matrix(field), SYMBOLS, t)


@pytest.mark.parametrize("velocity", [p + sp.exp(p), 1 / (1 + p**2)])
def test_integrals_without_an_inverse_are_unsupported(velocity):
    with pytest.raises(ib.UnsupportedError, match="No closed form"):
        solve_flow(sp.Matrix([velocity]), [p], t)


@pytest.mark.parametrize(("sign", "shown"), [("positive", "log(x)"), ("negative", "log(-x)")])
def test_an_antiderivative_is_real_where_the_flow_starts(sign, shown):
    """1/x has log(x) for positive starts, and log(−x) for negative ones."""
    x, start = sp.Symbol("x", real=True), sp.Symbol("x0", **{sign: True})
    assert str(real_logarithms(sp.log(x), x, start)) == shown


def test_decay_from_a_level_is_refused():
    """The flow of −∇h stands at once where a level is zero, and no crossing of it would be seen."""
    with pytest.raises(ib.DomainError, match="at 0 the flow of the regularizer reaches"):
        followed(lambda theta: -theta, lambda theta: theta - 1, np.ones((1, 1)), 0.5)


@given(st.integers(-5, 5).filter(bool), st.integers(-5, 5), st.integers(-5, 5))
def test_both_roots_of_a_quadratic_are_roots(square, slope, offset):
    y = sp.Symbol("y")
    roots = _roots(sp.Poly(square * y**2 + slope * y + offset, y))
    product = sp.expand(square * (y - roots[0]) * (y - roots[1]))
    assert sp.expand(product - (square * y**2 + slope * y + offset)) == 0
