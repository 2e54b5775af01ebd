"""The largest margin against its dual bound, and the flow of the logistic loss that leads to it."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

import implicit_bias as ib
from implicit_bias.errors import InputError


@pytest.fixture(scope="module")
def labelled():
    rng = np.random.default_rng(0)
    return rng.standard_normal((10, 30)), np.sign(rng.standard_normal(10))


def test_optimality(labelled):
    """No x with ‖x‖₁ = 1 has a larger margin: by weak duality, a convex combination of the support's rows proves it."""
    Z, y = labelled
    found = ib.max_margin(ib.Regression(Z, y, loss="logistic"))
    assert np.sum(np.abs(found.direction)) == pytest.approx(1.0)
    rows = (y[:, None] * Z)[found.support]
    weights = minimize(
        lambda p: p[-1],
        np.append(np.full(len(rows), 1 / len(rows)), 1.0),
        constraints=[
            LinearConstraint(np.hstack([rows.T, -np.ones((30, 1))]), -np.inf, 0),
            LinearConstraint(np.hstack([-rows.T, -np.ones((30, 1))]), -np.inf, 0),
            LinearConstraint(np.append(np.ones(len(rows)), 0.0), 1, 1),
        ],
        bounds=[(0, None)] * (len(rows) + 1),
        method="SLSQP",
    )
    assert weights.fun == pytest.approx(found.margin, abs=1e-6)


def test_the_margin_of_the_flow_grows_towards_its_bound(labelled):
    Z, y = labelled
    problem, bound = ib.Regression(Z, y, loss="logistic"), ib.max_margin(ib.Regression(Z, y, loss="logistic")).margin
    flow = ib.mirror_flow(
        problem, ib.HyperbolicEntropy(scale=1e-3), t=[1e2, 1e5, 1e10, 1e40, 1e80], rtol=1e-9, atol=1e-11
    )
    margins = np.min(y * (flow.x @ Z.T), axis=1) / np.sum(np.abs(flow.x), axis=1)
    assert np.all(np.diff(margins) > 0)
    assert 0.9 * bound < margins[-1] < bound


def test_at_a_large_scale_the_flow_finds_the_support_vector_machine(labelled):
    """Far below its scale R is a squared L2 norm, and the direction approaches that of largest L2 margin as 1/log t."""
    Z, y = labelled
    problem = ib.Regression(Z, y, loss="logistic")
    hard = minimize(
        lambda x: x @ x / 2, np.zeros(30), jac=lambda x: x, constraints=LinearConstraint(y[:, None] * Z, 1), tol=1e-12
    ).x
    flow = ib.mirror_flow(problem, ib.HyperbolicEntropy(scale=1e6), t=[1e10, 1e40, 1e160], rtol=1e-9, atol=1e-11)
    angles = [x @ hard / np.linalg.norm(x) / np.linalg.norm(hard) for x in flow.x]
    gaps = np.sqrt(1 - np.square(angles))
    # log t grows fourfold from each time to the next, and the distance shrinks by the same factor.
    np.testing.assert_allclose(gaps[:-1] / gaps[1:], 4.0, rtol=0.3)


def test_dual_flow_and_training_agree(labelled):
    Z, y = labelled
    problem, mask = ib.Regression(Z, y, loss="logistic"), ib.Parameterization("m*w", ["m", "w"])
    init = {"m": np.full(30, 1.0), "w": np.linspace(-0.5, 0.5, 30)}
    times = [0.5, 5.0, 50.0]
    theta = ib.gradient_flow(problem, mask, init, times)
    dual = ib.mirror_flow(problem, ib.derive(mask), init, times)
    np.testing.assert_allclose(theta.x, dual.x, rtol=0, atol=1e-10)
    np.testing.assert_allclose(theta.loss, np.mean(np.log1p(np.exp(-y * (theta.x @ Z.T))), axis=1), rtol=1e-12)


