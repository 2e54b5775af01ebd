"""Where derivations start: reflections that change nothing, and starts that no derivation covers."""

import numpy as np
import pytest
import sympy as sp

import implicit_bias as ib
from implicit_bias.symbolic import derivation
from implicit_bias.symbolic.closed_form import ClosedForm

PROBLEM = ib.Regression.sample(2, 4, 2, seed=3)


def derived(formula, params, h=None):
    return ib.derive(ib.Parameterization(formula, params), h)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("formula", "h", "init"),
    [
        ("u**2 - v**2", "u**2 + v**2", {"u": [-1.0, 1.0, -0.7, 0.9], "v": [1.0, -0.5, -0.3, 0.4]}),
        ("m*w", "m**2 + w**2", {"m": [-1.0, 1.0, -0.8, 1.1], "w": [0.5, -0.5, -0.2, 0.0]}),
        ("u**2", "u**2", {"u": [-1.0, 0.7, -0.4, 0.2]}),
    ],
)
def test_training_from_reflected_starts(formula, h, init):
    """From negative starts, the dual flow agrees with the flow of the parameters."""
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
        ("m*w", "m,w", "m**2 + w**2 - m*w/2", 1),
        ("m*w + m", "m,w", "m**2", 0),
    ],
)
def test_a_reflection_must_leave_g_and_h_as_they_are(formula, params, h, count):
    shape = ib.Parameterization(formula, params)
    reflections = ib.Derivation(shape.with_regularizer(h), shape.commutes(), ClosedForm())._reflections
    assert len(reflections) == count
    point = np.array([0.7, 1.3])
    values = sp.lambdify(shape.symbols, [shape.output, shape.with_regularizer(h).regularizer])
    for signs in reflections:
        assert values(*(signs * point)) == values(*point)


@pytest.mark.slow
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
        ("m*w", {"m": [1.0, -1.0], "w": [0.0, 2.0]}, "m0 = -1, w0 = 2 at coordinate 1 .*exchange"),
    ],
)
def test_starts_that_are_not_covered_are_named(formula, init, message):
    with pytest.raises(ib.DomainError, match=message):
        derived(formula, list(init)).at(init)


def test_exchanging_the_parameters_helps_as_the_message_says():
    mask = derived("m*w", "m,w")
    assert mask.at({"m": 2.0, "w": -1.0}).scale == pytest.approx(1.5)


def test_simplifying_is_left_to_the_worker_process(monkeypatch):
    """A potential is made without SymPy's simplifier in this process, where nothing limits it."""
    exponential, mask = derived("u**2", "u", "u**2"), derived("m*w", "m,w", "m**2 + w**2")

    def simplify(*_, **__):
        raise AssertionError("simplified where there is no limit")

    monkeypatch.setattr(sp, "simplify", simplify)
    assert isinstance(exponential.at({"u": 0.5}), ib.Entropy)
    assert isinstance(mask.at({"m": -1.0, "w": 0.5}), ib.HyperbolicEntropy)


def test_what_takes_too_long_to_know_is_done_without(monkeypatch):
    """No reflection is known then, and the start is refused; the exponential's potential is numerical."""
    monkeypatch.setattr(derivation, "_OPTIONAL_SECONDS", 1e-9)
    derivation._sign_symmetries.cache_clear()
    with pytest.raises(ib.DomainError, match="m0 - w0 > 0"):
        derived("m*w", "m,w", "m**2 + w**2").at({"m": -1.0, "w": 0.5})
    numerical = derived("u**2", "u", "u**2").at({"u": 0.5})
    assert isinstance(numerical, ib.NumericalPotential)
    monkeypatch.undo()
    exact = derived("u**2", "u", "u**2").at({"u": 0.5})
    np.testing.assert_allclose(numerical.gradient(1.5), exact.gradient(1.5), rtol=1e-8)
