"""The distance to a mirror flow: zero where fields commute, between 0 and 1, free of units, and a brute-force value."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import implicit_bias as ib

seeds = st.integers(0, 10**6)


def sensing(seed, symmetric=True):
    generator = np.random.default_rng(seed)
    A = generator.normal(size=(3, 3, 3))
    if symmetric:
        A = A + A.swapaxes(1, 2)
    return ib.Regression(A.reshape(3, 9), generator.normal(size=3)), generator.normal(size=(2, 3, 3))


U = ib.MatrixParameterization("U @ U.T", {"U": (3, 3)})


@given(seed=seeds)
@settings(max_examples=10)
def test_brute_force_by_automatic_derivatives(seed):
    problem, path = sensing(seed, symmetric=False)
    found = ib.mirror_distance(problem, U, {"U": path})
    A = torch.tensor(problem.Z.copy()).reshape(3, 3, 3)
    for value, at in zip(found, torch.tensor(path), strict=True):
        gradients, hessians = [], []
        for a in A:

            def prediction(flat, a=a):
                M = flat.reshape(3, 3)
                return (a * (M @ M.T)).sum()

            gradients.append(torch.autograd.functional.jacobian(prediction, at.reshape(-1)))
            hessians.append(torch.autograd.functional.hessian(prediction, at.reshape(-1)))
        ratios = []
        for i, j in itertools.combinations(range(3), 2):
            bracket = hessians[j] @ gradients[i] - hessians[i] @ gradients[j]
            sizes = [h.norm(p=2) if h.ndim == 1 else torch.linalg.matrix_norm(h, 2) for h in hessians]
            ratios.append(bracket.norm() / (sizes[j] * gradients[i].norm() + sizes[i] * gradients[j].norm()))
        assert value == pytest.approx(float(max(ratios)), rel=1e-10)


@given(seed=seeds, powers=st.tuples(*[st.integers(-300, 300)] * 3), unit=st.integers(-60, 60))
@settings(max_examples=15)
def test_units_change_nothing_and_the_distance_is_at_most_one(seed, powers, unit):
    problem, path = sensing(seed)
    found = ib.mirror_distance(problem, U, {"U": path})
    assert np.all((found > 0) & (found <= 1))
    scales = np.ldexp(1.0, np.array(powers))
    scaled = ib.Regression(scales[:, None] * problem.Z, scales * problem.y)
    np.testing.assert_allclose(ib.mirror_distance(scaled, U, {"U": path}), found, rtol=1e-12)
    np.testing.assert_allclose(ib.mirror_distance(problem, U, {"U": path * 2.0**unit}), found, rtol=1e-12)


@pytest.mark.parametrize("size", [1e-100, 1e-159, 1e-161, 1e-200, 1e-290, 1e150])
def test_small_and_large_parameters(size):
    """UUᵀ is homogeneous, so the size of U does not matter, though squares of its entries underflow."""
    problem, path = sensing(3)
    want = ib.mirror_distance(problem, U, {"U": path})
    assert np.all(want > 0.01)
    np.testing.assert_allclose(ib.mirror_distance(problem, U, {"U": path * size}), want, rtol=1e-10)
    small = ib.Regression(problem.Z * 1e-150, problem.y)
    np.testing.assert_allclose(ib.mirror_distance(small, U, {"U": path * size}), want, rtol=1e-10)


@pytest.mark.parametrize("size", [1e-3, 1e-80, 1e-150])
def test_fields_far_smaller_than_others(size):
    """The brackets of a sum and a product in closed form: [∇ab, ∇(a² + c)] with c beside them."""
    problem = ib.Regression(np.eye(2), [1.0, 1.0])
    shared = ib.Parameterization(["a*b", "a**2/2"])
    a, b = size, 0.5 * size
    # F₁ = (b, a), F₂ = (a, 0), with the Hessians [[0, 1], [1, 0]] and [[1, 0], [0, 0]]: the bracket is (b, −a).
    want = np.hypot(b, a) / size / ((np.hypot(b, a) + a) / size)
    assert ib.mirror_distance(problem, shared, {"a": [a], "b": [b]})[0] == pytest.approx(want, rel=1e-13)
    # With a³/6 the second Hessian has the size a: F₂ = (a²/2, 0), bracket (ab, −a²/2), possible a|F₁| + |F₂|.
    cubic = ib.Parameterization(["a*b", "a**3/6"])
    a, b = 1e-100, 2e-100
    bracket, possible = np.hypot(2.0, 0.5), np.hypot(2.0, 1.0) + 0.5
    found = ib.mirror_distance(problem, cubic, {"a": [a], "b": [b]})[0]
    assert found == pytest.approx(bracket / possible, rel=1e-13)


@pytest.mark.parametrize("size", [1e-310, 1e-318, 5e-324])
def test_commuting_fields_stay_at_zero_where_they_lose_digits(size):
    generator = np.random.default_rng(1)
    vectors = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    rows = np.array([((vectors * v) @ vectors.T).ravel() for v in generator.normal(size=(3, 4))])
    values = {"U": size * generator.normal(size=(3, 4, 3))}
    U = ib.MatrixParameterization("U @ U.T", {"U": (4, 3)})
    assert np.all(ib.mirror_distance(ib.Regression(rows, np.ones(3)), U, values) == 0)


@given(seed=seeds)
@settings(max_examples=10)
def test_commuting_fields_are_at_distance_zero_exactly(seed):
    generator = np.random.default_rng(seed)
    vectors = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    rows = np.array([((vectors * v) @ vectors.T).ravel() for v in generator.normal(size=(3, 4))])
    problem = ib.Regression(rows, np.ones(3))
    path = generator.normal(size=(2, 4, 3))
    assert np.all(ib.mirror_distance(problem, ib.MatrixParameterization("U @ U.T", {"U": (4, 3)}), {"U": path}) == 0)
    masks = ib.Parameterization("m*w", regularizer="m**2 + w**2")
    regression = ib.Regression.sample(d=3, n=5, sparsity=2, seed=seed)
    values = {"m": generator.normal(size=(2, 5)), "w": generator.normal(size=(2, 5))}
    assert np.all(ib.mirror_distance(regression, masks, values) == 0)


def test_one_observation_is_always_a_mirror_flow_and_decay_may_spoil_it():
    one = ib.Regression([[1.0, 2.0]], [1.0])
    layers = ib.Parameterization("a*b*c")
    values = {name: np.full((1, 2), value) for name, value in zip("abc", (1.0, 0.5, 2.0), strict=True)}
    assert ib.mirror_distance(one, layers, values).tolist() == [0.0]
    assert ib.mirror_distance(one, layers.with_regularizer("a**2 + b**2 + c**2"), values)[0] > 0.01
    # [∇f, ∇h] of weight decay vanishes for products of two factors alone: f is homogeneous of degree two.
    depth = {
        2: ("W2 @ W1", {"W2": (1, 2), "W1": (2, 2)}),
        3: ("W3 @ W2 @ W1", {"W3": (1, 2), "W2": (2, 2), "W1": (2, 2)}),
    }
    for layers_count, (formula, shapes) in depth.items():
        network = ib.MatrixParameterization(formula, shapes, 1.0)
        generator = np.random.default_rng(0)
        start = {name: generator.normal(size=(1, *shape)) for name, shape in shapes.items()}
        assert (ib.mirror_distance(one, network, start)[0] == 0) == (layers_count == 2)


def test_formulas_of_coupled_weights_agree_with_their_brackets():
    """The distance vanishes where `commutes` proves that the fields commute, and not at the witness of a refutation."""
    problem = ib.Regression(np.eye(2, 3)[:, :2], [1.0, 1.0])
    for outputs in (["a*b", "a**2 + b**2"], ["a*b", "a**2"], ["a**2 * b", "a + b"]):
        shared = ib.Parameterization(outputs)
        report = shared.commutes()
        at = report.witness or {"a": 1.3, "b": 0.4}
        found = ib.mirror_distance(problem, shared, {name: [value] for name, value in at.items()})[0]
        assert (found == 0) == report.holds


def test_along_a_trajectory():
    problem, path = sensing(0)
    flow = ib.gradient_flow(problem, U, {"U": 0.1 * path[0]}, [0.0, 0.1, 1.0])
    assert ib.mirror_distance(problem, U, flow.parameters).shape == (3,)


def test_fields_that_vanish_commute():
    problem, path = sensing(0)
    assert ib.mirror_distance(problem, U, {"U": 0 * path}).tolist() == [0.0, 0.0]


def test_bad_arguments():
    problem, path = sensing(0)
    two = ib.MatrixParameterization("U @ V", {"U": (3, 3), "V": (3, 3)})
    with pytest.raises(ib.InputError, match="an axis of records"):
        ib.mirror_distance(problem, two, {"U": path, "V": path[:1]})
    for parameters, message in (
        ({"U": path[0]}, "an axis of records in front"),
        ({"V": path}, "exactly U"),
        ({"U": path[:, :2]}, "an axis of records"),
    ):
        with pytest.raises(ib.InputError, match=message):
            ib.mirror_distance(problem, U, parameters)
    with pytest.raises(ib.InputError, match="constants"):
        ib.mirror_distance(problem, ib.Parameterization("c*m", constants="c"), {"m": np.ones((1, 9))})
