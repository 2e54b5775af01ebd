"""Flows and descent of matrices against SciPy's integrator, loops written out, automatic derivatives and theory."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import implicit_bias as ib
from implicit_bias.schedule import Geometric
from implicit_bias.simulate.matrix_families import MatrixFamilies
from implicit_bias.simulate.matrix_model import MatrixModel

MODELS = {
    "U @ U.T": ({"U": (4, 3)}, lambda U: U @ U.T),
    "U @ V.T": ({"U": (3, 2), "V": (4, 2)}, lambda U, V: U @ V.T),
    "diag(m) @ W": ({"m": 3, "W": (3, 4)}, lambda m, W: m[:, None] * W),
    "W3 @ W2 @ W1": ({"W3": (2, 3), "W2": (3, 2), "W1": (2, 4)}, lambda W3, W2, W1: W3 @ W2 @ W1),
    "U @ U.T - 2 * V @ U.T @ V.T": ({"U": (2, 2), "V": (2, 2)}, lambda U, V: U @ U.T - 2 * V @ U.T @ V.T),
}


def model(name, regularizer=None):
    shapes, function = MODELS[name]
    return ib.MatrixParameterization(name, shapes, regularizer), function


def problem_of(parameterization, d, seed):
    generator = np.random.default_rng(seed)
    Z = generator.normal(size=(d, int(np.prod(parameterization.shape))))
    return ib.Regression(Z, generator.normal(size=d)), {
        name: 0.5 * generator.normal(size=shape) for name, shape in parameterization.shapes.items()
    }


def test_a_symmetric_factorization_of_order_twenty_against_scipy():
    """The brief's criterion: 1e-9 of the weights, whose largest is about 2, on the way and at the end."""
    generator = np.random.default_rng(0)
    A = generator.normal(size=(30, 20, 20))
    truth = generator.normal(size=(20, 2))
    y = np.einsum("kij,ij->k", A, truth @ truth.T)
    start, times = 0.1 * generator.normal(size=(20, 20)), [0.05, 0.3, 2.0]

    def velocity(t, flat):
        U = flat.reshape(20, 20)
        residual = np.einsum("kij,ij->k", A, U @ U.T) - y
        slope = np.einsum("k,kij->ij", residual / 30, A)
        return -((slope + slope.T) @ U).ravel()

    want = solve_ivp(velocity, (0, 2.0), start.ravel(), "DOP853", times, rtol=3e-14, atol=1e-15).y.T.reshape(3, 20, 20)
    problem, U = ib.Regression(A.reshape(30, 400), y), ib.MatrixParameterization("U @ U.T", {"U": (20, 20)})
    flow = ib.gradient_flow(problem, U, {"U": start}, times)
    np.testing.assert_allclose(flow.parameters["U"], want, rtol=0, atol=1e-9)
    np.testing.assert_allclose(flow.x.reshape(3, 20, 20), want @ want.swapaxes(1, 2), rtol=0, atol=1e-9)
    assert flow.loss[-1] < 1e-9


@pytest.mark.parametrize("name", MODELS)
def test_flows_against_automatic_derivatives(name):
    """Torch differentiates the model, and SciPy integrates, with decay; the loss is written out."""
    parameterization, function = model(name, 0.7)
    problem, init = problem_of(parameterization, 4, 1)
    Z, y = torch.tensor(problem.Z.copy()), torch.tensor(problem.y.copy())
    sizes = [int(np.prod(shape)) for shape in parameterization.shapes.values()]

    def velocity(t, flat):
        theta = torch.tensor(flat, requires_grad=True)
        parts = [p.reshape(s) for p, s in zip(theta.split(sizes), parameterization.shapes.values(), strict=True)]
        total = ((Z @ function(*parts).reshape(-1) - y) ** 2).sum() / 8 + 0.3 * np.exp(-t) * 0.7 * (theta**2).sum()
        return -torch.autograd.grad(total, theta)[0].numpy()

    start = np.concatenate([value.ravel() for value in init.values()])
    want = solve_ivp(velocity, (0, 2.0), start, "DOP853", [0.5, 2.0], rtol=1e-12, atol=1e-13).y.T
    flow = ib.gradient_flow(problem, parameterization, init, [0.5, 2.0], schedule=Geometric(0.3, 1.0))
    found = np.concatenate([value.reshape(2, -1) for value in flow.parameters.values()], axis=1)
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_second_derivatives_against_automatic_ones(name):
    parameterization, function = model(name, 0.7)
    n = int(np.prod(parameterization.shape))
    matrices, generator = MatrixModel(parameterization, n), np.random.default_rng(2)
    theta, directions = generator.normal(size=matrices.size), generator.normal(size=(2, n))
    sizes = [int(np.prod(shape)) for shape in parameterization.shapes.values()]

    def along(flat, direction):
        parts = [p.reshape(s) for p, s in zip(flat.split(sizes), parameterization.shapes.values(), strict=True)]
        return function(*parts).reshape(-1) @ torch.tensor(direction)

    at = torch.tensor(theta)
    for direction, gradient in zip(directions, matrices.gradients(theta, directions), strict=True):
        want = torch.autograd.functional.jacobian(lambda v, u=direction: along(v, u), at)
        np.testing.assert_allclose(gradient, want, rtol=0, atol=1e-12)
        want = torch.autograd.functional.hessian(lambda v, u=direction: along(v, u), at)
        np.testing.assert_allclose(matrices.hessian(theta, direction), want, rtol=0, atol=1e-12)
    slopes, bends = matrices.regularizer(theta)
    np.testing.assert_allclose(slopes, 1.4 * theta)
    np.testing.assert_allclose(bends, 1.4 * np.eye(len(theta)))


