"""The gradient flow of a parameterization that was designed for a potential is the mirror flow of that potential."""

import importlib
import pickle

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp

import implicit_bias as ib
from implicit_bias.errors import InputError

module = importlib.import_module("implicit_bias.symbolic.design")  # the package exports the function by this name
u = sp.Symbol("u")


@pytest.fixture
def replaced(in_this_process, monkeypatch):
    """Replaces a function of the module, also for the work that a worker process would do."""
    return lambda name, function: monkeypatch.setattr(module, name, function)


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
    """|x|^p is the potential of x = sign(u)|u|^(2/p), up to the scale of u."""
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
    with pytest.raises(InputError, match=rf"expected a convex R, but R'' = -.* at {where}"):
        ib.design(R)


@pytest.mark.parametrize("R", ["x", "3", "2*x - 1"])
def test_an_affine_potential_is_refused(R):
    with pytest.raises(InputError, match="affine"):
        ib.design(R)


def test_a_potential_of_no_real_point_is_refused():
    with pytest.raises(InputError, match="real at none"):
        ib.design("log(-x**2)")


@pytest.mark.parametrize(("R", "where"), [("abs(x) + x**2", "at x = 0"), ("abs(x - 1) + x**2", "away from x = 0")])
def test_a_kink_is_refused(R, where):
    with pytest.raises(ib.UnsupportedError, match=f"kink {where}"):
        ib.design(R)


@pytest.mark.parametrize(
    ("R", "constants", "expected"),
    [
        ("c*x**2/2", "c", "u/sqrt(c)"),
        ("x*log(x/c)/c", "c", "c*u**2/4"),
        ("a*x*log(x) + b*x", "a,b", "u**2/(4*a)"),  # linear terms do not matter
        ("x*log(x) + (c - x)*log(c - x)", "c", "c*sin(u/sqrt(c))/2 + c/2"),
        ("b*(x/c*arctan(x/c) - log(x**2 + c**2)/2)", "b,c", "c*sinh(u/sqrt(b))"),
        ("exp(c*x)", ["c"], "2*log(u/2 + 1)/c"),
        ("abs(x)**(1 + p)", "p", None),
    ],
)
def test_constants_stay_symbols(R, constants, expected):
    """With exact derivatives, g'² R''(g) = 1 at numbers that the search did not use."""
    shape = ib.design(R, constants)
    formula = module.parse(R, ["x", *module.check_names(constants)])
    used = {symbol.name for symbol in shape.output.free_symbols} - {"u"}
    assert set(shape.constants) == used
    if expected is not None:
        assert shape == ib.Parameterization(expected, ["u"], constants=shape.constants)
    x, v = sp.Symbol("x", positive=True), sp.Symbol("u", positive=True)
    bend = sp.diff(formula.xreplace({sp.Symbol("x"): x}), x, 2)
    g = shape.output.xreplace({u: v})
    for numbers in (
        {"a": "0.037", "b": "41.5", "c": "7.3", "p": "0.61"},
        {"a": "19", "b": "0.3", "c": "2.9", "p": "5"},
    ):
        values = {sp.Symbol(name): sp.Rational(value) for name, value in numbers.items()}
        at = {v: sp.Rational(1, 3)}
        slope = sp.diff(g, v).xreplace(values).xreplace(at).evalf(40)
        weight = g.xreplace(values).xreplace(at).evalf(40)
        assert abs(slope**2 * bend.xreplace(values).xreplace({x: weight}).evalf(40) - 1) < 1e-30


def test_a_design_with_constants_is_one_for_each_number():
    """Numbers in place of the constants give the potential that was asked for with these numbers."""
    shape = ib.design("c*x*log(x) - x", "c")
    R = ib.derive(shape).at({"u": 1.5, "c": 2.0})
    start = 1.5**2 / 8
    np.testing.assert_allclose(R.gradient([0.1, 1.0]), 2 * np.log(np.array([0.1, 1.0]) / start), rtol=1e-12)


