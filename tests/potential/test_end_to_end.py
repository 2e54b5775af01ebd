"""From a formula whose potential has no closed form to the end of training, which is the projection."""

import functools
import time

import numpy as np
import pytest

import implicit_bias as ib

RNG = np.random.default_rng(7)
N = 6
PROBLEM = ib.Regression.sample(3, N, 2, seed=1)
# Initial values that are not balanced and differ for each coordinate.
STARTS = {
    "sigmoid(m)*w": {"m": RNG.uniform(0, 1, N), "w": RNG.uniform(-0.3, 0.3, N)},
    "m*w*z1": {"m": RNG.uniform(0.8, 1, N), "w": RNG.uniform(0.6, 0.8, N), "z1": RNG.uniform(-0.3, 0.3, N)},
    "m**2*w": {"m": RNG.uniform(0.8, 1.2, N), "w": RNG.uniform(-0.3, 0.3, N)},
    "u**3 - v**3": {"u": RNG.uniform(0.6, 1, N), "v": RNG.uniform(0.6, 1, N)},
}
# The slowest mode decays at the rate λ_min(Z diag(1/R'') Zᵀ)/d, between 0.15 and 1 here: e^(−0.15 · 300) = 3e-20.
END = 300.0


@functools.cache
def trained(formula):
    init = STARTS[formula]
    derivation = ib.derive(ib.Parameterization(formula, list(init)))
    return derivation, ib.gradient_flow(PROBLEM, derivation.parameterization, init, [0.5, END])


@pytest.mark.parametrize("formula", STARTS)
def test_training_ends_at_the_projection(formula):
    """The flow of θ, which knows nothing of the potential, ends at the projection, which knows nothing of the flow."""
    derivation, flow = trained(formula)
    assert not derivation.closed_form
    limit = ib.bregman_projection(PROBLEM, derivation.at(STARTS[formula]), tol=1e-11)
    assert flow.loss[-1] < 1e-18
    # R' is exact to 1e-10 and x moves by the metric, below 10, times that.
    np.testing.assert_allclose(flow.x[-1], limit.x, rtol=0, atol=1e-8)
    assert np.max(np.abs(flow.x[-1] - flow.x[0])) > 0.05