@pytest.mark.parametrize("optimizer", [ib.SGD(), ib.SGD(0.5), ib.Adam()])
def test_descent_takes_the_steps_of_a_loop_and_runs_do_not_mix(optimizer):
    parameterization, function = model("U @ V.T", 1.0)
    problem, init = problem_of(parameterization, 3, 3)
    parts = {name: torch.tensor(value.copy(), requires_grad=True) for name, value in init.items()}
    if isinstance(optimizer, ib.SGD):
        reference = torch.optim.SGD(parts.values(), 0.02, momentum=optimizer.momentum)
    else:
        reference = torch.optim.Adam(parts.values(), 0.02)
    Z, y = torch.tensor(problem.Z.copy()), torch.tensor(problem.y.copy())
    for _ in range(50):
        reference.zero_grad()
        squares = sum((part**2).sum() for part in parts.values())
        (((Z @ function(*parts.values()).reshape(-1) - y) ** 2).sum() / 6 + 0.1 * squares).backward()
        reference.step()
    alone = ib.descent(problem, parameterization, init, 0.02, 50, optimizer=optimizer, schedule=0.1, record=2)
    for name, part in parts.items():
        np.testing.assert_allclose(alone.parameters[name][-1], part.detach().numpy(), rtol=0, atol=1e-12)
    starts = {name: np.stack([2 * value, value]) for name, value in init.items()}
    both = ib.descent(problem, parameterization, starts, 0.02, 50, optimizer=optimizer, schedule=0.1, record=2)
    assert both.x.shape == (2, 2, 12)
    np.testing.assert_array_equal(both.x[:, 1], alone.x)
    np.testing.assert_array_equal(both.of_run(1).parameters["V"], alone.parameters["V"])


def test_linear_networks_keep_their_balance():
    """W_{l+1}ᵀ W_{l+1} − W_l W_lᵀ is conserved along the flow of a linear network (Arora, Cohen, Hazan 2018)."""
    parameterization, _ = model("W3 @ W2 @ W1")
    problem, init = problem_of(parameterization, 4, 4)
    flow = ib.gradient_flow(problem, parameterization, init, [0.0, 1.0, 5.0])
    for high, low in (("W3", "W2"), ("W2", "W1")):
        above, below = flow.parameters[high], flow.parameters[low]
        balance = above.swapaxes(1, 2) @ above - below @ below.swapaxes(1, 2)
        np.testing.assert_allclose(balance, balance[[0, 0, 0]], rtol=0, atol=1e-10)


def commuting(seed, p=5, d=2):
    generator = np.random.default_rng(seed)
    vectors = np.linalg.qr(generator.normal(size=(p, p)))[0]
    values = generator.uniform(-1, 1, (d, p))
    rows = np.array([((vectors * v) @ vectors.T).ravel() for v in values])
    start = (vectors * generator.uniform(0.3, 1, p)) @ vectors.T
    goal = (vectors * generator.uniform(0, 2, p)) @ vectors.T
    return ib.Regression(rows, rows @ goal.ravel()), start, vectors


@pytest.mark.parametrize("seed", range(6))
def test_commuting_sensing_ends_at_the_projection_of_the_entropy_of_its_start(seed):
    """∇R(X_t) = −L_t on the way, with decay; the flow of the dual ends at the projection, to 1e-12."""
    problem, start, _ = commuting(seed)
    U = ib.MatrixParameterization("U @ U.T", {"U": (5, 5)}, 1.0)
    flow = ib.gradient_flow(problem, U, {"U": start}, [1.0, 3.0], schedule=Geometric(0.2, 0.5))
    for k in range(2):
        duals = flow.potential(k).gradient(flow.x[k])
        rows = flow.accumulated_gradient[k].reshape(5, 5)
        np.testing.assert_allclose(duals, -((rows + rows.T) / 2).ravel(), rtol=0, atol=1e-9)
    R = ib.VonNeumannEntropy(5, scale=start @ start.T)
    limit = ib.bregman_projection(problem, R, tol=1e-14, throw=False)
    end = ib.mirror_flow(problem, R, t=[3000.0])
    assert end.loss[-1] < 1e-28
    np.testing.assert_allclose(end.x[-1], limit.x, rtol=0, atol=1e-12 * np.linalg.norm(limit.x))


