"""Closed forms for one parameter and for decoupled ones, with domains and leading terms, against integrated flows."""

import functools
import time

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

import implicit_bias as ib
from implicit_bias.errors import InputError

# The formula of g, the c of h = c·g, g, g' and a start.
ONE_PARAMETER = {
    "exponential": ("exp(u)", 1, np.exp, np.exp, -0.3),
    "hyperbolic tangent": ("tanh(u)", 2, np.tanh, lambda u: 1 / np.cosh(u) ** 2, 0.4),
    "arc tangent": ("arctan(u)", 1, np.arctan, lambda u: 1 / (1 + u**2), 0.4),
    "inverse hyperbolic sine": ("asinh(u)", 1, np.arcsinh, lambda u: 1 / np.sqrt(1 + u**2), -0.7),
    "hyperbolic sine": ("sinh(u)", 1, np.sinh, np.cosh, 0.2),
    "root": ("sqrt(u)", 1, np.sqrt, lambda u: 0.5 / np.sqrt(u), 1.2),
    "cube": ("u**3", 1, lambda u: u**3, lambda u: 3 * u**2, 0.6),
    "negative cube": ("u**3", 1, lambda u: u**3, lambda u: 3 * u**2, -0.6),
    "fourth power": ("u**4", 2, lambda u: u**4, lambda u: 4 * u**3, 0.6),
}


@functools.cache
def derived(formula, pull):
    return ib.derive(ib.Parameterization(formula, "u"), f"{pull}*({formula})", time_limit=30)


def _flow(velocity, start, time_):
    path = solve_ivp(lambda _, y: velocity(y), (0, time_), [start], "DOP853", rtol=1e-13, atol=1e-14)
    return path.y[0, -1]


@pytest.mark.parametrize("name", ONE_PARAMETER)
def test_one_parameter_against_integration(name):
    formula, pull, g, slope, start = ONE_PARAMETER[name]
    derivation = derived(formula, pull)
    assert derivation.closed_form
    assert derivation.notes == ()
    decay = 0.13
    decayed = _flow(lambda u: -pull * slope(u), start, decay)
    numbers = {"u0": start, "A": decay}
    for s in (-0.2, 0.0, 0.15):
        theta = _flow(slope, decayed, s)
        x = g(theta)
        at = numbers | {"x": x}
        assert float(derivation.mirror_map.subs(at)) == pytest.approx(s, rel=1e-10, abs=1e-10)
        assert float(derivation.metric.subs(at)) == pytest.approx(slope(theta) ** 2, rel=1e-10)
        if derivation.inverse_mirror_map is not None:
            assert float(derivation.inverse_mirror_map.subs(numbers | {"z": s})) == pytest.approx(x, rel=1e-10)
            assert float(derivation.minimizer.subs(numbers)) == pytest.approx(g(decayed), rel=1e-10)
        assert derivation.domain.subs(numbers).contains(sp.Float(x)) == sp.true
        assert derivation.dual_domain.subs(numbers).contains(sp.Float(s)) == sp.true


@pytest.mark.parametrize("name", ["exponential", "root", "cube", "negative cube", "fourth power", "hyperbolic sine"])
def test_the_domain_is_what_x_covers(name):
    """Just inside the ends of the dual domain, x(s) is close to the ends of the domain."""
    formula, pull, _, _, start = ONE_PARAMETER[name]
    derivation = derived(formula, pull)
    numbers = {"u0": sp.Rational(start).limit_denominator(10), "A": sp.Rational(1, 8)}
    domain, dual = derivation.domain.subs(numbers), derivation.dual_domain.subs(numbers)
    for s_end, x_end, inward in ((dual.start, domain.start, 1), (dual.end, domain.end, -1)):
        s = s_end + inward * sp.Rational(1, 10**40) if s_end.is_finite else sp.sign(s_end) * 10**40
        x = derivation.inverse_mirror_map.subs(numbers | {"z": s}).evalf(80)
        if x_end.is_finite:
            assert abs(x - x_end) < 1e-10
        else:
            assert x * sp.sign(x_end) > 1e10


