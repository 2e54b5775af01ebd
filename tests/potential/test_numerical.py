"""Potentials by integration, against closed forms, an independent integrator and the flow of the parameters."""

import functools
import importlib

import mpmath as mp
import numpy as np
import potential_laws as laws
import pytest
import sympy as sp
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias import NumericalPotential, Parameterization
from implicit_bias.errors import InputError

# The promised accuracy. An integration takes some hundred steps, each with a tolerance of 1e-13.
ACCURACY = 1e-10
MASK = ib.derive(Parameterization("m*w", "m,w"))
RNG = np.random.default_rng(0)
U, V = RNG.uniform(0.5, 2, 20), RNG.uniform(0.5, 2, 20)

# (g, params, x(s), lower and upper end of s): solutions of θ' = ∇g by separation of variables.
CLOSED_FORMS = [
    ("u**2", "u", lambda s, u: u**2 * np.exp(4 * s), lambda u: (-np.inf, np.inf)),
    (
        "u**2 - v**2",
        "u,v",
        lambda s, u, v: u**2 * np.exp(4 * s) - v**2 * np.exp(-4 * s),
        lambda u, v: (-np.inf, np.inf),
    ),
    (
        "u**3 - v**3",
        "u,v",
        lambda s, u, v: (1 / u - 3 * s) ** -3 - (1 / v + 3 * s) ** -3,
        lambda u, v: (-1 / (3 * v), 1 / (3 * u)),
    ),
    (
        "u**4 - v**4",
        "u,v",
        lambda s, u, v: (u**-2.0 - 8 * s) ** -2 - (v**-2.0 + 8 * s) ** -2,
        lambda u, v: (-1 / (8 * v**2), 1 / (8 * u**2)),
    ),
    (
        "log(u) - log(v)",
        "u,v",
        lambda s, u, v: 0.5 * np.log((u**2 + 2 * s) / (v**2 - 2 * s)),
        lambda u, v: (-(u**2) / 2, v**2 / 2),
    ),
    ("w*abs(w)", "w", lambda s, w: w**2 * np.exp(4 * s), lambda w: (-np.inf, np.inf)),
    ("u", "u", lambda s, u: u + s, lambda u: (-np.inf, np.inf)),
]


@pytest.fixture(params=CLOSED_FORMS, ids=lambda form: form[0])
def known(request):
    formula, params, curve, ends = request.param
    names = params.split(",")
    values = [U, V][: len(names)]
    potential = NumericalPotential(Parameterization(formula, names), dict(zip(names, values, strict=True)))
    low, high = (np.broadcast_to(end, U.shape) for end in ends(*values))
    share = np.linspace(0.02, 0.98, 20)
    s = np.where(np.isfinite(low), low, -2.0) * (1 - share) + np.where(np.isfinite(high), high, 2.0) * share
    return potential, s, curve(s, *values), (low, high)


def test_inverse_mirror_map_is_the_solution(known):
    potential, s, x, _ = known
    np.testing.assert_allclose(potential.inverse_gradient(s), x, rtol=ACCURACY, atol=ACCURACY)


def test_mirror_map_is_its_inverse(known):
    potential, s, x, _ = known
    np.testing.assert_allclose(potential.gradient(x), s, rtol=ACCURACY, atol=ACCURACY)


def test_dual_ends_are_found(known):
    potential, _, _, (low, high) = known
    np.testing.assert_allclose(potential.dual_domain[0], low, rtol=ACCURACY)
    np.testing.assert_allclose(potential.dual_domain[1], high, rtol=ACCURACY)


def test_conjugate_pair(known):
    """Fenchel's equality R(x) + R*(z) = xz holds for z = R'(x)."""
    potential, s, x, _ = known
    np.testing.assert_allclose(
        potential.terms(x) + potential.conjugate_terms_at(s), x * s, rtol=1e-9, atol=1e-9 * np.max(np.abs(x * s))
    )


