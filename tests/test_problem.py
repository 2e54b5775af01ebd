"""The regression loss against its definition, and the checks of its data."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

import implicit_bias as ib
from implicit_bias.errors import InputError
from implicit_bias.problem import check_system

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 5), st.integers(1, 5))
def test_the_loss_is_its_definition_and_the_gradient_its_derivative(seed, d, n):
    rng = np.random.default_rng(seed)
    Z, y, x = rng.normal(size=(d, n)), rng.normal(size=d), rng.normal(size=n)
    problem = ib.Regression(Z, y)
    by_hand = sum((sum(Z[i, j] * x[j] for j in range(n)) - y[i]) ** 2 for i in range(d)) / (2 * d)
    assert problem.loss(x) == pytest.approx(by_hand)
    assert problem.gradient(x) == pytest.approx(approx_fprime(x, problem.loss), abs=1e-5)
    assert problem.gradient(x) == pytest.approx(_autograd(Z, y, x))


def _autograd(Z, y, x):
    weights = torch.tensor(x, requires_grad=True)
    (0.5 * torch.nn.functional.mse_loss(torch.tensor(Z) @ weights, torch.tensor(y))).backward()
    return weights.grad.numpy()


@given(seeds)
def test_the_loss_of_predictions_has_the_stated_derivatives(seed):
    rng = np.random.default_rng(seed)
    problem = ib.Regression(rng.normal(size=(3, 4)), rng.normal(size=3))
    p, step = rng.normal(size=3), 1e-4
    for i, unit in enumerate(np.eye(3)):
        losses = [problem.prediction_loss(p + k * step * unit) for k in (-1, 0, 1)]
        assert (losses[2] - losses[0]) / (2 * step) == pytest.approx(problem.prediction_gradient(p)[i], abs=1e-8)
        second = (losses[2] - 2 * losses[1] + losses[0]) / step**2
        assert second == pytest.approx(problem.prediction_hessian(p)[i], abs=1e-6)


@given(seeds)
def test_batches_are_rows(seed):
    problem = ib.Regression.sample(2, 5, 3, seed=seed)
    x = np.random.default_rng(seed).normal(size=(2, 3, 5))
    assert problem.loss(x).shape == (2, 3)
    assert problem.gradient(x).shape == x.shape
    assert problem.loss(x)[1, 2] == pytest.approx(problem.loss(x[1, 2]))
    assert problem.gradient(x)[1, 2] == pytest.approx(problem.gradient(x[1, 2]))


@given(seeds, st.integers(1, 8), st.integers(1, 8), st.data())
def test_samples_are_sparse_solvable_and_repeatable(seed, d, more, data):
    n = d + more
    sparsity = data.draw(st.integers(1, n))
    problem = ib.Regression.sample(d, n, sparsity, seed=seed)
    assert (problem.d, problem.n, np.count_nonzero(problem.truth)) == (d, n, sparsity)
    assert problem.loss(problem.truth) == 0
    again = ib.Regression.sample(np.int64(d), np.int32(n), sparsity, seed=seed)
    assert np.array_equal(problem.Z, again.Z)
    assert not np.array_equal(problem.Z, ib.Regression.sample(d, n, sparsity, seed=seed + 1).Z)


def test_the_design_is_viewed_and_the_rest_copied():
    """Z is not copied, as it may be as large as memory allows, but nothing can be written through the view."""
    Z, y, truth = np.ones((1, 2)), np.ones(1), np.ones(2)
    problem = ib.Regression(Z, y, truth=truth)
    assert np.shares_memory(problem.Z, Z)
    y[:], truth[:] = 5, 5
    assert problem.loss([1.0, 0.0]) == 0
    assert problem.truth.tolist() == [1, 1]
    for array in (problem.Z, problem.y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5.0


@pytest.mark.parametrize(
    ("Z", "y", "part"),
    [
        ([[1.0, np.nan]], [1.0], r"^Z: .*index \(0, 1\)"),
        ([[1.0, 2.0]], [np.inf], r"^y: .*inf"),
        ([1.0, 2.0], [1.0], r"^Z: .*\(2,\)"),
        ([[1.0, 2.0]], [[1.0]], r"^y: .*\(1, 1\)"),
        ([[1.0, 2.0]], [1.0, 2.0], r"^y: expected shape \(1,\)"),
        (np.ones((0, 2)), [], r"^Z: .*\(0, 2\)"),
        (np.ones((1, 0)), [1.0], r"^Z: .*\(1, 0\)"),
        ([[1.0, 2.0], [3.0]], [1.0, 2.0], "^Z: "),
        ([[1j, 2.0]], [1.0], "^Z: .*complex"),
        ([["1", "2"]], [1.0], "^Z: .*<U1"),
        (None, [1.0], "^Z: "),
        ([[1.0, 2.0]], None, "^y: "),
        (torch.ones(1, 2, requires_grad=True), [1.0], "^Z: .*detach"),
    ],
)
def test_bad_data_are_named(Z, y, part):
    for build in (ib.Regression, check_system):
        with pytest.raises(InputError, match=part):
            build(Z, y)


def test_bad_options_and_weights_are_named():
    with pytest.raises(InputError, match=r"^loss: expected one of 'squared', 'logistic', 'exponential', got 'hinge'"):
        ib.Regression([[1.0, 2.0]], [1.0], loss="hinge")
    with pytest.raises(InputError, match=r"^truth: expected shape \(2,\)"):
        ib.Regression([[1.0, 2.0]], [1.0], truth=[1.0])
    problem = ib.Regression([[1.0, 2.0]], [1.0])
    for x in ([1.0], 1.0, [[1.0], [2.0]], [np.nan, 0.0], ["a", "b"]):
        for method in (problem.loss, problem.gradient):
            with pytest.raises(InputError, match=r"^x: "):
                method(x)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((5, 5, 1), "1 <= d < n"),
        ((0, 5, 1), "1 <= d < n"),
        ((2, 5, 0), "^sparsity"),
        ((2, 5, 6), "^sparsity"),
        ((2.5, 5, 1), "^d: expected an integer"),
        ((2, "5", 1), "^n: expected an integer"),
        ((2, 5, 1.5), "^sparsity: expected an integer"),
        ((2, 5, 1, -1), "^seed"),
        ((2, 5, 1, "a"), "^seed"),
    ],
)
def test_bad_sample_sizes_are_named(arguments, part):
    with pytest.raises(InputError, match=part):
        ib.Regression.sample(*arguments)