def _last_x(start, decay, direction):
    """The end of x = √u − √v, by integrating θ' = ±∇g until a parameter is nearly zero."""

    def near_zero(_, state):
        return min(state) - 1e-9

    near_zero.terminal = True
    options = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-13}
    decayed = solve_ivp(lambda _, y: -0.5 / np.sqrt(y), (0, decay), start, **options).y[:, -1] if decay else start
    path = solve_ivp(
        lambda _, y: direction * np.array([0.5, -0.5]) / np.sqrt(np.maximum(y, 1e-12)),
        (0, 9),
        decayed,
        events=near_zero,
        **options,
    )
    u, v = path.y[:, -1]
    return np.sqrt(u) - np.sqrt(v)


def test_decay_shrinks_the_domain():
    """For x = √u − √v the domain is bounded, and decay by the commuting h = √u + √v shrinks it."""
    derivation = ib.derive(ib.Parameterization("sqrt(u) - sqrt(v)", "u,v"), "sqrt(u) + sqrt(v)")
    start = np.array([1.1, 0.8])
    widths = []
    for decay in (0.0, 0.2, 0.4):
        domain = derivation.domain.subs({"u0": start[0], "v0": start[1], "A": decay})
        assert float(domain.end) == pytest.approx(_last_x(start, decay, 1), rel=1e-4)
        assert float(domain.start) == pytest.approx(_last_x(start, decay, -1), rel=1e-4)
        widths.append(float(domain.measure))
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.9 * widths[0]


def test_leading_terms_of_the_mask_at_extreme_scales():
    derivation = ib.derive(ib.Parameterization("m*w", "m,w"), "m**2 + w**2")
    x, a = sp.symbols("x a")
    small, large = derivation.small_scale, derivation.large_scale
    assert (small.exponent, large.exponent) == (1, 2)
    assert {small.identity.outcome, large.identity.outcome} == {ib.Outcome.PROVED}
    with mp.workdps(50):
        # m₀ = √2, w₀ = 0 has the scale e^(−4A), which decay takes to any size.
        potential = sp.lambdify((x, sp.Symbol("A")), derivation.potential.subs({"m0": sp.sqrt(2), "w0": 0}), "mpmath")
        for weight in (mp.mpf("0.3"), mp.mpf(-2)):
            for exponent in (-400, -4000):
                decay = -exponent * mp.log(10) / 4
                rise = potential(weight, decay) - potential(0, decay)
                lead = mp.mpf(small.expression.subs({x: weight, a: sp.Float(10, 60) ** exponent}).evalf(50))
                # The remainder is bounded: R − R(0) − lead = O(1) as a → 0.
                assert abs(rise - lead) < 1 + weight**2
        wide = derivation.potential.subs({"m0": sp.sqrt(2) * 10**6, "w0": 0, "A": 0})
        rise = mp.mpf((wide.subs({"x": sp.Rational(3, 2)}) - wide.subs({"x": 0})).evalf(50))
        lead = mp.mpf(large.expression.subs({x: sp.Rational(3, 2), a: 10**12}).evalf(50))
        assert abs(rise / lead - 1) < mp.mpf(10) ** -20


def test_only_hyperbolic_families_have_a_scale():
    assert derived("exp(u)", 1).small_scale is None
    assert derived("exp(u)", 1).large_scale is None


HARD = [
    ("m*w - m**2", "m,w"),
    ("m*w*q", "m,w,q"),
    ("exp(u*v) + log(u)", "u,v"),
    ("u**5 + u*v + v**2*p - p*q", "u,v,p,q"),
    ("sin(u)*exp(v) + u**3", "u,v"),
    ("(a1*a2 + b1*b2)**2 + c1*a1", "a1,a2,b1,b2,c1"),
]


@pytest.mark.parametrize(("formula", "params"), HARD, ids=[h[0] for h in HARD])
def test_a_time_limit_turns_into_the_numerical_potential(formula, params):
    parameterization = ib.Parameterization(formula, params)
    began = time.thread_time()
    derivation = ib.derive(parameterization, time_limit=0.5)
    assert time.thread_time() - began < 5
    assert not derivation.closed_form
    assert derivation.notes
    potential = derivation.at(dict.fromkeys(parameterization.params, 0.8))
    assert float(potential.gradient(potential.minimizer)) == pytest.approx(0, abs=1e-12)


