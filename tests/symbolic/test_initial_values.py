"""Starts of derivations: those that a symmetry of g and h leads to a covered one, and those that are not covered."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import implicit_bias as ib
from implicit_bias.symbolic import derived_potentials, start_conditions
from implicit_bias.symbolic.start_conditions import known_symmetries
from implicit_bias.symbolic.time_limit import StoppedError

PROBLEM = ib.Regression.sample(2, 4, 2, seed=3)


def derived(formula, params, h=None):
    return ib.derive(ib.Parameterization(formula, params), h)


@pytest.mark.parametrize(
    ("formula", "h", "init"),
    [
        ("u**2 - v**2", "u**2 + v**2", {"u": [-1.0, 1.0, -0.7, 0.9], "v": [1.0, -0.5, -0.3, 0.4]}),
        ("m*w", "m**2 + w**2", {"m": [-1.0, 1.0, -0.8, 0.3], "w": [0.5, -0.5, -0.2, 1.1]}),
        ("u**2", "u**2", {"u": [-1.0, 0.7, -0.4, 0.2]}),
        ("u*v + u", "u**2 + (v + 1)**2", {"u": [-0.7, 0.7, 2.0, 0.4], "v": [0.3, 0.3, 0.2, -3.0]}),
    ],
)
def test_training_from_other_starts(formula, h, init):
    """The dual flow is that of the parameters, also from starts with other signs or sizes than the derivation has."""
    derivation = derived(formula, list(init), h)
    schedule = ib.schedule.Geometric(0.1, 1.0)
    times = [0.2, 2.0]
    theta = ib.gradient_flow(PROBLEM, derivation.parameterization.with_regularizer(h), init, times, schedule=schedule)
    dual = ib.mirror_flow(PROBLEM, derivation, init, times, schedule=schedule)
    np.testing.assert_allclose(dual.x, theta.x, rtol=0, atol=1e-9)
    assert all(np.any(np.asarray(v) < 0) for v in list(init.values())[:1])


@pytest.mark.parametrize(
    ("formula", "params", "h", "count"),
    [
        ("u**2 - v**2", "u,v", "u**2 + v**2", 3),
        ("u**2 - v**2", "u,v", "u**2 + v", 1),
        ("m*w", "m,w", "m**2 + w**2", 3),
        ("m*w", "m,w", "m**2 + w**2 - m*w/2", 3),
        ("m*w", "m,w", "m**2 + 2*w**2", 1),
        ("m*w + m", "m,w", "m**2", 1),  # −m and −w − 2
        ("u*v + u", "u,v", "u**2 + v**2", 0),
        ("u*v + u", "u,v", "u**2 + (v + 1)**2", 3),
        ("u*v - 2*u + 3*v - 6", "u,v", "(u + 3)**2 + (v - 2)**2", 3),
        ("u**2 - (v - 1/2)**4", "u,v", "u**2", 3),
        ("u - v", "u,v", "(u - v)**2", 1),  # and all shifts of both, which are not listed
        ("sinh(u) + v", "u,v", "u**2", 0),
        ("a*b*c", "a,b,c", "a**2 + b**2 + c**2", 23),
        ("a*b + c*d", "a,b,c,d", "a**2 + b**2 + c**2 + d**2", 11),
    ],
)
def test_a_symmetry_must_leave_g_and_h_as_they_are(formula, params, h, count):
    shape = ib.Parameterization(formula, params)
    found = known_symmetries(shape.with_regularizer(h))
    assert len(found) == count
    point = np.array([0.7, 1.3, -0.4, 2.1])[: len(shape.params)]
    values = sp.lambdify(shape.symbols, [shape.output, shape.with_regularizer(h).regularizer])
    for order, signs, shifts in found:
        assert values(*(signs * point[list(order)] + shifts)) == pytest.approx(values(*point), rel=1e-14)


@given(m=st.floats(-3, 3), w=st.floats(-3, 3), decay=st.floats(0, 0.5), push=st.floats(-0.5, 0.5))
@settings(max_examples=15)
def test_every_start_of_the_mask_but_the_balanced_ones_has_its_potential(m, w, decay, push):
    """The potential is that of m and w integrated from the start itself, decay first."""
    assume(abs(m**2 - w**2) > 1e-2)
    potential = derived("m*w", "m,w", "m**2 + w**2").at(m=[1.0, m], w=[0.5, w], decay=decay)
    start = np.exp(-2 * decay) * np.array([m, w])
    end = solve_ivp(lambda _, y: push * y[::-1], (0, 1), start, "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    assert potential.gradient([0.1, end[0] * end[1]])[1] == pytest.approx(push, abs=1e-8)


@pytest.mark.parametrize(
    ("formula", "init", "message"),
    [
        ("m*w", {"m": [1.0, 0.0], "w": [0.5, 0.0]}, "m0 = 0, w0 = 0 at coordinate 1 .*saddle"),
        ("u**2", {"u": [1.0, 0.0]}, "u0 = 0 at coordinate 1 .*saddle"),
        ("u**3", {"u": [0.0, 1.0]}, "u0 = 0 at coordinate 0 .*saddle"),
        ("log(-m**2)", {"m": 1.0}, "m0 = 1 at coordinate 0 .*no finite real number"),
        ("log(m)", {"m": [1.0, -1.0]}, "m0 = -1 at coordinate 1 .*no finite real"),
        ("sqrt(m)*w", {"m": [1.0, -1.0], "w": [1.0, 1.0]}, "m0 = -1, w0 = 1 at coordinate 1 .*no finite real"),
        ("exp(m)*w", {"m": [1.0, 800.0], "w": [1.0, 1.0]}, "m0 = 800, w0 = 1 at coordinate 1 .*no finite real"),
        ("u**2 - v**2", {"u": [-1.0, 1.0], "v": [1.0, 0.0]}, "v0 = 0 at coordinate 1 .*where v0 = 0.*scale vanishes"),
        ("m*w", {"m": [1.0, -2.0], "w": [0.0, 2.0]}, "m0 = -2, w0 = 2 at coordinate 1 .*scale vanishes"),
    ],
)
def test_starts_that_are_not_covered_are_named(formula, init, message):
    with pytest.raises(ib.DomainError, match=message):
        derived(formula, list(init)).at(init)


def test_simplifying_is_left_to_the_worker_process(monkeypatch):
    """This process, where nothing limits its time, makes potentials without SymPy's simplifier."""
    exponential, mask = derived("u**2", "u", "u**2"), derived("m*w", "m,w", "m**2 + w**2")

    def simplify(*_, **__):
        raise AssertionError("simplified where there is no limit")

    monkeypatch.setattr(sp, "simplify", simplify)
    assert isinstance(exponential.at({"u": 0.5}), ib.Entropy)
    assert isinstance(mask.at({"m": -1.0, "w": 0.5}), ib.HyperbolicEntropy)


def test_what_takes_too_long_to_know_is_done_without(monkeypatch):
    """If symmetries take too long, none is used and the start is refused; likewise an exponential stays numerical."""

    def stopped(*_):
        raise StoppedError("took too long")

    for module in (derived_potentials, start_conditions):
        monkeypatch.setattr(module, "call", stopped)  # a short time limit may be enough on a quick machine
    known_symmetries.cache_clear()
    with pytest.raises(ib.DomainError, match="m0 - w0 > 0"):
        derived("m*w", "m,w", "m**2 + w**2").at({"m": -1.0, "w": 0.5})
    numerical = derived("u**2", "u", "u**2").at({"u": 0.5})
    assert isinstance(numerical, ib.NumericalPotential)
    monkeypatch.undo()
    exact = derived("u**2", "u", "u**2").at({"u": 0.5})
    np.testing.assert_allclose(numerical.gradient(1.5), exact.gradient(1.5), rtol=1e-8)