def test_the_flow_of_the_factor_ends_at_the_projection():
    problem, start, _ = commuting(2)
    flow = ib.gradient_flow(problem, ib.MatrixParameterization("U @ U.T", {"U": (5, 5)}), {"U": start}, [400.0])
    assert flow.loss[-1] < 1e-22
    np.testing.assert_allclose(flow.x[-1], flow.limit().x, rtol=0, atol=1e-10)
    by_hand = ib.bregman_projection(problem, ib.VonNeumannEntropy(5, scale=start @ start.T))
    np.testing.assert_allclose(flow.limit().x, by_hand.x, rtol=0, atol=1e-11)


def test_runs_in_steps_end_at_the_projection_of_their_effective_start():
    """With commuting measurements steps are U ← (1 − 2ηG)U: the effective start is U_0 times commuting factors."""
    problem, start, vectors = commuting(6)
    U = ib.MatrixParameterization("U @ U.T", {"U": (5, 5)})
    run = ib.descent(problem, U, {"U": start}, 0.05, 20_000, record=2)
    assert run.loss[-1] < 1e-25
    np.testing.assert_allclose(run.x[-1], run.limit().x, rtol=0, atol=1e-10)
    assert np.linalg.norm(run.x[-1] - run.flow_limit().x) > 1e-4
    effective = vectors.T @ run.effective_init()["U"] @ vectors
    np.testing.assert_allclose(effective, np.diag(np.diag(effective)), atol=1e-10)


