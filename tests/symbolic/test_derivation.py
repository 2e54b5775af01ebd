"""Derived potentials against integrated trajectories of the parameters, and against their definition."""

import copy
import functools
import pickle

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import implicit_bias as ib
from implicit_bias.claims.verdict import Outcome
from implicit_bias.errors import InputError

few = settings(max_examples=max(10, settings.default.max_examples // 5))  # each takes long
CASES = {
    "mask": ("m*w", "m,w", "m**2 + w**2"),
    "mask alone": ("m*w", "m,w", None),
    "mask with half the decay": ("m*w", "m,w", "(m**2 + w**2)/2"),
    "mask pulled sideways": ("1.5*m*w", "m,w", "m**2 + w**2 - m*w/2"),
    "difference of squares": ("u**2 - v**2", "u,v", "(u**2 + v**2)/2"),
    "uneven decay": ("u**2 - v**2", "u,v", "u**2 + 3*v**2"),
    "displaced mask": ("m*w + m", "m,w", None),
}
# ∇g and ∇h of the same cases by hand, for the integrator.
SLOPES = {
    "mask": (lambda m, w: (w, m), lambda m, w: (2 * m, 2 * w)),
    "mask alone": (lambda m, w: (w, m), lambda m, w: (0, 0)),
    "mask with half the decay": (lambda m, w: (w, m), lambda m, w: (m, w)),
    "mask pulled sideways": (lambda m, w: (1.5 * w, 1.5 * m), lambda m, w: (2 * m - w / 2, 2 * w - m / 2)),
    "difference of squares": (lambda u, v: (2 * u, -2 * v), lambda u, v: (u, v)),
    "uneven decay": (lambda u, v: (2 * u, -2 * v), lambda u, v: (2 * u, 6 * v)),
    "displaced mask": (lambda m, w: (w + 1, m), lambda m, w: (0, 0)),
}
OUTPUT = {
    "mask pulled sideways": lambda m, w: 1.5 * m * w,
    "difference of squares": lambda u, v: u * u - v * v,
    "uneven decay": lambda u, v: u * u - v * v,
    "displaced mask": lambda m, w: m * w + m,
}


@functools.cache
def derived(case):
    formula, params, regularizer = CASES[case]
    return ib.derive(ib.Parameterization(formula, params), regularizer)


def _start(case, size, ratio):
    """Initial values inside the region of each derivation."""
    if case in ("difference of squares", "uneven decay"):
        return size, size * np.exp(ratio)
    return (size + 1, size * ratio) if case == "displaced mask" else (size, size * ratio)


@pytest.mark.parametrize("case", CASES)
@few
@given(st.floats(0.1, 1.5), st.floats(-0.95, 0.95), st.floats(-1, 1), st.floats(0, 0.5))
def test_the_mirror_map_moves_by_minus_the_accumulated_gradient(case, size, ratio, target, strength):
    """∇R_{A_t}(x_t) = −L_t holds if the loss has the gradient x − target + sin(2t)/2 and decay varies in time."""
    output = OUTPUT.get(case, lambda m, w: m * w)
    slope, pull = SLOPES[case]

    def velocity(t, state):
        first, second, _, _ = state
        force = output(first, second) - target + np.sin(2 * t) / 2
        alpha = strength * (1 + np.cos(3 * t)) if CASES[case][2] else 0.0
        g, h = slope(first, second), pull(first, second)
        return [-g[0] * force - alpha * h[0], -g[1] * force - alpha * h[1], force, alpha]

    start = _start(case, size, ratio)
    path = solve_ivp(velocity, (0, 1), [*start, 0, 0], method="DOP853", rtol=1e-11, atol=1e-13, t_eval=[0, 0.3, 1])
    potentials = derived(case).family(dict(zip(CASES[case][1].split(","), start, strict=True)))
    for first, second, accumulated, decay in path.y.T:
        potential = potentials(decay)
        x = output(first, second)
        assert potential.gradient(x) == pytest.approx(-accumulated, rel=1e-6, abs=1e-7)
        assert potential.metric(x) == pytest.approx(np.sum(np.square(slope(first, second))), rel=1e-7)
    assert potentials(0.0).minimizer == pytest.approx(output(*start), rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_every_identity_is_proved(case):
    derivation = derived(case)
    assert derivation.closed_form
    assert derivation.proved
    assert {i.outcome for i in derivation.identities} == {Outcome.PROVED}
    assert len({i.name for i in derivation.identities}) == len(derivation.identities) >= 10


def _at(expression, values):
    return mp.mpf(expression.subs(values).evalf(60))


@pytest.mark.parametrize("case", CASES)
@few
@given(st.fractions(-3, 3, max_denominator=20), st.fractions(0, 1, max_denominator=9))
def test_the_formulas_fit_together_at_50_digits(case, x, decay):
    derivation = derived(case)
    first, second = CASES[case][1].split(",")
    values = {f"{first}0": sp.Rational(7, 4), f"{second}0": sp.Rational(1, 3), "A": sp.Rational(decay)}
    with mp.workdps(60):

        def function(expression, name):
            compiled = sp.lambdify(sp.Symbol(name), expression.subs(values), "mpmath")
            return lambda number: mp.mpf(compiled(number))

        potential, mirror_map, metric = (
            function(e, "x") for e in (derivation.potential, derivation.mirror_map, derivation.metric)
        )
        inverse, conjugate = (function(e, "z") for e in (derivation.inverse_mirror_map, derivation.conjugate))
        x = mp.mpf(sp.Rational(x).p) / sp.Rational(x).q
        s = mirror_map(x)
        tiny = mp.mpf(10) ** -25
        assert abs(inverse(s) - x) < mp.mpf(10) ** -50
        assert abs(potential(x) + conjugate(s) - x * s) < mp.mpf(10) ** -50
        assert abs(mp.diff(potential, x) - s) < tiny
        assert abs(mp.diff(mirror_map, x) * metric(x) - 1) < tiny
        assert abs(mirror_map(_at(derivation.minimizer, values))) < mp.mpf(10) ** -50
        assert abs(mp.exp(_at(derivation.log_scale, values)) - _at(derivation.scale, values)) < mp.mpf(10) ** -50
        assert abs(mp.quad(mirror_map, [0, x]) - potential(x) + potential(mp.mpf(0))) < mp.mpf(10) ** -12


@few
@given(
    st.fractions(-2, 2, max_denominator=50),
    st.fractions(0, 2, max_denominator=50),
    st.fractions(-1, 1, max_denominator=99),
)
def test_the_mask_inverts_its_exponentials_at_50_digits(time, decay, ratio):
    """With u, v = (m ± w)/√2 the flow is u₀e^{s−2A}, v₀e^{−s−2A}; the mirror map takes x = (u² − v²)/2 back to s."""
    assume(abs(ratio) < 1)
    w0, s, decay = (sp.Rational(f) for f in (ratio, time, decay))
    u = (1 + w0) / sp.sqrt(2) * sp.exp(s - 2 * decay)
    v = (1 - w0) / sp.sqrt(2) * sp.exp(-s - 2 * decay)
    values = {"m0": 1, "w0": w0, "A": decay}
    mirror_map = derived("mask").mirror_map.subs(values)
    assert abs(mirror_map.subs({"x": (u**2 - v**2) / 2}).evalf(50) - s) < sp.Float(10) ** -45
    assert derived("mask").scale.subs(values).equals(u * v)


def test_the_published_closed_forms():
    m0, w0, u0, v0, A = sp.symbols("m0 w0 u0 v0 A")
    assert sp.simplify(derived("mask").scale - (m0**2 - w0**2) / 2 * sp.exp(-4 * A)) == 0
    assert derived("mask").rate == 2
    assert sp.simplify(derived("mask").minimizer - m0 * w0 * sp.exp(-4 * A)) == 0
    alone = ib.derive(ib.Parameterization("u**2 - v**2", "u,v"))
    assert alone.scale == 2 * u0 * v0
    assert alone.rate == 4
    assert alone.regularizer is None
    assert sp.simplify(derived("difference of squares").scale - 2 * u0 * v0 * sp.exp(-2 * A)) == 0
    assert derived("mask").domain == sp.S.Reals


@pytest.mark.parametrize("assumptions", [{"real": True}, {"positive": True}, {"commutative": False}])
def test_deriving_twice_gives_the_same_whatever_the_symbols_assume(assumptions):
    m, w = sp.symbols("m w", **assumptions)
    again = ib.derive(ib.Parameterization(m * w, [m, w]), m**2 + w**2)
    assert again == derived("mask")
    assert hash(again) == hash(derived("mask"))
    assert again.latex() == derived("mask").latex()


def test_floats_in_an_expression_are_exact_numbers():
    m, w = sp.symbols("m w")
    assert ib.derive(ib.Parameterization(0.1 * m * w, [m, w])).rate == sp.Rational(1, 5)


def test_strings_substitute():
    start = {"m0": 1.0, "w0": 0.0, "A": 0.0}
    assert float(derived("mask").mirror_map.subs({"x": 1.0} | start)) == pytest.approx(np.arcsinh(2) / 2)
    assert float(derived("mask").inverse_mirror_map.subs({"z": 0.5} | start)) == pytest.approx(np.sinh(1) / 2)
    assert not {s for s in derived("mask").potential.free_symbols if s.is_real}


def test_copies_and_pickles_survive_use():
    derivation = derived("mask")
    before = derivation.at({"m": 1.0, "w": 0.5}, decay=0.25)
    for copied in (pickle.loads(pickle.dumps(derivation)), copy.deepcopy(derivation)):  # noqa: S301
        assert copied == derivation
        assert copied.at({"m": 1.0, "w": 0.5}, decay=0.25).log_scale == before.log_scale


def test_the_scale_may_underflow_but_its_logarithm_does_not():
    potential = derived("mask").at({"m": [1.0, 3.0], "w": [0.0, 1.0]}, decay=1000)
    assert potential.scale.tolist() == [0.0, 0.0]
    assert potential.log_scale == pytest.approx(np.log([0.5, 4.0]) - 4000)
    assert potential.gradient([0.0, 1.0]).tolist() == pytest.approx(
        [0.0, (np.log(2.0) - np.log(4) + 4000 - np.log(2)) / 2]
    )
    sideways = derived("mask pulled sideways").at({"m": 1.0, "w": 0.5}, decay=1000)
    assert np.isfinite([sideways.log_scale, sideways.shift]).all()


def test_initial_values_of_very_different_sizes():
    potential = derived("difference of squares").at({"u": 1e200, "v": 1e-200})
    assert potential.log_scale == pytest.approx(np.log(2), abs=1e-9)
    assert potential.shift == pytest.approx(400 * np.log(10))


@pytest.mark.parametrize("w", [1.0, -1.0])
def test_a_mask_that_cannot_change_sign_is_named(w):
    with pytest.raises(ib.DomainError, match=r"coordinate 2 \(1 such\).*the scale vanishes") as caught:
        derived("mask").at({"m": [1.0, 1.0, 1.0], "w": [0.0, 0.5, w]})
    assert f"w0 = {w:g}" in str(caught.value)
    assert "m0 = 1" in str(caught.value)


INITS = [
    ({"m": 1.0}, "parameters m, w; missing: w"),
    ({"m": 1.0, "w": 0.0, "q": 1.0}, "parameters m, w; unknown: q"),
    ({"m": 1.0, "v": 0.0}, "unknown: v; missing: w"),
    (None, "missing: m, w"),
    ([1.0, 0.0], "list"),
    ({"m": [1.0, 2.0, 3.0], "w": [0.0, 0.0]}, r"m: \(3,\), w: \(2,\)"),
    ({"m": [1.0, np.nan], "w": [0.0, 0.0]}, r"init\['m'\].*index \(1,\)"),
    ({"m": 1.0, "w": np.inf}, r"init\['w'\].*inf"),
    ({"m": [], "w": []}, r"init\['m'\].*\(0,\)"),
    ({"m": [[1.0, 2.0]], "w": [[0.0, 3.0]]}, r"init\['m'\].*\(1, 2\)"),
    ({"m": "1", "w": 0.0}, r"init\['m'\]"),
    ({"m": 1j, "w": 0.0}, r"init\['m'\].*complex"),
]


@pytest.mark.parametrize(("init", "part"), INITS)
def test_bad_initial_values(init, part):
    with pytest.raises(InputError, match=part):
        derived("mask").at(init)


@pytest.mark.parametrize("decay", [-1.0, np.nan, np.inf, [1.0, 2.0], "1", None, 1j])
def test_a_bad_decay(decay):
    with pytest.raises(InputError, match="decay"):
        derived("mask").at({"m": 1.0, "w": 0.0}, decay=decay)


def test_a_decay_needs_a_regularizer():
    alone = derived("mask alone")
    assert alone.at({"m": 1.0, "w": 0.0}, decay=0.0).scale == 0.5
    with pytest.raises(InputError, match="no regularizer"):
        alone.at({"m": 1.0, "w": 0.0}, decay=0.1)


def test_broadcasting_numbers_over_coordinates():
    potential = derived("mask").at({"m": 2.0, "w": [0.0, 1.0]})
    assert potential.size == 2
    assert potential.scale == pytest.approx([2.0, 1.5])


@pytest.mark.parametrize("h", ["m**2", "abs(m)", "m**4 + w**4"])
def test_a_regularizer_that_does_not_commute_raises_with_its_report(h):
    with pytest.raises(ib.NotCommutingError, match="do not commute") as caught:
        ib.derive(ib.Parameterization("m*w", "m,w"), h)
    report = caught.value.report
    values = [abs(v) for v in report.bracket.subs(report.witness).evalf()]
    assert max(values) > 0


@pytest.mark.parametrize(
    ("formula", "params"),
    [
        ("m**2*w", "m,w"),
        ("u**3 - v**3", "u,v"),
        ("abs(m)*w", "m,w"),
        ("u**2 - 2*v**2", "u,v"),
    ],
)
def test_what_has_no_closed_form_gets_a_numerical_potential(formula, params):
    derivation = ib.derive(ib.Parameterization(formula, params))
    assert not derivation.closed_form
    assert not derivation.proved
    assert derivation.potential is None
    start = dict.fromkeys(params.split(","), 0.7) | {params.split(",")[0]: 0.9}
    potential = derivation.at(start)
    assert isinstance(potential, ib.NumericalPotential)
    # The metric of the flow is ‖∇g‖² at the start.
    slopes = [derivation.parameterization.output.diff(name).subs(start) for name in params.split(",")]
    expected = float(sum(abs(slope.doit()) ** 2 for slope in slopes)) if "abs" not in formula else 0.9**2 + 0.7**2
    assert float(potential.metric(potential.minimizer)) == pytest.approx(expected, rel=1e-12)


def test_four_parameters_against_integration():
    names = ["m", "w", "u", "v"]
    derivation = ib.derive(ib.Parameterization("m*w + u*v", names), time_limit=20)
    assert derivation.closed_form

    def slope(theta):
        return theta[[1, 0, 3, 2]]

    start = np.array([0.9, 0.7, 0.8, -0.4])
    numbers = {f"{name}0": value for name, value in zip(names, start, strict=True)}
    for s in (-0.4, 0.3):
        path = solve_ivp(lambda _, y: slope(y), (0, s), start, method="DOP853", rtol=1e-12, atol=1e-13)
        end = path.y[:, -1]
        x = float(derivation.parameterization.output.subs(dict(zip(names, end, strict=True))))
        assert float(derivation.mirror_map.subs(numbers | {"x": x})) == pytest.approx(s, rel=1e-9)
        assert float(derivation.metric.subs(numbers | {"x": x})) == pytest.approx(np.sum(slope(end) ** 2), rel=1e-9)


ELEMENTARY = [
    ("u", "u", None, "x", (-sp.oo, sp.oo)),
    ("u**2", "u", "u**2", "entropy", (0, sp.oo)),
    ("-u**2", "u", None, "entropy", (-sp.oo, 0)),
    ("3*u**2", "u", "u**2/2", "entropy", (0, sp.oo)),
    ("log(u)", "u", None, "log", (-sp.oo, sp.oo)),
    ("log(u) - log(v)", "u,v", None, "log", (-sp.oo, sp.oo)),
]


@pytest.mark.parametrize(("formula", "params", "h", "kind", "domain"), ELEMENTARY, ids=[e[0] for e in ELEMENTARY])
def test_elementary_potentials_against_integration(formula, params, h, kind, domain):
    """Formulas derived by algebra against the numerical potential, which solves the same flow by Runge-Kutta."""
    names = params.split(",")
    derivation = ib.derive(ib.Parameterization(formula, names), h)
    assert derivation.closed_form
    assert derivation.domain == sp.Interval.open(*domain)
    init, decay = {"u": 0.8, "v": 1.3}, 0.0 if h is None else 0.37
    # Also where the derivation has a potential in closed form.
    potential = derivation._potentials.integrated(tuple(np.array(init[name]) for name in names))(decay)
    assert isinstance(potential, ib.NumericalPotential)
    numbers = {f"{name}0": init[name] for name in names} | {"A": decay}
    center = float(derivation.minimizer.subs(numbers))
    assert float(potential.minimizer) == pytest.approx(center, rel=1e-12)
    for x in (center - 0.1, center + 0.3):
        at = numbers | {"x": x}
        mirror = float(derivation.mirror_map.subs(at))
        assert float(potential.gradient(x)) == pytest.approx(mirror, rel=1e-10)
        assert float(potential.metric(x)) == pytest.approx(float(derivation.metric.subs(at)), rel=1e-10)
        assert float(derivation.inverse_mirror_map.subs(numbers | {"z": mirror})) == pytest.approx(x, rel=1e-12)
        rise = derivation.potential.subs(at) - derivation.potential.subs(numbers | {"x": center})
        # D(x, argmin R) = R(x) − R(argmin R); both sides are differences of numbers near 1.
        assert float(potential.divergence([x], [center])) == pytest.approx(float(rise), rel=1e-8)


@pytest.mark.parametrize("power", [3, 4, 5])
def test_woodworths_deep_diagonal_networks(power):
    """u^D − v^D from u₀ = v₀ = γ is γ^D h_D(z), z = D(D−2)γ^(D−2) s [Woodworth2020]."""
    derivation = ib.derive(ib.Parameterization(f"u**{power} - v**{power}", "u,v"), f"u**{power} + v**{power}")
    assert not derivation.closed_form
    gamma, s = 0.7, 0.05
    z = power * (power - 2) * gamma ** (power - 2) * s
    expected = (1 - z) ** (-power / (power - 2)) - (1 + z) ** (-power / (power - 2))
    derived = derivation.inverse_mirror_map.subs({"u0": gamma, "v0": gamma, "z": s, "A": 0})
    assert float(derived) == pytest.approx(gamma**power * expected, rel=1e-12)
    assert all(identity.outcome is ib.Outcome.PROVED for identity in derivation.identities)


def test_neuron_wise_masks_are_refused_with_their_bracket():
    with pytest.raises(ib.NotCommutingError) as caught:
        ib.derive(ib.Parameterization(["m*w1", "m*w2"], "m,w1,w2"))
    report = caught.value.report
    assert [float(v) for v in report.bracket.subs(report.witness)] == [0.0, -1.0, 1.0]


@pytest.mark.parametrize(
    ("formula", "h", "expected"),
    [
        ("m*w", "m**2", {"m*w", "m**2 + w**2"}),
        ("u**3 - v**3", "u**2 + v**2", {"u**3", "v**3"}),
        ("log(u) - log(v)", "u**2 + v**2", {"log(u)", "log(v)"}),
        ("a*b*c", "a**2 + b**2 + c**2", {"a*b*c"}),
    ],
)
def test_an_error_names_regularizers_that_commute(formula, h, expected):
    """Each of them commutes by a test of its own, and the message holds them."""
    with pytest.raises(ib.NotCommutingError) as caught:
        ib.derive(formula, h)
    alternatives = caught.value.alternatives
    assert {str(one) for one in alternatives} >= expected
    assert all(ib.Parameterization(formula).commutes_with(one).proved for one in alternatives)
    assert all(text in str(caught.value) for text in expected)
    assert ib.derive(formula, alternatives[-1]).commuting.holds


def test_no_regularizer_is_named_where_the_search_fails(monkeypatch):
    def refuse(*_, **__):
        raise ib.UnsupportedError("too slow")

    monkeypatch.setattr(ib.Parameterization, "commuting_regularizers", refuse)
    with pytest.raises(ib.NotCommutingError, match=r"Ask \.commuting_regularizers") as caught:
        ib.derive("m*w", "m**2")
    assert caught.value.alternatives == ()


def test_coupled_parameterizations_that_commute_point_to_quadratic_forms():
    with pytest.raises(ib.UnsupportedError, match="QuadraticForms"):
        ib.derive(ib.Parameterization(["u**2", "v**2"], "u,v"))


@pytest.mark.parametrize("value", [None, 3, b"m*w"])
def test_only_formulas_are_derived(value):
    with pytest.raises(ib.FormulaError, match="outputs: expected a formula"):
        ib.derive(value)


def test_a_formula_is_derived_with_all_its_names_as_parameters():
    assert ib.derive("m*w", "m**2 + w**2") == derived("mask")
    assert ib.derive(sp.Symbol("w") * sp.Symbol("m"), "m**2 + w**2") == derived("mask")
    with pytest.raises(ib.NotCommutingError):
        ib.derive(["m*a", "m*b"])
