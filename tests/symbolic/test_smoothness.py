"""Brackets across levels on which formulas are not smooth, and flows that end on them, against integrated flows."""

import functools
import itertools
import random

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

import implicit_bias as ib
from implicit_bias.symbolic.smoothness import crossings, levels

u, v = SYMBOLS = sp.symbols("u v")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("asin(u)", {1 - u, 1 + u}),
        ("acos(2*v)", {1 - 2 * v, 1 + 2 * v}),
        ("atanh(u)", {1 - u, 1 + u}),
        ("acosh(u)", {u - 1}),
        ("tan(u)", {sp.cos(u)}),
        ("abs(u*v)", {u, v}),
        ("sign(u - v)", {u - v}),
        ("log(u)*sqrt(v)", {u, v}),
        ("u**(-2)", {u}),
        ("(u - v)**(1/3)", {u - v}),
        ("u**2 + exp(u) + atan(v)", set()),
        ("1/(1 + exp(u)) + 1/(-1 - u**2) + sqrt(1 + v**2)", set()),
    ],
)
def test_the_levels_of_a_formula(formula, expected):
    assert set(levels([ib.Parameterization(formula, "u,v").output])) == expected


def test_crossings_lie_where_a_level_changes_sign():
    fields = [sp.Matrix([u, v])]
    for level in (u * v - sp.Rational(1, 3), u - v**2, sp.sin(u) - v):
        found = [crossing.point for (crossing,) in crossings(level, fields, SYMBOLS)]
        assert len(found) == 4
        assert all(abs(level.subs(point)) < 1e-12 for point in found)
    for level in (u**2, u**2 + v**2, 1 + sp.exp(u), -(v**2)):
        assert list(crossings(level, fields, SYMBOLS)) == []


# Functions of one parameter with their slopes; the rough ones are not smooth at 0.
SMOOTH = {
    "u": np.ones_like,
    "u**2": lambda u: 2 * u,
    "sinh(u)": np.cosh,
}
ROUGH = {
    "abs(u)": np.sign,
    "u*abs(u)": lambda u: 2 * np.abs(u),
    "abs(u)**3/3": lambda u: u * np.abs(u),
    "sign(u)*sinh(u)": lambda u: np.sign(u) * np.cosh(u),
    "sqrt(u**2)": np.sign,
    "u + u*abs(u)/2": lambda u: 1 + np.abs(u),
}
PIECES = SMOOTH | ROUGH


def _sum(one, other, weights):
    """A formula in u and v, and its gradient."""
    formula = f"{weights[0]}*({one}) + {weights[1]}*({other.replace('u', 'v')})"
    return formula, lambda y: np.array([weights[0] * PIECES[one](y[0]), weights[1] * PIECES[other](y[1])])


def _product(one, other, weight):
    """A multiple of uv, where either factor may be inside an absolute value, and its gradient."""
    formula = f"{weight}*({one})*({other})"
    factor = {"u": (lambda t: t, np.ones_like), "abs(u)": (np.abs, np.sign)}
    (f, df), (g, dg) = factor[one], factor[other.replace("v", "u")]
    return formula, lambda y: weight * np.array([df(y[0]) * g(y[1]), f(y[0]) * dg(y[1])])


def _pairs():
    """Random pairs of formulas, always the same, that commute wherever both are smooth: sums and products."""
    generator = random.Random(20261128)  # noqa: S311
    cases = [("u", "abs(u)"), ("u**2", "u*abs(u)"), ("sinh(u)", "sign(u)*sinh(u)"), ("abs(u)**3/3", "abs(u)**3/3")]
    cases.append(("u + u*abs(u)/2", "u + u*abs(u)/2"))
    for _ in range(8):
        columns = [generator.sample(generator.choice(cases), 2) for _ in "uv"]
        yield tuple(_sum(columns[0][k], columns[1][k], [generator.choice([-1, 1, 1.5]) for _ in "uv"]) for k in (0, 1))
    products = list(itertools.product(itertools.product(("u", "abs(u)"), ("v", "abs(v)")), repeat=2))
    for one, other in generator.sample(products, 6):
        yield _product(*one, generator.choice([-1, 1])), _product(*other, generator.choice([1, 2]))


def _moved(field, start, time, steps=300):
    """The flows from points (2, n) for times (n,) by fixed Runge–Kutta steps, and which of them slide along a level.

    If the field jumps in more than two steps, it pushes the flow back onto a level, where the flow is not unique.
    """
    y, step, jumps = start, time / steps, np.zeros(len(time))
    for _ in range(steps):
        a = field(y)
        b = field(y + step / 2 * a)
        c = field(y + step / 2 * b)
        d = field(y + step * c)
        jumps += np.linalg.norm(a - d, axis=0) > 0.2 * np.linalg.norm([*a, *d], axis=0)
        y = y + step / 6 * (a + 2 * b + 2 * c + d)
    return y, jumps > 2


STARTS = [(0.1, 0.9), (-0.1, 0.9), (0.9, 0.1), (0.9, -0.1), (0.1, -0.8), (-0.8, -0.1), (0.5, 0.5)]
TIMES = [(0.25, 0.2), (-0.25, 0.2), (0.2, -0.25), (-0.2, -0.25)]


def _difference(g, h):
    """The largest distance between the ends of flowing along ∇g and then ∇h, and of the other order."""
    starts = np.repeat(STARTS, len(TIMES), axis=0).T
    s, a = np.tile(TIMES, (len(STARTS), 1)).T
    ends, slides = [], np.zeros(len(s), bool)
    for one, time, other, time_then in ((g, s, h, a), (h, a, g, s)):
        halfway, slid = _moved(one, starts, time)
        end, slid_then = _moved(other, halfway, time_then)
        ends.append(end)
        slides |= slid | slid_then
    assert np.sum(~slides) >= 6
    return np.max(np.abs(ends[0] - ends[1])[:, ~slides])