@pytest.mark.parametrize(
    ("R", "constants", "error", "message"),
    [
        ("abs(x)**p", "p", InputError, "all positive numbers in their place: write 1 \\+ p"),
        ("(10 - c)*x**2", "c", InputError, "expected a convex R"),
        ("x*asinh(x/c) - sqrt(x**2 + c**2)", "c", ib.UnsupportedError, "with the constants c; give numbers"),
        ("c*abs(x) + x**2", "c", ib.UnsupportedError, "kink at x = 0"),
        ("x**2", "c", ib.FormulaError, "c does not occur in R"),
        ("x**2", "x", ib.FormulaError, "x is the weight"),
        ("x**2*u", "u", ib.FormulaError, r"constants: u is the parameter of the result g\(u\); take another name"),
        # It is convex at all numbers that are tried, and not for c > 10,000.
        ("(10000 - c)*x**2", "c", ib.UnsupportedError, "found and proved .* with the constants c; give numbers"),
        (ib.Entropy(scale=1.0), "c", InputError, "a ready potential holds none"),
    ],
)
def test_constants_that_leave_no_design_are_refused(R, constants, error, message):
    with pytest.raises(error, match=message):
        ib.design(R, constants)


HYPERBOLIC = "x*asinh(x/3) - sqrt(x**2 + 9)"  # twice the potential of the mask with scale 3


@pytest.fixture(scope="module")
def tabulated():
    return ib.design(HYPERBOLIC)