def test_domain_ends():
    entropy = NumericalPotential(Parameterization("u**2", "u"), {"u": U})
    assert np.all(entropy.domain[0] == 0)
    assert np.all(entropy.domain[1] == np.inf)
    signed = NumericalPotential(Parameterization("w*abs(w)", "w"), {"w": -U})
    assert np.all(signed.domain[0] == -np.inf)
    assert np.all(signed.domain[1] == 0)
    line = NumericalPotential(Parameterization("sigmoid(m)*w", "m,w"), {"m": U, "w": V})
    assert np.all(np.isinf(line.domain))
    bounded = NumericalPotential(Parameterization("tanh(u)", "u"), {"u": U})
    # 1 − tanh² loses digits as g saturates, so the flow is followed to some 1e-4 of its end and extrapolated.
    np.testing.assert_allclose(bounded.domain[1], 1.0, rtol=1e-6)
    np.testing.assert_allclose(bounded.domain[0], -1.0, rtol=1e-6)


@pytest.mark.parametrize("formula", ["sigmoid(m)*w", "m**2*w", "m*w*exp(m/4)", "m*w + m**3/9"])
def test_against_taylor_integration(formula):
    """x(s) is that of mpmath's Taylor-series integrator with 30 digits."""
    parameterization = Parameterization(formula, "m,w")
    potential = NumericalPotential(parameterization, {"m": 1.25, "w": -0.5})
    symbols = parameterization.symbols
    with mp.workdps(30):
        gradient = sp.lambdify(symbols, list(parameterization.gradient(parameterization.output)), "mpmath")
        output = sp.lambdify(symbols, parameterization.output, "mpmath")
        path = mp.odefun(lambda s, theta: gradient(*theta), 0, [mp.mpf("1.25"), mp.mpf("-0.5")])
        for s in (0.05, 0.2):
            expected = float(output(*path(s)))
            assert float(potential.inverse_gradient(s)) == pytest.approx(expected, rel=ACCURACY)
            assert float(potential.gradient(expected)) == pytest.approx(s, rel=ACCURACY)


@given(
    m0=st.floats(0.1, 10),
    share=st.floats(-0.99, 0.99),
    magnitude=st.floats(-6, 6),
    sign=st.sampled_from([-1.0, 1.0]),
)
def test_agrees_with_the_hyperbolic_entropy(m0, share, magnitude, sign):
    init = {"m": np.array([m0]), "w": np.array([share * m0])}
    x = np.array([sign * 10.0**magnitude])
    numerical, exact = NumericalPotential(MASK.parameterization, init), MASK.at(init)
    unit = 1 + np.abs(exact.gradient(x)) + np.abs(exact.shift)
    assert np.all(np.abs(numerical.gradient(x) - exact.gradient(x)) <= ACCURACY * unit)
    np.testing.assert_allclose(numerical.metric(x), exact.metric(x), rtol=1e-9)
    # R itself is a difference of two integrals; its error is relative to the larger, x R'.
    assert abs(numerical.divergence(x, exact.minimizer) - exact.divergence(x, exact.minimizer)) <= ACCURACY * float(
        np.abs(x[0]) * unit[0] + exact.scale[0]
    )


# Parameterizations of every kind of domain, with starting points and the weights between which the laws are tested.
SHAPES = {
    "sigmoid(m)*w": ({"m": [0.5, 2.0, 1.0], "w": [0.3, -1.0, 0.0]}, -30.0, 30.0),
    "u**3 - v**3": ({"u": [0.5, 1.0, 2.0], "v": [0.7, 1.0, 0.3]}, -100.0, 100.0),
    "m**2*w": ({"m": [0.9, 0.5, -1.6], "w": [0.2, -0.3, 1.0]}, -10.0, 10.0),
    "u**2": ({"u": [0.5, -1.0, 2.0]}, 1e-3, 1e3),
    "tanh(u)": ({"u": [0.5, -1.0, 0.0]}, -0.99, 0.99),
    "w*abs(w)": ({"w": [-0.5, -1.0, -2.0]}, -1e3, -1e-3),
}


