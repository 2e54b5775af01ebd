"""Sums of powers whose exponents are constants, against integrated flows and derivations with numbers."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

import implicit_bias as ib
from implicit_bias.claims import Outcome
from implicit_bias.symbolic.assumptions import Constant
from implicit_bias.symbolic.by_powers import by_powers, has_powers_of_constants

few = settings(max_examples=15)
u, v = sp.symbols("u v", real=True)
c, D, k = (Constant(name, positive=True) for name in "cDk")
exponents = st.one_of(st.floats(0.5, 1.8), st.floats(2.2, 6.0))
starts = st.floats(0.4, 1.5)


@pytest.fixture(scope="module")
def woodworth():
    return ib.derive(ib.Parameterization("u**D - v**D", constants="D"))


def value(formula, **numbers):
    return complex(formula.subs({sp.Symbol(name): number for name, number in numbers.items()})).real


def flow(slopes, start, time):
    """θ of θ' = slopes(θ) at a time, which may be negative."""
    return solve_ivp(lambda _, theta: slopes(theta), (0, time), start, "DOP853", rtol=1e-11, atol=1e-12).y[:, -1]


@few
@given(exponents, starts, starts, st.floats(-0.9, 0.9))
def test_the_curve_of_woodworths_network_is_the_integrated_one(woodworth, depth, u0, v0, share):
    """x(s) and R*(s) = ∫ x ds, up to nine tenths of the way to where one parameter ends, for all depths at once."""
    end = min(size ** (2 - depth) for size in (u0, v0)) / (depth * abs(depth - 2))
    time = share * end
    theta = flow(lambda p: depth * np.array([1, -1]) * p ** (depth - 1), [u0, v0], time)
    at = {"D": depth, "u0": u0, "v0": v0}
    x = theta[0] ** depth - theta[1] ** depth
    assert value(woodworth.inverse_mirror_map, z=time, **at) == pytest.approx(x, rel=1e-7, abs=1e-8)
    area = quad(lambda s: value(woodworth.inverse_mirror_map, z=s, **at), 0, time)[0]
    gained = value(woodworth.conjugate, z=time, **at) - value(woodworth.conjugate, z=0, **at)
    assert gained == pytest.approx(area, rel=1e-7, abs=1e-9)


def test_every_step_of_woodworths_network_is_proved(woodworth):
    assert {one.outcome for one in woodworth.identities} == {Outcome.PROVED}
    assert not woodworth.closed_form
    assert "is not solved for s" in woodworth.notes[0]
    assert "depends on whether D exceeds 2: write k + 2" in woodworth.notes[1]
    assert woodworth.domain is None
    assert set(map(str, woodworth.conditions)) == {"(2 - D)**2", "u0", "v0"}


@pytest.mark.parametrize("depth", [3, 4])
def test_numbers_in_place_of_the_depth_give_the_derivation_with_numbers(woodworth, depth):
    known = woodworth.with_constants({"D": depth})
    assert known.conditions == ()
    for start in ({"u": 0.8, "v": 0.5}, {"u": -0.8, "v": 0.5}):
        expected = ib.NumericalPotential(ib.Parameterization(f"u**{depth} - v**{depth}"), start)
        x = expected.minimizer + np.array([-0.05, 0.1])
        np.testing.assert_allclose(woodworth.at(start | {"D": depth}).gradient(x), expected.gradient(x), rtol=1e-9)


def test_a_depth_of_two_is_derived_anew(woodworth):
    assert woodworth.with_constants({"D": 2}).scale is not None


def test_the_range_is_known_where_the_exponent_exceeds_two():
    """It is that of the pole of the larger weight, at ±α^(−k)/(k(k + 2)) from a common start α."""
    derivation = ib.derive(ib.Parameterization("u**(k + 2) - v**(k + 2)", constants="k"))
    assert derivation.domain == sp.S.Reals
    at = {sp.Symbol("k"): 3, sp.Symbol("u0"): sp.Rational(1, 2), sp.Symbol("v0"): sp.Rational(1, 2)}
    ends = derivation.dual_domain.subs(at)
    assert (ends.start, ends.end) == (-sp.Rational(8, 15), sp.Rational(8, 15))


@pytest.fixture(scope="module")
def single():
    derivation = ib.derive(ib.Parameterization("c*u**D", regularizer="u**D", constants="c, D"))
    assert derivation.proved
    assert derivation.domain == sp.Interval.open(0, sp.oo)
    return derivation


