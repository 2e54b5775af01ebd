"""Steepest descent in other norms: metric, balance and potential, against integrals and integrated trajectories."""

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

import implicit_bias as ib
from implicit_bias.errors import InputError

INFINITY = float("inf")
MASK = ib.Parameterization("m*w", regularizer="m**2 + w**2")
SIGN = ib.SteepestDescent(INFINITY)


def integral(m, w, q, decay, weights):
    """R_A' of a mask from the metric √(4|x|^q + λ²), by quadrature from where decay alone leads."""
    level = (abs(m) ** q - abs(w) ** q) * np.exp(-2 * q * decay)
    start = m * w * np.exp(-4 * decay)
    return [float(mp.quad(lambda x: 1 / mp.sqrt(4 * abs(x) ** q + level**2), [start, 0, x])) for x in weights]


def test_the_exponent_is_exact():
    assert [ib.SteepestDescent(p).exponent for p in (2, 3, 1.5, Fraction(5, 3), INFINITY)] == [
        2,
        sp.Rational(3, 2),
        3,
        sp.Rational(5, 2),
        1,
    ]
    np.testing.assert_allclose(ib.SteepestDescent(3).direction(np.array([-4.0, 0.0, 9.0])), [-2, 0, 3])


def test_order_two_is_gradient_flow():
    assert ib.derive(MASK, dynamics=ib.SteepestDescent(2)) is ib.derive(MASK)
    assert ib.derive(MASK, dynamics=ib.SteepestDescent(2.0, decoupled=False)) is ib.derive(MASK)
    assert ib.derive(MASK).dual_rate == 0


def test_sign_descent_has_a_closed_form():
    derivation = ib.derive(MASK, dynamics=SIGN)
    assert derivation.proved
    assert derivation.dual_rate == 2
    scaled = ib.derive(ib.Parameterization("c*m*w", regularizer="k*(m**2 + w**2)", constants="c, k"), dynamics=SIGN)
    assert str(scaled.dual_rate) == "2*k"
    known = {"m0": 1.0, "w0": 0.3, "c": 2.0, "k": 0.5, "A": 0.0}  # R' in x/c, as sgn c is all that the curve takes
    at = float(scaled.mirror_map.subs({**known, "x": 1.0}))
    assert at == pytest.approx(integral(1.0, 0.3, 1, 0.0, [0.5])[0], abs=1e-12)
    for m, w in ((1.0, 0.3), (0.8, -0.5), (1.2, 0.0)):
        for decay in (0.0, 0.4):
            weights = [-1.5, -0.2, 0.3, 2.0]
            values = {"m0": m, "w0": w, "A": decay}
            slopes = [float(derivation.mirror_map.subs({**values, "x": x})) for x in weights]
            np.testing.assert_allclose(slopes, integral(m, w, 1, decay, weights), rtol=0, atol=1e-12)
            back = [float(derivation.inverse_mirror_map.subs({**values, "z": z})) for z in slopes]
            np.testing.assert_allclose(back, weights, rtol=0, atol=1e-12)
            rest = float(derivation.minimizer.subs(values))
            assert rest == pytest.approx(m * w * np.exp(-4 * decay), abs=1e-15)


@pytest.mark.parametrize(("m", "w"), [(0.2, -1.0), (1.0, 0.0)])
def test_the_numerical_potential_of_sign_descent_passes_the_kinks(m, w):
    R = ib.derive(MASK, dynamics=SIGN).at({"m": m, "w": w}, decay=0.2)
    larger, smaller = max(abs(m), abs(w)), min(abs(m), abs(w)) * np.sign(m * w)
    weights = np.array([-1.0, 0.4])
    np.testing.assert_allclose(R.gradient_at(weights), integral(larger, smaller, 1, 0.2, weights), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("order", "rate"), [(4, sp.Rational(4, 3)), (1.5, -2)])
def test_other_orders_have_a_metric_in_closed_form(order, rate):
    derivation = ib.derive(MASK, dynamics=ib.SteepestDescent(order))
    q = float(derivation.dynamics.exponent)
    assert derivation.dual_rate == rate
    assert not derivation.closed_form
    assert "no formula here" in derivation.notes[0]
    m, w, decay, weights = 0.2, -1.0, 0.3, np.array([-1.0, 0.4])
    R = derivation.at({"m": m, "w": w}, decay=decay)
    np.testing.assert_allclose(R.gradient_at(weights), integral(m, w, q, decay, weights), rtol=0, atol=1e-10)
    claimed = [float(derivation.metric.subs({"m0": m, "w0": w, "A": decay, "x": x})) for x in weights]
    np.testing.assert_allclose(R.metric_at(weights), claimed, rtol=1e-10)
    step = 1e-5
    slope = (R.metric_at(weights + step) - R.metric_at(weights - step)) / (2 * step)
    np.testing.assert_allclose(R.metric_slope_at(weights), slope, rtol=1e-6)


