"""Joint eigenbases of commuting matrices that were built from a known basis, with repeated and close eigenvalues."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from implicit_bias.potential.joint_diagonalization import joint_eigenbasis


def commuting(values, seed):
    """Matrices with the given joint eigenvalues, shape (k, p), in a random basis."""
    basis = ortho_group.rvs(values.shape[1], random_state=seed)
    matrices = np.einsum("pj,kj,qj->kpq", basis, values, basis)
    return (matrices + matrices.swapaxes(1, 2)) / 2


def check(matrices):
    basis = joint_eigenbasis(matrices)
    size = matrices.shape[-1]
    np.testing.assert_allclose(basis.T @ basis, np.eye(size), atol=1e-13)
    rotated = basis.T @ matrices @ basis
    off = np.linalg.norm(rotated * (1 - np.eye(size)), axis=(1, 2))
    # The inputs commute up to their own rounding, about p · 1e-16 of their norms.
    assert np.all(off <= 1e-14 * size * np.linalg.norm(matrices, axis=(1, 2)))


@given(
    values=st.lists(st.lists(st.integers(-2, 2), min_size=5, max_size=5), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
@example(values=[[1, 1, 1, 1, 1]], seed=0)
@example(values=[[1, 1, 2, 2, 2], [0, 1, 0, 1, 1], [0, 0, 0, 0, 1]], seed=1)
def test_repeated_eigenvalues(values, seed):
    check(commuting(np.array(values, float), seed))


@pytest.mark.parametrize("gap", [1e-3, 1e-8, 1e-12, 1e-15])
def test_no_gap_is_needed(gap):
    """Eigenvalues of one matrix may be arbitrarily close if those of the other tell them apart."""
    check(commuting(np.array([[1, 1 + gap, 2, 2 + gap], [3, 5, 3 + gap, 3]], float), 3))


def test_sizes_may_differ_by_orders_of_magnitude():
    values = np.random.default_rng(0).normal(size=(3, 6)) * np.array([[1e-12], [1.0], [1e9]])
    check(commuting(values, 5))


def test_a_misleading_combination_is_repaired():
    """If the random combination of both matrices has a repeated eigenvalue, its arbitrary eigenvectors are repaired."""
    weights = np.random.default_rng(0).normal(size=2)
    first, second = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 1.0, -1.0, 0.5])
    # With both matrices normalized to norm 1, as the method does, their combination has equal first two eigenvalues.
    first /= np.linalg.norm(first)
    second[0] = 0.0
    for _ in range(200):
        second /= np.linalg.norm(second)
        second[0] = second[1] + weights[0] / weights[1] * (first[1] - first[0])
    second /= np.linalg.norm(second)
    combined = weights @ np.stack([first, second])
    assert abs(combined[0] - combined[1]) < 1e-12
    check(commuting(np.stack([first, second]), 7))


def test_rotations_alone_find_the_basis():
    """If the random combination is a multiple of the identity and gives no basis, the sweeps find all of it."""
    w0, w1 = np.random.default_rng(0).normal(size=2)
    first = np.array([-3.0, -1.0, 0.5, 1.5, 2.0, 4.0])
    first /= np.linalg.norm(first)
    # The constant c for which second = (c − w₀ first)/w₁ has the norm 1.
    constant = max(np.roots([len(first), -2 * w0 * np.sum(first), w0**2 - w1**2]))
    second = (constant - w0 * first) / w1
    assert np.ptp(w0 * first + w1 * second) < 1e-15
    check(commuting(np.stack([first, second]), 11))


def test_diagonal_matrices_keep_their_basis():
    assert np.array_equal(joint_eigenbasis(np.stack([np.diag([3.0, 1.0, 2.0]), np.zeros((3, 3))])), np.eye(3))


def test_forty_dimensions():
    values = np.random.default_rng(1).integers(-1, 2, size=(6, 40)).astype(float)
    check(commuting(values, 9))


def test_a_matrix_of_zeros_among_others():
    values = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.5, 0.5, -1.0]])
    check(commuting(values, 4))