@few
@given(exponents, st.floats(0.3, 2.0), starts, st.floats(0.1, 3.0), st.floats(0.0, 0.2))
def test_a_single_power_is_inverted(single, depth, factor, u0, x, decay):
    """∇R is the flow's time from θ(0, A) to x, and the other formulas are its slopes and integrals."""
    derivation = single
    at = {"D": depth, "c": factor, "u0": u0, "A": decay}
    slope = depth * factor
    begun = u0 ** (2 - depth) - depth * (2 - depth) * decay
    if begun <= 0.01:
        return
    theta, first = (x / factor) ** (1 / depth), begun ** (1 / (2 - depth))
    time = quad(lambda p: 1 / (slope * p ** (depth - 1)), first, theta)[0]
    assert value(derivation.mirror_map, x=x, **at) == pytest.approx(time, rel=1e-6, abs=1e-8)
    assert value(derivation.metric, x=x, **at) == pytest.approx((slope * theta ** (depth - 1)) ** 2, rel=1e-9)
    assert value(derivation.minimizer, **at) == pytest.approx(factor * first**depth, rel=1e-9)
    assert value(derivation.inverse_mirror_map, z=time, **at) == pytest.approx(x, rel=1e-6)
    area = quad(lambda y: value(derivation.mirror_map, x=y, **at), x / 2, x)[0]
    gained = value(derivation.potential, x=x, **at) - value(derivation.potential, x=x / 2, **at)
    assert gained == pytest.approx(area, rel=1e-6, abs=1e-8)


@few
@given(st.floats(0.3, 1.9), st.floats(0.3, 2.0), starts)
def test_how_much_decay_leaves_a_minimizer(single, depth, factor, u0):
    """By the note, as much as takes θ' = −Dθ^(D−1) from θ₀ to 0, an integral; formulas have no value beyond."""
    (note,) = single.notes
    spent = sp.sympify(note.partition("while ")[2].partition(" < 1")[0])
    assert "regularizer's flow has ended in u" in note
    at = {"D": depth, "c": factor, "u0": u0}
    # With θ = u0 v^m the integrand is bounded.
    m = 4 / (2 - depth)
    end = quad(lambda v: m * (u0 * v**m) ** (1 - depth) * u0 * v ** (m - 1) / depth, 0, 1)[0]
    assert value(spent, A=end, **at) == pytest.approx(1, rel=1e-6)
    assert 0 < value(single.minimizer, A=0.99 * end, **at) < factor * u0**depth
    bracket = sp.S.One - spent
    assert value(bracket, A=1.01 * end, **at) < 0


def test_the_potential_at_such_a_decay():
    derivation = ib.derive(ib.Parameterization("u**D - v**D", regularizer="u**D + v**D", constants="D"))
    ends = [note for note in derivation.notes if "minimizer exists only while" in note]
    assert [note[-2] for note in ends] == ["u", "v"]
    end = 0.5**0.5 / 0.75  # of v, for D = 3/2
    init = {"D": 1.5, "u": 0.9, "v": 0.5}
    assert derivation.at(init, decay=0.99 * end).minimizer > 0
    with pytest.raises(ib.DomainError, match="decay: the flow of the regularizer cannot be followed"):
        derivation.at(init, decay=1.01 * end)


def test_decay_that_no_minimizer_ends_has_no_note():
    """Above 2, weights fall to zero without ever reaching it; if h pushed them away, they would explode."""
    more = {"constants": "k"}
    assert ib.derive(ib.Parameterization("u**(k + 2)", regularizer="u**(k + 2)", **more)).notes == ()
    assert ib.derive(ib.Parameterization("u**(k + 2)", **more)).notes == ()
    (note,) = ib.derive(ib.Parameterization("u**(k + 2)", regularizer="-u**(k + 2)", **more)).notes
    assert "while k*A*u0**k*(k + 2) < 1" in note


@pytest.mark.parametrize("init", [{"u": 0.5, "D": 3}, {"u": -0.5, "D": 3}, {"u": 0.5, "D": 2.5}, {"u": 0.5, "D": 2}])
def test_numbers_for_a_single_power(init):
    found = ib.derive(ib.Parameterization("u**D", constants="D")).at(init)
    number = sp.Rational(init["D"])
    expected = ib.derive(ib.Parameterization(f"u**({number})")).at({"u": init["u"]})
    x = np.sign(init["u"] ** 3) * np.array([0.2, 1.0])
    np.testing.assert_allclose(found.gradient(x), expected.gradient(x), rtol=1e-9)


@pytest.mark.parametrize(
    ("g", "h", "part"),
    [
        (u**D * v, 0, "no sum with one power of each parameter"),
        (u**D + u**k, 0, "no sum with one power of each parameter"),
        (u**D - v**2, 0, "The exponent 2 is not known to be positive and other than 2"),
        (u ** (2 * D), 0, "other than 2"),
        (u**D, u**k, "u has different powers"),
        (u**D, v**D, "different powers"),
        (u**D - v**u, 0, "no sum"),
    ],
)
def test_other_formulas_are_left_to_other_routes(g, h, part):
    with pytest.raises(ib.UnsupportedError, match=part):
        by_powers(g, sp.sympify(h), [u, v])


def test_which_formulas_have_powers_of_constants():
    assert has_powers_of_constants(2 * u**D)
    assert not has_powers_of_constants(u**3 + c**D * u)
    assert not has_powers_of_constants(D**u)