@pytest.mark.parametrize("formula", STARTS)
def test_training_is_the_mirror_flow(formula):
    derivation, flow = trained(formula)
    mirror = ib.mirror_flow(PROBLEM, derivation, STARTS[formula], flow.t[:1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(mirror.x, flow.x[:1], rtol=0, atol=1e-8)
    potential = derivation.at(STARTS[formula])
    np.testing.assert_allclose(potential.gradient(flow.x), -flow.accumulated_gradient, rtol=0, atol=1e-8)


@pytest.mark.parametrize("power", [2, 3])
def test_powerpropagation(power):
    """Weights w|w|^(p−1) keep the signs of their start and end at the projection; the data has a solution with them."""
    signs = np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
    target = signs * np.array([1.5, 0.1, 0.2, 0.1, 0.8, 0.1])
    problem = ib.Regression(PROBLEM.Z, PROBLEM.Z @ target)
    init = {"w": 0.7 * signs}
    derivation = ib.derive(ib.Parameterization(f"w*abs(w)**{power - 1}", "w"))
    flow = ib.gradient_flow(problem, derivation.parameterization, init, [END])
    limit = ib.bregman_projection(problem, derivation.at(init), tol=1e-11)
    np.testing.assert_array_equal(np.sign(limit.x), signs)
    np.testing.assert_allclose(flow.x[-1], limit.x, rtol=0, atol=1e-8)
    if power == 2:  # that is exponentiated gradient, mirrored where the start is negative
        exact = ib.bregman_projection(ib.Regression(problem.Z * signs, problem.y), ib.Entropy(scale=0.49))
        np.testing.assert_allclose(limit.x, signs * exact.x, rtol=0, atol=1e-9)


def test_decay_of_deep_networks():
    """The mirror flow of u⁴ − v⁴ with its commuting regularizer is training with the same schedule of decay."""
    shape = ib.Parameterization("u**4 - v**4", "u,v")
    first, second = shape.commuting_regularizers(4)
    h = first + second
    n = 20
    problem = ib.Regression.sample(8, n, 3, seed=0)
    rng = np.random.default_rng(0)
    init = {"u": rng.uniform(0.6, 1.1, n), "v": rng.uniform(0.6, 1.1, n)}
    schedule = ib.schedule.Geometric(0.2, 1.0)
    times = [0.1, 1.0]
    flow = ib.gradient_flow(problem, shape.with_regularizer(h), init, times, schedule=schedule)
    began = time.thread_time()
    mirror = ib.mirror_flow(problem, ib.derive(shape, h), init, times, schedule=schedule, rtol=1e-9, atol=1e-11)
    assert time.thread_time() - began < 20  # with a table for every decay it would take minutes
    np.testing.assert_allclose(mirror.x, flow.x, rtol=0, atol=1e-8)


def test_queries_with_and_without_a_table_agree():
    """The first queries of a potential integrate from the start, later ones from a table, and both give the same."""
    # There is no closed form to be found, so the search gets little time.
    derivation = ib.derive(ib.Parameterization("sinh(u) - sinh(v)", "u,v"), "sinh(u) + sinh(v)", time_limit=2)
    assert not derivation.closed_form
    potential = derivation.at({"u": [0.5, 1.0], "v": [0.3, 1.5]}, decay=0.3)
    z = np.array([0.2, -0.1])
    direct = potential.inverse_gradient(z)  # makes a table to check the domain
    fresh = derivation.at({"u": [0.5, 1.0], "v": [0.3, 1.5]}, decay=0.3)
    np.testing.assert_allclose(fresh.inverse_gradient_at(z), direct, rtol=1e-11)
    np.testing.assert_allclose(fresh.metric_at(fresh.inverse_gradient_at(z)), potential.metric(direct), rtol=1e-10)


def test_beyond_a_blow_up_no_query_is_answered_with_a_number():
    """The solution of u' = 3u² from u = 1 is infinite at s = 1/3, and beyond it the potential answers inf."""
    potential = ib.NumericalPotential(ib.Parameterization("u**3", "u"), {"u": [1.0, 0.5]})
    with np.errstate(all="ignore"):
        assert potential.inverse_gradient_at(np.array([0.4, 0.1]))[0] == np.inf
    assert potential.inverse_gradient_at(np.array([0.2, 0.1]))[0] == pytest.approx(2.5**3, rel=1e-11)


@pytest.mark.parametrize("formula", ["sigmoid(m)*w", "u**3 - v**3"])
def test_ten_thousand_coordinates(formula):
    """A projection of 10 000 weights, each with its own start, meets its optimality conditions."""
    n, d = 10_000, 20
    rng = np.random.default_rng(3)
    init = {
        "sigmoid(m)*w": {"m": rng.uniform(0.5, 2, n), "w": rng.uniform(-0.1, 0.1, n)},
        "u**3 - v**3": {"u": rng.uniform(0.5, 0.6, n), "v": rng.uniform(0.5, 0.6, n)},
    }[formula]
    Z = rng.normal(size=(d, n)) / np.sqrt(n)
    y = rng.normal(size=d)
    derivation = ib.derive(ib.Parameterization(formula, list(init)))
    potential = derivation.at(init)
    limit = ib.bregman_projection(ib.Regression(Z, y), potential, tol=1e-10)
    np.testing.assert_allclose(Z @ limit.x, y, atol=1e-9)
    # ∇R(x) is in the range of Zᵀ.
    slope = potential.gradient(limit.x)
    np.testing.assert_allclose(slope, -limit.dual @ Z, rtol=0, atol=1e-9)