@functools.cache
def potential_of(formula):
    init = SHAPES[formula][0]
    return NumericalPotential(Parameterization(formula, list(init)), {name: np.array(v) for name, v in init.items()})


@st.composite
def cases(draw):
    formula = draw(st.sampled_from(list(SHAPES)))
    _, low, high = SHAPES[formula]
    weights = st.one_of(st.floats(low, high), st.floats(max(low, -1.0), min(high, 1.0)))
    x, other = (np.array([draw(weights) for _ in range(3)]) for _ in range(2))
    if draw(st.booleans()):  # close points, down to neighbouring numbers
        other = x * (1 + draw(st.sampled_from([-1, 1])) * 10.0 ** draw(st.floats(-16, -3)))
        x, other = np.clip(x, low, high), np.clip(other, low, high)
    return case_of(potential_of(formula), x, other)


def case_of(potential, x, other):
    """A case with the promised accuracy: R' to 1e-10 of |R'| + 1, and R to that times the size of the weights."""
    unit = sum(1 + np.abs(potential.gradient(v)) for v in (x, other))
    size = np.sum(unit * (np.abs(x) + np.abs(other) + np.abs(potential.minimizer) + 1))
    length = np.minimum(potential.metric(x), np.abs(x) + 0.1)
    return laws.Case(potential, x, other, ACCURACY * unit, ACCURACY * float(size), length)


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@settings(max_examples=max(4, settings.default.max_examples // 12))
@given(case=cases())
@example(case=case_of(potential_of("u**3 - v**3"), np.array([0.0, 36.0, 0.0]), np.zeros(3)))
def test_law(law, case):
    law(case)


@pytest.mark.parametrize("formula", SHAPES)
def test_the_metric_is_that_of_the_parameterization(formula):
    """At the θ that the potential returns, g(θ) = x and 1/R'' = ‖∇g‖² by SymPy's derivatives."""
    potential = potential_of(formula)
    init, low, high = SHAPES[formula]
    symbols = [sp.Symbol(name, real=True) for name in init]
    output = Parameterization(formula, list(init)).output.xreplace({sp.Symbol(s.name): s for s in symbols})
    jacobian = [sp.diff(output, s) for s in symbols]
    x = np.array([0.9 * low + 0.1 * high, (low + high) / 2 + 0.01, 0.3 * low + 0.7 * high])
    theta = potential.parameters(x)
    for k in range(3):
        at = dict(zip(symbols, map(float, theta[:, k]), strict=True))
        assert float(output.subs(at)) == pytest.approx(x[k], rel=1e-11)
        assert float(sum(j.subs(at) ** 2 for j in jacobian)) == pytest.approx(float(potential.metric(x)[k]), rel=1e-11)


@pytest.mark.parametrize("closeness", [1e-2, 1e-6, 1e-12])
def test_divergences_of_close_points_do_not_cancel(closeness):
    """The divergence is that of the mask's closed form, which keeps every digit."""
    init = {"m": np.array([1.0, 2.0]), "w": np.array([0.5, -1.5])}
    x = np.array([0.3, -40.0])
    other = x * (1 + closeness)
    numerical, exact = NumericalPotential(MASK.parameterization, init), MASK.at(init)
    assert float(numerical.divergence(x, other)) == pytest.approx(float(exact.divergence(x, other)), rel=1e-9)


@pytest.mark.parametrize("formula", ["sigmoid(m)*w", "u**2"])
def test_bad_input_is_refused(formula):
    laws.bad_input_is_refused(potential_of(formula), np.array([0.5, 1.0, 2.0]))


@pytest.mark.parametrize(("make", "rtol"), laws.ARRAYS)
def test_types_are_preserved(make, rtol):
    # Values from different tables differ by the accuracy of the integration.
    laws.types_are_preserved(potential_of("u**2"), np.array([0.3, 1.0, 2.0]), make, max(rtol, ACCURACY))


def test_torch_comes_back_as_torch():
    potential = NumericalPotential(Parameterization("u**3 - v**3", "u,v"), {"u": U, "v": V})
    x = torch.linspace(-1, 1, 20, dtype=torch.float32)
    result = potential.gradient(x)
    assert isinstance(result, torch.Tensor)
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result.numpy(), potential.gradient(x.numpy().astype(float)), rtol=1e-6)


def exact_chain(formula, start, k, x):
    """R and its derivatives at a weight, from a 50-digit root s of the flow's solution x(s): R' = s, R'' = 1/x'(s)."""
    start = [mp.mpf(float(values[k])) for values in start.values()]
    curve = {
        "u**2": lambda s: start[0] ** 2 * mp.exp(4 * s),
        "u**3 - v**3": lambda s: (1 / start[0] - 3 * s) ** -3 - (1 / start[1] + 3 * s) ** -3,
    }[formula]
    guess = mp.mpf(float(potential_of(formula).gradient(np.full(3, float(x)))[k]))
    s = mp.findroot(lambda t: curve(t) - x, (guess, guess + mp.mpf(10) ** -12), solver="secant")
    speed, bend = mp.diff(curve, s), mp.diff(curve, s, 2)
    value = x * s - mp.quad(curve, [0, s])
    numbers = value, s, 1 / speed, -bend / speed**3
    return [(number, abs(number) + size) for number, size in zip(numbers, (1 + abs(x), 1, 0, 1), strict=True)]


@pytest.mark.parametrize("formula", ["u**2", "u**3 - v**3"])
def test_torch_derivatives_are_exact(formula):
    """Derivatives have the promised accuracy at the minimizer, at 0, on both sides of it and far out."""
    potential, (init, *_) = potential_of(formula), SHAPES[formula]
    points = [potential.minimizer, [0.02, 0.3, 5.0], [3.0, 0.5, 0.7]]
    if formula != "u**2":
        points += [np.zeros(3), [-0.1, -1.0, -6.0]]
    with mp.workdps(50):
        exact = functools.partial(exact_chain, formula, init)
        chain = laws.Chain(potential.value, potential.gradient, exact)
        laws.torch_derivatives_are_exact(chain, np.array(points), ulps=10 * ACCURACY / laws.EPS)


@pytest.mark.parametrize("formula", ["u**2", "sigmoid(m)*w"])
def test_torch_differentiates_what_it_computes(formula):
    x, other = np.array([0.3, 0.5, 0.8]), np.array([0.31, 0.2, 0.7])
    tolerances = {"eps": 1e-4, "atol": 1e-5, "rtol": 1e-4, "fast_mode": True}  # each evaluation takes long
    laws.torch_differentiates_what_it_computes(potential_of(formula), x, other, **tolerances)


def test_divergences_of_close_points_have_exact_derivatives():
    formula = "u**3 - v**3"
    with mp.workdps(50):
        exact = functools.partial(exact_chain, formula, SHAPES[formula][0])
        x = np.array([0.02, -1.0, 5.0])
        laws.divergences_of_close_points_have_exact_derivatives(potential_of(formula), x, exact, 10 * ACCURACY)


def test_a_penalty_adds_its_gradient():
    """A loss with the penalty 10 R(x) has the gradient of the loss plus 10 ∇R(x)."""
    potential, x = potential_of("u**2"), torch.tensor([0.3, 0.5, 0.8], requires_grad=True)
    (x.sum() + 10 * potential.value(x)).backward()
    torch.testing.assert_close(x.grad, 1 + 10 * potential.gradient(x.detach()))


def test_no_third_derivative_of_the_metric_is_made_up():
    with pytest.raises(ib.UnsupportedError, match="no second derivative"):
        torch.func.hessian(lambda x: potential_of("u**2").metric(x).sum())(torch.tensor([0.3, 0.5, 0.8]))


def test_torch_rounds_once():
    laws.torch_rounds_once(potential_of("u**2"), np.array([0.3, 1.0, 2.0]))


@pytest.mark.parametrize("formula", ["u**2", "sigmoid(m)*w"])
def test_a_copy_gives_the_same_numbers(formula):
    init = {name: np.array(values) for name, values in SHAPES[formula][0].items()}
    fresh = NumericalPotential(Parameterization(formula, list(init)), init)
    laws.a_copy_gives_the_same_numbers(fresh, np.array([0.3, 0.5, 0.8]))


def test_a_copy_of_a_designed_potential_gives_the_same_numbers(monkeypatch):
    """A copy gives the same numbers also if g is a table and not a formula."""
    module = importlib.import_module("implicit_bias.symbolic.design")  # the package exports the function by this name
    monkeypatch.setattr(module, "_candidates", lambda *_: iter(()))  # the search for a formula takes seconds
    designed = ib.design(ib.HyperbolicEntropy(scale=1.0))
    laws.a_copy_gives_the_same_numbers(NumericalPotential(designed, {"u": [0.0, 0.3]}), np.array([0.1, 0.5]))


@pytest.mark.parametrize("was_asked", [False, True])
def test_another_start_keeps_nothing_of_the_first(was_asked):
    """A potential moved to another start answers as a fresh one does; the two share only the compiled g."""
    init = {"u": np.array([0.5, 1.5]), "v": np.array([0.7, 0.4])}
    parameterization = Parameterization("u**3 - v**3", "u,v")
    first = NumericalPotential(parameterization, init)
    x = np.array([0.1, 0.15])
    if was_asked:
        first.gradient(x)
    start = np.array([[0.9, 2.0], [1.1, 0.3]])
    moved, fresh = first.started_at(start), NumericalPotential(parameterization, dict(zip("uv", start, strict=True)))
    for name in ("gradient", "value", "metric", "inverse_gradient", "parameters"):
        np.testing.assert_array_equal(getattr(moved, name)(x), getattr(fresh, name)(x))
    np.testing.assert_array_equal(moved.domain, fresh.domain)
    np.testing.assert_array_equal(moved.minimizer, fresh.minimizer)


def test_what_a_potential_returns_is_not_its_own():
    """Whoever asks for parameters or minimizers may change the arrays without changing the potential."""
    first, second = (NumericalPotential(Parameterization("u**2", "u"), {"u": [0.5, 1.5]}) for _ in "ab")
    x = np.array([0.2, 2.0])
    first.parameters(x)[:] = 7.0
    first.parameters(first.minimizer)[:] = 7.0
    first.minimizer[:] = 7.0
    np.testing.assert_array_equal(first.metric(x), second.metric(x))
    np.testing.assert_array_equal(first.parameters(x), second.parameters(x))
    np.testing.assert_array_equal(first.minimizer, second.minimizer)
    np.testing.assert_array_equal(first.metric(second.minimizer), second.metric(second.minimizer))
    np.testing.assert_array_equal(first.gradient(x), second.gradient(x))


def test_one_formula_for_any_shape():
    potential = NumericalPotential(Parameterization("u**3 - v**3", "u,v"), {"u": 1.0, "v": 1.0})
    x = np.linspace(-2, 2, 12).reshape(3, 4)
    assert potential.gradient(x).shape == (3, 4)
    assert potential.value(x).shape == (3,)
    np.testing.assert_allclose(potential.gradient(-x), -potential.gradient(x), atol=1e-12)  # u₀ = v₀: R is even


def test_outside_the_domain_is_refused():
    potential = NumericalPotential(Parameterization("u**2", "u"), {"u": [1.0, 2.0]})
    with pytest.raises(ib.DomainError, match=r"index \(1,\)"):
        potential.gradient([1.0, -1.0])
    blow_up = NumericalPotential(Parameterization("u**3 - v**3", "u,v"), {"u": 1.0, "v": 1.0})
    with pytest.raises(ib.DomainError):
        blow_up.inverse_gradient([0.4])
    # This weight lies between the end, 1, and the extrapolated end.
    saturated = NumericalPotential(Parameterization("tanh(u)", "u"), {"u": 5.0})
    with pytest.raises(ib.DomainError):
        saturated.gradient(1 + 1e-9)


def test_arrays_that_are_changed_afterwards_do_no_harm():
    """A potential remembers the last weight and its metric; it notices if the array has changed since."""
    first, second = (NumericalPotential(Parameterization("u**3 - v**3", "u,v"), {"u": 1.0, "v": 1.0}) for _ in "ab")
    for ask in (first.gradient, first.inverse_gradient, first.parameters):
        x = np.array([0.1, 0.2])
        answer = ask(x)
        x[:] = [0.25, -0.3]
        answer *= 2
        np.testing.assert_array_equal(first.metric(x), second.metric(x.copy()))


@pytest.mark.parametrize(
    ("formula", "init", "message"),
    [
        ("u**3", {"u": [1.0, 0.0]}, "coordinate 1.*saddle"),
        ("log(u)", {"u": [-1.0]}, "coordinate 0.*finite"),
        ("u**2", {"v": [1.0]}, "missing: "),
        ("u**2", {"u": [np.nan]}, "nan"),
        ("exp(u)", {"u": [0.0, 300.0]}, "coordinate 1.*no finite real number"),
    ],
)
def test_bad_starts(formula, init, message):
    with pytest.raises(InputError, match=message):
        NumericalPotential(Parameterization(formula, "u"), init)


def test_decay_moves_the_start():
    """With a commuting regularizer, R_{A_t}'(x_t) = −L_t holds for u³ − v³ as well."""
    problem = ib.Regression.sample(3, 6, 2, seed=2)
    parameterization = Parameterization("u**3 - v**3", "u,v")
    derivation = ib.derive(parameterization, "u**3 + v**3")
    start = {"u": np.full(6, 0.8), "v": np.full(6, 0.7)}
    flow = ib.gradient_flow(
        problem, parameterization.with_regularizer("u**3 + v**3"), start, [0.3], schedule=ib.schedule.Constant(0.2)
    )
    potential = derivation.at(start, float(flow.decay[0]))
    np.testing.assert_allclose(potential.gradient(flow.x[0]), -flow.accumulated_gradient[0], atol=1e-9)


@pytest.mark.parametrize("shape", [(2,), (1, 2), (2, 2), (3, 2), (2, 3, 2)])
def test_divergences_of_many_weights_at_once_are_those_of_each(shape):
    """A batch gives what its rows give, also if it has as many rows as g has parameters."""
    R = ib.derive(ib.Parameterization("sigmoid(m)*w", "m,w")).at({"m": [0.3, -1.0], "w": [0.2, 0.5]})
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape)
    other = x + rng.choice([1e-7, 1e-3, 0.3], size=shape)
    rows = [R.divergence(a, b) for a, b in zip(other.reshape(-1, 2), x.reshape(-1, 2), strict=True)]
    np.testing.assert_allclose(R.divergence(other, x), np.reshape(rows, shape[:-1]), rtol=1e-12)
    rows = [R.effective_exponent(a) for a in np.abs(x).reshape(-1, 2)]
    np.testing.assert_allclose(R.effective_exponent(np.abs(x)), np.reshape(rows, shape), rtol=1e-12)


@pytest.mark.parametrize("start", [0.0, 5e-17, -1e-12, 1e-9, 1e-5, 0.3])
@pytest.mark.parametrize(("formula", "slope"), [("sinh(u)", np.cosh), ("u + u**3", lambda u: 1 + 3 * u**2)])
def test_starts_next_to_zero_are_as_good_as_others(start, formula, slope):
    """Sizes that are rounding beside what g changes over say nothing of how far the flow goes."""
    potential = ib.NumericalPotential(ib.Parameterization(formula, "u"), {"u": [start, 0.5]})
    for u in (-2.0, 0.2, 3.0):
        x = np.sinh(u) if formula == "sinh(u)" else u + u**3
        np.testing.assert_allclose(potential.metric([x, x]), slope(u) ** 2, rtol=1e-10)