def test_bad_labels_and_contradictions():
    with pytest.raises(InputError, match="labels -1 and 1, got 0 at index 1"):
        ib.max_margin(ib.Regression([[1.0, 2.0], [1.0, 1.0]], [1.0, 0.0], loss="logistic"))
    with pytest.raises(ib.SolverError, match="No x separates the labels"):
        ib.max_margin(ib.Regression([[1.0, 2.0], [1.0, 2.0]], [1.0, -1.0], loss="logistic"))
    with pytest.raises(InputError, match="one of 'squared', 'logistic'"):
        ib.Regression([[1.0]], [1.0], loss="hinge")


@pytest.mark.parametrize("size", [1e-150, 1e-10, 3e-9, 1e16, 1e150])
def test_a_common_scale_of_the_data_is_a_scale_of_the_margin(size):
    """Scaling all data scales the margin, although a linear program drops entries below about 1e-9."""
    Z = np.array([[1.0, 0.5], [0.2, 1.0]])
    found, plain = (
        ib.max_margin(ib.Regression(Z * size, [1.0, 1.0], loss="logistic")),
        ib.max_margin(ib.Regression(Z, [1.0, 1.0], loss="logistic")),
    )
    # max over ‖x‖₁ = 1 of the smaller of x₁ + x₂/2 and x₁/5 + x₂, equal at x₁ = 5/13: 9/13.
    assert plain.margin == pytest.approx(9 / 13, rel=1e-9)
    assert found.margin / size == pytest.approx(9 / 13, rel=1e-9)
    np.testing.assert_allclose(found.direction, plain.direction, rtol=0, atol=1e-9)


def test_rows_of_very_different_size_are_no_false_verdict():
    found = ib.max_margin(ib.Regression([[1.0, 0.0, 0.0], [0.0, 1e-10, 0.0]], [1.0, 1.0], loss="logistic"), throw=False)
    assert found.status in (ib.Status.STALLED, ib.Status.CONVERGED)


@pytest.mark.parametrize("seed", range(12))
def test_inseparable_labels_are_certified(seed):
    """By Farkas' lemma no x separates the labels if a positive combination of the labelled rows vanishes."""
    rng = np.random.default_rng(seed)
    Z, y = rng.integers(-4, 5, (6, 4)).astype(float), np.sign(rng.standard_normal(6))
    shares = rng.integers(1, 5, 5).astype(float)
    Z[5] = -y[5] * (shares * y[:5]) @ Z[:5]  # integers: the combination vanishes exactly
    found = ib.max_margin(ib.Regression(Z, y, loss="logistic"), throw=False)
    assert found.status is ib.Status.INFEASIBLE
    assert np.all(found.certificate >= 0)
    assert np.sum(found.certificate) == pytest.approx(1.0)
    np.testing.assert_allclose(found.certificate @ (y[:, None] * Z), 0.0, rtol=0, atol=1e-13)


@pytest.mark.parametrize("gap", [1e-4, 1e-8, 1e-10, 1e-14, 1e-100])
@pytest.mark.parametrize("size", [1.0, 2.0**40])
def test_labels_that_are_barely_separable_are_never_called_inseparable(gap, size):
    """Rows that differ in one entry are separable, however small the difference: x = (1, 0, −2/gap) separates them."""
    Z = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, gap]]) * np.array([[1.0], [size]])
    found = ib.max_margin(ib.Regression(Z, [1.0, -1.0], loss="logistic"), throw=False)
    assert found.status is not ib.Status.INFEASIBLE
    assert found.certificate is None


def test_support_is_what_attains_the_margin():
    found = ib.max_margin(
        ib.Regression([[1.0, 0.0], [1.5, 0.0], [1.0, 1.0], [1.0 + 1e-5, 0.0]], [1.0, 1.0, 1.0, 1.0], loss="logistic")
    )
    assert found.margin == pytest.approx(1.0, rel=1e-9)
    assert found.support.tolist() == [0, 2]
