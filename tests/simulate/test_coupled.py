"""Weights that share their parameters: flows, descent and limits of quadratic forms, each against separate code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm, qr
from scipy.optimize import minimize

import implicit_bias as ib
from implicit_bias.schedule import Geometric

NAMES = ("a", "b", "c")


def commuting(seed, count=2, size=3):
    """Symmetric matrices with common eigenvectors, one more for the decay, a start, and a problem that it can solve."""
    rng = np.random.default_rng(seed)
    basis = qr(rng.standard_normal((size, size)))[0]
    forms = [basis @ np.diag(rng.uniform(-1, 1, size)) @ basis.T for _ in range(count)]
    decaying = basis @ np.diag(rng.uniform(0.2, 1, size)) @ basis.T
    start = basis @ rng.uniform(0.5, 1.5, size)
    # Weights of the form x = ∇Q(z), which the flow can reach.
    theta = expm(np.tensordot(rng.uniform(-0.5, 0.5, count), forms, axes=1)) @ start
    reached = np.array([theta @ form @ theta / 2 for form in forms])
    Z = rng.standard_normal((1, count))
    return forms, decaying, start, ib.Regression(Z, Z @ reached)


def formula(matrix):
    return " + ".join(
        f"({float(matrix[i, j]) / 2!r})*{NAMES[i]}*{NAMES[j]}" for i in range(len(matrix)) for j in range(len(matrix))
    )


def parameterization(forms, decaying=None):
    return ib.Parameterization([formula(M) for M in forms], NAMES, None if decaying is None else formula(decaying))


@given(seed=st.integers(0, 10**6))
@settings(max_examples=5)
def test_the_projection_minimizes_the_potential_on_the_line(seed):
    """A search along the one direction that the equation leaves free, without dual variables, finds the same point."""
    forms, decaying, start, problem = commuting(seed)
    potential = ib.QuadraticForms(forms, decaying, theta0=start)
    found = ib.bregman_projection(problem, potential)
    assert found.status is ib.Status.CONVERGED
    np.testing.assert_allclose(problem.Z @ found.x, problem.y, rtol=0, atol=1e-11 * max(1, abs(problem.y[0])))
    np.testing.assert_allclose(potential.gradient(found.x), -problem.Z.T @ found.dual, rtol=1e-7, atol=1e-9)
    along = np.array([-problem.Z[0, 1], problem.Z[0, 0]])

    def value(t):
        x = found.x + t[0] * along
        return float(potential.value(x)) if potential.contains(x) else np.inf

    other = minimize(value, [0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
    assert abs(other.x[0]) <= 1e-5
    assert found.error_bound == np.inf  # none is known


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_flows_of_parameters_and_of_duals_and_an_integrator_agree(seed):
    forms, decaying, start, problem = commuting(seed)
    schedule, times = Geometric(0.1, tau=1.0), [0.5, 3.0]
    init = dict(zip(NAMES, start, strict=True))

    def velocity(t, theta):
        x = np.array([theta @ form @ theta / 2 for form in forms])
        slope = problem.Z.T @ (problem.Z @ x - problem.y)  # one observation: f = (Zx − y)²/2
        pull = sum(s * form @ theta for s, form in zip(slope, forms, strict=True))
        return -pull - float(schedule(t)) * decaying @ theta

    want = solve_ivp(velocity, (0, 3.0), start, "Radau", times, rtol=1e-10, atol=1e-12).y.T
    x = np.array([[theta @ form @ theta / 2 for form in forms] for theta in want])
    flow = ib.gradient_flow(problem, parameterization(forms, decaying), init, times, schedule=schedule)
    np.testing.assert_allclose(flow.x, x, rtol=0, atol=1e-7)
    np.testing.assert_allclose(np.stack([flow.parameters[name] for name in NAMES], axis=1), want, rtol=0, atol=1e-7)
    forms_of_start = ib.QuadraticForms(forms, decaying, theta0=start)
    for method in ("LSODA", "Radau"):
        dual = ib.mirror_flow(problem, forms_of_start, t=times, schedule=schedule, method=method)
        np.testing.assert_allclose(dual.x, flow.x, rtol=0, atol=1e-9)
        np.testing.assert_allclose(dual.dual, flow.dual, rtol=0, atol=1e-8)
    # The mirror identity holds for the potential that the trajectory derives from its formulas.
    gradient = flow.potential(0).gradient(flow.x[0])
    np.testing.assert_allclose(gradient, -flow.accumulated_gradient[0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("optimizer", [ib.SGD(), ib.SGD(0.5), ib.SGD(0.5, nesterov=True)])
def test_descent_ends_at_the_limit_as_the_step_vanishes(optimizer):
    forms, _, start, problem = commuting(3)
    init = dict(zip(NAMES, start, strict=True))
    runs = ib.descent(problem, parameterization(forms), init, [0.2, 0.1], 2_500, optimizer=optimizer, record=2)
    assert np.all(runs.loss[-1] < 1e-24)
    limit = runs.flow_limit(0)
    errors = np.linalg.norm(runs.x[-1] - limit.x, axis=-1)
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.1)
    alone = ib.descent(problem, parameterization(forms), init, 0.02, 100, optimizer=optimizer, record=2)
    together = ib.descent(problem, parameterization(forms), init, [0.04, 0.02], 100, optimizer=optimizer, record=2)
    np.testing.assert_array_equal(together.x[:, 1], alone.x)
    np.testing.assert_array_equal(together.parameters["b"][:, 1], alone.parameters["b"])


def test_what_has_no_potential_says_so_and_flows_all_the_same():
    problem = ib.Regression([[1.0, 1.0]], [0.5])
    noncommuting = ib.Parameterization(["a*b", "a**2"])
    flow = ib.gradient_flow(problem, noncommuting, {"a": 1.0, "b": 0.5}, [50.0])
    assert flow.loss[-1] < 1e-12
    with pytest.raises(ib.UnsupportedError, match="commuting matrices"):
        flow.potential()
    cubic = ib.gradient_flow(problem, ib.Parameterization(["a**3", "b"]), {"a": 1.0, "b": 0.5}, [1.0])
    with pytest.raises(ib.UnsupportedError, match="not a quadratic form"):
        cubic.limit()
    pulled = ib.Parameterization("m*w", regularizer="m**2")
    flow = ib.gradient_flow(problem, pulled, {"m": 1.0, "w": 0.5}, [1.0], schedule=0.1)
    with pytest.raises(ib.UnsupportedError, match="no potential"):
        flow.potential()


@pytest.mark.parametrize(("y", "status"), [([1.0, 1.0], ib.Status.CONVERGED), ([1.0, 2.0], ib.Status.INFEASIBLE)])
def test_rows_that_repeat_or_contradict_each_other(y, status):
    forms = ib.QuadraticForms(
        [np.diag([1.0, 0.0, 0.0]), np.diag([0.0, 1.0, 0.0]), np.diag([0.0, 0.0, 1.0])], theta0=[1, 1, 1]
    )
    Z = np.array([[1.0, 0.3, 0.5], [1.0, 0.3, 0.5]])
    found = ib.bregman_projection(ib.Regression(Z, y), forms, throw=False)
    assert found.status is status
    if status is ib.Status.CONVERGED:
        alone = ib.bregman_projection(ib.Regression(Z[:1], y[:1]), forms)
        np.testing.assert_allclose(found.x, alone.x, rtol=1e-10)
        np.testing.assert_allclose(forms.gradient(found.x), -Z.T @ found.dual, rtol=1e-7, atol=1e-9)
    else:
        assert found.certificate @ Z == pytest.approx([0.0, 0.0, 0.0], abs=1e-15)
        assert abs(found.certificate @ y) > 0.1


def test_a_value_outside_the_cone_is_no_limit():
    """The weights (a², b²)/2 cannot be negative."""
    forms = ib.QuadraticForms([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])], theta0=[1.0, 1.0])
    for potential in (forms, ib.Entropy(scale=0.5)):
        for y in (-1.0, -1e-10, -1e-14, 0.0):
            found = ib.bregman_projection(ib.Regression([[1.0, 1.0]], [y]), potential, throw=False)
            assert found.status is ib.Status.STALLED, (potential, y)
            assert found.error_bound == np.inf
