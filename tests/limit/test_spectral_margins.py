"""Projections of matrices onto margins of 1: proven ones of eigenvalues, optimality to 40 digits, another solver."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import implicit_bias as ib
from implicit_bias.status import Status


def labelled(rows, labels):
    return ib.Regression(np.reshape(rows, (len(rows), -1)), labels, loss="logistic")


def onto_margins(rows, labels, potential, **options):
    return ib.bregman_projection(labelled(rows, labels), potential, constraint=">=", **options)


@given(
    seed=st.integers(0, 10**6), log_scale=st.sampled_from([2.0, 0.0, -3.0, -20.0, -100.0]), is_positive=st.booleans()
)
@settings(max_examples=30)
def test_commuting_rows_are_the_proven_projection_of_eigenvalues(seed, log_scale, is_positive):
    """That of single weights comes with an error bound; rows are more than matrices have eigenvalues, too."""
    generator = np.random.default_rng(seed)
    p = int(generator.integers(2, 6))
    d = int(generator.integers(1, 2 * p))
    vectors = np.linalg.qr(generator.normal(size=(p, p)))[0]
    Z = generator.normal(size=(d, p)) * 2.0 ** generator.integers(-6, 6, (d, 1))
    x = generator.normal(size=p)
    labels = np.where(Z @ (np.abs(x) if is_positive else x) > 0, 1.0, -1.0)
    rows = [(vectors * z) @ vectors.T for z in Z]
    single = (ib.Entropy if is_positive else ib.HyperbolicEntropy)(log_scale=log_scale)
    proven = ib.bregman_projection(labelled(Z, labels), single, constraint=">=", throw=False)
    size = np.linalg.norm(proven.x)
    if not proven.error_bound <= 1e-12 * size:
        return  # an ill-conditioned draw
    R = (
        ib.VonNeumannEntropy(p, log_scale=log_scale)
        if is_positive
        else ib.SpectralHypentropy((p, p), log_scale=log_scale)
    )
    found = onto_margins(rows, labels, R)
    assert np.linalg.norm(found.x - ((vectors * proven.x) @ vectors.T).ravel()) <= 1e-10 * size
    assert found.error_bound == np.inf  # none is known
    np.testing.assert_array_equal(found.dual, -labels * found.multipliers)


def noncommuting(seed, p=3, d=5):
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(d, p, p))
    factor = generator.normal(size=(p, p))
    labels = np.where(np.sum(rows * (factor @ factor.T), axis=(1, 2)) > 0, 1.0, -1.0)
    return rows, labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_the_conditions_of_optimality_in_40_digits(seed, scale):
    """X = exp(log S + r Σ μ_i y_i sym Z_i) with μ >= 0, margins of at least 1, and of 1 where μ_i > 0."""
    rows, labels = noncommuting(seed)
    found = onto_margins(rows, labels, ib.VonNeumannEntropy(3, scale=scale))
    assert found.status is Status.CONVERGED
    with mp.workdps(40):
        exponent = mp.log(scale) * mp.eye(3)
        for row, label, multiplier in zip(rows, labels, found.multipliers, strict=True):
            Z = mp.matrix(row.tolist())
            exponent += 4 * float(multiplier) * float(label) * (Z + Z.T) / 2
        X = mp.expm(exponent)
        margins = [
            float(label) * mp.fsum(float(row[i, j]) * X[i, j] for i in range(3) for j in range(3))
            for row, label in zip(rows, labels, strict=True)
        ]
        gap = mp.norm(X - mp.matrix(found.x.reshape(3, 3).tolist()))
        assert gap <= 1e-12 * mp.norm(X)
        assert min(margins) >= 1 - 1e-11
        assert all(multiplier >= 0 for multiplier in found.multipliers)
        assert all(abs(m - 1) < 1e-11 for m, mu in zip(margins, found.multipliers, strict=True) if mu > 0)
    assert 0 < np.count_nonzero(found.multipliers) < len(labels)


@pytest.mark.parametrize("seed", range(4))
def test_another_solver_that_knows_only_values(seed):
    rows, labels = noncommuting(seed, 2, 3)
    rows = np.concatenate([rows, 3 * rows], axis=1)  # of shape (4, 2)
    R = ib.SpectralHypentropy((4, 2), scale=0.3)
    found = onto_margins(rows, labels, R)
    constraint = {"type": "ineq", "fun": lambda x: labels * (rows.reshape(3, 8) @ x) - 1}
    other = minimize(
        R.value, np.ones(8), method="SLSQP", constraints=constraint, options={"ftol": 1e-14, "maxiter": 500}
    )
    assert other.success
    np.testing.assert_allclose(found.x, other.x, rtol=0, atol=1e-5)
    assert R.value(found.x) <= other.fun + 1e-12


def test_quadratic_forms_take_margins_too():
    """Forms that commute couple weights, unless each has parameters of its own: x = ½ θᵀQθ is (θ₁², θ₂²) for these."""
    R = ib.QuadraticForms([np.diag([2.0, 0.0]), np.diag([0.0, 2.0])], theta0=[1.0, 1.0])
    rows, labels = np.array([[1.0, 0.5], [0.2, -1.0]]), [1.0, -1.0]
    found = onto_margins(rows, labels, R)
    want = onto_margins(rows, labels, ib.Entropy(scale=1.0))
    np.testing.assert_allclose(found.x, want.x, rtol=0, atol=1e-11)
    np.testing.assert_allclose(found.multipliers, want.multipliers, rtol=0, atol=1e-11)


def test_a_minimizer_with_margins_of_1_stays():
    found = onto_margins([np.eye(2), -np.ones((2, 2))], [1.0, -1.0], ib.VonNeumannEntropy(2, scale=1.0))
    np.testing.assert_allclose(found.x, [1.0, 0.0, 0.0, 1.0], rtol=0, atol=1e-15)
    assert found.status is Status.CONVERGED
    assert found.iterations == 0
    np.testing.assert_array_equal(found.multipliers, [0.0, 0.0])


def test_labels_that_no_matrix_separates_are_proved_so():
    rows = [np.diag([1.0, 2.0]), np.diag([2.0, -1.0]), np.diag([-3.0, -1.0])]
    found = onto_margins(rows, [1.0, 1.0, 1.0], ib.SpectralHypentropy((2, 2), scale=1.0), throw=False)
    assert found.status is Status.INFEASIBLE
    np.testing.assert_allclose(found.certificate, np.ones(3) / 3, rtol=1e-15)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e8, 1e14])
def test_labels_that_no_positive_matrix_separates_are_not_called_converged(scale):
    """The trace would be at most −1; with a large minimizer the misfit relative to it would be small."""
    found = onto_margins([np.eye(2)], [-1.0], ib.VonNeumannEntropy(2, scale=scale), throw=False)
    assert found.status is not Status.CONVERGED
    assert found.kkt_residual > 0.1
    with pytest.raises(ib.SolverError, match="no x in the domain of the potential has margins of 1"):
        onto_margins([np.eye(2)], [-1.0], ib.VonNeumannEntropy(2, scale=scale))


def test_starts_steps_and_units():
    rows, labels = noncommuting(0)
    R = ib.VonNeumannEntropy(3, scale=1e-3)
    found = onto_margins(rows, labels, R)
    again = onto_margins(rows, labels, R, start=found.dual)
    assert again.iterations <= 1 < found.iterations
    for start in ([1e5, -1e5, 1e6, 0.0, 1.0], np.zeros(5)):
        np.testing.assert_allclose(onto_margins(rows, labels, R, start=start).x, found.x, rtol=0, atol=1e-10)
    short = onto_margins(rows, labels, R, max_iterations=2, throw=False)
    assert (short.status, short.iterations) == (Status.MAX_ITERATIONS, 2)
    # The x with margins of 1 for larger rows is smaller by as much, if the scale is.
    scaled = onto_margins(2.0**300 * rows, labels, ib.VonNeumannEntropy(3, scale=1e-3 * 2.0**-300))
    np.testing.assert_allclose(2.0**300 * scaled.x, found.x, rtol=0, atol=1e-10 * np.linalg.norm(found.x))