def test_a_factor_that_stays_at_zero_ends_the_curve():
    """u² − v² under sign descent: v falls to 0 and cannot go on, so that the curve ends where u has u₀ + v₀ left."""
    difference = ib.Parameterization("u**2 - v**2")
    assert [str(level) for level in difference.ends(sp.Integer(1))] == ["u", "v"]
    assert MASK.ends(sp.Integer(1)) == MASK.ends(sp.Rational(4, 3)) == []


def test_what_derive_refuses():
    with pytest.raises(InputError, match="1 < p <= inf"):
        ib.SteepestDescent(1)
    with pytest.raises(InputError, match="decoupled"):
        ib.SteepestDescent(3, decoupled=1)
    with pytest.raises(InputError, match=r"ib\.SteepestDescent"):
        ib.derive(MASK, dynamics="sign")
    with pytest.raises(ib.UnsupportedError, match="coupled decay enters the gradient"):
        ib.derive(MASK, dynamics=ib.SteepestDescent(INFINITY, decoupled=False))
    with pytest.raises(ib.NotCommutingError):
        ib.derive("m*w", "m**2", dynamics=SIGN)


PROBLEM = ib.Regression.sample(3, 5, 2, seed=1)
INIT = {"m": np.linspace(0.8, 1.2, 5), "w": np.linspace(0.1, 0.5, 5)}


@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("order", [1.5, 3])
def test_the_flow_against_scipy(order, decoupled):
    q, alpha, time = order / (order - 1), 0.4, 0.3
    Z, y = PROBLEM.Z, PROBLEM.y

    def velocity(_, state):
        m, w = state.reshape(2, 5)
        pull = Z.T @ (Z @ (m * w) - y) / 3
        slopes, decay = np.concatenate([w * pull, m * pull]), 2 * alpha * state
        gradient = slopes if decoupled else slopes + decay
        return -np.sign(gradient) * np.abs(gradient) ** (q - 1) - (decay if decoupled else 0)

    known = solve_ivp(
        velocity, (0, time), np.concatenate([INIT["m"], INIT["w"]]), "LSODA", [time], rtol=1e-9, atol=1e-11
    )
    m, w = known.y[:, -1].reshape(2, 5)
    flow = ib.gradient_flow(
        PROBLEM, MASK, INIT, [time], schedule=alpha, rtol=1e-8, atol=1e-10,
        dynamics=ib.SteepestDescent(order, decoupled=decoupled),
    )  # fmt: skip
    np.testing.assert_allclose(flow.x[-1], m * w, rtol=0, atol=1e-6)
    if decoupled:
        balance = np.abs(flow.parameters["m"][-1]) ** q - np.abs(flow.parameters["w"][-1]) ** q
        first = INIT["m"] ** q - INIT["w"] ** q
        np.testing.assert_allclose(balance, first * np.exp(-2 * q * alpha * time), rtol=1e-6)
    for asked in (flow.potential, flow.limit, flow.effective_init):
        with pytest.raises(ib.UnsupportedError, match="ends at no projection"):
            asked()


def test_flows_that_are_refused():
    with pytest.raises(ib.UnsupportedError, match=r"optimizer=ib\.SignDescent"):
        ib.gradient_flow(PROBLEM, MASK, INIT, 0.1, dynamics=SIGN)
    with pytest.raises(InputError, match=r"ib\.SteepestDescent"):
        ib.gradient_flow(PROBLEM, MASK, INIT, 0.1, dynamics=3)
    with pytest.raises(ib.UnsupportedError, match="no d variables"):
        ib.mirror_flow(PROBLEM, ib.derive(MASK, dynamics=SIGN), INIT, 0.1)
    plain = ib.gradient_flow(PROBLEM, MASK, INIT, [0.1])
    same = ib.gradient_flow(PROBLEM, MASK, INIT, [0.1], dynamics=ib.SteepestDescent(2))
    np.testing.assert_array_equal(plain.x, same.x)
    assert same.potential().scale.shape == (5,)