@pytest.mark.parametrize(("u", "v"), [(0.4, 0.0), (0.3, 0.1)])
def test_unbalanced_factorizations_end_at_the_projection_of_the_hypentropy(u, v):
    """Measurements with common singular vectors; U_0 U_0ᵀ = uI and V_0 V_0ᵀ = vI, orthogonal to each other."""
    generator = np.random.default_rng(7)
    left, right = (np.linalg.qr(generator.normal(size=(size, size)))[0] for size in (3, 4))
    Z = generator.normal(size=(2, 3))
    rows = np.array([((left * z) @ right[:3]).ravel() for z in Z])
    problem = ib.Regression(rows, Z @ np.array([1.0, -0.5, 0.2]))
    init = {"U": np.sqrt(u) * np.eye(3, 7), "V": np.sqrt(v) * np.eye(4, 7, 3)}
    factorization = ib.MatrixParameterization("U @ V.T", {"U": (3, 7), "V": (4, 7)}, 1.0)
    flow = ib.gradient_flow(problem, factorization, init, [1.0, 150.0], schedule=Geometric(0.2, 0.5))
    assert isinstance(flow.potential(), ib.SpectralHypentropy)
    assert flow.potential().log_scale == pytest.approx(np.log((u + v) / 2) - 4 * 0.1, abs=1e-12)
    duals = flow.potential(0).gradient(flow.x[0])
    np.testing.assert_allclose(duals, -flow.accumulated_gradient[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(flow.x[-1], flow.limit().x, rtol=0, atol=1e-9)


def test_without_commuting_measurements_there_is_no_potential():
    parameterization, _ = model("W3 @ W2 @ W1")
    problem, init = problem_of(parameterization, 2, 5)
    with pytest.raises(ib.UnsupportedError, match="No potential of W3 @ W2 @ W1"):
        ib.gradient_flow(problem, parameterization, init, [0.1]).potential()
    problem, start, _ = commuting(8)
    U = ib.MatrixParameterization("U @ U.T", {"U": (5, 5)})
    with pytest.raises(ib.UnsupportedError, match=r"A\[0\] and U_0 U_0ᵀ do not commute"):
        ib.gradient_flow(problem, U, {"U": np.triu(start)}, [0.1]).potential()
    singular = np.linalg.eigh(problem.Z[0].reshape(5, 5))[1][:, :1] @ np.ones((1, 5))
    with pytest.raises(ib.UnsupportedError, match="positive definite"):
        ib.gradient_flow(problem, U, {"U": singular}, [0.1]).potential()
    other = ib.Regression(np.vstack([problem.Z, np.arange(25.0)]), [*problem.y, 1.0])
    with pytest.raises(ib.UnsupportedError, match=r"A\[0\] and A\[2\] do not commute"):
        ib.gradient_flow(other, U, {"U": start}, [0.1]).potential()
    factors = ib.MatrixParameterization("U @ V.T", {"U": (5, 5), "V": (5, 5)})
    with pytest.raises(ib.UnsupportedError, match="U_0 V_0ᵀ = 0"):
        ib.gradient_flow(problem, factors, {"U": start, "V": start}, [0.1]).potential()
    unbalanced = {"U": np.eye(5), "V": np.zeros((5, 5))}
    with pytest.raises(ib.UnsupportedError, match="not symmetric"):
        ib.gradient_flow(other, factors, unbalanced, [0.1]).potential()
    with pytest.raises(ib.UnsupportedError, match="predictions cover no matrices"):
        ib.training_limit(problem, U, {"U": start}, step=0.1)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_what_commutes_does_not_depend_on_units(unit):
    """Starts and measurements in other units have potentials, or none, as before."""
    problem, start, vectors = commuting(9)
    U = ib.MatrixParameterization("U @ U.T", {"U": (5, 5)})
    factors = ib.MatrixParameterization("U @ V.T", {"U": (5, 5), "V": (5, 5)})
    skew = np.eye(5) + 1e-4 * np.eye(5, k=1)
    other = ib.Regression(unit * np.vstack([problem.Z, (vectors @ np.eye(5, k=1) @ vectors.T).ravel()]), [0.0] * 3)
    problem = ib.Regression(unit * problem.Z, problem.y)

    def potential(problem, parameterization, init):
        scaled = {name: np.sqrt(unit) * value for name, value in init.items()}
        return MatrixFamilies(problem, parameterization, scaled)()(0.0)

    assert isinstance(potential(problem, U, {"U": start}), ib.VonNeumannEntropy)
    assert isinstance(potential(problem, factors, {"U": np.eye(5), "V": 0 * start}), ib.SpectralHypentropy)
    for arguments in (
        (other, U, {"U": start}),
        (problem, U, {"U": skew @ start}),
        (other, factors, {"U": np.eye(5), "V": 0 * start}),
        (problem, factors, {"U": skew, "V": 0 * start}),
        (problem, factors, {"U": np.eye(5), "V": 1e-4 * np.eye(5)}),
    ):
        with pytest.raises(ib.UnsupportedError):
            potential(*arguments)


def test_bad_arguments():
    problem, start, _ = commuting(0)
    U = ib.MatrixParameterization("U @ U.T", {"U": (5, 5)})
    for init, message in (
        ({"U": start[:4]}, r"shape \(5, 5\), got"),
        ({"V": start}, "exactly the parameters U"),
        ({"U": start * np.nan}, "nan or inf"),
    ):
        with pytest.raises(ib.InputError, match=message):
            ib.gradient_flow(problem, U, init, [1.0])
    with pytest.raises(ib.InputError, match=r"or \(runs, 5, 5\)"):
        ib.descent(problem, U, {"U": start[:4]}, 0.1, 5)
    with pytest.raises(ib.InputError, match="matrix of 25 entries"):
        ib.gradient_flow(problem, ib.MatrixParameterization("U @ U.T", {"U": (4, 5)}), {"U": start[:4]}, [1.0])
    with pytest.raises(ib.InputError, match="regularizer"):
        ib.gradient_flow(problem, U, {"U": start}, [1.0], schedule=0.1)


def test_a_flow_that_reaches_no_time_and_runs_that_diverge_say_so():
    problem, start, _ = commuting(0)
    U = ib.MatrixParameterization("U @ U.T", {"U": (5, 5)})
    flow = ib.gradient_flow(problem, U, {"U": start}, [1e6], max_steps=3, throw=False)
    assert flow.status is ib.Status.MAX_ITERATIONS
    assert flow.x.shape == (0, 25)
    runs = ib.descent(problem, U, {"U": start}, [0.1, 1e6], 50, throw=False)
    assert runs.diverged.tolist() == [False, True]


def test_the_effective_start_of_a_flow_is_its_own():
    problem, start, _ = commuting(1)
    U = ib.MatrixParameterization("U @ U.T", {"U": (5, 5)}, 0.5)
    flow = ib.gradient_flow(problem, U, {"U": start}, [1.0], schedule=0.1)
    np.testing.assert_allclose(flow.effective_init()["U"], start, rtol=0, atol=1e-10)
    pushed = flow.accumulated_gradient[-1].reshape(5, 5)
    forward = expm(-(pushed + pushed.T) - 0.1 * np.eye(5)) @ start
    np.testing.assert_allclose(flow.parameters["U"][-1], forward, rtol=0, atol=1e-10)