def test_it_is_said_what_holds_without_a_formula_of_r():
    """x(s) of u³ − v³ has a formula, which is proved; only its inverse has none."""
    derivation = ib.derive("u**3 - v**3")
    assert not derivation.closed_form
    assert not derivation.proved
    assert derivation.notes[0].startswith("The weight along the flow, x(s), has a formula and rises")
    assert "2 parameters" in derivation.notes[1]
    assert {identity.outcome for identity in derivation.identities} == {ib.Outcome.PROVED}
    assert "R exists" in repr(derivation)
    x = derivation.inverse_mirror_map.subs({"u0": 0.9, "v0": 0.4, "z": 0.2})
    assert derivation.at(u=[0.9], v=[0.4]).gradient([float(x)])[0] == pytest.approx(0.2, abs=1e-10)


def test_the_flow_that_has_no_formula_is_a_note_of_its_own():
    notes = ib.derive("a*b*c").notes
    assert "3 parameters" in notes[0]
    assert notes[-1].startswith("The field")


def test_it_is_said_what_took_too_long():
    """A note says what took too long: the closed form, or on a slow machine the test whether the fields commute."""
    try:
        said = " ".join(ib.derive("m*w", time_limit=0.01).notes)
    except ib.UnsupportedError as error:
        said = str(error)
    assert "took too long" in said


@pytest.mark.parametrize("limit", [0, -1.0, float("nan"), "1", None])
def test_a_bad_time_limit(limit):
    with pytest.raises(InputError, match="time_limit"):
        ib.derive(ib.Parameterization("m*w", "m,w"), time_limit=limit)


def test_no_time_limit():
    assert ib.derive(ib.Parameterization("u", "u"), time_limit=float("inf")).closed_form


@pytest.mark.parametrize("formula", ["cosh(u)", "sinh(u)**2"])
def test_a_map_that_turns_has_no_domain_that_is_wrong(formula):
    """If g turns, its range depends on the side of the start, so no formula is given for the domain."""
    derivation = ib.derive(ib.Parameterization(formula, ["u"]), time_limit=15)
    assert derivation.domain is None
    low, high = derivation.at({"u": [1.0]}).domain
    assert low[0] == pytest.approx(1.0 if formula == "cosh(u)" else 0.0, abs=1e-6)
    assert high[0] == np.inf


def test_what_sympy_cannot_do_leaves_the_numerical_potential():
    """Where SymPy fails with an error of its own, the potential is numerical and a note is left."""
    derivation = ib.derive(ib.Parameterization("exp(2*u) - exp(u)", ["u"]))
    assert not derivation.closed_form
    assert derivation.notes
    assert derivation.at({"u": [0.5]}).gradient([2.0])[0] > 0


@pytest.mark.parametrize(
    ("formula", "low", "high"),
    [
        ("sigmoid(u)", 0.0, 1.0), ("-sigmoid(3*u)", -1.0, 0.0), ("1/(1 + exp(u))", 0.0, 1.0),
        ("3/(1 + exp(-2*u)) + 1", 1.0, 4.0), ("exp(u)/(2 + exp(u))", 0.0, 1.0), ("-exp(u)", -4.0, 0.0),
        ("exp(u) - exp(v)", -4.0, 5.0),
    ],
)  # fmt: skip
def test_the_printed_potential_is_real_on_its_domain(formula, low, high):
    """Constants of integration such as log(−1) would make it complex; its differences are the numerical potential's."""
    derivation = ib.derive(formula)
    starts = dict.fromkeys(derivation.parameterization.params, 0.3)
    initial = {sp.Symbol(derivation.names.initial(name)): start for name, start in starts.items()}
    x = sp.Symbol(derivation.names.weight)
    left, middle, right = (low + share * (high - low) for share in (0.2, 0.5, 0.9))
    values = [complex(derivation.potential.subs({**initial, x: z}).evalf()) for z in (left, middle, right)]
    assert all(value.imag == 0 for value in values)
    numerical = derivation.at(starts)
    expected = numerical(np.array([left])) - numerical(np.array([right]))
    assert values[0].real - values[2].real == pytest.approx(float(expected), rel=1e-9)