@pytest.mark.parametrize(("g", "h"), [pytest.param(g, h, id=f"{g[0]} | {h[0]}") for g, h in _pairs()])
def test_fields_commute_if_and_only_if_their_flows_do_also_across_levels(g, h):
    (first, field), (second, pull) = g, h
    report = ib.Parameterization(first, "u,v").commutes_with(second)
    # Across a level the integration is of first order in its steps.
    assert report.holds == (_difference(field, pull) < 0.01)


@pytest.mark.parametrize(
    ("g", "h"),
    [
        ("m*w", "abs(m*w)"),
        ("m*w", "sign(m*w)*m*w"),
        ("m*w", "abs(m*w - 1/3)"),
        ("u", "u + abs(u)/2"),
        ("u", "u + sign(u)"),
        ("u + v", "u + sign(v - 1/3)"),
        ("u", "u*sign(u - 1)"),
    ],
)
def test_a_bracket_that_jumps_is_not_zero(g, h):
    """Fields that jump do not commute, also if the formula itself jumps and its slope has a point mass."""
    for first, second in ((g, h), (h, g)):
        report = ib.Parameterization(first).commutes_with(second)
        assert report.outcome is ib.Outcome.REFUTED
        assert report.jumps
        assert "does not exist at" in str(report)
        with pytest.raises(ib.NotCommutingError):
            ib.derive(first, second)


@pytest.mark.parametrize(("g", "h"), [("u", "u + sign(u)"), ("u*v", "u*abs(v)"), ("u*abs(v)", "u*v"), ("abs(u)", "u")])
def test_no_search_returns_a_bracket_that_jumps(g, h):
    with pytest.raises(ib.UnsupportedError, match="not everywhere"):
        ib.Parameterization(g).commuting_regularizers(0, [h])


# Pairs that commute, their slopes, and the parameters at whose zeros decay ends because the formulas are not smooth.
DECAYED = {
    "tangent": ("abs(m)*w", "m**2 + w**2", lambda y: [np.sign(y[0]) * y[1], abs(y[0])], lambda y: 2 * y, []),
    "itself": (
        "abs(m)*w",
        "abs(m)*w",
        lambda y: [np.sign(y[0]) * y[1], abs(y[0])],
        lambda y: np.array([np.sign(y[0]) * y[1], abs(y[0])]),
        [0],
    ),
    "roots": (
        "u**(3/2) - v**(3/2)",
        "u**(3/2) + v**(3/2)",
        lambda y: [1.5 * abs(y[0]) ** 0.5, -1.5 * abs(y[1]) ** 0.5],
        lambda y: 1.5 * np.sqrt(np.abs(y)),
        [0, 1],
    ),
    "kink": ("2*abs(u)", "abs(u)", lambda y: [2 * np.sign(y[0])], lambda y: np.sign(y), [0]),
}


@pytest.mark.parametrize("name", DECAYED)
@pytest.mark.parametrize("decay", [0.1, 0.4, 0.7, 2.0])
@pytest.mark.parametrize("start", [(0.9, 0.2), (0.3, 0.8), (-0.3, 0.8)])
def test_decay_ends_on_the_first_level(name, decay, start):
    """If decay alone leads to a level, there is no potential beyond it; otherwise the potential is that of the flow."""
    g, h, slope, pull, rough = DECAYED[name]
    derivation = _derived(g, h)
    start = np.array(start[: len(derivation.parameterization.params)])
    if name == "roots":
        start = np.abs(start)

    def at_level(_, y):
        return np.min((y * np.sign(start))[rough], initial=1.0) - 1e-9

    at_level.terminal = True
    options = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-13}
    path = solve_ivp(lambda _, y: -pull(y), (0, decay), start, events=at_level, **options)
    init = dict(zip(derivation.parameterization.params, start, strict=True))
    if path.status == 1:
        with pytest.raises(ib.DomainError, match="decay"):
            derivation.at(init, decay=decay)
        return
    R = derivation.at(init, decay=decay)
    on = solve_ivp(lambda _, y: slope(y), (0, 0.1), path.y[:, -1], **options)
    x = float(ib.Parameterization(g, derivation.parameterization.params).separable_map().output(on.y[:, -1:])[0])
    assert float(R.gradient(x)) == pytest.approx(0.1, rel=1e-7)


@functools.cache
def _derived(g, h):
    return ib.derive(g, h, time_limit=1)


@pytest.mark.parametrize("p", [(5, 3), (3, 2), (4, 3), (5, 4), (1, 2), (1, 3)])
def test_differences_of_powers_end_where_a_parameter_reaches_zero(p):
    """Along u' = p u^(p−1) the power u^(2−p) is linear in time, so the ends of the domain are known."""
    top, bottom = p
    power, u, v = top / bottom, 0.7, 0.6
    rate = power * (2 - power)
    low, high = -(u ** (2 - power)) / rate, v ** (2 - power) / rate
    weight = (u ** (2 - power) + rate * high) ** (power / (2 - power))
    shape = ib.Parameterization(f"u**({top}/{bottom}) - v**({top}/{bottom})")
    R = ib.NumericalPotential(shape, {"u": u, "v": v})
    np.testing.assert_allclose(R.dual_domain, (low, high), rtol=1e-8)
    np.testing.assert_allclose(R.domain, (-weight, weight), rtol=1e-8)
    with pytest.raises(ib.DomainError):
        R.gradient(1.01 * weight)


def test_softplus_is_positive_and_unbounded():
    R = ib.NumericalPotential(ib.Parameterization("log(1 + exp(u))"), {"u": 0.3})
    assert R.domain == (0.0, np.inf)