def test_the_hyperbolic_entropy_is_tabulated(tabulated):
    """The table holds u(x) = ∫ √R'' dx, by mpmath's quadrature, and g is its inverse."""
    x = np.array([-1e5, -7.0, -1e-3, 0.0, 0.3, 20.0, 1e8])
    u = tabulated.parameter_at(x)
    with mp.workdps(30):
        edges = [0, 1, 10, 100, 10**4, 10**6, 10**8]
        want = [
            float(mp.sign(v) * mp.quad(lambda t: (t * t + 9) ** -0.25, [e for e in edges if e < abs(v)] + [abs(v)]))
            for v in x
        ]
    np.testing.assert_allclose(u, want, rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(tabulated.separable_map().output(u[None, :]), x, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tabulated.separable_map().gradient(u[None, :])[0], (x**2 + 9) ** 0.25, rtol=1e-12)
    np.testing.assert_allclose(
        tabulated.separable_map().bend(u[None, :])[0], x / 2 / (x**2 + 9) ** 0.25, atol=1e-7, rtol=1e-9
    )


@pytest.mark.parametrize(
    ("source", "exact"),
    [
        (HYPERBOLIC, lambda x: np.sqrt(x**2 + 9)),
        (ib.HyperbolicEntropy(scale=0.3), lambda x: 2 * np.sqrt(x**2 + 0.09)),
        (ib.HyperbolicEntropy(scale=1e-10, rate=4.0), lambda x: 4 * np.hypot(x, 1e-10)),
        (ib.Entropy(scale=2.0), lambda x: 4 * x),
        ("exp(x) + x**2", lambda x: 1 / (np.exp(x) + 2)),
        ("x*log(x) + x**3", lambda x: 1 / (1 / x + 6 * x)),
    ],
    ids=["formula", "hyperbolic", "tiny", "entropy", "exponential", "cubic"],
)
def test_the_potential_of_a_numerical_design_is_the_one_asked_for(source, exact, replaced):
    replaced("_candidates", lambda *_: iter(()))  # the search for a formula takes seconds
    shape = ib.design(source)
    x = np.array([0.25, 1.5, 3.0])
    potential = ib.NumericalPotential(shape, {"u": shape.parameter_at([1.0, 1.0, 0.5])})
    np.testing.assert_allclose(potential.minimizer, [1.0, 1.0, 0.5], rtol=1e-12)
    np.testing.assert_allclose(potential.metric(x), exact(x), rtol=1e-10)
    # We compute R' by quadrature of R''.
    want = [
        float(mp.quad(lambda t: 1 / exact(float(t)), [start, end])) for start, end in zip([1, 1, 0.5], x, strict=True)
    ]
    np.testing.assert_allclose(potential.gradient(x), want, rtol=1e-9)


@pytest.mark.parametrize("start", [0.0, 5e-17, -1e-12])
def test_a_tabulated_g_is_followed_from_what_rounding_makes_of_zero(start, replaced):
    """A length of 1e-17 at the start would count e-foldings in which nothing happens but rounding."""
    replaced("_candidates", lambda *_: iter(()))
    shape = ib.design("x*log(x) + x**3")
    potential = ib.NumericalPotential(shape, {"u": [start, start, float(shape.parameter_at([0.5])[0])]})
    x = np.array([0.25, 1.5, 3.0])
    np.testing.assert_allclose(potential.metric(x), 1 / (1 / x + 6 * x), rtol=1e-10)


def test_one_parameter_trains_like_the_mask():
    """The flow of one parameter u under the designed g is the flow of m·w, weight by weight."""
    problem = ib.Regression.sample(3, 6, 2, seed=5)
    times = [0.1, 1.0, 30.0]
    init = {"m": np.linspace(0.8, 1.2, 6), "w": np.linspace(-0.3, 0.3, 6)}
    # One formula for all weights needs one scale: m₀² − w₀² = 0.64.
    init["m"] = np.sqrt(0.64 + init["w"] ** 2)
    mask = ib.gradient_flow(problem, ib.Parameterization("m*w", "m,w"), init, times)
    shape = ib.design(ib.HyperbolicEntropy(scale=0.32))
    single = ib.gradient_flow(problem, shape, {"u": shape.parameter_at(init["m"] * init["w"])}, times)
    np.testing.assert_allclose(single.x, mask.x, rtol=0, atol=1e-8)
    assert np.ptp(mask.x[:, 0]) > 0.01


def test_numerical_designs_copy_and_pickle(tabulated):
    again = pickle.loads(pickle.dumps(tabulated))  # noqa: S301
    assert again == tabulated
    assert again != ib.design(ib.Entropy(scale=1.0))
    assert "asinh" in repr(again)
    decaying = tabulated.with_regularizer("u**2")
    assert decaying != tabulated
    assert pickle.loads(pickle.dumps(decaying)) == decaying  # noqa: S301
    assert ib.derive(tabulated).at({"u": 0.5}).metric(1.0) == pytest.approx(np.sqrt(10), rel=1e-10)


def test_weights_beyond_the_table_are_refused():
    shape = ib.design(ib.Entropy(scale=1.0))
    with pytest.raises(ib.DomainError, match="weights in the domain"):
        shape.parameter_at([1.0, -1.0])


def test_a_potential_with_coordinates_of_its_own_is_refused():
    with pytest.raises(InputError, match="2 coordinates"):
        ib.design(ib.HyperbolicEntropy(scale=[1.0, 2.0]))


def test_an_infinite_curvature_is_refused_where_no_formula_is_found(replaced):
    """If R'' grows like |x|^(−1/2), then ∇g = 0 at x = 0, which is a saddle that no table covers."""
    replaced("_candidates", lambda *_: iter(()))
    with pytest.raises(ib.UnsupportedError, match="infinite"):
        ib.design("abs(x)**1.5 + x**2")


def test_time_is_limited(monkeypatch):
    # This is not enough for SymPy on any machine.
    monkeypatch.setattr(module, "TIME_LIMIT", 0.01)
    with pytest.raises(ib.UnsupportedError, match=r"took too long for 0\.01 seconds"):
        ib.design("-log(1 - x**2)")


@pytest.mark.parametrize("R", ["u**2", None, "x.__class__", ["x**2"]])
def test_a_bad_formula_is_a_formula_error(R):
    with pytest.raises(ib.FormulaError):
        ib.design(R)


def test_a_wrong_candidate_is_not_returned(replaced):
    """A numerical check refuses candidates that algebra got wrong, and the design is a table that is right."""
    tried = []

    def wrong(*_):
        for g in (module._U**3, 2 * module._U):
            tried.append(g)
            yield g

    replaced("_inverses", wrong)
    shape = ib.design("x**2/2")
    assert len(tried) >= 2
    assert isinstance(shape, module.NumericalParameterization)
    np.testing.assert_allclose(shape.separable_map().output(np.array([[0.5, -2.0]])), [0.5, -2.0], rtol=1e-13)


def test_the_l1_norm_has_a_kink_and_is_not_called_affine():
    with pytest.raises(ib.UnsupportedError, match="kink at x = 0"):
        ib.design("abs(x)")
